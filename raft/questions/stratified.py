"""A part of the questions that stands for all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from raft.types import Question


def stratified(questions: Sequence[Question], count: int) -> list[Question]:
    """`count` of the questions, in their order; all where there are no more.

    Systematic sampling from a sorted list (Cochran 1977, chapter 8): by whether the documents answer them, kind and
    first document, each of which is then represented in proportion. The same questions always give the same sample.
    """
    if count >= len(questions):
        return list(questions)
    order = sorted(range(len(questions)), key=lambda place: _stratum(questions[place]))
    # From the middle of each of so many runs of equal length.
    taken = {order[(2 * run + 1) * len(order) // (2 * count)] for run in range(count)}
    return [question for place, question in enumerate(questions) if place in taken]


def _stratum(question: Question) -> tuple[bool, str, str, str]:
    first = question.document_ids[0] if question.document_ids else ""
    # Neighbours in a file are alike, so within a stratum chance decides.
    return question.unanswerable, question.kind, first, hashlib.sha256(question.id.encode()).hexdigest()
