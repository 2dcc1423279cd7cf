"""Questions with a closed set of answers (yes, no, maybe, or choices): labels read off answers, and their confusion."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

from raft.text import VERDICTS, locate
from raft.types import Prediction, Question

# What an answer that names no label, or more than one, counts as; and a refusal.
OTHER, REFUSED = "(other)", "(refused)"
_WORD = re.compile(r"\w+")


def labels_of(question: Question) -> tuple[str, ...]:
    """The labels that an answer can be: the question's choices, or yes, no and maybe; () for an open question.

    A question with one of these three words among its accepted answers, and not two of them, is a question for yes or
    no. One that wants several answers has no labels.
    """
    if question.all_of:
        return ()
    if question.choices:
        return question.choices
    return VERDICTS if len(_named(question.answers, VERDICTS)) == 1 else ()


def gold_label(question: Question) -> str | None:
    """The accepted label of a closed question; None for an open or unanswerable one, or where two are accepted."""
    named = _named(question.answers, labels_of(question))
    return named[0] if len(named) == 1 else None


def _named(answers: Sequence[str], labels: Sequence[str]) -> list[str]:
    keys = {_key(answer) for answer in answers}
    return [label for label in labels if _key(label) in keys]


def read_label(answer: str, labels: Sequence[str]) -> str | None:
    """The label that an answer gives: as it stands, at its beginning, or as the only one in it; None where unclear.

    Words are compared whole, so that "know" says neither no nor now. A label of one letter must begin the answer.
    """
    said = _key(answer)
    for label in sorted(labels, key=len, reverse=True):
        if f"{said} ".startswith(f"{_key(label)} "):
            others = {other for other in labels if other != label and _key(other) not in _key(label)}
            return None if any(len(other) > 1 and locate(other, answer) for other in others) else label
    inside = [label for label in labels if len(label) > 1 and locate(label, answer)]
    return inside[0] if len(inside) == 1 else None


def _key(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def confusion(
    questions: Mapping[str, Question], predictions: Sequence[Prediction], labels: Sequence[str]
) -> dict[str, dict[str, int]]:
    """How often each accepted label was answered by which, over the questions with exactly these labels."""
    counts: dict[str, Counter[str]] = {}
    for prediction in predictions:
        question = questions[prediction.question_id]
        gold = gold_label(question)
        if gold is not None and labels_of(question) == tuple(labels):
            said = REFUSED if prediction.abstained else read_label(prediction.answer, labels) or OTHER
            counts.setdefault(gold, Counter())[said] += 1
    return {gold: dict(sorted(counts[gold].items())) for gold in labels if gold in counts}


def macro_f1(matrix: Mapping[str, Mapping[str, int]]) -> float:
    """The mean over all accepted labels of the F1 with which each is told from the others, 0 to 1.

    "Always yes" has half of what it has in accuracy or less, which is what this is for. Raises ValueError for no rows.
    """
    if not matrix:
        raise ValueError("there are no labels to average over")
    scores = []
    for label, row in matrix.items():
        right = row.get(label, 0)
        said = sum(other.get(label, 0) for other in matrix.values())
        scores.append(2 * right / (said + sum(row.values())))
    return sum(scores) / len(scores)
