"""Plain text tools that several stages need: sentences, normalised answers, and finding words in their source."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache

Span = tuple[int, int]

# A full stop after one of these, or after a single capital, does not end a sentence.
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|St|No|Nos|vs|approx|e\.g|i\.e|etc|Fig|Art|Sec|cf|rev|max|min)|\b[A-Z])\.$"
)
_BOUNDARY = re.compile(r"[.!?]+[\"')\]]*(?=\s+[\"'(\[]?[A-Z0-9])|\n")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_IN_NUMBERS = ".,:"
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def sentences(text: str) -> Iterator[Span]:
    """Spans of the sentences of `text`, in order, without surrounding white space; a line break always ends one."""
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match.group() != "\n" and _ABBREVIATION.search(text, max(start, match.start() - 12), match.start() + 1):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end


def normalise_answer(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces: SQuAD's official scoring (Rajpurkar et al. 2016)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


@cache
def _fold(character: str) -> str:
    """The letters and digits of one character, without case and accents; empty for everything else."""
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    return "".join(part for part in decomposed if part.isalnum())


class Source:
    """A text in which words can be found again after case, accents, spacing and punctuation were lost."""

    def __init__(self, text: str) -> None:
        self.text = text
        folded: list[str] = []
        self._offsets: list[int] = []
        for offset, character in enumerate(text):
            for part in _fold(character):
                folded.append(part)
                self._offsets.append(offset)
        self._folded = "".join(folded)

    def locate(self, words: str) -> Span | None:
        """The first span of the text that reads as `words`: exactly if possible, else after normalisation.

        The span starts and ends at word boundaries, so that "5" is not found inside "45".
        """
        exact = self.text.find(words) if words else -1
        while exact >= 0:
            if self._is_whole(exact, exact + len(words)):
                return exact, exact + len(words)
            exact = self.text.find(words, exact + 1)
        wanted = "".join(_fold(character) for character in words)
        found = self._folded.find(wanted) if wanted else -1
        while found >= 0:
            start, end = self._offsets[found], self._offsets[found + len(wanted) - 1] + 1
            if self._is_whole(start, end):
                return start, end
            found = self._folded.find(wanted, found + 1)
        return None

    def _is_whole(self, start: int, end: int) -> bool:
        return not self._joined(start) and not self._joined(end)

    def _joined(self, offset: int) -> bool:
        """Whether a word or a number goes on across this offset: "45", "4.5" and "1,200" are each one number."""
        before, after = self.text[max(0, offset - 2) : offset], self.text[offset : offset + 2]
        if not before or not after:
            return False
        if before[-1].isalnum() and after[0].isalnum():
            return True
        inside_before = before[-1] in _IN_NUMBERS and before[:-1].isdigit() and after[0].isdigit()
        inside_after = after[0] in _IN_NUMBERS and after[1:].isdigit() and before[-1].isdigit()
        return inside_before or inside_after


def locate(words: str, text: str) -> Span | None:
    """Where `text` says `words` (see `Source.locate`); None where it does not."""
    return Source(text).locate(words)


def contains_answer(text: str, answers: tuple[str, ...]) -> bool:
    """Whether any of the accepted answers stands in `text` after normalisation, at word boundaries."""
    source = Source(text)
    return any(source.locate(answer) is not None for answer in answers)


def exact_match(answer: str, accepted: tuple[str, ...]) -> float:
    """1.0 where the answer equals an accepted one after `normalise_answer`, else 0.0 (Rajpurkar et al. 2016)."""
    return float(any(normalise_answer(answer) == normalise_answer(other) for other in accepted))


def token_f1(answer: str, accepted: tuple[str, ...]) -> float:
    """Best token F1, 0 to 1, of the answer and an accepted one after `normalise_answer` (Rajpurkar et al. 2016)."""
    return max(
        (_f1(normalise_answer(answer).split(), normalise_answer(other).split()) for other in accepted), default=0.0
    )


def _f1(ours: list[str], theirs: list[str]) -> float:
    if not ours or not theirs:
        return float(ours == theirs)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs))
