"""Risk and coverage by hand, and a threshold that pays on documents that did not choose it."""

import math

import numpy as np
import pytest

from raft.evaluate.measures.abstention import RiskCoverage, risk_coverage, threshold
from raft.evaluate.statistics.means import Ruler
from raft.recipe import EvaluateSettings
from raft.types import Prediction, Score

RULER = Ruler(EvaluateSettings(bootstrap_samples=400), 0)


def measured(rows: list[tuple[float | None, float | None]], documents: int = 8) -> RiskCoverage | None:
    """From confidence (None: refused) and F1 (None: unanswerable) of each question."""
    predictions = [
        Prediction(f"q{n:03}", "rag", (), "", "", "", (), sure is None, 0.0, math.log(sure or 0.5))
        for n, (sure, _) in enumerate(rows)
    ]
    scores = [Score(f"q{n:03}", "", "rag", {} if f1 is None else {"f1": f1}) for n, (_, f1) in enumerate(rows)]
    return risk_coverage(predictions, scores, {f"q{n:03}": str(n % documents) for n in range(len(rows))}, RULER)


def test_the_curve_is_that_of_a_hand_worked_example() -> None:
    found = measured([(0.9, 1.0), (0.8, 0.5), (0.7, 1.0), (0.6, None), (None, 1.0)])
    assert found is not None
    assert [(round(p["confidence"], 6), p["coverage"], p["risk"]) for p in found["curve"]] == [
        (0.9, 0.2, 0.0), (0.8, 0.4, 0.25), (0.7, 0.6, pytest.approx(0.5 / 3)), (0.6, 0.8, 0.375),
    ]  # fmt: skip
    assert found["area"] == pytest.approx((0 + 0.25 + 0.5 / 3 + 0.375) / 4)
    assert found["area_at_random"] == 0.375
    assert found["min_confidence"] == pytest.approx(0.7)  # 1 + 0 + 1 is more than with the last one
    assert found["n"] == 5


def test_equal_confidence_tells_nothing_whatever_the_order() -> None:
    rows = [(0.5, 1.0), (0.5, 0.0), (0.5, 0.0), (0.5, 1.0)]
    for order in (rows, rows[::-1]):
        found = measured(order)
        assert found is not None
        assert found["area"] == pytest.approx(found["area_at_random"]) == 0.5
        assert len(found["curve"]) == 1


def test_where_nothing_is_worth_answering_there_is_no_threshold() -> None:
    assert threshold(np.array([0.9, 0.8]), np.array([1.0, 0.6])) is None
    assert threshold(np.array([0.9, 0.8]), np.array([0.0, 0.5])) == 0.8  # of equal sums the one that answers more
    assert threshold(np.array([]), np.array([])) is None


def test_an_arm_without_likelihoods_has_no_curve() -> None:
    prediction = Prediction("q", "rag", (), "", "", "x", (), False, 0.0)
    assert risk_coverage([prediction], [Score("q", "", "rag", {"f1": 1.0})], {"q": "d"}, RULER) is None


def simulated(worth: float, seed: int) -> RiskCoverage:
    """400 questions in 40 documents; the share `worth` of what decides an answer is known to the model."""
    rng = np.random.default_rng(seed)
    sure = rng.random(400)
    right = rng.random(400) < worth * sure + (1 - worth) * 0.4
    found = measured([(float(s), float(r)) for s, r in zip(sure, right, strict=True)], documents=40)
    assert found is not None
    return found


def test_a_confidence_that_means_something_pays_and_one_that_does_not_is_not_sold_as_if_it_did() -> None:
    useful, useless = simulated(1.0, 0), simulated(0.0, 0)
    assert useful["area"] < useful["area_at_random"] - 0.1
    assert useful["min_confidence"] == pytest.approx(0.5, abs=0.15)
    assert useful["gain"]["low"] > 0.05
    assert useless["area"] == pytest.approx(useless["area_at_random"], abs=0.06)
