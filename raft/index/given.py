"""Vectors made elsewhere: read from a NumPy file, checked, scaled, and brought into the order of the passages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from raft.artifacts import hash_file
from raft.corpus import searchable_text
from raft.errors import InputError
from raft.index.store import unit
from raft.models.embedder import Embedder
from raft.types import Passage

# Rows that are looked at together, so that no copy of the whole file is needed beside the result.
_TOGETHER = 8192
# Passages that are embedded again. On corpora/skerrivane 1 % of the passages have a lower cosine with themselves below
# another title, but 72 % with their neighbour, and 99 % with a passage from elsewhere.
_EMBEDDED_AGAIN, _LEAST_COSINE = 32, 0.5
# The share of them that may disagree.
_TOLERATED = 1 / 8


class GivenVectors:
    """A file of vectors, one for each row of the passages, in the same order."""

    def __init__(self, path: Path) -> None:
        """Look at the file without reading all of it. Raises InputError where it holds no rows of floats."""
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"{path} is no NumPy array ({reason}): write it with `numpy.save`") from error
        if not isinstance(array, np.ndarray):
            raise InputError(f"{path} holds several arrays: write the one of the vectors with `numpy.save`")
        if array.ndim != 2 or not array.shape[1] or not np.issubdtype(array.dtype, np.floating):
            raise InputError(
                f"{path} holds {array.dtype} of shape {array.shape}, expected float32 of shape (passages, dimension)"
            )
        self.path = path
        self._array = array

    @property
    def inputs(self) -> dict[str, str]:
        """Its sha256 by its name, for a manifest."""
        return {self.path.name: hash_file(self.path)}

    def check_count(self, rows: int) -> None:
        """Raises InputError unless there are so many."""
        if len(self._array) != rows:
            raise InputError(
                f"{self.path} holds {len(self._array)} vectors, but the passages have {rows} rows: "
                "give one vector for each row, in the same order"
            )

    def take(self, rows: Sequence[int]) -> NDArray[np.float32]:
        """Unit vectors of some rows, float32, shape (number of rows, dimension).

        Raises InputError for a row that is not finite or all zeros.
        """
        taken = np.empty((len(rows), self._array.shape[1]), np.float32)
        for first in range(0, len(rows), _TOGETHER):
            numbers = np.asarray(rows[first : first + _TOGETHER])
            block = self._array[numbers].astype(np.float64)
            # Divided by the largest first, so that no square overflows.
            largest = np.abs(block).max(1, keepdims=True)
            if (bad := ~(np.isfinite(largest) & (largest > 0))[:, 0]).any():
                row, what = (
                    numbers[bad][0],
                    "is all zeros" if largest[bad][0] == 0 else "holds numbers that are not finite",
                )
                raise InputError(f"{self.path}: row {row + 1} {what}: make that vector again")
            block /= largest
            taken[first : first + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
        return taken


def check_embedder(path: Path, vectors: NDArray[np.float32], passages: Sequence[Passage], embedder: Embedder) -> str:
    """Embed some of the passages again and compare; the result in words.

    A passage may have been embedded alone or, as raft does it, below its title and section: the better of both counts.
    A passage that is longer than the embedder reads is left out. vectors: those of the passages, of length 1, from the
    file `path`. Raises InputError where the dimensions differ, or more than an eighth of the vectors point elsewhere.
    """
    chosen = np.unique(np.linspace(0, len(passages) - 1, _EMBEDDED_AGAIN).astype(int)).tolist()
    pairs = [(row, text) for row in chosen for text in _texts_of(passages[row])]
    lengths = embedder.count_tokens([text for _, text in pairs])
    pairs = [pair for pair, length in zip(pairs, lengths, strict=True) if length <= embedder.window]
    # Any text tells the dimension.
    again = unit(embedder.encode([text for _, text in pairs] or ["a"]))
    if again.shape[1] != vectors.shape[1]:
        raise InputError(
            f"{path} holds vectors of {vectors.shape[1]} dimensions, but those of embedder '{embedder.name}' have "
            f"{again.shape[1]}: name the model that made them with --set index.embedder=NAME"
        )
    if not pairs:
        return (
            f"no passage is short enough for embedder '{embedder.name}', so the vectors were not compared with its own"
        )
    cosines: dict[int, float] = {}
    for (row, _), vector in zip(pairs, again, strict=True):
        cosines[row] = max(cosines.get(row, -1.0), float(vector @ vectors[row]))
    middle, unlike = median(cosines.values()), sum(cosine < _LEAST_COSINE for cosine in cosines.values())
    if unlike > _TOLERATED * len(cosines):
        raise InputError(
            f"{path} does not fit embedder '{embedder.name}': of {len(cosines)} passages that were embedded again, "
            f"{unlike} have a cosine below {_LEAST_COSINE} with their vector (median {middle:.2f}): name the model "
            "that made the vectors with --set index.embedder=NAME, and check that they are in the order of the rows"
        )
    return f"{len(cosines)} passages embedded again: median cosine with their vectors {middle:.2f}"


def _texts_of(passage: Passage) -> tuple[str, str]:
    return passage.text, searchable_text(passage.title, passage.text, passage.section)
