"""The same paragraph about somebody else: names and numbers swapped for others of their kind.

Paragraph, questions and answers change alike, so what is asked stays and what could be remembered goes: a model with
few paragraphs to learn from learns them by heart otherwise.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from articles import Row
from clozes import spans_of_interest
from raft.text import locate, sentences

# The chance that a name or number is swapped.
SWAPPED = 0.6
_ASKS = re.compile(r"\b(who|whose|when|where|how many|how much|what year|which)\b", re.I)


class Renaming:
    """Swaps names and numbers of rows for others that stand in the same collection of rows."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._by_shape: dict[str, list[str]] = defaultdict(list)
        self._by_asking: dict[tuple[str, str], list[str]] = defaultdict(list)
        contexts = set()
        for row in rows:
            contexts.add(row.context)
            for answer in row.answers[:1]:
                self._by_asking[_asking(row), _shape(answer)].append(answer)
        for context in sorted(contexts):
            for name in _names(context):
                self._by_shape[_shape(name)].append(name)

    def __call__(self, rows: Sequence[Row], rng: random.Random) -> list[Row]:
        """The rows of one paragraph, all renamed alike; a row whose answer would be lost is left out."""
        context, others = rows[0].context, " ".join(row.question for row in rows)
        renamed = self._swap(_names(context), f"{context} {others}", rows, rng)
        shown = renamed(context)
        made = [
            replace(row, context=shown, question=renamed(row.question), answers=tuple(map(renamed, row.answers)))
            for row in rows
        ]
        return [row for row in made if row.answers and locate(row.answers[0], shown)]

    def unanswered(self, row: Row, texts: Sequence[str], rng: random.Random) -> tuple[Row, list[str]]:
        """A question and the texts that do not answer it, all renamed alike."""
        together = " ".join([row.question, *texts])
        renamed = self._swap(_names(together), together, [row], rng)
        return replace(row, question=renamed(row.question)), [renamed(text) for text in texts]

    def _swap(
        self, names: Sequence[str], together: str, rows: Sequence[Row], rng: random.Random
    ) -> Callable[[str], str]:
        """What swaps some of the names that can be told apart in all that is shown together."""
        swaps = {}
        for name in names:
            if rng.random() < SWAPPED and _stands_alone(name, together):
                swaps[name.casefold()] = self._another(name, rows, rng)
        if not swaps:
            return str
        longest_first = sorted(swaps, key=len, reverse=True)
        pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b", re.I)
        return lambda text: pattern.sub(lambda found: swaps[found[0].casefold()], text)

    def _another(self, name: str, rows: Sequence[Row], rng: random.Random) -> str:
        """Something of the same kind: what another question of the same kind asks for, where this is an answer."""
        asked = next((row for row in rows if row.answers and row.answers[0] == name), None)
        pool = self._by_asking[_asking(asked), _shape(name)] if asked else []
        return rng.choice(pool if len(pool) > 1 else self._by_shape[_shape(name)] or [name])


def _names(text: str) -> list[str]:
    found = [name for start, end in sentences(text) for name in spans_of_interest(text[start:end].strip())]
    return list(dict.fromkeys(found))


def _shape(name: str) -> str:
    """Years with years, numbers with numbers as long, names with names of as many words."""
    if name[:1].isdigit():
        return re.sub(r"\d", "0", name) if len(name) != 4 else f"{name[:1]}000"
    return f"{len(name.split())} words"


def _asking(row: Row) -> str:
    found = _ASKS.search(row.question)
    return found[1].lower() if found else "what"


def _stands_alone(name: str, text: str) -> bool:
    """Whether no word of the name stands anywhere without the rest, as a surname alone would."""
    whole = len(re.findall(rf"\b{re.escape(name)}\b", text, re.I))
    return all(len(re.findall(rf"\b{re.escape(word)}\b", text, re.I)) == whole for word in name.split())
