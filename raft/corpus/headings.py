"""Tell which lines of a text are headings: for the titles of documents, and so that no passage is a heading alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from raft.text import ends_sentence

_ATX = re.compile(r"#{1,6}\s+(.*?)[\s#]*$")
_UNDERLINE = re.compile(r"(=|-){3,}\s*$")
_RULE = re.compile(r"([-=_*~])(\s*\1){2,}\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_MARKUP = re.compile(r"[*`]+|!?\[([^\]]*)\]\([^)]*\)")
_LONGEST = 70
# Markdown has six levels of headings; a line that only looks like one is taken for the seventh.
_GUESSED = 7


def first_heading(text: str) -> str:
    """The words of the first Markdown heading of `text`; empty where it has none.

    An underlined heading counts only at the top: further down, in a letter say, it names a part and not the whole.
    """
    lines = text.splitlines()
    top = next((index for index, line in enumerate(lines) if line.strip()), 0)
    for index in _outside_fences(lines):
        if atx := _ATX.match(lines[index]):
            words = atx.group(1)
        elif index == top and _is_underlined(lines, index):
            words = lines[index]
        else:
            continue
        if words := _plain(words):
            return words
    return ""


def heading_lines(lines: Sequence[str]) -> list[bool]:
    """Which lines announce what follows: Markdown headings, rules, lines in capitals, and short lines that stand alone.

    Plain text and PDF have no mark for a heading, so this guesses; a wrong guess only moves a passage's boundary.
    """
    found = [False] * len(lines)
    for index in _outside_fences(lines):
        line = lines[index].strip()
        if not line:
            continue
        alone_above = index == 0 or not lines[index - 1].strip() or found[index - 1]
        alone_below = index + 1 == len(lines) or not lines[index + 1].strip()
        found[index] = (
            bool(_ATX.match(line) or _RULE.match(line))
            or _is_underlined(lines, index)
            or (alone_above and reads_as_heading(line) and (alone_below or line.isupper()))
        )
    return found


class Heading(NamedTuple):
    """A heading of a text: where its line begins and ends (characters), how deep it is (1 outermost), and its words."""

    start: int
    end: int
    level: int
    words: str


def headings_of(text: str) -> list[Heading]:
    """All headings with words, in order; a guessed one stands below every marked one."""
    lines = text.splitlines(keepends=True)
    bare = [line.rstrip() for line in lines]
    found, start = [], 0
    for index, (line, is_heading) in enumerate(zip(lines, heading_lines(bare), strict=True)):
        end = start + len(line)
        if is_heading and not _RULE.match(bare[index].strip()):
            found.append(Heading(start, end, *_level_and_words(bare, index)))
        start = end
    return [heading for heading in found if heading.words]


def _level_and_words(lines: Sequence[str], index: int) -> tuple[int, str]:
    line = lines[index].strip()
    if atx := _ATX.match(line):
        return len(line) - len(line.lstrip("#")), _plain(atx.group(1))
    if _is_underlined(lines, index):
        return (1 if lines[index + 1].strip().startswith("=") else 2), _plain(line)
    return _GUESSED, _plain(line)


def _plain(words: str) -> str:
    return " ".join(_MARKUP.sub(r"\1", words).split())


def reads_as_heading(line: str) -> bool:
    """Whether a line without white space around it is short, begins like one and does not end like a sentence."""
    if len(line) > _LONGEST or not line[0].isalnum() or ends_sentence(line) or "|" in line:
        return False
    return sum(character.isalpha() for character in line) >= 3


def _is_underlined(lines: Sequence[str], index: int) -> bool:
    if index + 1 == len(lines) or not _UNDERLINE.match(lines[index + 1]):
        return False
    above = lines[index - 1].strip() if index else ""
    line = lines[index].strip()
    return bool(line) and not _RULE.match(line) and (not above or bool(_RULE.match(above)))


def _outside_fences(lines: Sequence[str]) -> list[int]:
    """Indices of the lines that are not in a fenced block of code, where `# x` is a comment."""
    outside, fence = [], ""
    for index, line in enumerate(lines):
        mark = _FENCE.match(line)
        if mark and fence in ("", mark.group(1)):
            fence = "" if fence else mark.group(1)
        elif not fence:
            outside.append(index)
    return outside
