"""Find documents that say what another one says: copies, revisions that differ by a few words, and shared text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from raft.corpus.sketches import PERMUTATIONS, Sketch, Sketches, shingles_of, words_of
from raft.types import Document

if TYPE_CHECKING:
    from datasketch import MinHash

# Forms of which one stands on each side are a leak, though they are different documents; fewer runs are a phrase.
_FEWEST_IN_CLUSTERS = 10
# Sizes of documents that are searched together: of 100 parts put into 300 texts none was missed with 8.
_PARTITIONS = 8


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A document that was left out because `kept` says the same. similarity: shared runs of words, 1.0 for a copy."""

    id: str
    source: str
    kept: str
    similarity: float


def without_duplicates(
    documents: Sequence[Document], sketches: Sketches
) -> tuple[tuple[Document, ...], tuple[Duplicate, ...]]:
    """The documents in their order without those that repeat an earlier one, and these.

    Near-duplicates are found by MinHash (Broder 1997) and confirmed by the Jaccard similarity of their runs of five
    words, which must be at least the threshold of the sketches; with a threshold of 1 only documents with the same
    words are left out.
    """
    kept: list[Document] = []
    dropped: list[Duplicate] = []
    copies: dict[bytes, str] = {}
    near = _NearDuplicates(sketches.threshold)
    for document in documents:
        sketch = sketches.of(document.text)
        # A document without words (a picture of dashes) is like every other such one, and says nothing about it.
        original = copies.get(sketch.words) if sketch.words else None
        similarity = 1.0
        if original is None and sketch.bands:
            original, similarity = near.add(document, sketch)
        if original is None:
            copies.setdefault(sketch.words, document.id)
            kept.append(document)
        else:
            dropped.append(Duplicate(document.id, document.source, original, round(similarity, 3)))
    return tuple(kept), tuple(dropped)


class _NearDuplicates:
    """The documents so far, by the bands of their sketches."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._with_band: dict[tuple[int, bytes], list[Document]] = {}
        self._shingles: dict[str, frozenset[int]] = {}

    def add(self, document: Document, sketch: Sketch) -> tuple[str | None, float]:
        """The earlier document that is most like this one and how like, or none; only then it is remembered."""
        bands = list(enumerate(sketch.bands))
        candidates = {one.id: one for band in bands for one in self._with_band.get(band, ())}
        best, likeness = None, 0.0
        for id_ in sorted(candidates):
            ours, theirs = self._runs(document), self._runs(candidates[id_])
            similarity = len(ours & theirs) / len(ours | theirs)
            if similarity >= self._threshold and similarity > likeness:
                best, likeness = id_, similarity
        if best is None:
            for band in bands:
                self._with_band.setdefault(band, []).append(document)
        return best, likeness

    def _runs(self, document: Document) -> frozenset[int]:
        """Counted for candidates alone: most documents are like no other."""
        if document.id not in self._shingles:
            self._shingles[document.id] = shingles_of(words_of(document.text))
        return self._shingles[document.id]


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
        document.id: runs
        for document in documents
        if len(runs := shingles_of(words_of(document.text))) >= _FEWEST_IN_CLUSTERS
    }

    if shingles:
        sketches = {id_: _minhash(runs) for id_, runs in shingles.items()}
        search = MinHashLSHEnsemble(threshold=max(0.1, threshold - 0.1), num_perm=PERMUTATIONS, num_part=_PARTITIONS)
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


def _minhash(shingles: Iterable[int]) -> MinHash:
    made = _blank().copy()
    made.update_batch(shingles)
    return made


@cache
def _blank() -> MinHash:
    """Copied for every document: drawing its permutations takes longer than sketching a page."""
    from datasketch import MinHash

    return MinHash(num_perm=PERMUTATIONS, hashfunc=int)
