"""Plain text tools that several stages need: sentences, normalised answers, and finding words in their source."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cached_property, lru_cache
from typing import NamedTuple

from raft.wrapping import unwrapped

Span = tuple[int, int]

# A full stop after one of these, or after a single capital, does not end a sentence.
_ABBREVIATION = re.compile(
    r"(?:\b(?:Dr|Mr|Mrs|Ms|St|No|Nos|vs|approx|e\.g|i\.e|etc|Fig|Art|Sec|cf|rev|max|min)|\b[A-Z])\.$"
)
_BOUNDARY = re.compile(r"[.!?]+[\"')\]]*(?=\s+[\"'(\[]?[A-Z0-9])|\n")
# What a question for yes or no can be answered with.
VERDICTS = ("yes", "no", "maybe")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_IN_NUMBERS = ".,:"
# A minus counts where it is glued to a number and to nothing before it; other marks only between two numbers.
_MINUS = "-\u2212"
_MARKS = "-.,:/\u2212\u2013"
# Chinese and Japanese are written without spaces: each sign counts as a word.
_SIGNS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_SIGN = re.compile(f"[{_SIGNS}]")
_WORD_OR_MARK = re.compile(rf"(?<![^\s(\[])[{_MINUS}](?=\d)\w+|[{_SIGNS}]|[^\W_{_SIGNS}]+|[{_MARKS}]")
# Word pieces part a minus from its number; whether it is one or a dash, only the source can tell.
_LOOSE_MINUS = re.compile(rf"(?<![^\s(\[])[{_MINUS}] (?=\d)")
_GAP = "\x00"
_WORD = re.compile(r"\w(?:\S*\w)?")
# Words are looked for with so many more or fewer at either end.
_FEWEST_ALIKE, _SLACK = 4, 3
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def sentences(text: str) -> Iterator[Span]:
    """Spans of the sentences of `text`, in order, without surrounding white space.

    A line break ends one unless it only wraps a line (see raft/wrapping.py).
    """
    text, start = _flowing(text), 0
    for match in _BOUNDARY.finditer(text):
        if match.group() != "\n" and _ABBREVIATION.search(text, max(start, match.start() - 12), match.start() + 1):
            continue
        yield from _trimmed(text, start, match.end())
        start = match.end()
    yield from _trimmed(text, start, len(text))


# Passages are asked for their sentences again and again, documents are not.
_flowing = lru_cache(maxsize=1 << 12)(unwrapped)


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


@lru_cache(maxsize=1 << 16)
def _fold(word: str) -> str:
    """A word without case and accents, its minus in plain form."""
    decomposed = unicodedata.normalize("NFKD", word.casefold().replace("\u2212", "-"))
    return "".join(part for part in decomposed if part.isalnum() or part == "-")


class _Token(NamedTuple):
    """A word, a number with its sign, or a mark between two numbers, as it is compared and where it stands."""

    folded: str
    start: int
    end: int


def _tokens(text: str) -> list[_Token]:
    """What must agree for two texts to say the same: words and numbers, and the marks that part numbers.

    "4.5" is 4 . 5 and never 45; "12, 14" and "12,14" are the same, since word pieces lose the space.
    """
    tokens: list[_Token] = []
    matches = list(_WORD_OR_MARK.finditer(text))
    for place, match in enumerate(matches):
        if match.group() not in _MARKS:
            tokens.append(_Token(_fold(match.group()), match.start(), match.end()))
        elif 0 < place < len(matches) - 1:
            before, after = matches[place - 1], matches[place + 1]
            near = not text[before.end() : match.start()].strip() and not text[match.end() : after.start()].strip()
            if near and before.group()[-1].isdigit() and after.group()[0].isdigit():
                tokens.append(_Token(match.group(), match.start(), match.end()))
    return [token for token in tokens if token.folded]


class Source:
    """A text in which words can be found again after case, accents, spacing and punctuation were lost."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _tokens(self) -> list[_Token]:
        # Made when needed: most words stand in a text as they are, and a document may be a book.
        return _tokens(self.text)

    @cached_property
    def _folded(self) -> str:
        return _joined(self._tokens)

    def locate(self, words: str) -> Span | None:
        """The first span of the text that reads as `words`: exactly if possible, else after normalisation.

        Words and numbers are compared whole, so that "5" is found neither inside "45" nor inside "4.5".
        """
        exact = self.text.find(words) if words.strip() else -1
        while exact >= 0:
            if self._is_whole(exact, exact + len(words)):
                return exact, exact + len(words)
            exact = self.text.find(words, exact + 1)
        return self._find(_tokens(words)) or self._find(_tokens(_LOOSE_MINUS.sub("-", words)))

    def _find(self, wanted: Sequence[_Token]) -> Span | None:
        if not wanted:
            return None
        needle = _joined(wanted)
        found = self._folded.find(needle)
        while found >= 0:
            first = self._folded.count(_GAP, 0, found)
            start, end = self._tokens[first].start, self._tokens[first + len(wanted) - 1].end
            if self._is_whole(start, end):
                return start, end
            found = self._folded.find(needle, found + 1)
        return None

    def _is_whole(self, start: int, end: int) -> bool:
        return self.may_begin(start) and self.may_end(end)

    def may_begin(self, offset: int) -> bool:
        """Whether a quote of whole words and numbers may begin at this character."""
        return not self._goes_on(offset) and not self._drops_sign(offset)

    def may_end(self, offset: int) -> bool:
        """Whether a quote of whole words and numbers may end before this character."""
        return not self._goes_on(offset)

    def _goes_on(self, offset: int) -> bool:
        """Whether a word or a number goes on across this offset: "45", "4.5" and "1,200" are each one number."""
        before, after = self.text[max(0, offset - 2) : offset], self.text[offset : offset + 2]
        if not before or not after:
            return False
        if before[-1].isalnum() and after[0].isalnum():
            return not (_SIGN.match(before[-1]) or _SIGN.match(after[0]))
        inside_before = before[-1] in _IN_NUMBERS and before[:-1].isdigit() and after[0].isdigit()
        inside_after = after[0] in _IN_NUMBERS and after[1:].isdigit() and before[-1].isdigit()
        return inside_before or inside_after

    def _drops_sign(self, start: int) -> bool:
        """Whether the number that begins here has a minus before it: "-5" does not say "5"."""
        before = self.text[max(0, start - 2) : start]
        signed = bool(before) and before[-1] in _MINUS and self.text[start].isdigit()
        return signed and (len(before) == 1 or before[0].isspace() or before[0] in "([")


def _joined(tokens: Sequence[_Token]) -> str:
    return "".join(f"{_GAP}{token.folded}" for token in tokens) + _GAP


def locate(words: str, text: str) -> Span | None:
    """Where `text` says `words` (see `Source.locate`); None where it does not."""
    return Source(text).locate(words)


def locate_nearly(words: str, text: str, least: float) -> Span | None:
    """The whole words of `text` that are most like `words`, where they are at least this like them, 0 to 1.

    How like is the share of letters in common, in order (difflib's ratio). Fewer than four words are too few to know
    again, and numbers must be the same: "38 bar" is no misspelling of "36 bar".
    """
    ours, wanted = _words_of(text), [word for word, _ in _words_of(words)]
    if len(wanted) < _FEWEST_ALIKE:
        return None
    theirs = [word for word, _ in ours]
    anchor = SequenceMatcher(None, theirs, wanted, autojunk=False).find_longest_match()
    if not anchor.size:
        return None
    first, last = anchor.a - anchor.b, anchor.a - anchor.b + len(wanted)
    best, span = 0.0, None
    for start in range(max(0, first - _SLACK), min(anchor.a, first + _SLACK) + 1):
        for end in range(max(anchor.a + anchor.size, last - _SLACK), min(len(theirs), last + _SLACK) + 1):
            like = SequenceMatcher(None, " ".join(theirs[start:end]), " ".join(wanted), autojunk=False).ratio()
            if like > best and _numbers(theirs[start:end]) == _numbers(wanted):
                best, span = like, (ours[start][1][0], ours[end - 1][1][1])
    return span if best >= least else None


def _words_of(text: str) -> list[tuple[str, Span]]:
    """Words as they are compared, each with where it stands, without the marks around it."""
    return [(_fold(found[0]), found.span()) for found in _WORD.finditer(text)]


def _numbers(words: Sequence[str]) -> list[str]:
    return [word for word in words if any(map(str.isdigit, word))]


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
