"""Intervals that hold what they promise, on simulated questions that share documents."""

import math

import numpy as np
import pytest
from scipy import stats

from raft.evaluate.statistics import intervals
from raft.evaluate.statistics.comparison import Comparison
from raft.evaluate.statistics.intervals import Estimate, estimate
from raft.evaluate.statistics.significance import permutation_p

SETS = 500
SAMPLES = 800


def simulated(rng: np.random.Generator, documents: int, gain: float) -> tuple[np.ndarray, list[str]]:
    """Paired differences of two arms, right or wrong, with documents that differ in how hard they are."""
    sizes = rng.integers(1, 14, size=documents)
    document = np.repeat(np.arange(documents), sizes)
    hard_for_a, hard_for_b = rng.normal(0, 0.8, size=(2, documents))[:, document]
    a = rng.random(len(document)) < 1 / (1 + np.exp(-hard_for_a))
    b = rng.random(len(document)) < 1 / (1 + np.exp(-hard_for_b))
    return a.astype(float) - b.astype(float) + gain, [str(one) for one in document]


def alone(difference: Estimate) -> Comparison:
    """A comparison of which the interval alone decides."""
    return Comparison(difference, 0.0, 0.0)


def among(difference: Estimate, others: int) -> Comparison:
    """The same as one of several."""
    return Comparison(difference, 0.0, 0.0, others)


def measured(values: np.ndarray, clusters: list[str], seed: int = 0) -> Estimate:
    return estimate(values, clusters, SAMPLES, 0.95, seed, (-1.0, 1.0))


@pytest.mark.parametrize("documents", [40, 15])
def test_the_interval_holds_the_true_difference_as_often_as_it_says(documents: int) -> None:
    rng = np.random.default_rng(documents)
    covered = wins = 0
    for number in range(SETS):
        found = measured(*simulated(rng, documents, gain=0.0), seed=number)
        covered += found.low <= 0 <= found.high
        wins += "beats" in alone(found).verdict("raft", "rag", "F1")
    assert 0.93 <= covered / SETS <= 0.97
    assert wins == SETS - covered  # a win is nothing but an interval that leaves zero out
    assert wins / SETS <= 0.07  # 5 %, and two standard errors of this simulation


def test_counting_questions_as_independent_would_promise_too_much() -> None:
    # All questions of a document answered alike: ten documents of twenty questions are ten observations.
    values = np.repeat(np.random.default_rng(0).integers(0, 2, size=10).astype(float), 20)
    clusters = [str(n // 20) for n in range(200)]
    together = measured(values, clusters)
    apart = measured(values, [str(n) for n in range(200)])
    assert together.standard_error == pytest.approx(apart.standard_error * math.sqrt(20), rel=0.06)
    assert together.high - together.low > 4 * (apart.high - apart.low)


def test_the_standard_error_of_singletons_is_the_textbook_one() -> None:
    values = np.random.default_rng(1).normal(size=50) / 10
    found = measured(values, [str(n) for n in range(50)])
    assert found.standard_error == pytest.approx(values.std(ddof=1) / math.sqrt(50))
    assert found.mean == pytest.approx(values.mean())


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    values, clusters = simulated(np.random.default_rng(2), 20, gain=0.1)
    assert measured(values, clusters) == measured(values, clusters)
    assert measured(values, clusters, seed=1) != measured(values, clusters)


@pytest.mark.parametrize(("documents", "bounded"), [(1, False), (5, False), (6, True)])
def test_fewer_than_six_documents_show_nothing_however_they_point(documents: int, bounded: bool) -> None:
    found = measured(np.ones(documents), [str(n) for n in range(documents)])
    assert found.is_bounded is bounded
    assert ((found.low, found.high) == (-1.0, 1.0)) is not bounded
    assert ("beats" in alone(found).verdict("raft", "rag", "F1")) is bounded


def test_an_estimate_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 values"):
        measured(np.array([]), [])


def of(mean: float, low: float, high: float, clusters: int = 40, spread: float = 0.02, n: int = 400) -> Estimate:
    return Estimate(mean, low, high, n, clusters, spread, 0.95)


@pytest.mark.parametrize(
    ("difference", "sentence"),
    [
        (of(0.081, 0.04, 0.122), "raft beats rag by 8.1 F1 points, 95 % interval 4.0 to 12.2"),
        (of(-0.081, -0.122, -0.04), "rag beats raft by 8.1 F1 points, 95 % interval 4.0 to 12.2"),
        (
            of(0.012, -0.02, 0.043, spread=0.016, n=180),
            "no difference shown between raft and rag (1.2 F1 points, 95 % interval -2.0 to 4.3); "
            "about 2,600 questions would be needed",
        ),
        (
            of(0.0, 0.0, 0.0, spread=0.0),
            "no difference shown between raft and rag (0.0 F1 points, 95 % interval 0.0 to 0.0)",
        ),
        (
            of(0.3, -1.0, 1.0, clusters=4, spread=math.inf),
            "no difference shown between raft and rag (30.0 F1 points; 4 documents are too few for an interval)",
        ),
    ],
)
def test_a_verdict_says_who_won_or_what_is_missing(difference: Estimate, sentence: str) -> None:
    assert alone(difference).verdict("raft", "rag", "F1") == sentence


def test_an_interval_without_the_corrected_test_is_no_win() -> None:
    difference = of(-0.081, -0.122, -0.04)
    decided = alone(difference).verdict("raft", "rag", "F1")
    assert Comparison(difference, 0.0, 0.05).verdict("raft", "rag", "F1") == decided
    assert Comparison(difference, 0.0, 0.051).verdict("raft", "rag", "F1") == (
        "rag is ahead of raft by 8.1 F1 points, 95 % interval 4.0 to 12.2, "
        "which may be chance among so many comparisons (Holm's p 0.051)"
    )


def test_resamples_are_the_same_kept_or_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    values, clusters = simulated(np.random.default_rng(6), 30, gain=0.0)
    kept = measured(values, clusters)
    monkeypatch.setattr(intervals, "_KEPT", 0)
    assert measured(values, clusters) == kept
    monkeypatch.setattr(intervals, "_BLOCK", 300)
    assert measured(values, clusters) == kept


def test_the_needed_questions_really_show_the_difference_four_times_in_five() -> None:
    rng = np.random.default_rng(4)
    gain = 0.1
    found = measured(*simulated(rng, 400, gain))
    needed = alone(of(gain, 0, 0, 400, found.standard_error, found.n)).needed
    assert needed is not None
    documents = round(needed / 7)  # seven questions a document on average
    shown = sum(measured(*simulated(rng, documents, gain), seed=n).low > 0 for n in range(300))
    assert 0.72 <= shown / 300 <= 0.88


def test_what_is_needed_allows_for_the_other_comparisons() -> None:
    rng = np.random.default_rng(8)
    gain, others = 0.1, 10
    found = measured(*simulated(rng, 400, gain))
    needed = among(of(gain, 0, 0, 400, found.standard_error, found.n), others).needed
    assert needed is not None
    documents = round(needed / 7)
    sets = [simulated(rng, documents, gain) for _ in range(150)]
    # The hardest place of ten under Holm's method: a tenth of the level.
    shown = sum(permutation_p(*one, 2000, seed) <= 0.05 / others for seed, one in enumerate(sets))
    assert 0.7 <= shown / 150 <= 0.9


def test_too_few_documents_show_nothing_among_many_comparisons() -> None:
    difference = of(0.3, 0.1, 0.5, clusters=6)
    assert alone(difference).smallest is not None
    assert among(difference, 10).smallest is None
    # One of ten comparisons is shown at 0.005, and nine documents that all agree have p = 2 / 512.
    assert among(of(0.9, 0.8, 1.0, clusters=6, spread=1e-6), 10).documents_needed == 9


@pytest.mark.parametrize("documents", [9, 60])
def test_an_interval_of_perfect_scores_does_not_promise_certainty(documents: int) -> None:
    clusters = [str(n) for n in range(documents)]
    perfect = estimate(np.ones(documents), clusters, SAMPLES, 0.95, 0, (0.0, 1.0))
    exact = stats.binomtest(documents, documents).proportion_ci(0.95, method="exact")
    assert (perfect.low, perfect.high) == (pytest.approx(exact.low), 1.0)
    nothing = estimate(np.zeros(documents), clusters, SAMPLES, 0.95, 0, (0.0, 1.0))
    assert (nothing.low, nothing.high) == (0.0, pytest.approx(1 - exact.low))


@pytest.mark.parametrize("gain", [0.1, -0.3])
def test_the_interval_holds_a_known_effect_as_often_as_it_says(gain: float) -> None:
    rng = np.random.default_rng(12)
    found = [measured(*simulated(rng, 30, gain), seed=number) for number in range(SETS)]
    assert 0.93 <= sum(one.low <= gain <= one.high for one in found) / SETS <= 0.97


def test_the_interval_of_one_arm_holds_its_mean_as_often_as_it_says() -> None:
    rng, right = np.random.default_rng(13), 0.8
    covered = 0
    for number in range(SETS):
        # Documents of five questions, some easier than others; their mean share of right answers is 0.8.
        share = rng.beta(8, 2, size=30)
        values = (rng.random((30, 5)) < share[:, None]).astype(float).ravel()
        one = estimate(values, [str(n // 5) for n in range(150)], SAMPLES, 0.95, number, (0.0, 1.0))
        covered += one.low <= right <= one.high
    assert 0.93 <= covered / SETS <= 0.97


def test_the_smallest_difference_shrinks_with_the_root_of_the_number_of_questions() -> None:
    few, many = of(0.1, 0, 0, 4000, 0.04), of(0.1, 0, 0, 4000, 0.02)
    assert alone(few).smallest == pytest.approx(2 * alone(many).smallest)
    assert alone(few).smallest == pytest.approx((1.96 + 0.8416) * 0.04, rel=1e-3)
    assert alone(of(0.1, -1, 1, clusters=3)).smallest is None
    assert alone(of(0.0, 0, 0)).needed is None
    assert alone(of(0.0, 0, 0)).documents_needed is None


def test_documents_are_needed_in_proportion_to_questions() -> None:
    difference = of(0.02, 0, 0, clusters=40, spread=0.02, n=400)
    needed, documents = alone(difference).needed, alone(difference).documents_needed
    assert needed is not None
    assert documents is not None
    assert documents == math.ceil(needed / 10)
