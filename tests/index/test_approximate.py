"""Approximate search finds nearly all that the exact one finds, with the same scores, and is never read unchecked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from raft.errors import ArtifactError
from raft.index.approximate import (
    ApproximateStore,
    build_approximate,
    load_approximate,
    recall,
    save_approximate,
)
from raft.index.store import VectorStore, unit
from raft.index.vectors import search_for
from raft.recipe import VectorSearch

KINDS = (VectorSearch.HNSW, VectorSearch.IVFPQ)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Unit vectors in clusters, as those of passages are."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(60, 32))
    rows = centres[rng.integers(60, size=10_000)] + 0.5 * rng.normal(size=(10_000, 32))
    return unit(rows.astype(np.float32))


@pytest.fixture(scope="module")
def stores(vectors: np.ndarray) -> Callable[[VectorSearch], ApproximateStore]:
    made = {kind: ApproximateStore(build_approximate(vectors, kind)) for kind in KINDS}
    return made.__getitem__


@pytest.mark.parametrize("kind", KINDS)
def test_most_of_the_exact_result_is_found_with_exact_scores(kind: VectorSearch, vectors: np.ndarray, stores) -> None:
    assert recall(vectors, stores(kind)) > 0.9
    queries = vectors[:5]
    for exact, found in zip(VectorStore(vectors).search(queries, 10), stores(kind).search(queries, 10), strict=True):
        scores = dict(exact)
        assert all(score == pytest.approx(scores[row], abs=2e-6) for row, score in found if row in scores)
        assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_saved_comes_back_the_same_and_is_the_same_every_time(
    kind: VectorSearch, vectors: np.ndarray, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        save_approximate(tmp_path / name, build_approximate(vectors, kind))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    store = ApproximateStore(load_approximate(tmp_path / "one", kind, len(vectors)))
    assert len(store.search(vectors[:1], 3)[0]) == 3
    assert np.array_equal(store.rows(range(len(vectors))), vectors)
    other = KINDS[1 - KINDS.index(kind)]
    with pytest.raises(ArtifactError, match=f"is no {other} index"):
        load_approximate(tmp_path / "one", other, len(vectors))
    with pytest.raises(ArtifactError, match="holds 10000 vectors, expected 5"):
        load_approximate(tmp_path / "one", kind, 5)


def test_the_kind_of_search_follows_the_size_unless_told() -> None:
    sizes = (10, 2_000_000, 20_000_000)
    assert [search_for(n, VectorSearch.AUTO) for n in sizes] == [VectorSearch.EXACT, *KINDS]
    assert search_for(10, VectorSearch.HNSW) is VectorSearch.HNSW
