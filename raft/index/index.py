"""An index that was built: its documents and passages, and the passages that belong to a question."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from raft.artifacts import Manifest, Stage, of_one_generation, read_jsonl, verified
from raft.corpus import searchable_text
from raft.corpus.duplicates import Duplicate
from raft.errors import ArtifactError, InputError
from raft.index.build import DUPLICATES
from raft.index.filters import matching
from raft.index.fusion import marginal_relevance, reciprocal_rank_fusion
from raft.index.reuse import DOCUMENTS, PASSAGES, SKIPPED, STORE_FORMAT
from raft.index.store import WORDS, Ranking, VectorStore, WordStore
from raft.index.vectors import VECTORS, map_rows, search_for
from raft.models.embedder import Embedder, load_embedder
from raft.models.reranker import Reranker
from raft.recipe import RetrieveSettings, VectorSearch, parse_settings
from raft.types import Document, Passage, RetrievalMode, ScoredPassage

if TYPE_CHECKING:
    from raft.index.approximate import ApproximateStore

T = TypeVar("T")
# Questions whose vectors are kept: 30 MB of those of `minilm`.
_REMEMBERED = 20_000


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
        self._row_of = {passage.id: row for row, passage in enumerate(passages)}
        self._vectors = vectors
        self._words = words
        self._embedder = embedder
        self._reranker: Reranker | None = None
        self._how = parse_settings(RetrieveSettings, manifest.settings["retrieve"], f"the manifest of {folder}")
        self._asked: dict[str, NDArray[np.float32]] = {}
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
        if manifest.settings.get("store_format") != STORE_FORMAT:
            raise ArtifactError(
                f"{folder} was made by another version of raft, which stored vectors in another way: "
                "run `raft index` again"
            )
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
            return self.passages[self._row_of[passage_id]]
        except KeyError:
            raise ArtifactError(
                f"{self.folder} has no passage {passage_id}: it was made from another index; run the later stages again"
            ) from None

    def vectors(self) -> NDArray[np.float32]:
        """The unit vectors of all passages, in their order, shape (number of passages, dimension)."""
        return self._vectors.rows(range(len(self.passages)))

    def retrieve(
        self,
        questions: Sequence[str],
        k: int,
        mode: RetrievalMode | None = None,
        where: Mapping[str, str] | None = None,
    ) -> list[list[ScoredPassage]]:
        """The `k` best passages for each question, best first; fewer where the index, or its shared words, have fewer.

        The score is the cosine (dense), BM25 (lexical) or the sum of reciprocal ranks among the best of both (hybrid;
        Cormack et al. 2009), or a reranker's. Equal scores are ordered by passage id; with a diversity the order is
        that of maximal marginal relevance. All questions are embedded together.

        mode: instead of the one that the index was made with. where: only passages whose fields match these patterns
        (see `matching`). Raises InputError where k is below 1 or a field is unknown, ModelError for a question that is
        longer than the embedder reads.
        """
        if k < 1:
            raise InputError(f"k is {k}: ask for at least 1 passage")
        how = self._how
        mode = mode or how.mode
        chooses = mode is RetrievalMode.HYBRID or how.rerank or how.diversity
        depth = max(k, how.candidates) if chooses else k
        only = matching(self.passages, self.documents, where) if where else None
        rankings: list[list[Ranking]] = []
        if mode is not RetrievalMode.LEXICAL:
            rankings.append(self._vectors.search(self._embedded(questions), depth, only))
        if mode is not RetrievalMode.DENSE:
            rankings.append(self._words.search(questions, depth, only))
        pairs = zip(questions, zip(*rankings, strict=True), strict=True)
        return [self._chosen(question, self._scored(found), k) for question, found in pairs]

    def reads(self, questions: Sequence[str]) -> list[bool]:
        """Whether each question can be looked for: one that is longer than the embedder reads cannot, but by words."""
        if self._how.mode is RetrievalMode.LEXICAL:
            return [True] * len(questions)
        embedder = self._loaded_embedder()
        return [length <= embedder.window for length in embedder.count_tokens(questions)]

    def rankings(self, questions: Sequence[str], k: int) -> dict[RetrievalMode, list[list[ScoredPassage]]]:
        """The `k` best passages for each question by every mode, best first, without reranking or diversity.

        For comparing the modes with each other. An index that is searched by words alone gives that mode alone, since
        its questions may be longer than the embedder reads. Raises what `retrieve` raises.
        """
        if k < 1:
            raise InputError(f"k is {k}: ask for at least 1 passage")
        depth = max(k, self._how.candidates)
        lexical = self._words.search(questions, depth, None)
        if self._how.mode is RetrievalMode.LEXICAL:
            return {RetrievalMode.LEXICAL: [self._scored([one])[:k] for one in lexical]}
        dense = self._vectors.search(self._embedded(questions), depth, None)
        pairs = list(zip(dense, lexical, strict=True))
        return {
            RetrievalMode.DENSE: [self._scored([one])[:k] for one, _ in pairs],
            RetrievalMode.LEXICAL: [self._scored([one])[:k] for _, one in pairs],
            RetrievalMode.HYBRID: [self._scored(both)[:k] for both in pairs],
        }

    def _embedded(self, questions: Sequence[str]) -> NDArray[np.float32]:
        """A vector for each question; one that was asked for before keeps the vector that it had.

        The stages ask for the same questions more than once, and its last bits depend on what is embedded with it.
        """
        with self._lock:
            known = {question: self._asked[question] for question in questions if question in self._asked}
        embedder = self._loaded_embedder()
        missing = [question for question in dict.fromkeys(questions) if question not in known]
        fresh = dict(zip(missing, embedder.encode_questions(missing), strict=True))
        with self._lock:
            if len(self._asked) + len(fresh) > _REMEMBERED:
                self._asked.clear()
            self._asked |= fresh
        vectors = known | fresh
        return np.stack([vectors[question] for question in questions]) if questions else embedder.encode_questions([])

    def _scored(self, rankings: Sequence[Ranking]) -> list[ScoredPassage]:
        scores = dict(rankings[0])
        if len(rankings) > 1:
            scores = reciprocal_rank_fusion([[row for row, _ in ranking] for ranking in rankings])
        return _best_first(ScoredPassage(self.passages[row], score) for row, score in scores.items())

    def _chosen(self, question: str, found: list[ScoredPassage], k: int) -> list[ScoredPassage]:
        """The `k` passages to give of what was found: as they are, ranked anew, or as unlike as is wanted."""
        how = self._how
        # Both rankings of a hybrid search together may hold more.
        found = found[: max(k, how.candidates)]
        if how.rerank and found:
            texts = [searchable_text(hit.passage.title, hit.passage.text, hit.passage.section) for hit in found]
            scores = self._loaded_reranker().score(question, texts)
            found = _best_first(ScoredPassage(hit.passage, float(s)) for hit, s in zip(found, scores, strict=True))
        if how.diversity and found:
            scores = np.array([hit.score for hit in found], np.float32)
            vectors = self._vectors.rows([self._row_of[hit.passage.id] for hit in found])
            found = [found[place] for place in marginal_relevance(scores, vectors, k, how.diversity)]
        return found[:k]

    def _loaded_reranker(self) -> Reranker:
        with self._lock:
            if self._reranker is None:
                reranker = Reranker(self._how.rerank)
                expected = self.manifest.settings["reranker_fingerprint"]
                if reranker.fingerprint != expected:
                    raise ArtifactError(
                        f"{self.folder} was made with reranker {expected[:8]}, but '{reranker.name}' is "
                        f"{reranker.fingerprint[:8]}: run `raft index` again"
                    )
                self._reranker = reranker
            return self._reranker

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


def _best_first(found: Iterable[ScoredPassage]) -> list[ScoredPassage]:
    return sorted(found, key=lambda hit: (-hit.score, hit.passage.id))


def _vector_store(standing: Path, manifest: Manifest, count: int) -> VectorStore | ApproximateStore:
    kind = search_for(count, VectorSearch(manifest.settings["vector_search"]))
    if kind is VectorSearch.EXACT:
        return VectorStore(map_rows(standing / VECTORS, count))
    from raft.index.approximate import ApproximateStore, load_approximate

    return ApproximateStore(load_approximate(standing / VECTORS, kind, count))


def _rows(path: Path, kind: type[T]) -> Iterator[T]:
    for number, row in read_jsonl(path):
        try:
            yield kind(**row)
        except TypeError as error:
            raise ArtifactError(
                f"{path}, line {number}: not a {kind.__name__} ({error}): run `raft index` again"
            ) from error
