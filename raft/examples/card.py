"""The dataset card that travels with a training set."""

from __future__ import annotations

from collections.abc import Mapping

from raft.artifacts import Ledger
from raft.examples.recording import public_settings
from raft.recipe import ExampleSettings


def dataset_card(counts: Mapping[str, int], ledger: Ledger, settings: ExampleSettings) -> str:
    """A Hugging Face dataset card: what the rows are, how many there are, and what was thrown out and why."""
    from huggingface_hub import DatasetCardData

    header = DatasetCardData(task_categories=["question-answering"], tags=["raft", "retrieval-augmented-generation"])
    splits = "".join(f"| {name} | {counts[name]} |\n" for name in ("train", "validation", "test"))
    rejected = "".join(f"- {count} {reason}\n" for reason, count in sorted(ledger.rejected.items())) or "- none\n"
    chosen = "".join(f"- `{key}`: {value}\n" for key, value in public_settings(settings).items())
    false = (
        "Passages marked `counterfactual` are oracles with another answer put in; they are false and stand in no "
        "document.\n\n"
    )
    return (
        f"---\n{header.to_yaml()}\n---\n"
        "# RAFT training set\n\n"
        "Each row shows a question with passages, some of them distractors, and the target: the quotes that the answer "
        "rests on, then the answer (Zhang et al. 2024, arXiv 2403.10131). Every quote is an exact slice of a passage "
        "that the row shows; rows without their oracle quote nothing. The documents that answer the questions of one "
        "split answer none of another; distractors come from the whole index, as they do in serving.\n\n"
        f"{false if settings.distractors.counterfactual else ''}"
        f"| split | rows |\n| --- | --- |\n{splits}\n"
        f"Candidates: {ledger.read} = {ledger.kept} kept + {ledger.read - ledger.kept} rejected "
        f"(see `rejected.jsonl`):\n{rejected}\n"
        f"Settings:\n{chosen}"
    )
