"""Put rankings together: reciprocal rank fusion."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

# The constant of Cormack, Clarke and Buettcher 2009, who found the result hardly to depend on it.
RANK_CONSTANT = 60
# How far down each ranking a hybrid search looks.
DEPTH = 50


def reciprocal_rank_fusion(rankings: Sequence[Sequence[K]], constant: int = RANK_CONSTANT) -> dict[K, float]:
    """Score of each key: the sum of 1 / (constant + rank) over the rankings that hold it, ranks from 1."""
    scores: dict[K, float] = defaultdict(float)
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] += 1 / (constant + rank)
    return dict(scores)
