"""Make one ranking: reciprocal rank fusion of several, and maximal marginal relevance for a varied one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

K = TypeVar("K", bound=Hashable)

# The constant of Cormack, Clarke and Buettcher 2009, who found the result hardly to depend on it.
RANK_CONSTANT = 60


def reciprocal_rank_fusion(rankings: Sequence[Sequence[K]], constant: int = RANK_CONSTANT) -> dict[K, float]:
    """Score of each key: the sum of 1 / (constant + rank) over the rankings that hold it, ranks from 1."""
    scores: dict[K, float] = defaultdict(float)
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] += 1 / (constant + rank)
    return dict(scores)


def marginal_relevance(
    scores: NDArray[np.float32], vectors: NDArray[np.float32], count: int, diversity: float
) -> list[int]:
    """Places of `count` candidates, each the best by what it adds to those before it (Carbonell and Goldstein 1998).

    scores: (n,), higher is better, of any kind; they are scaled to between 0 and 1. vectors: (n, dimension), of length
    1. diversity: how much the likeness to the nearest one taken before counts, 0 to 1. Equal ones stay in their order.
    """
    spread = float(np.ptp(scores)) or 1.0
    relevance = (scores - scores.min()) / spread
    taken: list[int] = []
    nearest = np.zeros(len(scores), np.float32)
    while len(taken) < min(count, len(scores)):
        gain = (1 - diversity) * relevance - diversity * nearest
        gain[taken] = -np.inf
        taken.append(int(gain.argmax()))
        nearest = np.maximum(nearest, vectors @ vectors[taken[-1]])
    return taken
