"""What a limited number of questions can tell of a mean: its interval.

Questions about one document succeed or fail together, so documents are resampled, never single questions (Miller 2024,
"Adding Error Bars to Evals", section 2.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

Values: TypeAlias = NDArray[np.float64]

# A block of resamples holds at most this many numbers, so that memory stays small however many documents there are.
_BLOCK = 4_000_000
# Resamples of at most as many numbers (64 MB) are kept, since all metrics of all arms share them.
_KEPT = 32_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over `n` questions in `clusters` documents, with its interval and clustered standard error."""

    mean: float
    low: float
    high: float
    n: int
    clusters: int
    standard_error: float
    confidence: float

    @property
    def is_bounded(self) -> bool:
        """Whether the documents were enough for an interval (see `enough_clusters`)."""
        return enough_clusters(self.clusters, self.confidence)


def enough_clusters(clusters: int, confidence: float) -> bool:
    """Whether this many independent documents can show anything at this level.

    Even if all of them point the same way, chance alone does that with probability 2 ** (1 - clusters) (sign test):
    at 95 % six are needed.
    """
    return 2.0 ** (1 - clusters) <= 1 - confidence


def estimate(
    values: Values, clusters: Sequence[str], samples: int, confidence: float, seed: int, bounds: tuple[float, float]
) -> Estimate:
    """The mean of `values` [questions] with a cluster bootstrap interval.

    clusters: the document of each value. bounds: the smallest and largest possible value; they are the interval where
    there are too few documents for one. The plain percentile interval is too narrow with few clusters (90 % instead
    of 95 % at twelve), so its levels are widened as Hesterberg does for small samples (2015, "What Teachers Should Know
    about the Bootstrap", section 5.3, expanded percentile interval). Where all values are the smallest or the largest
    possible one, resampling them would promise certainty; the interval is then the exact one for as many documents that
    all did the same (Clopper and Pearson 1934). Raises ValueError where there are no values.
    """
    sums, sizes = by_cluster(values, clusters)
    count = len(sums)
    mean = float(values.mean())
    if not enough_clusters(count, confidence):
        return Estimate(mean, *bounds, len(values), count, math.inf, confidence)
    spread = float(np.sqrt(((sums - sizes * mean) ** 2).sum() * count / (count - 1)) / sizes.sum())
    if (values == bounds[0]).all() or (values == bounds[1]).all():
        return Estimate(mean, *_exact(mean, count, confidence, bounds), len(values), count, spread, confidence)
    tail = float(special.ndtr(math.sqrt(count / (count - 1)) * special.stdtrit(count - 1, (1 - confidence) / 2)))
    low, high = np.quantile(_resampled_means(sums, sizes, samples, seed), [tail, 1 - tail])
    return Estimate(mean, float(low), float(high), len(values), count, spread, confidence)


def _exact(mean: float, count: int, confidence: float, bounds: tuple[float, float]) -> tuple[float, float]:
    """The interval of `count` documents that all have the value of one bound: how many others could be unlike them."""
    lowest, highest = bounds
    alike = ((1 - confidence) / 2) ** (1 / count)
    reach = (1 - alike) * (highest - lowest)
    return (mean, mean + reach) if mean == lowest else (mean - reach, mean)


def by_cluster(values: Values, clusters: Sequence[str]) -> tuple[Values, Values]:
    """Sum and number of the values of each cluster, in order of the clusters' names.

    Raises ValueError where there are no values, or not one cluster for each.
    """
    if not len(values) or len(values) != len(clusters):
        raise ValueError(f"cannot estimate a mean from {len(values)} values in {len(clusters)} clusters")
    _, member = np.unique(np.asarray(clusters), return_inverse=True)
    return np.bincount(member, weights=values).astype(np.float64), np.bincount(member).astype(np.float64)


def _resampled_means(sums: Values, sizes: Values, samples: int, seed: int) -> Values:
    """Means [samples] of as many clusters as there are, drawn with replacement."""
    means = []
    for times in resamples(len(sums), samples, seed):
        drawn = times @ np.stack([sums, sizes], axis=1)
        means.append(drawn[:, 0] / drawn[:, 1])
    return np.concatenate(means)


def resamples(clusters: int, samples: int, seed: int) -> Iterator[Values]:
    """How often each cluster was drawn [resamples, clusters], a block at a time, `samples` resamples in all."""
    kept = _kept_resamples(clusters, samples, seed) if clusters * samples <= _KEPT else None
    for block in kept if kept is not None else _drawn(clusters, samples, seed):
        yield block.astype(np.float64)


@lru_cache(maxsize=4)
def _kept_resamples(clusters: int, samples: int, seed: int) -> tuple[NDArray[np.uint16], ...]:
    return tuple(_drawn(clusters, samples, seed))


def _drawn(clusters: int, samples: int, seed: int) -> Iterator[NDArray[np.uint16]]:
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // clusters)
    for start in range(0, samples, block):
        rows = min(block, samples - start)
        drawn = rng.integers(clusters, size=(rows, clusters))
        drawn += np.arange(rows)[:, None] * clusters
        times = np.bincount(drawn.ravel(), minlength=rows * clusters)
        # A cluster is drawn once on average; 65,535 times in one resample it never is.
        yield times.reshape(rows, clusters).astype(np.uint16)


def leaves_zero_out(difference: Estimate) -> bool:
    """Whether the interval, where there is one, lies on one side of zero."""
    return difference.is_bounded and (difference.low > 0 or difference.high < 0)


def points(share: float) -> str:
    """A share as points out of a hundred, with one digit, and never '-0.0'."""
    return f"{round(100 * share, 1) + 0.0:.1f}"
