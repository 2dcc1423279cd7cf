"""The section of the report that shows which prompts untuned models were asked with."""

from __future__ import annotations

from raft.evaluate.measures.metrics import EXACT_MATCH, F1, SQUAD_F1
from raft.evaluate.report.blocks import Block, Cell, Grid, Recorded, Section
from raft.prompts.variants import PHRASINGS, PromptVariant

_METRICS = (F1, EXACT_MATCH, SQUAD_F1)


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
