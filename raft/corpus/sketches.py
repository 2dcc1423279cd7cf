"""Sketches of texts, by which near-duplicates are found: made once for each text and kept beside it in an index."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh32_intdigest, xxh64_digest, xxh64_intdigest

from raft.artifacts import hash_json
from raft.errors import ArtifactError

SKETCHES = "sketches.safetensors"
PERMUTATIONS = 128
# Words that are compared as one: fewer and common phrases look alike, more and one changed word counts too often.
_SHINGLE = 5
# With fewer runs of words than this a single changed number is a different document.
_FEWEST_SHINGLES = 40
_WORD = re.compile(r"\w+")
_DIGEST, _BAND = 32, 8
# Runs of words that are hashed at once, so that a long book does not need memory for all of it.
_TOGETHER = 1 << 14


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is known of a text without reading it.

    words: a digest of its words, whatever their case and marks; empty where it has none. bands: digests of parts of its
    MinHash; texts that are much alike share one of them. None where the text is too short to be like another.
    """

    words: bytes
    bands: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptSketches:
    """Sketches by the sha256 of their texts. made_by: names the way in which they were made."""

    made_by: str = ""
    sketches: Mapping[bytes, Sketch] = field(default_factory=dict)


class Sketches:
    """The sketches of all texts that were asked for; those at hand are not made again."""

    def __init__(self, threshold: float, kept: KeptSketches | None = None) -> None:
        """threshold: from which likeness on two texts are to share a band; with 1 none has any."""
        self.threshold = threshold
        self._made_by = _way_of_making(threshold)
        self._known = kept.sketches if kept and kept.made_by == self._made_by else {}
        self._asked: dict[bytes, Sketch] = {}

    def of(self, text: str) -> Sketch:
        """The sketch of a text."""
        key = hashlib.sha256(text.encode()).digest()
        sketch = self._asked.get(key) or self._known.get(key) or _sketch(text, self.threshold)
        self._asked[key] = sketch
        return sketch

    def to_keep(self) -> KeptSketches:
        """Those that were asked for, in the order in which they first were."""
        return KeptSketches(self._made_by, self._asked)


def save_sketches(path: Path, kept: KeptSketches) -> None:
    """Write arrays of bytes, a row a text: its sha256, the digest of its words, and its bands; zeros for none."""
    from safetensors.numpy import save

    rows = kept.sketches.values()
    width = _BAND * max((len(sketch.bands) for sketch in rows), default=0)
    arrays = {
        "texts": _array(kept.sketches, _DIGEST),
        "words": _array((sketch.words for sketch in rows), _DIGEST),
        "bands": _array((b"".join(sketch.bands) for sketch in rows), width),
    }
    # Written by Python, which notices a full disk as it does for the other files.
    path.write_bytes(save(arrays, {"made_by": kept.made_by}))


def _array(rows: Iterable[bytes], width: int) -> NDArray[np.uint8]:
    padded = [row.ljust(width, b"\0") for row in rows]
    return np.frombuffer(b"".join(padded), np.uint8).reshape(len(padded), width)


def load_sketches(path: Path) -> KeptSketches:
    """Sketches of an index. Raises ArtifactError where the file does not hold what `save_sketches` writes."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            made_by = (file.metadata() or {})["made_by"]
            texts, words, bands = map(file.get_tensor, ("texts", "words", "bands"))
        rows = zip(_rows(texts, _DIGEST), _rows(words, _DIGEST), _rows(bands, _BAND), strict=True)
        sketches = {b"".join(text): Sketch(b"".join(said), parts) for text, said, parts in rows}
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ArtifactError(f"{path} holds no sketches of texts ({error}): run `raft index` again") from error
    return KeptSketches(made_by, sketches)


def _rows(array: NDArray[np.uint8], width: int) -> Iterator[tuple[bytes, ...]]:
    """Each row in parts of `width` bytes; without parts where it is all zeros."""
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] % width:
        raise ValueError(f"{array.dtype} of shape {array.shape}, expected rows of {width} bytes")
    for row in array:
        whole = row.tobytes()
        yield tuple(whole[at : at + width] for at in range(0, len(whole), width)) if any(whole) else ()


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return _WORD.findall(text.casefold())


def shingles_of(words: Sequence[str]) -> frozenset[int]:
    """The hashes of the runs of five words."""
    runs = {" ".join(words[at : at + _SHINGLE]).encode() for at in range(len(words) - _SHINGLE + 1)}
    return frozenset(map(xxh32_intdigest, runs))


def minima_of(shingles: Collection[int]) -> NDArray[np.uint32]:
    """The MinHash of a set of 32-bit numbers, shape (128,): the lowest value that each of 128 hash functions gives.

    The share of equal minima of two sets is near their Jaccard similarity (Broder 1997). Functions: multiply, add and
    shift (Dietzfelbinger 1996). Not datasketch's, because importing it takes longer than an update has for comparing.
    """
    factors, terms = _functions()
    values = np.fromiter(shingles, np.uint64, len(shingles))[:, None]
    lowest = np.full(PERMUTATIONS, 2**32 - 1, np.uint32)
    for first in range(0, len(values), _TOGETHER):
        mixed = (values[first : first + _TOGETHER] * factors + terms) >> np.uint64(32)
        lowest = np.minimum(lowest, mixed.min(0).astype(np.uint32))
    return lowest


@cache
def _functions() -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Factors and terms; random numbers of a library could be others in its next version."""
    numbers = [xxh64_intdigest(b"", seed) for seed in range(2 * PERMUTATIONS)]
    return np.array(numbers[:PERMUTATIONS], np.uint64), np.array(numbers[PERMUTATIONS:], np.uint64)


def _sketch(text: str, threshold: float) -> Sketch:
    words = words_of(text)
    digest = hashlib.sha256(" ".join(words).encode()).digest() if words else b""
    shingles = shingles_of(words) if threshold < 1 else frozenset()
    if len(shingles) < _FEWEST_SHINGLES:
        return Sketch(digest)
    # A little lower than what is wanted: candidates are confirmed, and what is not found is lost.
    bands, width = layout(max(0.1, threshold - 0.1))
    minima = minima_of(shingles)
    parts = (minima[band * width : (band + 1) * width] for band in range(bands))
    return Sketch(digest, tuple(xxh64_digest(part.tobytes()) for part in parts))


@cache
def layout(threshold: float) -> tuple[int, int]:
    """How many bands of how many minima tell sets that are at least so like from the others with the fewest mistakes.

    Sets of likeness s share a band with probability 1 - (1 - s^width)^bands (Leskovec et al., Mining of Massive
    Datasets, 3.4); a mistake either way weighs the same, and every likeness is as probable as another.
    """
    likeness = (np.arange(1000) + 0.5) / 1000

    def mistakes(bands: int, width: int) -> float:
        found = 1 - (1 - likeness**width) ** bands
        return float(np.where(likeness < threshold, found, 1 - found).sum())

    choices = [(bands, width) for bands in range(1, PERMUTATIONS + 1) for width in range(1, PERMUTATIONS // bands + 1)]
    return min(choices, key=lambda choice: mistakes(*choice))


def _way_of_making(threshold: float) -> str:
    """A digest of everything that a sketch depends on beside its text."""
    # What letters are, and their lower case, follows the Unicode tables of Python.
    return hash_json([threshold, _SHINGLE, _FEWEST_SHINGLES, PERMUTATIONS, unicodedata.unidata_version])
