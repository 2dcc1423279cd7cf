"""Reading-comprehension rows and the paragraphs of their articles: what training and checking `mini` both need."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import bm25s
import numpy as np

from raft.models.embedder import Embedder
from raft.text import contains_answer

# What an embedder reads of a paragraph to find those that are like it; its window is the limit.
EMBEDDED_CHARACTERS = 600


@dataclass(frozen=True)
class Row:
    """One question with the paragraph that it was asked about; no answers where the paragraph holds none."""

    title: str
    context: str
    question: str
    answers: tuple[str, ...]


def load_rows(path: Path) -> list[Row]:
    """Rows of JSON Lines with title, context, question, answers[]."""
    with path.open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines if line.strip()]
    return [
        Row(record["title"].replace("_", " "), record["context"], record["question"], tuple(record["answers"]))
        for record in records
    ]


class Articles:
    """The paragraphs of each article, searched for passages that look right and are not.

    With an embedder the best of BM25 and the best by meaning take turns.
    """

    def __init__(self, rows: Sequence[Row], embedder: Embedder | None = None) -> None:
        self.texts: dict[str, list[str]] = defaultdict(list)
        for row in rows:
            if row.context not in self.texts[row.title]:
                self.texts[row.title].append(row.context)
        self._searchers = {}
        for title, texts in self.texts.items():
            self._searchers[title] = bm25s.BM25()
            self._searchers[title].index(bm25s.tokenize(texts, show_progress=False), show_progress=False)
        self._embedder = embedder
        self._vectors = {}
        if embedder is not None:
            for title, texts in self.texts.items():
                self._vectors[title] = embedder.encode([text[:EMBEDDED_CHARACTERS] for text in texts])

    def ranked(self, row: Row) -> Iterator[str]:
        """Paragraphs of the same article, best match first, without its own and without any that holds an answer."""
        texts = self.texts[row.title]
        query = bm25s.tokenize(row.question, show_progress=False)
        ranked, _ = self._searchers[row.title].retrieve(query, k=len(texts), show_progress=False)
        order = list(ranked[0])
        if self._embedder is not None:
            nearness = self._vectors[row.title] @ self._embedder.encode_questions([row.question])[0]
            both = zip(order, np.argsort(-nearness, kind="stable"), strict=True)
            order = list(dict.fromkeys(chain.from_iterable(both)))
        for index in order:
            if texts[index] != row.context and not contains_answer(texts[index], row.answers):
                yield texts[index]
