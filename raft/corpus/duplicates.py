"""Find documents that say what another one says: copies, revisions that differ by a few words, and shared text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from raft.types import Document

if TYPE_CHECKING:
    from datasketch import MinHash

# Words that are compared as one: fewer and common phrases look alike, more and one changed word counts too often.
_SHINGLE = 5
# With fewer runs of words than this a single changed number is a different document.
_FEWEST_SHINGLES = 40
# Forms of which one stands on each side are a leak, though they are different documents; fewer runs are a phrase.
_FEWEST_IN_CLUSTERS = 10
_PERMUTATIONS = 128
# Sizes of documents that are searched together: of 100 parts put into 300 texts none was missed with 8.
_PARTITIONS = 8
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
        from datasketch import MinHashLSH

        self._threshold = threshold
        # A little lower than what is wanted: candidates are confirmed, and what is not found is lost.
        self._search = MinHashLSH(threshold=max(0.1, threshold - 0.1), num_perm=_PERMUTATIONS)
        self._shingles: dict[str, frozenset[int]] = {}

    def add(self, id_: str, words: Sequence[str]) -> tuple[str | None, float]:
        """The earlier document that is most like this one and how like, or none; only then it is remembered."""
        runs = _runs(words)
        if len(runs) < _FEWEST_SHINGLES:
            return None, 0.0
        shingles = frozenset(map(_hash, runs))
        sketch = _sketch(shingles)
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


def document_clusters(documents: Sequence[Document], threshold: float) -> Mapping[str, str]:
    """The cluster of every document by its id, each named after the first id in it: documents that share much text.

    Two documents are one cluster where the resemblance of their runs of five words is at least `threshold`, and a
    document joins the one that contains most of its runs where that is at least `threshold` of them (Broder 1997,
    section 2). Only the one: else a notice that stands in many documents would make one cluster of all. Candidates are
    found by MinHash and confirmed. A document with fewer than ten runs is alone.
    """
    from datasketch import MinHashLSHEnsemble
    from scipy.cluster.hierarchy import DisjointSet

    clusters = DisjointSet(document.id for document in documents)
    shingles = {
        document.id: frozenset(map(_hash, runs))
        for document in documents
        if len(runs := _runs(_WORD.findall(document.text.casefold()))) >= _FEWEST_IN_CLUSTERS
    }

    if shingles:
        sketches = {id_: _sketch(runs) for id_, runs in shingles.items()}
        search = MinHashLSHEnsemble(threshold=max(0.1, threshold - 0.1), num_perm=_PERMUTATIONS, num_part=_PARTITIONS)
        search.index((id_, sketch, len(shingles[id_])) for id_, sketch in sketches.items())
        for id_, ours in shingles.items():
            best, contained = None, 0.0
            for other in sorted(set(search.query(sketches[id_], len(ours))) - {id_}):
                theirs = shingles[other]
                shared = len(ours & theirs)
                if shared / len(ours | theirs) >= threshold:
                    clusters.merge(id_, other)
                if shared / len(ours) >= threshold and shared / len(ours) > contained:
                    best, contained = other, shared / len(ours)
            if best is not None:
                clusters.merge(id_, best)
    return {id_: min(cluster) for cluster in clusters.subsets() for id_ in cluster}


def _runs(words: Sequence[str]) -> set[bytes]:
    return {" ".join(words[at : at + _SHINGLE]).encode() for at in range(len(words) - _SHINGLE + 1)}


def _hash(run: bytes) -> int:
    from xxhash import xxh32_intdigest

    return int(xxh32_intdigest(run))


@cache
def _blank() -> MinHash:
    """Copied for every sketch: drawing its permutations takes longer than sketching a page."""
    from datasketch import MinHash

    return MinHash(num_perm=_PERMUTATIONS, hashfunc=int)


def _sketch(hashed: Iterable[int]) -> MinHash:
    import numpy as np

    sketch = _blank().copy()
    sketch.update_batch(np.array(sorted(hashed), dtype=np.uint64))
    return sketch
