"""Questions that want several answers: the items that an answer names, matched with those that are wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from raft.evaluate.measures.values import value_of
from raft.text import Span, normalise_answer, token_f1

# Between the items of a list: marks (no comma inside a number), words, bullets and the numbers of items.
_ITEM = "(?:[-*\u2022\u2013\u25e6]|\\(?\\d{1,3}[.)]|\\(?[a-z][.)])(?=\\s)"
_BETWEEN = re.compile(
    rf"[;\n|\u3001\uff1b\u060c\u061b]\s*(?:{_ITEM})?|[,\uff0c](?!\d)|(?<!\d)[,\uff0c]|^\s*(?:{_ITEM})"
    r"|\s\d{1,2}[.)](?=\s)|(?<![\d\s])\s+[-*\u2022](?=\s)"
    r"|(?:^|\s)(?:and|as well as|&|und|sowie|et)(?=\s)|[\u548c\u53ca\u8207\u4e0e](?=\S)",
    re.IGNORECASE,
)
# Commas without spaces part a list of numbers where they cannot group thousands.
_NUMBERS = re.compile(r"\d{1,2}(?:,\d{1,2}){2,}")
# Items that are wanted whole may hold a comma, such as a date.
_FEWEST_JOINED = 3

_LEFT_OVER = ("a", "an", "the")


def named(answer: str, wanted: Sequence[str]) -> list[str]:
    """The items of an answer in their order, each once.

    It is parted at commas, semicolons, bullets and "and", but not inside words that are a wanted item as they stand:
    "May 3, 1987" and "Trinidad and Tobago" are one each where they are wanted.
    """
    parts = _parts(answer)
    # Next to others, an item that is a mark or an article would go unseen: "Spey, +" compares as "spey".
    most = max([_FEWEST_JOINED, *(len(_parts(one)) for one in wanted)])
    small = [not _says_something(answer[slice(*part)].lower()) for part in parts]
    items: list[str] = []
    at = 0
    while at < len(parts):
        ends = (end for end in range(min(len(parts), at + most), at, -1) if end == at + 1 or not any(small[at:end]))
        runs = ((end, answer[parts[at][0] : parts[end - 1][1]]) for end in ends)
        end, item = next(((e, run) for e, run in runs if any(same(run, one) for one in wanted)), (at + 1, ""))
        items.append(item or answer[slice(*parts[at])])
        at = end
    once: dict[str, str] = {}
    for item in items:
        once.setdefault(normalise_answer(item), item)
    return [item for item in once.values() if _says_something(item) or any(same(item, one) for one in wanted)]


def _says_something(item: str) -> bool:
    """Whether an item is more than an article or a mark that was left between others."""
    return any(map(str.isalnum, item)) and item not in _LEFT_OVER


def _parts(answer: str) -> list[Span]:
    answer = _NUMBERS.sub(lambda found: found[0].replace(",", ";"), answer)
    edges = [0, *(edge for found in _BETWEEN.finditer(answer) for edge in found.span()), len(answer)]
    spans = zip(edges[::2], edges[1::2], strict=True)
    trimmed = ((s + len(answer[s:e]) - len(answer[s:e].lstrip()), s + len(answer[s:e].rstrip())) for s, e in spans)
    return [(start, end) for start, end in trimmed if start < end]


def same(item: str, other: str) -> bool:
    """Whether two items are one: equal after `normalise_answer`, or numbers or dates of one value."""
    value = value_of(item)
    return normalise_answer(item) == normalise_answer(other) or (value is not None and value == value_of(other))


def list_scores(answer: str, wanted: Sequence[str]) -> tuple[float, float, float, float]:
    """Exact match, precision, recall and F1 of the items that an answer names, each 0 to 1.

    Exact: all wanted items and nothing else. Of the others, each item is matched with one wanted item at most, so that
    their likeness is largest in all (Dua et al. 2019, DROP, section 5): 1 for the same, else their token F1, but 0 for
    numbers and dates that differ.
    """
    from scipy.optimize import linear_sum_assignment

    items = named(answer, wanted)
    if not items:
        return 0.0, 0.0, 0.0, 0.0
    likeness = np.array([[_likeness(item, one) for one in wanted] for item in items])
    total = float(likeness[linear_sum_assignment(likeness, maximize=True)].sum())
    alike = np.array([[same(item, one) for one in wanted] for item in items])
    exact = len(items) == len(wanted) and bool(alike.any(axis=0).all() and alike.any(axis=1).all())
    return float(exact), total / len(items), total / len(wanted), 2 * total / (len(items) + len(wanted))


def _likeness(item: str, other: str) -> float:
    if same(item, other):
        return 1.0
    if value_of(item) is not None and value_of(other) is not None:
        return 0.0
    return token_f1(item, (other,))
