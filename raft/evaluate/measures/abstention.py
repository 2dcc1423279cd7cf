"""Answering less and being right more often: risk against coverage, and the confidence below which to refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from raft.evaluate.measures.metrics import F1
from raft.evaluate.statistics.intervals import Values
from raft.evaluate.statistics.means import Interval, Ruler
from raft.models.generator import confidence
from raft.types import Prediction, Score

_SHARES = tuple(n / 20 for n in range(1, 21))


class Point(TypedDict):
    """Of all questions the share `coverage` is answered at this confidence or above, with this mean loss (`risk`)."""

    confidence: float
    coverage: float
    risk: float


class RiskCoverage(TypedDict):
    """What the confidence of one arm is worth.

    area: under the curve of risk over coverage, up to what the arm answers (AURC; Geifman et al. 2019), beside that of
    confidence at random, which is the mean risk. min_confidence: below it refusing loses less than answering; None
    where refusing everything would be best. gain: what it adds to the mean reliability of a question, measured on each
    document with the threshold that the others gave.
    """

    n: int
    area: float
    area_at_random: float
    curve: list[Point]
    min_confidence: float | None
    gain: Interval


def risk_coverage(
    predictions: Sequence[Prediction], scores: Sequence[Score], clusters: Mapping[str, str], ruler: Ruler
) -> RiskCoverage | None:
    """Of one arm's predictions and their scores, joined by id; None where it is not known how likely its answers are.

    The loss of an answer is 1 less its F1, and 1 where the question cannot be answered; what the arm refuses by itself
    is not covered. Reliability is 1 less twice the loss of an answer, and 0 of a refusal: effective reliability with a
    cost of 1 (Whitehead et al. 2022, "Reliable visual question answering"), here linear in F1.
    """
    metrics = {score.question_id: score.metrics for score in scores}
    given = sorted((one for one in predictions if not one.abstained), key=lambda one: one.question_id)
    likelihoods = [one.likelihood for one in given if one.likelihood is not None]
    known = np.array([confidence(one) for one in likelihoods], dtype=np.float64)
    if not given or len(known) < len(given):
        return None
    losses = np.array([1 - metrics[one.question_id].get(F1.name, 0.0) for one in given])
    order = np.argsort(-known, kind="stable")
    given, known, losses = [given[place] for place in order], known[order], losses[order]
    risks = _risks(known, losses)
    ends = _ends(known)
    documents = np.array([clusters[one.question_id] for one in given])
    gains = dict.fromkeys(sorted(one.question_id for one in predictions), 0.0)
    for document in sorted(set(documents)):
        here = documents == document
        limit = threshold(known[~here], losses[~here])
        for place in np.flatnonzero(here):
            if limit is None or known[place] < limit:
                gains[given[place].question_id] = -(1 - 2 * float(losses[place]))
    count = len(predictions)
    shown = dict.fromkeys(ends[min(int(np.searchsorted(ends, share * count - 1)), len(ends) - 1)] for share in _SHARES)
    return RiskCoverage(
        n=count,
        area=float(risks.mean()),
        area_at_random=float(losses.mean()),
        curve=[
            Point(confidence=float(known[end]), coverage=(end + 1) / count, risk=float(losses[: end + 1].mean()))
            for end in shown
        ],
        min_confidence=threshold(known, losses),
        gain=ruler.interval(gains, clusters, (-1.0, 1.0)),
    )


def threshold(confidences: Values, losses: Values) -> float | None:
    """The confidence from which on answers are worth giving: it makes the sum of 1 - 2 * loss above it largest.

    confidences: falling. Of equal sums that with the most answers. None where refusing everything is best.
    """
    if not len(confidences):
        return None
    ends = _ends(confidences)
    sums = np.cumsum(1 - 2 * losses)[ends]
    best = len(sums) - 1 - int(np.argmax(sums[::-1]))
    return float(confidences[ends[best]]) if sums[best] >= 0 else None


def _ends(confidences: Values) -> list[int]:
    """The last place of each run of equal confidences, which can only be answered or refused together."""
    return [*np.flatnonzero(np.diff(confidences)).tolist(), len(confidences) - 1]


def _risks(confidences: Values, losses: Values) -> Values:
    """The mean loss of the first 1, 2, ... answers; within equal confidences in random order."""
    smooth = losses.astype(np.float64).copy()
    start = 0
    for end in _ends(confidences):
        smooth[start : end + 1] = losses[start : end + 1].mean()
        start = end + 1
    risks: Values = np.cumsum(smooth) / np.arange(1, len(smooth) + 1)
    return risks
