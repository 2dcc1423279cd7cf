"""Which headings a passage stands under, and on which page: what a document's structure says of each of its parts."""

from __future__ import annotations

from bisect import bisect_right
from itertools import takewhile

from raft.corpus.headings import headings_of
from raft.types import Document

WITHIN = " > "
# Longer paths of headings are cut from the outside: the nearest heading says most.
LONGEST_SECTION = 120


class Outline:
    """The headings and pages of one document."""

    def __init__(self, document: Document) -> None:
        # Where each part of the text begins and under which headings it stands; headings without a text have no part.
        self._starts: list[int] = [0]
        self._paths: list[tuple[str, ...]] = [()]
        path: list[tuple[int, str]] = []
        body = 0
        for heading in headings_of(document.text):
            begin = heading.start
            # The line below an underlined heading is no text either.
            if not document.text[body:begin].strip().strip("=-"):
                begin = self._starts.pop()
                self._paths.pop()
            body = heading.end
            path = [(level, words) for level, words in path if level < heading.level]
            path.append((heading.level, heading.words))
            self._starts.append(begin)
            # The title stands above every passage anyway.
            self._paths.append(tuple(words for _, words in path if words != document.title))
        pages = document.metadata.get("page_starts", "")
        self._pages = [int(start) for start in pages.split(",")] if pages else []

    @property
    def longest(self) -> str:
        """The longest section of the document."""
        return max(map(_written, self._paths), key=len)

    def section(self, start: int, end: int) -> str:
        """The headings that all of the text from `start` to `end` (characters) stands under, outermost first."""
        first, last = bisect_right(self._starts, start) - 1, bisect_right(self._starts, end - 1)
        within = self._paths[first:last]
        common = takewhile(lambda level: len(set(level)) == 1, zip(*within, strict=False))
        return _written(tuple(words for words, *_ in common))

    def page(self, start: int) -> int | None:
        """The page, from 1, on which the character `start` stands; None in a document without pages."""
        return bisect_right(self._pages, start) if self._pages else None


def _written(path: tuple[str, ...]) -> str:
    while len(path) > 1 and len(WITHIN.join(path)) > LONGEST_SECTION:
        path = path[1:]
    section = WITHIN.join(path)
    return section if len(section) <= LONGEST_SECTION else section[: LONGEST_SECTION - 1] + "…"
