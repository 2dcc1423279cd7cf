"""Which prompt each untuned model was asked with, as the summary and the reports tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from raft.answering.prompt_choice import FoundChoice, Wording
from raft.evaluate.measures.metrics import EXACT_MATCH, F1, SQUAD_F1
from raft.evaluate.report.blocks import Block, Cell, Grid, Recorded, Section
from raft.prompts.variants import PHRASINGS, PromptVariant

_METRICS = (F1, EXACT_MATCH, SQUAD_F1)


class UsedPrompt(TypedDict):
    """The prompt of one untuned model, and what decided that."""

    prompt: str
    why: str


class Prompts(TypedDict):
    """What `summary.json` holds of prompts. used: by model.

    tried: by prompt its metrics on `questions` of the validation split, and chosen the best of them; nothing and None
    where they were not compared.
    """

    used: dict[str, UsedPrompt]
    chosen: str | None
    questions: int
    tried: dict[str, dict[str, float]]


def prompts_of(used: Mapping[str, Wording], found: FoundChoice | None) -> Prompts:
    """How the untuned models of an evaluation were asked, and what is known of their other prompts."""
    told = {name: UsedPrompt(prompt=str(one.variant), why=one.why) for name, one in used.items()}
    if found is None or not found.choice.questions:
        return Prompts(used=told, chosen=None, questions=0, tried={})
    choice = found.choice
    tried = {
        str(variant): {F1.name: one.f1, EXACT_MATCH.name: one.exact_match, SQUAD_F1.name: one.squad_f1}
        for variant, one in choice.tried.items()
    }
    return Prompts(used=told, chosen=str(choice.chosen), questions=choice.questions, tried=tried)


def prompts(recorded: Recorded) -> Section | None:
    """What was used and why, and every prompt that was tried with its metrics on the validation split."""
    found = recorded.get("prompts")
    if not found:
        return None
    rows = []
    for name, metrics in found["tried"].items():
        shares = [100 * metrics[metric.name] for metric in _METRICS]
        rows.append((name, _about(name), [Cell(f"{share:.1f}", "", round(share, 1)) for share in shares]))
    blocks: list[Block] = [Grid("Prompt", [metric.label for metric in _METRICS], rows)] if rows else []
    return Section("prompts", "Prompts of the untuned model", _note(found), blocks)


def _note(found: Recorded) -> str:
    used = "; ".join(f"{model}: '{one['prompt']}', {one['why']}" for model, one in found["used"].items())
    note = f"Prompts used by untuned models: {used}. Tuned models are asked as they were trained."
    if not found["tried"]:
        return f"{note} No comparison of prompts on a validation split was at hand."
    return (
        f"{note} Each prompt was tried on {found['questions']} questions of the validation split with retrieved "
        f"passages; '{found['chosen']}' did best by {F1.label}. In points out of 100, without intervals: this chooses "
        "a prompt and is no verdict."
    )


def _about(name: str) -> str:
    """What a prompt asks for; nothing of one that another version of raft knows."""
    return PHRASINGS[PromptVariant(name)].about if name in set(PromptVariant) else ""
