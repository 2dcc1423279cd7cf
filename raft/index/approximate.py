"""Search in part of the vectors for very large indexes: a graph (HNSW) or compressed lists (IVF-PQ) from FAISS.

What they find is scored again with the vectors themselves, so that scores are exact and only the choice of candidates
is approximate; how much that loses is measured when the index is built.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from raft.errors import ArtifactError
from raft.index.store import Ranking, Rows, VectorStore, best_of, unit
from raft.recipe import VectorSearch

GRAPH = "approximate.faiss"
# Malkov and Yashunin 2018: links of a node, and how broad to look while building and searching.
_LINKS, _BUILD_BREADTH, _SEARCH_BREADTH = 32, 128, 128
# Jegou et al. 2011: one byte for every eight dimensions.
_DIMENSIONS_PER_BYTE, _TRAINED_ON = 8, 64
# The share of the lists that is looked into.
_PROBED = 1 / 16
# Candidates to score exactly for every passage that is wanted, and at least so many.
_CANDIDATES, _FEWEST_CANDIDATES = 8, 256
# Below this many vectors IVF-PQ has too few to learn its codes from.
SMALLEST_IVFPQ = 10_000
# Sizes from which the exact search is left: it takes 5 to 8 ms for 100,000 vectors on two cores.
_EXACT_UP_TO, _GRAPH_UP_TO = 1_000_000, 5_000_000
_TYPES = {VectorSearch.HNSW: b"IHNf", VectorSearch.IVFPQ: b"IwPQ"}


def search_for(count: int, wanted: VectorSearch) -> VectorSearch:
    """The kind of search for so many vectors."""
    if wanted is not VectorSearch.AUTO:
        return wanted
    if count <= _EXACT_UP_TO:
        return VectorSearch.EXACT
    return VectorSearch.HNSW if count <= _GRAPH_UP_TO else VectorSearch.IVFPQ


def build_approximate(vectors: NDArray[np.float32], kind: VectorSearch) -> faiss.Index:
    """A FAISS index over the vectors, shape (n, dimension); the same one every time, because one thread builds it."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        rows, dimension = unit(vectors), int(vectors.shape[1])
        graph = _empty_graph(dimension) if kind is VectorSearch.HNSW else _trained_lists(rows)
        graph.add(rows)
    finally:
        faiss.omp_set_num_threads(threads)
    return graph


def _empty_graph(dimension: int) -> faiss.Index:
    graph = faiss.IndexHNSWFlat(dimension, _LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = _BUILD_BREADTH
    return graph


def _trained_lists(rows: NDArray[np.float32]) -> faiss.Index:
    count, dimension = rows.shape
    lists = int(4 * math.sqrt(count))
    size = next(n for n in (dimension // _DIMENSIONS_PER_BYTE, 8, 4, 2, 1) if n and dimension % n == 0)
    coarse = faiss.IndexFlatIP(dimension)
    compressed = faiss.IndexIVFPQ(coarse, dimension, lists, size, 8, faiss.METRIC_INNER_PRODUCT)
    compressed.nprobe = math.ceil(lists * _PROBED)
    sample = np.random.default_rng(0).permutation(count)[: max(lists, 256) * _TRAINED_ON]
    compressed.train(rows[np.sort(sample)])
    return compressed


def save_approximate(path: Path, graph: faiss.Index) -> None:
    """Write it through Python, which notices a full disk; FAISS's own writer may not."""
    path.write_bytes(faiss.serialize_index(graph).tobytes())


def load_approximate(path: Path, kind: VectorSearch, count: int) -> faiss.Index:
    """Read a file that was checked against its manifest. Raises ArtifactError for another type or size."""
    raw = path.read_bytes()
    if raw[:4] != _TYPES[kind]:
        raise ArtifactError(f"{path} is no {kind} index: run `raft index` again")
    graph = faiss.deserialize_index(np.frombuffer(raw, np.uint8))
    if graph.ntotal != count:
        raise ArtifactError(f"{path} holds {graph.ntotal} vectors, expected {count}: run `raft index` again")
    return graph


class ApproximateStore:
    """Search among unit vectors through a FAISS index; the score is the cosine, as in the exact search."""

    def __init__(self, vectors: NDArray[np.float32], graph: faiss.Index) -> None:
        self._vectors = unit(vectors)
        self._graph = graph

    def rows(self, chosen: Sequence[int]) -> NDArray[np.float32]:
        """The unit vectors of some rows, (number of rows, dimension)."""
        return self._vectors[list(chosen)]

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
        if isinstance(self._graph, faiss.IndexHNSW):
            self._graph.hnsw.efSearch = max(_SEARCH_BREADTH, wanted)
        units = unit(queries)
        _, found = self._graph.search(units, wanted)
        rankings = []
        for query, rows in zip(units, found, strict=True):
            rows = rows[rows >= 0]
            rankings.append(best_of(rows, self._vectors[rows] @ query, count))
        return rankings


def recall(vectors: NDArray[np.float32], store: ApproximateStore, top_k: int = 10, queries: int = 200) -> float:
    """The share of the exact `top_k` that the approximate search finds, for some of the vectors as queries."""
    chosen = np.random.default_rng(0).permutation(len(vectors))[:queries]
    asked = vectors[np.sort(chosen)]
    exact = VectorStore(vectors).search(asked, top_k)
    found = store.search(asked, top_k)
    hits = [len({row for row, _ in e} & {row for row, _ in f}) / len(e) for e, f in zip(exact, found, strict=True)]
    return sum(hits) / len(hits)
