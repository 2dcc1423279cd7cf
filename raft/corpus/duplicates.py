"""Find documents that say what another one says: copies, and revisions that differ by a few words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from raft.types import Document

# Words that are compared as one: fewer and common phrases look alike, more and one changed word counts too often.
_SHINGLE = 5
# With fewer runs of words than this a single changed number is a different document.
_FEWEST_SHINGLES = 40
_PERMUTATIONS = 128
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A document that was left out because `kept` says the same. similarity: shared runs of words, 1.0 for a copy."""

    id: str
    source: str
    kept: str
    similarity: float


def without_duplicates(
    documents: Sequence[Document], threshold: float
) -> tuple[tuple[Document, ...], tuple[Duplicate, ...]]:
    """The documents in their order without those that repeat an earlier one, and these.

    Near-duplicates are found by MinHash (Broder 1997) and confirmed by the Jaccard similarity of their runs of five
    words, which must be at least `threshold`; with a threshold of 1 only documents with the same words are left out.
    """
    kept: list[Document] = []
    dropped: list[Duplicate] = []
    copies: dict[tuple[str, ...], str] = {}
    near = _NearDuplicates(threshold) if threshold < 1 else None
    for document in documents:
        words = tuple(_WORD.findall(document.text.casefold()))
        # A document without words (a picture of dashes) is like every other such one, and says nothing about it.
        original = copies.get(words) if words else None
        similarity = 1.0
        if original is None and near is not None:
            original, similarity = near.add(document.id, words)
        if original is None:
            copies.setdefault(words, document.id)
            kept.append(document)
        else:
            dropped.append(Duplicate(document.id, document.source, original, round(similarity, 3)))
    return tuple(kept), tuple(dropped)


class _NearDuplicates:
    """The documents so far, searched by MinHash."""

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHash, MinHashLSH

        self._threshold = threshold
        # Copied for every sketch: drawing its permutations takes longer than sketching a page.
        self._blank = MinHash(num_perm=_PERMUTATIONS, hashfunc=int)
        # A little lower than what is wanted: candidates are confirmed, and what is not found is lost.
        self._search = MinHashLSH(threshold=max(0.1, threshold - 0.1), num_perm=_PERMUTATIONS)
        self._shingles: dict[str, frozenset[int]] = {}

    def add(self, id_: str, words: Sequence[str]) -> tuple[str | None, float]:
        """The earlier document that is most like this one and how like, or none; only then it is remembered."""
        import numpy as np

        runs = {" ".join(words[at : at + _SHINGLE]).encode() for at in range(len(words) - _SHINGLE + 1)}
        if len(runs) < _FEWEST_SHINGLES:
            return None, 0.0
        hashed = np.array([_hash(run) for run in sorted(runs)], dtype=np.uint64)
        sketch = self._blank.copy()
        sketch.update_batch(hashed)
        shingles = frozenset(hashed.tolist())
        best, likeness = None, 0.0
        for other in sorted(self._search.query(sketch)):
            theirs = self._shingles[other]
            similarity = len(shingles & theirs) / len(shingles | theirs)
            if similarity >= self._threshold and similarity > likeness:
                best, likeness = other, similarity
        if best is None:
            self._search.insert(id_, sketch)
            self._shingles[id_] = shingles
        return best, likeness


def _hash(run: bytes) -> int:
    from xxhash import xxh32_intdigest

    return int(xxh32_intdigest(run))
