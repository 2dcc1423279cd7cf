"""How often each accepted label of closed questions was answered by which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from raft.questions.labels import gold_label, labels_of, read_label
from raft.types import Prediction, Question

# What an answer that names no label, or more than one, counts as; and a refusal.
OTHER, REFUSED = "(other)", "(refused)"


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
