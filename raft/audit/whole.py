"""What is wrong with a file as a whole: repetitions, counts, and where its oracles stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

from raft.audit.checks import Habits, Seen
from raft.audit.faults import Fault, Finding
from raft.text import normalise_answer

# What so many rows do is a habit, and the others are odd.
_HABIT, _HABITUAL_COUNT = 0.5, 0.8
# Fewer rows than this can stand in one place by chance.
_FEWEST_PLACED = 8
_SURE = 0.001
_DEVIATIONS = 3.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What the maker of a file was asked for, where that is known."""

    rows: int | None = None
    passages: int | None = None
    oracle_fraction: float | None = None


def habits_of(seen: Sequence[Seen], expected: Expected) -> Habits:
    """What most rows of a file do."""
    size, usual = Counter(len(item.row.passages) for item in seen).most_common(1)[0]
    passages = expected.passages
    if passages is None and size and usual / len(seen) >= _HABITUAL_COUNT:
        passages = size
    return Habits(
        passages=passages,
        marks_answers=sum(item.said.marked for item in seen) > _HABIT * len(seen),
        quotes=any(item.said.quote_marks for item in seen),
        every_oracle=expected.oracle_fraction == 1,
    )


def file_faults(seen: Sequence[Seen], expected: Expected, read: int) -> Iterator[Finding]:
    """The faults that no single row shows. read: rows of the file, readable or not."""
    if expected.rows is not None and expected.rows != read:
        yield Finding(Fault.ROW_COUNT, None, f"{read} rows, where {expected.rows} were made")
    yield from _repeated(seen)
    yield from _placed(seen)
    if expected.oracle_fraction is not None:
        yield from _fraction(seen, expected.oracle_fraction)
    answering = [item for item in seen if not item.said.refuses and item.said.answer]
    if answering and not any(item.said.quote_marks for item in seen):
        yield Finding(Fault.NO_QUOTE, None, "no row quotes anything, so no answer can be checked")


def _repeated(seen: Sequence[Seen]) -> Iterator[Finding]:
    for fault, keys in (
        (Fault.ID_TWICE, [item.row.id for item in seen]),
        (Fault.QUESTION_TWICE, [_asked(item) for item in seen]),
    ):
        first: dict[object, int] = {}
        for key, item in zip(keys, seen, strict=True):
            if key and key in first:
                yield Finding(fault, item.row.number, f"as row {first[key]}")
            first.setdefault(key, item.row.number)


def _asked(item: Seen) -> tuple[str, bool] | None:
    """The question, and whether it is asked of its oracle: once with it and once without are a pair."""
    question = normalise_answer(item.row.question)
    shown = bool(item.said.quote_marks) if item.row.says_shown is None else item.row.says_shown
    return (question, shown) if question else None


def oracle_places(seen: Sequence[Seen]) -> Counter[int]:
    """How many rows with a single oracle show it in each place, counted from 1."""
    return Counter(item.oracles[0] + 1 for item in seen if item.oracles is not None and len(item.oracles) == 1)


def _placed(seen: Sequence[Seen]) -> Iterator[Finding]:
    """Shuffled oracles stand everywhere alike; a place that is far too common or too rare tells where to look."""
    placed = [item for item in seen if item.oracles is not None and len(item.oracles) == 1]
    sizes = [len(item.row.passages) for item in placed if len(item.row.passages) > 1]
    if len(sizes) < _FEWEST_PLACED:
        return
    from scipy.stats import binomtest

    counts = oracle_places([item for item in placed if len(item.row.passages) > 1])
    for place in range(1, max(sizes) + 1):
        able = [size for size in sizes if size >= place]
        chance = binomtest(counts[place], len(able), sum(1 / size for size in able) / len(able))
        # Every place is one more try to be struck by chance.
        if chance.pvalue * max(sizes) < _SURE:
            share = f"{counts[place]} of {len(able)} rows"
            yield Finding(Fault.ORACLE_POSITION, None, f"it stands in place {place} in {share}: shuffle the passages")


def with_oracle(seen: Sequence[Seen]) -> tuple[int, int]:
    """Rows that show their oracle, among those that have one and say which it is."""
    known = [item for item in seen if item.row.oracles is not None and _has_oracle(item)]
    return sum(bool(item.row.oracles) for item in known), len(known)


def _has_oracle(item: Seen) -> bool:
    answered = item.row.answers and not item.row.unanswerable
    return bool(item.row.oracles or item.row.oracle or answered or item.row.says_shown)


def _fraction(seen: Sequence[Seen], asked: float) -> Iterator[Finding]:
    shown, known = with_oracle(seen)
    # Where rows are drawn one by one, and where a split takes its part of all rows, the share varies.
    spread = _DEVIATIONS * sqrt(known * asked * (1 - asked)) + (1 if 0 < asked < 1 else 0)
    if known and abs(shown - known * asked) > spread:
        inverted = abs(shown - known * (1 - asked)) <= spread and asked != 0.5
        hint = ": it looks inverted" if inverted else ""
        yield Finding(
            Fault.ORACLE_FRACTION, None, f"{shown} of {known} rows show their oracle, where {asked:g} was asked{hint}"
        )
