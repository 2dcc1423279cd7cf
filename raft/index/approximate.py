"""Search in part of the vectors for very large indexes: a graph (HNSW) or compressed lists (IVF-PQ) from FAISS.

What they find is scored again with the vectors themselves, so that scores are exact and only the choice of candidates
is approximate; how much that loses is measured when the index is built.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from raft.errors import ArtifactError
from raft.index.store import Ranking, Rows, VectorStore, best_of, unit
from raft.index.vectors import TYPES
from raft.recipe import VectorSearch

# Malkov and Yashunin 2018: links of a node, and how broad to look while building and searching.
_LINKS, _BUILD_BREADTH, _SEARCH_BREADTH = 32, 128, 128
# Jegou et al. 2011: one byte for every eight dimensions.
_DIMENSIONS_PER_BYTE, _TRAINED_ON = 8, 64
# The share of the lists that is looked into.
_PROBED = 1 / 16
# Candidates to score exactly for every passage that is wanted, and at least so many.
_CANDIDATES, _FEWEST_CANDIDATES = 8, 256


def build_approximate(rows: NDArray[np.float32], kind: VectorSearch) -> faiss.Index:
    """A FAISS index over unit vectors, shape (n, dimension); the same one every time, because one thread builds it."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index = _empty_graph(rows) if kind is VectorSearch.HNSW else _trained_lists(rows)
        index.add(rows)
    finally:
        faiss.omp_set_num_threads(threads)
    return index


def _empty_graph(rows: NDArray[np.float32]) -> faiss.Index:
    graph = faiss.IndexHNSWFlat(rows.shape[1], _LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = _BUILD_BREADTH, _SEARCH_BREADTH
    return graph


def _trained_lists(rows: NDArray[np.float32]) -> faiss.Index:
    """Compressed lists, with the vectors themselves beside them: what FAISS calls refining."""
    count, dimension = rows.shape
    lists = int(4 * math.sqrt(count))
    size = next(n for n in (dimension // _DIMENSIONS_PER_BYTE, 8, 4, 2, 1) if n and dimension % n == 0)
    coarse = faiss.IndexFlatIP(dimension)
    compressed = faiss.IndexIVFPQ(coarse, dimension, lists, size, 8, faiss.METRIC_INNER_PRODUCT)
    compressed.nprobe = math.ceil(lists * _PROBED)
    sample = np.random.default_rng(0).permutation(count)[: max(lists, 256) * _TRAINED_ON]
    refined = faiss.IndexRefineFlat(compressed)
    refined.k_factor = _CANDIDATES
    refined.train(rows[np.sort(sample)])
    return refined


def save_approximate(path: Path, index: faiss.Index) -> None:
    """Write it through Python, which notices a full disk; FAISS's own writer may not."""
    path.write_bytes(faiss.serialize_index(index).data)


def load_approximate(path: Path, kind: VectorSearch, count: int) -> faiss.Index:
    """Read a file that was checked against its manifest. Raises ArtifactError for another type or size."""
    with path.open("rb") as file:
        if file.read(4) != TYPES[kind]:
            raise ArtifactError(f"{path} is no {kind} index: run `raft index` again")
    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise ArtifactError(f"FAISS cannot read {path} ({reason}): run `raft index` again") from error
    if index.ntotal != count:
        raise ArtifactError(f"{path} holds {index.ntotal} vectors, expected {count}: run `raft index` again")
    return index


class ApproximateStore:
    """Search among unit vectors through a FAISS index; the score is the cosine, as in the exact search."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index
        is_graph = isinstance(index, faiss.IndexHNSW)
        # The type of FAISS's index, as its stubs have it, names no parts.
        parts: Any = index
        self._candidates: Any = index if is_graph else faiss.downcast_index(parts.base_index)
        flat: Any = faiss.downcast_index(parts.storage if is_graph else parts.refine_index)
        # No copy: they are the index's own, and live as long as it.
        self._vectors = faiss.rev_swig_ptr(flat.get_xb(), flat.ntotal * flat.d).reshape(flat.ntotal, flat.d)

    def rows(self, chosen: Sequence[int]) -> NDArray[np.float32]:
        """The unit vectors of some rows, (number of rows, dimension)."""
        found: NDArray[np.float32] = self._vectors[list(chosen)]
        return found

    def search(self, queries: NDArray[np.float32], count: int, only: Rows | None = None) -> list[Ranking]:
        """The best rows for each query that the index comes upon, best first, equal scores in the order of the rows.

        only: the rows to look among, in order, which are then all compared.
        """
        if only is not None:
            chosen = self._vectors[only]
            return [best_of(only, chosen @ query, count) for query in unit(queries)]
        wanted = min(max(_CANDIDATES * count, _FEWEST_CANDIDATES), len(self._vectors))
        if not len(queries) or not wanted:
            return [[] for _ in queries]
        if isinstance(self._candidates, faiss.IndexHNSW):
            self._candidates.hnsw.efSearch = max(_SEARCH_BREADTH, wanted)
        units = unit(queries)
        _, found = self._candidates.search(units, wanted)
        rankings = []
        for query, rows in zip(units, found, strict=True):
            rows = rows[rows >= 0]
            rankings.append(best_of(rows, self._vectors[rows] @ query, count))
        return rankings


def recall(rows: NDArray[np.float32], store: ApproximateStore, top_k: int = 10, queries: int = 200) -> float:
    """The share of the exact `top_k` that the approximate search finds, for some of the rows as queries."""
    chosen = np.random.default_rng(0).permutation(len(rows))[:queries]
    asked = rows[np.sort(chosen)]
    exact = VectorStore(rows).search(asked, top_k)
    found = store.search(asked, top_k)
    hits = [len({row for row, _ in e} & {row for row, _ in f}) / len(e) for e, f in zip(exact, found, strict=True)]
    return sum(hits) / len(hits)
