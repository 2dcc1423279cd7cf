"""Sketches of texts, by which near-duplicates are found: made once for each text and kept beside it in an index."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from xxhash import xxh32_intdigest, xxh64_digest

from raft.artifacts import hash_json
from raft.errors import ArtifactError

if TYPE_CHECKING:
    from datasketch import MinHash

SKETCHES = "sketches.safetensors"
PERMUTATIONS = 128
# Words that are compared as one: fewer and common phrases look alike, more and one changed word counts too often.
_SHINGLE = 5
# With fewer runs of words than this a single changed number is a different document.
_FEWEST_SHINGLES = 40
_WORD = re.compile(r"\w+")
_DIGEST, _BAND = 32, 8


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


def _array(rows: Iterable[bytes], width: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
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


def _rows(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], width: int) -> Iterator[tuple[bytes, ...]]:
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


def minhash(shingles: Iterable[int]) -> MinHash:
    """The sketch of a set by `PERMUTATIONS` minima (Broder 1997)."""
    made = _blank().copy()
    made.update_batch(shingles)
    return made


@cache
def _blank() -> MinHash:
    """Copied for every sketch: drawing its permutations takes longer than sketching a page."""
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, hashfunc=int)


def _sketch(text: str, threshold: float) -> Sketch:
    words = words_of(text)
    digest = hashlib.sha256(" ".join(words).encode()).digest() if words else b""
    shingles = shingles_of(words) if threshold < 1 else frozenset()
    if len(shingles) < _FEWEST_SHINGLES:
        return Sketch(digest)
    bands, width = _layout(threshold)
    minima = minhash(shingles).hashvalues
    parts = (minima[band * width : (band + 1) * width] for band in range(bands))
    return Sketch(digest, tuple(xxh64_digest(part.tobytes()) for part in parts))


@cache
def _layout(threshold: float) -> tuple[int, int]:
    """How many bands of how many minima find what is as like as `threshold`."""
    from datasketch import MinHashLSH

    # A little lower than what is wanted: candidates are confirmed, and what is not found is lost.
    search = MinHashLSH(threshold=max(0.1, threshold - 0.1), num_perm=PERMUTATIONS)
    return search.b, search.r


def _way_of_making(threshold: float) -> str:
    """A digest of everything that a sketch depends on beside its text."""
    from importlib import metadata

    # What letters are, and their lower case, follows the Unicode tables of Python.
    versions = [metadata.version("datasketch"), unicodedata.unidata_version]
    return hash_json([threshold, _SHINGLE, _FEWEST_SHINGLES, PERMUTATIONS, *versions])
