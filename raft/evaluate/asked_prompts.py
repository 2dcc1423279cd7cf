"""Which prompt each untuned model was asked with, as the summary and the reports tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from raft.answering.prompt_choice import FoundChoice, Wording
from raft.evaluate.measures.metrics import EXACT_MATCH, F1, SQUAD_F1


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
