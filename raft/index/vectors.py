"""The vectors of an index in one FAISS file, `passages.faiss`, which any program with FAISS opens.

Its type follows the search: a flat index (exact), a graph (HNSW), or compressed lists over a flat index (IVF-PQ). In
all of them the unit vectors themselves are one block of float32, so raft maps them without FAISS. All that needs FAISS
is in `approximate.py`.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from raft.errors import ArtifactError
from raft.recipe import VectorSearch

VECTORS = "passages.faiss"
# Sizes from which the exact search is left: it takes 5 to 8 ms for 100,000 vectors on two cores.
_EXACT_UP_TO, _GRAPH_UP_TO = 1_000_000, 5_000_000
# Below this many vectors IVF-PQ has too few to learn its codes from.
SMALLEST_IVFPQ = 10_000
TYPES = {VectorSearch.EXACT: b"IxFI", VectorSearch.HNSW: b"IHNf", VectorSearch.IVFPQ: b"IxRF"}
# Every type ends with its flat index; behind that of IVF-PQ stands one more number, how many candidates to compare.
_BYTES_BEHIND = {b"IxFI": 0, b"IHNf": 0, b"IxRF": 4}
# As FAISS writes a flat index before its rows: type, dimension, vectors, two constants, whether it is trained, metric
# (0: inner product) and the size of the rows in numbers. test_vectors.py holds this against FAISS's own bytes.
_HEADER = struct.Struct("<4siqqq?iQ")
_CONSTANT, _INNER_PRODUCT = 1 << 20, 0


def search_for(count: int, wanted: VectorSearch) -> VectorSearch:
    """The kind of search for so many vectors."""
    if wanted is not VectorSearch.AUTO:
        return wanted
    if count <= _EXACT_UP_TO:
        return VectorSearch.EXACT
    return VectorSearch.HNSW if count <= _GRAPH_UP_TO else VectorSearch.IVFPQ


def save_flat(path: Path, rows: NDArray[np.float32]) -> None:
    """Write unit vectors, shape (n, dimension), as FAISS writes an `IndexFlatIP`.

    FAISS itself would copy them all twice, and may not notice a full disk.
    """
    with path.open("wb") as file:
        file.write(_flat_header(*rows.shape))
        file.write(np.ascontiguousarray(rows, "<f4").data)


def map_rows(path: Path, count: int) -> NDArray[np.float32]:
    """The unit vectors in a file that was checked against its manifest, shape (count, dimension), mapped into memory.

    They are not aligned as arrays of float32 usually are: fit to be copied, slow to compute with. Raises ArtifactError
    where the file is no index as raft writes them, or does not hold `count` rows of finite numbers.
    """
    with path.open("rb") as file:
        first = file.read(_HEADER.size)
        kind, dimension, found, *_ = _HEADER.unpack(first.ljust(_HEADER.size, b"\0"))
        if kind not in _BYTES_BEHIND or dimension < 1:
            raise ArtifactError(f"{path} is no FAISS index of passages: run `raft index` again")
        if found != count:
            raise ArtifactError(f"{path} holds {found} vectors, expected {count}: run `raft index` again")
        start = path.stat().st_size - _BYTES_BEHIND[kind] - 4 * count * dimension
        file.seek(max(0, start - _HEADER.size))
        if start < _HEADER.size or file.read(_HEADER.size) != _flat_header(count, dimension):
            raise ArtifactError(f"{path} does not end with {count} vectors: run `raft index` again")
    rows = np.memmap(path, "<f4", "r", start, (count, dimension)).view(np.ndarray)
    # The sum of unit vectors cannot overflow, so it is finite where all of them are; and it needs no memory.
    if not np.isfinite(rows.sum()):
        raise ArtifactError(f"{path} holds numbers that are not finite: run `raft index` again")
    return rows


def _flat_header(count: int, dimension: int) -> bytes:
    numbers = dimension, count, _CONSTANT, _CONSTANT, True, _INNER_PRODUCT, count * dimension
    return _HEADER.pack(TYPES[VectorSearch.EXACT], *numbers)
