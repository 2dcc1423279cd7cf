"""What a model is taught to write: quotes and an answer, an answer alone, or a question with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from raft.prompts.form import (
    ANSWER,
    BEGIN_QUOTE,
    END_QUOTE,
    LISTED_ANSWER,
    LISTED_QUESTION,
    QUESTION,
    Segment,
    content,
    template,
)


class CitedQuote(NamedTuple):
    """A quote as a model writes it: the number of the passage in the prompt, from 1, and its words."""

    number: int
    text: str


def reasoned_target(quotes: Sequence[CitedQuote], answer: str) -> tuple[Segment, ...]:
    """What RAFT teaches (Zhang et al. 2024, section 3): the quotes that the answer rests on, then the answer."""
    cited = [
        segment
        for quote in quotes
        for segment in (
            template(f"[{quote.number}] {BEGIN_QUOTE} "),
            content(quote.text),
            template(f" {END_QUOTE} "),
        )
    ]
    return (*cited, *plain_target(answer))


def explained_target(reasoning: str, quotes: Sequence[CitedQuote], answer: str) -> tuple[Segment, ...] | None:
    """Reasoning in free words with its quotes, in their order, then the answer; None where it lacks one of them.

    All but the marks of the quotes is content: whoever wrote the reasoning has read the user's material.
    """
    segments: list[Segment] = []
    at = 0
    for quote in quotes:
        before, after = f"[{quote.number}] {BEGIN_QUOTE} ", f" {END_QUOTE}"
        found = reasoning.find(f"{before}{quote.text}{after}", at)
        if found < 0:
            return None
        segments += [content(reasoning[at:found]), template(before), content(quote.text), template(after)]
        at = found + len(before) + len(quote.text) + len(after)
    return (*segments, content(reasoning[at:]), template(" "), *plain_target(answer))


def plain_target(answer: str) -> tuple[Segment, ...]:
    """What plain fine-tuning teaches: the answer alone."""
    return (template(f"{ANSWER} "), content(answer))


def question_target(answer: str, question: str) -> tuple[Segment, ...]:
    """What a question writer is taught: the answer first, so that the question is about something definite."""
    return (*plain_target(answer), template(f" {QUESTION} "), content(question))


def listed_target(asked: Sequence[tuple[str, str]]) -> tuple[Segment, ...]:
    """Questions about one passage, each below its answer, as `list_prompt` begins them. asked: (question, answer)."""
    rows = [
        segment
        for question, answer in asked
        for segment in (
            template(f"\n{LISTED_ANSWER}"),
            content(f" {answer}"),
            template(LISTED_QUESTION),
            content(f" {question}"),
        )
    ]
    # The prompt ends with the first mark.
    return tuple(rows[1:])
