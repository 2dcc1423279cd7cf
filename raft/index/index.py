"""An index that was built: its documents and passages, and the passages that belong to a question."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from raft.artifacts import Manifest, Stage, of_one_generation, read_jsonl, verified
from raft.corpus.duplicates import Duplicate
from raft.errors import ArtifactError, InputError
from raft.index.approximate import GRAPH, ApproximateStore, load_approximate, search_for
from raft.index.build import DUPLICATES
from raft.index.fusion import DEPTH, reciprocal_rank_fusion
from raft.index.reuse import DOCUMENTS, PASSAGES, SKIPPED
from raft.index.store import VECTORS, WORDS, Ranking, VectorStore, WordStore, load_vectors
from raft.models.embedder import Embedder, load_embedder
from raft.recipe import VectorSearch
from raft.types import Document, Passage, RetrievalMode, ScoredPassage

T = TypeVar("T")


class Index:
    """Everything of an index folder, loaded once. Open one with `Index.open`."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        documents: Sequence[Document],
        passages: Sequence[Passage],
        vectors: VectorStore | ApproximateStore,
        words: WordStore,
        embedder: Embedder | None = None,
    ) -> None:
        self.folder = folder
        self.manifest = manifest
        self.documents: Mapping[str, Document] = {document.id: document for document in documents}
        # The id of the document that was kept, by the id of each that repeats it.
        self.repeats: Mapping[str, str] = {}
        self.passages: tuple[Passage, ...] = tuple(passages)
        self._by_id = {passage.id: passage for passage in passages}
        self._vectors = vectors
        self._words = words
        self._embedder = embedder
        self._lock = threading.Lock()
        if embedder is not None:
            self._check(embedder)

    @classmethod
    def open(cls, folder: Path, embedder: Embedder | None = None) -> Index:
        """Check every file of the folder against its manifest, then load it.

        embedder: one that is already loaded; otherwise the index loads its own at the first question that needs it.
        Raises ArtifactError where the folder is no index, is damaged, or was made with another embedder.
        """
        return of_one_generation(folder, lambda standing: cls._load(folder, standing, embedder))

    @classmethod
    def _load(cls, folder: Path, standing: Path, embedder: Embedder | None) -> Index:
        """The index called `folder`, read from `standing`: the same place, by a name that nobody gives to another."""
        manifest = verified(standing, Stage.INDEX)
        # A file that the manifest does not name was not checked, so nothing may read it.
        needed = (DOCUMENTS, PASSAGES, SKIPPED, DUPLICATES, VECTORS, f"{WORDS}/params.index.json")
        if missing := [name for name in needed if name not in manifest.outputs]:
            raise ArtifactError(f"{folder} has no {missing[0]} in its manifest: run `raft index` again")
        documents = list(_rows(standing / DOCUMENTS, Document))
        passages = list(_rows(standing / PASSAGES, Passage))
        vectors = _vector_store(standing, manifest, len(passages))
        index = cls(folder, manifest, documents, passages, vectors, WordStore.load(standing / WORDS), embedder)
        index.repeats = {row.id: row.kept for row in _rows(standing / DUPLICATES, Duplicate)}
        return index

    def passage(self, passage_id: str) -> Passage:
        """The passage with this id. Raises ArtifactError where the index has none."""
        try:
            return self._by_id[passage_id]
        except KeyError:
            raise ArtifactError(
                f"{self.folder} has no passage {passage_id}: it was made from another index; run the later stages again"
            ) from None

    def retrieve(
        self, questions: Sequence[str], k: int, mode: RetrievalMode = RetrievalMode.HYBRID
    ) -> list[list[ScoredPassage]]:
        """The `k` best passages for each question, best first; fewer where the index, or its shared words, have fewer.

        The score is the cosine (dense), BM25 (lexical) or the sum of reciprocal ranks among the best 50 of both
        (hybrid; Cormack et al. 2009). Equal scores are ordered by passage id. All questions are embedded together.
        Raises InputError where k is below 1, ModelError for a question that is longer than the embedder reads.
        """
        if k < 1:
            raise InputError(f"k is {k}: ask for at least 1 passage")
        depth = max(k, DEPTH) if mode is RetrievalMode.HYBRID else k
        rankings: list[list[Ranking]] = []
        if mode is not RetrievalMode.LEXICAL:
            rankings.append(self._vectors.search(self._loaded_embedder().encode(questions), depth))
        if mode is not RetrievalMode.DENSE:
            rankings.append(self._words.search(questions, depth))
        return [self._scored(found, k) for found in zip(*rankings, strict=True)]

    def _scored(self, rankings: Sequence[Ranking], k: int) -> list[ScoredPassage]:
        scores = dict(rankings[0])
        if len(rankings) > 1:
            scores = reciprocal_rank_fusion([[row for row, _ in ranking] for ranking in rankings])
        best = sorted(scores, key=lambda row: (-scores[row], self.passages[row].id))[:k]
        return [ScoredPassage(self.passages[row], scores[row]) for row in best]

    def _loaded_embedder(self) -> Embedder:
        with self._lock:
            if self._embedder is None:
                embedder = load_embedder(self.manifest.settings["embedder"])
                self._check(embedder)
                self._embedder = embedder
            return self._embedder

    def _check(self, embedder: Embedder) -> None:
        expected = self.manifest.settings["embedder_fingerprint"]
        if embedder.fingerprint != expected:
            raise ArtifactError(
                f"{self.folder} was made with embedder {expected[:8]}, "
                f"but '{embedder.name}' is {embedder.fingerprint[:8]}: run `raft index` again"
            )


def _vector_store(standing: Path, manifest: Manifest, count: int) -> VectorStore | ApproximateStore:
    vectors = load_vectors(standing / VECTORS, count)
    kind = search_for(count, VectorSearch(manifest.settings["vector_search"]))
    if kind is VectorSearch.EXACT:
        return VectorStore(vectors)
    if GRAPH not in manifest.outputs:
        raise ArtifactError(f"the index has no {GRAPH} in its manifest: run `raft index` again")
    return ApproximateStore(vectors, load_approximate(standing / GRAPH, kind, count))


def _rows(path: Path, kind: type[T]) -> Iterator[T]:
    for number, row in read_jsonl(path):
        try:
            yield kind(**row)
        except TypeError as error:
            raise ArtifactError(
                f"{path}, line {number}: not a {kind.__name__} ({error}): run `raft index` again"
            ) from error
