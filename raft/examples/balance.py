"""How training rows are spread over documents, kinds of questions, types of answers and labels; evened on request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from raft.examples.composing import Reason
from raft.quality.phrasing import is_date, is_number, question_word
from raft.text import VERDICTS, normalise_answer
from raft.types import Example, ExampleKind

# Where the answers of all questions are at most so many, each given so often on the average, they are labels.
_MOST_LABELS, _ROWS_PER_LABEL = 10, 5
# Of fewer rows any class may hold most by chance: nothing is told or dropped.
_FEWEST_ROWS = 10
# Not one place but many: however many answers stand there, none of these places is learnt.
_AMID = "amid"
# A name begins each of its words with a capital, small words within it aside.
_NAME = re.compile(r"\W*[A-Z\u00c0-\u00de][\w'.-]*(?:\s+(?:of|the|de|von|van|and|[A-Z\u00c0-\u00de0-9][\w'.-]*))*\W*")


class Facet(StrEnum):
    """In what rows are sorted into classes."""

    DOCUMENT = "document"
    QUESTION = "question kind"
    ANSWER = "answer type"
    LABEL = "label"
    PLACE = "answer place"


SURPLUS: Mapping[Facet, Reason] = {
    Facet.DOCUMENT: Reason.SURPLUS_OF_DOCUMENT,
    Facet.QUESTION: Reason.SURPLUS_OF_QUESTION,
    Facet.ANSWER: Reason.SURPLUS_OF_ANSWER,
    Facet.LABEL: Reason.SURPLUS_OF_LABEL,
    Facet.PLACE: Reason.SURPLUS_OF_PLACE,
}


@dataclass(frozen=True, slots=True)
class Balance:
    """How many rows each class of each facet has, the largest first; a facet without classes is left out."""

    classes: Mapping[Facet, Mapping[str, int]]

    def warnings(self, share: float) -> list[str]:
        """One line for each class that holds more than `share` of the rows; none for fewer than ten rows of a facet.

        A facet with few classes is measured by the share that each would have if all were equal, if that is more.
        """
        lines = []
        for facet, counts in self.classes.items():
            total = sum(counts.values())
            if total < _FEWEST_ROWS or len(counts) < 2:
                continue
            largest, count = _largest(facet, counts)
            if count > _most(facet, counts, share):
                lines.append(f"{count} of {total} training rows have the {facet} '{largest}': more than {share:.0%}")
        return lines


def measure_balance(rows: Sequence[Example]) -> Balance:
    """Count the rows by document, question word, type and place of the answer and, if questions are closed, label."""
    classes: dict[Facet, dict[str, int]] = {}
    for facet, of_row in _classes(rows).items():
        counts = Counter(name for name in of_row if name)
        if counts:
            classes[facet] = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return Balance(classes)


def rebalance(rows: Sequence[Example], share: float, rng: Random) -> dict[str, Reason]:
    """Which rows to drop, by id with the reason, so that no class of any facet holds more than `share` of its rows.

    Rows of the largest class go, chosen by `rng`. A share that so few classes cannot keep is that of equal classes; a
    facet with a single class, or with fewer than ten rows to begin with, is left as it is.
    """
    facets = {facet: of_row for facet, of_row in _classes(rows).items() if sum(map(bool, of_row)) >= _FEWEST_ROWS}
    left = list(range(len(rows)))
    dropped: dict[str, Reason] = {}
    while True:
        for facet, of_row in facets.items():
            counts = Counter(of_row[row] for row in left if of_row[row])
            if len(counts) < 2:
                continue
            largest, count = _largest(facet, counts)
            if count > _most(facet, counts, share):
                of_class = [row for row in left if of_row[row] == largest]
                allowed = max(1, min(count - 1, _allowed(counts.total() - count, len(counts), share)))
                gone = set(rng.sample(of_class, count - allowed))
                dropped |= {rows[row].id: SURPLUS[facet] for row in sorted(gone)}
                left = [row for row in left if row not in gone]
                break
        else:
            return dropped


def _largest(facet: Facet, counts: Mapping[str, int]) -> tuple[str, int]:
    """The class with the most rows, and how many these are."""
    left_out = _AMID if facet is Facet.PLACE else None
    return min(((name, count) for name, count in counts.items() if name != left_out), key=lambda one: (-one[1], one[0]))


def _most(facet: Facet, counts: Mapping[str, int], share: float) -> int:
    """The most rows that one of these classes may have, of as many as there are."""
    others = sum(counts.values()) - _largest(facet, counts)[1]
    return max(1, _allowed(others, len(counts), share))


def _allowed(others: int, classes: int, share: float) -> int:
    """How many rows a class may have beside `others`; the share of equal classes is always allowed."""
    fair = max(share, 1 / classes)
    # Rounded down, but for what binary fractions lose.
    return int(others * fair / (1 - fair) + 1e-9)


def _classes(rows: Sequence[Example]) -> dict[Facet, list[str]]:
    """The class of each row in each facet; "" where it has none."""
    labels = _labels(rows)
    return {
        # Labels first: they are fewest, and what is dropped for them counts for the others too.
        Facet.LABEL: labels,
        Facet.ANSWER: [_answer_type(row) for row in rows],
        Facet.PLACE: [_answer_place(row) for row in rows],
        Facet.QUESTION: [question_word(row.question) for row in rows],
        Facet.DOCUMENT: [next(iter(row.document_ids), "") for row in rows],
    }


def _labels(rows: Sequence[Example]) -> list[str]:
    """The answers to closed questions: yes, no and maybe; or all answers, where they are few and each often given."""
    first = [normalise_answer(row.answers[0]) if row.answers else "" for row in rows]
    given = Counter(filter(None, first))
    if 2 <= len(given) <= _MOST_LABELS and given.total() >= _ROWS_PER_LABEL * len(given):
        return first
    return [next((v for v in map(normalise_answer, row.answers) if v in VERDICTS), "") for row in rows]


def _answer_place(row: Example) -> str:
    """Where in its quote the answer stands: a model that finds most of them in one place learns the place."""
    for quote in row.quotes:
        if row.answer and row.answer in quote.text:
            before, _, after = quote.text.partition(row.answer)
            # An article or a bullet before it is no other place.
            first, last = len(before.split()) <= 1, not after.strip(".!?\"'\u201d\u2019)*_ ")
            return (
                "all of its sentence" if first and last else "first words" if first else "last words" if last else _AMID
            )
    return ""


def _answer_type(row: Example) -> str:
    if not row.answers:
        return "none" if row.kind is ExampleKind.UNANSWERABLE else ""
    answer = row.answers[0]
    if normalise_answer(answer) in VERDICTS:
        return "yes or no"
    if is_date(answer):
        return "date"
    if is_number(answer):
        return "number"
    return "name" if _NAME.fullmatch(answer) else "phrase"
