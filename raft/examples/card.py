"""The dataset card that travels with a training set."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from raft.artifacts import Ledger
from raft.examples.balance import Balance
from raft.examples.splits import Split
from raft.types import Example

_SPLITS = (Split.TRAIN, Split.VALIDATION, Split.TEST)
_PLAIN: Mapping[Any, str] = {str: "string", bool: "bool", int: "int64", float: "float64"}
# Classes of a facet that the card names; a large corpus has many documents.
_NAMED = 10


def dataset_card(
    rows: Mapping[Split, Sequence[Example]],
    counts: Mapping[str, int],
    ledger: Ledger,
    settings: Mapping[str, Any],
    balance: Balance,
) -> str:
    """A Hugging Face dataset card: what the rows are, how many, how they are spread, and what was thrown out and why.

    Its head names the files and columns of each split that has rows, so that `datasets.load_dataset` loads the folder.
    counts, settings: as in the manifest.
    """
    rejected = "".join(f"- {count} {reason}\n" for reason, count in sorted(ledger.rejected.items())) or "- none\n"
    chosen = "".join(f"- `{key}`: {value}\n" for key, value in settings.items())
    warnings = "".join(f"- {line}\n" for line in balance.warnings(settings["largest_share"]))
    false = (
        "Passages marked `counterfactual` are oracles with another answer put in; they are false and stand in no "
        "document.\n\n"
    )
    return (
        f"---\n{_head(rows, settings)}\n---\n"
        "# RAFT training set\n\n"
        "Each row shows a question with passages, some of them distractors, and the target: the quotes that the answer "
        "rests on, then the answer (Zhang et al. 2024, arXiv 2403.10131). Every quote is an exact slice of a passage "
        "that the row shows; rows without their oracle quote nothing. The documents that answer the questions of one "
        "split answer none of another, nor do documents that share much of their text; distractors come from the whole "
        "index, as they do in serving.\n\n"
        f"{false if settings['distractors']['counterfactual'] else ''}"
        f"Licence: {settings['license'] or 'not stated'}\n\n"
        f"| split | rows | documents |\n| --- | --- | --- |\n"
        + "".join(f"| {name} | {counts[name]} | {counts[f'{name}_documents']} |\n" for name in _SPLITS)
        + f"| unseen | 0 | {counts['unseen_documents']} |\n\n"
        f"Candidates: {ledger.read} = {ledger.kept} kept + {ledger.read - ledger.kept} rejected "
        f"(see `rejected.jsonl`):\n{rejected}\n"
        "## Leakage\n\n"
        "Listed in `leakage.jsonl`:\n\n"
        f"- {counts['leaked_questions']} pairs of near-duplicate questions in different splits\n"
        f"- {counts['leaked_oracles']} passages that are oracle in one split and shown in another\n"
        f"- {counts['unseen_passages_shown']} passages of unseen documents shown as distractors\n\n"
        f"## Balance of the training rows\n\n{_spread(balance)}\n{warnings}\n"
        f"## Settings\n\n{chosen}"
    )


def _spread(balance: Balance) -> str:
    lines = []
    for facet, counts in balance.classes.items():
        named = [f"{name} {count}" for name, count in list(counts.items())[:_NAMED]]
        further = [f"and {len(counts) - _NAMED} more"] if len(counts) > _NAMED else []
        lines.append(f"| {facet} | {', '.join([*named, *further])} |\n")
    return "| by | rows |\n| --- | --- |\n" + "".join(lines)


def _head(rows: Mapping[Split, Sequence[Example]], settings: Mapping[str, Any]) -> str:
    from huggingface_hub import DatasetCardData

    # An empty file has no rows that a loader could make a split of.
    files = [{"split": str(split), "path": f"{split}.jsonl"} for split in _SPLITS if rows[split]]
    provenance = {key for examples in rows.values() for row in examples for key in row.provenance}
    return DatasetCardData(
        license=settings["license"] or None,
        language=settings["language"] or None,
        task_categories=["question-answering"],
        tags=["raft", "retrieval-augmented-generation"],
        configs=[{"config_name": "default", "data_files": files}],
        # Said and not guessed: a split in which no row quotes anything has the same columns as the others.
        dataset_info={"features": [_feature(name, kind, provenance) for name, kind in _columns(Example)]},
    ).to_yaml()


def _columns(kind: type) -> list[tuple[str, Any]]:
    hints = get_type_hints(kind)
    return [(field.name, hints[field.name]) for field in fields(kind)]


def _feature(name: str, kind: Any, keys: Collection[str]) -> dict[str, Any]:
    """A column as the heads of dataset cards have it. keys: the keys of a mapping of texts."""
    if isinstance(kind, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not type(None))
    if kind in _PLAIN or (isinstance(kind, type) and issubclass(kind, StrEnum)):
        return {"name": name, "dtype": _PLAIN.get(kind, "string")}
    if get_origin(kind) is tuple:
        inner = _feature(name, get_args(kind)[0], keys)
        return {"name": name, "list": inner.get("dtype", inner.get("struct"))}
    if is_dataclass(kind) and isinstance(kind, type):
        return {"name": name, "struct": [_feature(*column, keys) for column in _columns(kind)]}
    return {"name": name, "struct": [{"name": key, "dtype": "string"} for key in sorted(keys)]}
