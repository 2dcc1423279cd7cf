"""The two searchers behind an index: exact inner products of unit vectors, and BM25 over stemmed words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import Stemmer
from bm25s.stopwords import STOPWORDS_EN
from numpy.typing import NDArray

from raft.text import fold, search_terms

WORDS = "bm25"
Ranking = list[tuple[int, float]]
Rows = NDArray[np.int64]
# Scores are compared to this many decimals: the last bits change with the size of a batch.
_DECIMALS = 6
# Queries whose scores are held at once.
_TOGETHER = 32
# Scores of which the highest is found first.
_BLOCK = 64
# More candidates than wanted: scores that differ in their last bits alone are told apart by their rows.
_SPARE = 16
_STOP_WORDS = frozenset(STOPWORDS_EN)


class VectorStore:
    """Exact search among unit vectors; the score is the cosine."""

    def __init__(self, rows: NDArray[np.float32]) -> None:
        """rows: unit vectors, shape (n, dimension), of which it keeps a copy."""
        # (dimension, n): so a product with a query reads the memory in one pass with every thread. FAISS scans for one
        # query with a single thread (scripts/bench_index, part scan).
        self._columns = np.ascontiguousarray(rows.T)

    def rows(self, chosen: Sequence[int]) -> NDArray[np.float32]:
        """The unit vectors of some rows, (number of rows, dimension)."""
        return self._columns[:, list(chosen)].T

    def search(self, queries: NDArray[np.float32], count: int, only: Rows | None = None) -> list[Ranking]:
        """The `count` best rows for each query, best first, equal scores in the order of the rows.

        only: the rows to look among, in order; all without it.
        """
        columns = self._columns if only is None else self._columns[:, only]
        units, found = unit(queries), list[Ranking]()
        for first in range(0, len(units), _TOGETHER):
            for scores in units[first : first + _TOGETHER] @ columns:
                places = _highest(scores, count + _SPARE)
                found.append(best_of(places if only is None else only[places], scores[places], count))
        return found


def _highest(scores: NDArray[np.float32], wanted: int) -> Rows:
    """Where the `wanted` highest scores stand, and all that equal the lowest of them."""
    tops = scores[: len(scores) // _BLOCK * _BLOCK].reshape(-1, _BLOCK).max(1)
    places = np.arange(len(scores))
    if len(tops) > wanted:
        # So many blocks hold a score that is no lower than this, and most scores need not be sorted at all.
        places = np.flatnonzero(scores >= np.partition(tops, -wanted)[-wanted])
    if len(places) > wanted:
        places = places[scores[places] >= np.partition(scores[places], -wanted)[-wanted]]
    return places


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors scaled to length 1; one without a length stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def best_of(rows: NDArray[np.int64], scores: NDArray[np.float32], count: int) -> Ranking:
    """The `count` best rows with their scores, best first, equal scores in the order of the rows."""
    rounded = np.round(scores, _DECIMALS)
    order = np.lexsort((rows, -rounded))[:count]
    return [(int(rows[place]), float(rounded[place])) for place in order]


class WordStore:
    """BM25 (Lucene's variant, k1 1.5, b 0.75) over words without English stop words, stemmed as English.

    Of scripts without spaces it counts characters and pairs of them (`raft.text.search_terms`).
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    @classmethod
    def build(cls, texts: Sequence[str]) -> WordStore:
        # Every text gets a word, if only the empty one that no question holds: BM25 needs an average length.
        stems = _Stems()
        rows = [_stemmed(text, stems) or [""] for text in texts]
        # Sorted, because the order of a set of strings differs between runs, and the files must not.
        vocabulary = {word: number for number, word in enumerate(sorted({word for row in rows for word in row}))}
        model = bm25s.BM25()
        model.index(([[vocabulary[word] for word in row] for row in rows], vocabulary), show_progress=False)
        return cls(model)

    @classmethod
    def load(cls, folder: Path) -> WordStore:
        return cls(bm25s.BM25.load(folder, allow_pickle=False, show_progress=False))

    def save(self, folder: Path) -> None:
        self._model.save(folder, allow_pickle=False, show_progress=False)

    def search(self, queries: Sequence[str], count: int, only: Rows | None = None) -> list[Ranking]:
        """The `count` best rows for each query, best first; rows that share no word with it are left out.

        only: the rows to look among, in order; all without it.
        """
        return [self._search(query, count, only) for query in queries]

    def _search(self, query: str, count: int, only: Rows | None) -> Ranking:
        known = words(query)
        if not known:
            return []
        scores = self._model.get_scores(known)
        rows = np.flatnonzero(scores > 0) if only is None else only[scores[only] > 0]
        if len(rows) > count:
            limit = np.partition(scores[rows], -count)[-count]
            rows = rows[scores[rows] >= limit]
        return best_of(rows, scores[rows], count)


def words(text: str) -> list[str]:
    """The words of a text as BM25 counts them: lower case, no accents, no stop words, stemmed."""
    return _stemmed(text, _Stems())


class _Stems(dict[str, str | None]):
    """The stem of every word that was asked for, None for a stop word: a corpus says the same words again and again."""

    def __init__(self) -> None:
        super().__init__()
        # It keeps state, so it is not shared between threads.
        self._stemmer = Stemmer.Stemmer("english")

    def __missing__(self, word: str) -> str | None:
        stem = self[word] = None if word in _STOP_WORDS else self._stemmer.stemWord(word)
        return stem


def _stemmed(text: str, stems: _Stems) -> list[str]:
    return [stem for word in search_terms(text) if (stem := stems[fold(word)]) is not None]
