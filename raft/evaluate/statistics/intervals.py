"""What a limited number of questions can tell: intervals, paired differences and verdicts in words.

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

_POWER = 0.8
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


def smallest_difference(difference: Estimate, comparisons: int = 1) -> float | None:
    """The smallest true difference that as many questions show in four of five such evaluations; None if none.

    comparisons: how many are corrected for each other. The first that Holm's method calls shown has to pass the level
    divided by their number, and that is asked here of each, so that what is promised holds for any of them. None as
    well where all documents differ alike, which tells nothing of how much they vary.
    """
    if not difference.standard_error or not enough_clusters(difference.clusters, _level(difference, comparisons)):
        return None
    return _detectable(difference, comparisons)


def questions_needed(difference: Estimate, comparisons: int = 1) -> int | None:
    """How many questions, over as many more documents, would show the observed difference with 80 % power.

    None where the arms did not differ at all or there are too few documents to know how much they vary. comparisons:
    as for `smallest_difference`.
    """
    times = _times_needed(difference, comparisons)
    return None if times is None else max(1, math.ceil(difference.n * times))


def documents_needed(difference: Estimate, comparisons: int = 1) -> int | None:
    """How many documents, with as many questions each, would show the observed difference with 80 % power.

    None as for `questions_needed`.
    """
    times = _times_needed(difference, comparisons)
    return None if times is None else max(1, math.ceil(difference.clusters * times))


def _times_needed(difference: Estimate, comparisons: int) -> float | None:
    """How many times as many documents would do, and never fewer than can show anything (see `enough_clusters`)."""
    if not difference.is_bounded or difference.mean == 0:
        return None
    fewest = 1 - math.log2(1 - _level(difference, comparisons))
    return max((_detectable(difference, comparisons) / difference.mean) ** 2, fewest / difference.clusters)


def _detectable(difference: Estimate, comparisons: int) -> float:
    freedom = difference.clusters - 1
    two_sided = (1 + _level(difference, comparisons)) / 2
    return float(special.stdtrit(freedom, two_sided) + special.stdtrit(freedom, _POWER)) * difference.standard_error


def _level(difference: Estimate, comparisons: int) -> float:
    return 1 - (1 - difference.confidence) / comparisons


def leaves_zero_out(difference: Estimate) -> bool:
    """Whether the interval, where there is one, lies on one side of zero."""
    return difference.is_bounded and (difference.low > 0 or difference.high < 0)


def verdict(a: str, b: str, label: str, difference: Estimate, corrected: float = 0.0, comparisons: int = 1) -> str:
    """One sentence that says whether arm `a` or arm `b` did better, in points of the metric called `label`.

    corrected: the p-value after the correction for all comparisons made with this one. An arm beats another where both
    the interval and this value show it; where only the interval does, the sentence says that it may be chance.
    comparisons: how many that correction is for, which the number of questions needed allows for.
    """
    interval = f"{100 * difference.confidence:g} % interval"
    if leaves_zero_out(difference):
        sign = 1 if difference.low > 0 else -1
        winner, loser = (a, b) if sign > 0 else (b, a)
        low, high = sorted((sign * difference.low, sign * difference.high))
        by = f"{loser} by {points(sign * difference.mean)} {label} points, {interval} {points(low)} to {points(high)}"
        if corrected <= 1 - difference.confidence:
            return f"{winner} beats {by}"
        return f"{winner} is ahead of {by}, which may be chance among so many comparisons (Holm's p {corrected:.2f})"
    opening = f"no difference shown between {a} and {b} ({points(difference.mean)} {label} points"
    if not difference.is_bounded:
        documents = "document is" if difference.clusters == 1 else "documents are"
        return f"{opening}; {difference.clusters} {documents} too few for an interval)"
    opening = f"{opening}, {interval} {points(difference.low)} to {points(difference.high)})"
    needed = questions_needed(difference, comparisons)
    return f"{opening}; about {_rounded(needed)} questions would be needed" if needed else opening


def points(share: float) -> str:
    """A share as points out of a hundred, with one digit, and never '-0.0'."""
    return f"{round(100 * share, 1) + 0.0:.1f}"


def _rounded(count: int) -> str:
    """Two leading digits: a needed number of questions is known no better."""
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"
