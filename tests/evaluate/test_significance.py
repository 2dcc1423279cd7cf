"""Permutation test and Holm's correction: textbook values, and no more false wins than promised."""

import numpy as np
import pytest
from scipy import stats

from raft.evaluate.statistics.intervals import estimate, leaves_zero_out
from raft.evaluate.statistics.significance import holm, permutation_p

SAMPLES = 800
EACH = [str(n) for n in range(9)]


def test_with_few_documents_all_swaps_are_counted() -> None:
    # Nine sums of one sign: only all or none swapped are as extreme, 2 of 512.
    assert permutation_p(np.ones(9), EACH, SAMPLES, 0) == 2 / 512
    assert permutation_p(np.zeros(9), EACH, SAMPLES, 0) == 1.0
    values = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    values -= np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    exact = stats.permutation_test((values,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert permutation_p(values, EACH, SAMPLES, 0) == pytest.approx(exact.pvalue)


def test_drawn_swaps_agree_with_all_of_them_and_are_never_impossible() -> None:
    values = np.random.default_rng(5).normal(0.4, 1, size=16)
    clusters = [str(n) for n in range(16)]
    exact = stats.permutation_test((values,), np.sum, permutation_type="samples", n_resamples=np.inf, batch=1 << 14)
    assert permutation_p(values, clusters, 20_000, 0) == pytest.approx(exact.pvalue, abs=0.01)
    assert permutation_p(np.ones(70), [str(n) for n in range(70)], 99, 0) == 1 / 100


def test_questions_of_a_document_are_swapped_together() -> None:
    # Twenty questions of each of four documents: alone they would show a difference, four documents cannot.
    together = permutation_p(np.ones(80), [str(n // 20) for n in range(80)], SAMPLES, 0)
    assert together == 2 / 16
    assert permutation_p(np.ones(80), [str(n) for n in range(80)], SAMPLES, 0) < 0.01


def test_the_correction_is_holms() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def arms(rng: np.random.Generator, documents: int, gains: list[float]) -> tuple[np.ndarray, list[str]]:
    """Right or wrong of several arms [arms, questions] that share how hard each document is."""
    document = np.repeat(np.arange(documents), rng.integers(1, 14, size=documents))
    shared = rng.normal(0, 1, size=documents)
    own = rng.normal(0, 0.5, size=(len(gains), documents))
    hard = (shared + own)[:, document]
    right = rng.random(hard.shape) < 1 / (1 + np.exp(-(hard + np.array(gains)[:, None])))
    return right.astype(float), [str(one) for one in document]


PAIRS = [(0, 1), (0, 2), (0, 3), (1, 4), (3, 1)]


def shown(values: np.ndarray, clusters: list[str], seed: int) -> list[bool]:
    """Which of the pairs a report would call shown: by the interval, and by the corrected test."""
    differences = [values[a] - values[b] for a, b in PAIRS]
    corrected = holm([permutation_p(one, clusters, SAMPLES, seed) for one in differences])
    found = [estimate(one, clusters, SAMPLES, 0.95, seed, (-1.0, 1.0)) for one in differences]
    return [leaves_zero_out(one) and p <= 0.05 for one, p in zip(found, corrected, strict=True)]


@pytest.mark.parametrize("documents", [12, 40])
def test_equal_arms_are_told_apart_in_at_most_one_evaluation_of_twenty(documents: int) -> None:
    rng = np.random.default_rng(documents)
    false = sum(any(shown(*arms(rng, documents, [0.0] * 5), seed=n)) for n in range(300))
    assert false / 300 <= 0.05


def test_one_test_alone_is_wrong_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    found = []
    for seed in range(1500):
        document = np.repeat(np.arange(30), rng.integers(1, 14, size=30))
        # Continuous, since counts of right answers tie and so make the test err on the safe side.
        values = (rng.normal(size=30)[document] + rng.normal(size=len(document))) / 10
        found.append(permutation_p(values, [str(one) for one in document], SAMPLES, seed))
    # Three standard errors of this simulation around what a p-value means.
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(found) <= level) == pytest.approx(level, abs=3 * np.sqrt(level * (1 - level) / 1500))


def test_a_real_difference_is_found_and_only_where_it_is() -> None:
    rng = np.random.default_rng(11)
    found = np.array([shown(*arms(rng, 60, [1.2, 0.0, 0.0, 0.0, 0.0]), seed=n) for n in range(100)])
    assert found[:, :3].mean() >= 0.95
    assert found[:, 3:].any(axis=1).mean() <= 0.05
