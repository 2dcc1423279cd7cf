"""Sentences in every script: where they end, and where a full stop does not end one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import regex

from raft.wrapping import unwrapped

Span = tuple[int, int]

# Quotes, brackets, the marks of Markdown and those of footnotes.
_CLOSERS = (
    r"(?:[\"'\u201d\u2019\u00bb\u203a)\]\u300d\u300f\u3011\uff09\u300b*_]|\[\d{1,3}\]"
    r"|[\u00b9\u00b2\u00b3\u2070\u2074-\u2079])*+"
)
_OPENERS = r"[\"'\u201c\u2018\u201e\u00ab\u2039(\[\u300c\u300e\u3010\u00bf\u00a1*_]*+"
# A sentence begins with a capital, a digit, or a letter of a script that has no capitals.
_BEGINS = rf"{_OPENERS}(?:[\p{{Lu}}\p{{Lt}}\p{{Lo}}\p{{Nd}}\u00a7]|[-\u2212\p{{Sc}}] ?\p{{Nd}})"
_BOUNDARY = regex.compile(
    rf"[\u3002\uff01\uff1f\uff61]++{_CLOSERS}(?!\u3068)"  # Chinese and Japanese put no space behind these
    rf"|(?<!\p{{STerm}})(?:\p{{STerm}}++|\u2026){_CLOSERS}(?=\s+{_BEGINS})"
    rf"|(?<=\p{{Greek}});(?=\s+{_BEGINS})"  # the Greek question mark
    r"|\n"
)
# A full stop after one of these, or after a single capital, does not end a sentence.
_ABBREVIATION = regex.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|St|No|Nos|vs|approx|e\.g|i\.e|etc|Fig|Art|Sec|cf|rev|max|min|pp?|Vol|Gen|Mt|Sept"
    r"|z\. ?B|d\. ?h|u\. ?a|bzw|usw|ca|Nr|Abs|Abb|Kap|Tab|Prof|Ing|Mio|Mrd|Hr|Fr|Str|Tel|vgl|ggf|inkl|evtl"
    r"|[zduv]|p\. ?ex|Mme|MM|Sra?|Dra|p\u00e1g|n\u00fam|env|\u0433|\u0442\. ?\u0435)|\b\p{Lu})\.$"
)
_LONGEST_ABBREVIATION = 12
# German writes an ordinal as a number with a full stop, and nouns with a capital: "3. Mai", "der 2. Weltkrieg".
MONTHS_AFTER_ORDINALS = (
    "Januar|J\u00e4nner|Februar|Feber|M\u00e4rz|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember"
    "|Jan|Feb|M\u00e4r|Apr|Jun|Jul|Aug|Sept?|Okt|Nov|Dez"
)
_ORDINAL = regex.compile(r"(?:(?P<before>\p{L}+)\s+|(?<![\p{L}\p{N}.,]))\p{Nd}{1,2}\.$")
_DATE = regex.compile(r"(?<!\p{Nd})\p{Nd}{1,2}\.\s?\p{Nd}{1,2}\.$")
_YEAR = regex.compile(r"\s*\p{Nd}{2,4}\b")
_BEFORE_ORDINAL = ("der", "die", "das", "den", "dem", "des", "im", "am", "vom", "zum", "zur", "beim")
_MONTH = regex.compile(rf"\s+(?:{MONTHS_AFTER_ORDINALS})\b")


def sentences(text: str) -> Iterator[Span]:
    """Spans of the sentences of `text`, in order, without surrounding white space.

    A line break ends one unless it only wraps a line (see raft/wrapping.py).
    """
    text, start = _flowing(text), 0
    for match in _BOUNDARY.finditer(text):
        if match.group() != "\n" and _goes_on(text, start, match.start() + 1):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


# Passages are asked for their sentences again and again, documents are not.
_flowing = lru_cache(maxsize=1 << 12)(unwrapped)


def _goes_on(text: str, start: int, stop: int) -> bool:
    """Whether the full stop before the character `stop` belongs to an abbreviation or an ordinal."""
    first = max(start, stop - _LONGEST_ABBREVIATION)
    if _ABBREVIATION.search(text, first, stop):
        return True
    if _DATE.search(text, first, stop) and _YEAR.match(text, stop):
        return True
    ordinal = _ORDINAL.search(text, first, stop)
    if ordinal is None:
        return False
    if text[start:stop].strip() == ordinal[0].strip() and "\n" not in text[start:stop].strip():
        return True  # the number of an item
    return bool(_MONTH.match(text, stop)) or (ordinal["before"] or "").lower() in _BEFORE_ORDINAL


def ends_sentence(line: str) -> bool:
    """Whether a line without white space around it ends as a sentence or a clause does, in any script."""
    return regex.search(rf"[\p{{STerm}},;\u060c\u061b\u3001\uff0c\uff1b\u2026]{_CLOSERS}$", line) is not None


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
