"""Whether a difference could be chance: a permutation test over documents, corrected for how many were tested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from raft.evaluate.statistics.intervals import Values, by_cluster

# A block of flips holds at most this many signs, so that memory stays small however many documents there are.
_BLOCK = 4_000_000
# Of so many documents all 4,096 swaps are counted.
_COUNTED = 12
# Sums that differ by rounding alone are the same.
_ROUNDING = 1e-9


def permutation_p(differences: Values, clusters: Sequence[str], samples: int, seed: int) -> float:
    """The two-sided p-value of paired differences [questions] whose mean is zero if nothing tells the arms apart.

    If nothing does, their names could be swapped within any document, which turns the sign of its sum; questions about
    one document are swapped together, since they succeed or fail together (Fisher's randomisation test; Good 2005,
    "Permutation, Parametric and Bootstrap Tests of Hypotheses"). All swaps are counted for up to twelve documents; of
    more, `samples` are drawn and the observed one is added (Phipson and Smyth 2010, "Permutation P-values should never
    be zero"). Raises ValueError where there are no differences.
    """
    sums, _ = by_cluster(differences, clusters)
    observed = abs(sums.sum())
    extreme = total = 0
    for signs in _swaps(len(sums), samples, seed):
        flipped = np.abs(signs @ sums)
        extreme += int((flipped >= observed - _ROUNDING).sum())
        total += len(signs)
    drawn = len(sums) > _COUNTED
    return (extreme + drawn) / (total + drawn)


def _swaps(clusters: int, samples: int, seed: int) -> Iterator[Values]:
    """Signs [swaps, clusters], a block at a time: all that there are of few clusters, else `samples` drawn ones."""
    if clusters <= _COUNTED:
        bits = np.arange(2**clusters)[:, None] >> np.arange(clusters) & 1
        yield np.where(bits, -1.0, 1.0)
        return
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // clusters)
    for start in range(0, samples, block):
        bits = rng.integers(0, 2, size=(min(block, samples - start), clusters), dtype=np.int8)
        yield np.where(bits, -1.0, 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value corrected for being one of several (Holm 1979), in the same order.

    Calling those at most 5 % shown makes one false claim or more in at most 5 % of evaluations, however the tests hang
    together.
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected
