"""The prompts that an untuned model can be asked with: the phrasing that tuned models learn need not suit it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from raft.prompts.form import ANSWER, BEGIN_QUOTE, END_QUOTE, REFUSAL, Turn, asked_about, asked_alone, template


class PromptVariant(StrEnum):
    """In the order in which they are tried. QUOTE is what tuned models are trained with, and the only one for them."""

    BEGUN = "begun"
    SHORT = "short"
    WORKED = "worked"
    QUOTE = "quote"


class Phrasing(NamedTuple):
    """How one variant asks: with passages and from memory.

    about: what it asks for, in words for a report. begun: the first words of the reply. worked: whether two questions
    with their answers stand before. marks: whether it asks for a mark before the answer; without one the first line of
    the reply is the answer.
    """

    with_passages: str
    from_memory: str
    about: str
    begun: str = ""
    worked: bool = False
    marks: bool = False


_REFUSE = f"If the passages do not hold the answer, write only: {REFUSAL}"
_SHORT = (
    f"Answer the question from the numbered passages in as few words as possible. {_REFUSE}",
    "Answer the question from what you know, in as few words as possible.",
)
PHRASINGS: Mapping[PromptVariant, Phrasing] = {
    PromptVariant.BEGUN: Phrasing(
        f"Answer the question from the numbered passages in at most five words. {_REFUSE}",
        "Answer the question from what you know, in at most five words.",
        "at most five words, in a reply that begins with 'Answer:'",
        begun="Answer:",
    ),
    PromptVariant.SHORT: Phrasing(*_SHORT, "as few words as possible"),
    PromptVariant.WORKED: Phrasing(
        *_SHORT, "as few words as possible, after two questions that are answered so", worked=True
    ),
    PromptVariant.QUOTE: Phrasing(
        "Answer the question from the numbered passages. First quote the words that the answer rests on, in the form "
        f"[n] {BEGIN_QUOTE}exact words of passage n{END_QUOTE}. Then write {ANSWER} and the answer in as few words as "
        f"possible. If the passages do not hold the answer, write only: {ANSWER} {REFUSAL}",
        f"Answer the question from what you know. Write {ANSWER} and the answer in as few words as possible.",
        "quotes first and then the answer, as tuned models are asked",
        marks=True,
    ),
}


class _Passage(NamedTuple):
    title: str
    text: str


# Of our own and about nothing that any corpus of ours speaks of; the right passage stands first once, and last once.
_WORKED = (
    (
        "On which evening does the juggling club meet?",
        (
            _Passage("Juggling club", "The juggling club meets on Thursday evenings in the old gym. Scarves are lent."),
            _Passage("Origami table", "The origami table in the foyer is free on all evenings but Sunday."),
        ),
        "Thursday",
    ),
    (
        "Who sewed the giraffe costume?",
        (
            _Passage("Ticket booth", "The ticket booth was painted by Milo Anders in two shades of yellow."),
            _Passage("Costumes", "Odile Marchetti sewed the giraffe costume from eleven metres of felt."),
        ),
        "Odile Marchetti",
    ),
)
WORKED_WITH_PASSAGES = tuple(
    Turn(asked_about(question, passages), (template(answer),)) for question, passages, answer in _WORKED
)
WORKED_FROM_MEMORY = tuple(Turn(asked_alone(question), (template(answer),)) for question, _, answer in _WORKED)
