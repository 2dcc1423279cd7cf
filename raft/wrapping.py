"""Tell which line breaks of a text only wrap its lines: by the room that was left, and without moving any character."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from statistics import median

# Paragraphs without any line of so many characters were not wrapped for want of room.
_NARROWEST = 60
# No word counts for more: a long address fits in no line, and says nothing of the one before it.
_LONGEST_WORD = 20
# A line of fewer words, such as a name or a link, is a line by itself.
_FEWEST_WORDS = 4
_FENCE = re.compile(r"\s*(?:```|~~~)")
# What does not go on: a sentence, an announcement, and in Markdown what ends in two spaces or a backslash.
_ENDED = re.compile(
    r"(?:[.!?:\u3002\uff01\uff1f\u061f\u06d4\u0964\u0965][\"'\u201d\u2019\u00bb\u300d\u300f)\]]*\s*|  |\\)$"
)
# Headings, quoted mail, rows of tables, bold lines and rules stand on lines of their own.
_OWN_LINE = re.compile(r"#{1,6} |>|\||\*\*.*\*\*$|[-=_*~]{3,}$")
# Items, clauses, options, times, tags, rules and labels ("Not here: Halle") begin on a new one.
_BEGINS = re.compile(
    r"[-*+\u2022\u2013\u2014\u00b7\u25aa\u25e6\u2023\u2610-\u2612\u2713\u2717\u00a7$%] "
    r"|#{1,6} |[>|]|</?\w|\*\*|[-=_*~]{3,}$"
    r"|(?:\d{1,3}|[A-Za-z]|[ivxIVX]{2,4})[.)] |\(\w{1,4}\) |\d+(?:\.\d+)+\.? +[A-Z]|--?\w[\w-]*[ ,=]|:\w[\w ]*: "
    r"|\d{1,2}:\d\d|\d{4}-\d\d-\d\d|[\w.'-]+(?: [\w.'-]+){0,2}:(?: |$)"
)
# Between cells, and before the numbers of a table of contents.
_GAPS = (" | ", "   ", "\t", "....", "\u2026\u2026", " . . .")
# Lines of programs; "open()" is how prose speaks of them.
_CODE = re.compile(r"[{}]|\"{3}|\w\((?!s?\))|[=!<>]=|->| = |;$|\A\s*(?:from \S+ )?import \w")


def unwrapped(text: str) -> str:
    """The text with a space for each line break that only wraps a line; as long as before, so that all places stay.

    A break does so where the first word of the next line would not have fitted in the widest line of the paragraph, or
    begins in lower case behind a line that is at least half full. Fenced code, tables, headings, and lines that begin
    an item, a clause or a label keep their breaks; so does text whose lines are all short.
    """
    lines = text.split("\n")
    open_ended = set(_open_ended(lines))
    made = lines[:1]
    widths = _widths(lines, open_ended)
    for place, (above, below) in enumerate(itertools.pairwise(lines)):
        wraps = place in open_ended and _had_no_room(above.rstrip(), below.strip(), widths[place])
        made += [" " if wraps else "\n", below]
    return "".join(made)


def _open_ended(lines: Sequence[str]) -> Iterator[int]:
    """The lines that could go on in the next one, by what both look like."""
    fenced = False
    is_prose = [_is_prose(line) for line in lines]
    for place, (above, below) in enumerate(itertools.pairwise(lines)):
        is_fence = _FENCE.match(above) is not None
        fenced ^= is_fence
        if fenced or is_fence or not all(is_prose[place : place + 2]) or len(above.split()) < _FEWEST_WORDS:
            continue
        if _ENDED.search(above) or _OWN_LINE.match(above.strip()) or _BEGINS.match(below.strip()):
            continue
        if not _are_records(above, below):
            yield place


def _is_prose(line: str) -> bool:
    """Whether a line has words, and neither cells nor marks of programs."""
    words = line.strip()
    return bool(words) and not any(gap in words for gap in _GAPS) and not _CODE.search(line)


def _are_records(above: str, below: str) -> bool:
    """Whether two lines begin with numbers of the same form, as those of a log do."""
    shapes = [re.sub(r"\d", "0", line.split()[0]) for line in (above, below)]
    return shapes[0] == shapes[1] and "0" in shapes[0]


def _widths(lines: Sequence[str], open_ended: set[int]) -> list[int]:
    """The width that the paragraph of each line was wrapped at; 0 where it was not, by all that is seen.

    Paragraphs without a long line go by the others.
    """
    paragraphs: list[list[int]] = [[]]
    for place, line in enumerate(lines):
        paragraphs[-1].append(place)
        if not line.strip():
            paragraphs.append([])
    widest = [max((len(lines[at]) for at in places if at in open_ended), default=0) for places in paragraphs]
    wrapped = [width for width in widest if width >= _NARROWEST]
    usual = int(median(wrapped)) if wrapped else 0
    return [
        width if width >= _NARROWEST else usual
        for places, width in zip(paragraphs, widest, strict=True)
        for _ in places
    ]


def _had_no_room(above: str, below: str, width: int) -> bool:
    """Whether the first word below had no room above, or goes on amid a sentence. Neither line is empty."""
    if not width or len(above) < 0.5 * width:
        return False
    return below[0].islower() or len(above) + 1 + min(len(below.split()[0]), _LONGEST_WORD) > width
