"""Find words in their source again: by what they say, however they are spaced and spelt there."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cached_property, lru_cache, partial

import regex

from raft.text.folding import fold
from raft.text.normalising import FOOTNOTE, NUMBER_MARKS, TIMES, Kind, Token, compared, tokens, tokens_near
from raft.text.sentences import Span, sentences
from raft.text.words import is_unspaced, is_word

_GAP = "\x00"
# May stand between a sign and its number: blanks, and the marks of Markdown.
_BLANKS = " \t\n\u00a0\u2009\u202f*_"
_WORD = regex.compile(r"\w(?:\S*\w)?")
# Words are looked for with so many more or fewer at either end.
_FEWEST_ALIKE, _SLACK = 4, 3
# A model that writes word pieces parts marks from their numbers; whether one belongs there, only the source can tell.
_LOOSE_MARK = regex.compile(
    rf"(?<=\p{{Nd}})(?: ([{NUMBER_MARKS}]) ?| ?([{NUMBER_MARKS}]) )(?=\p{{Nd}})|(?<![^\s(\[])(-) (?=\p{{Nd}})"
)
# Korean particles, which are written onto their noun.
_PARTICLES = (
    "은 는 이 가 을 를 에 에서 에게 께 께서 의 와 과 도 로 으로 만 까지 부터 보다 처럼 마다 이나 나 라도 이라도 "
    "라는 이라는 라고 이라고 이다 다 입니다 이며 며 이고 고 였다 이었다 하고 랑 이랑 한테 에서는 에는 에도 으로는 로는 "
    "까지는 까지도 부터는 에서도 인 인데 째 이에요 예요 이었습니다 였습니다 "
    "이지만 지만 이므로 이라 라 "
    "뿐 밖에 조차 들 이란 란 이라면 라면 이죠 이었고 이었으며 입니까 로부터 으로부터 에서의 까지의 부터의 과의 와의 간"
)
_PARTICLE = regex.compile(rf"(?:{'|'.join(_PARTICLES.split())})+(?!\p{{Hangul}})")
_FEW = 16
_PERCENTS = ("%", "\u2030", "\u2031")
_NEGATIONS = frozenset(("no", "not", "never", "none", "without", "cannot", "nor", "neither"))
_CLOSES = regex.compile(r"[\p{Pe}\p{Pf}.,;:!?\u2026\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f]")
_HANGUL = regex.compile(r"\p{Hangul}")


class Source:
    """A text in which words can be found again after case, accents, spacing and punctuation were lost."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _tokens(self) -> list[Token]:
        # Made when needed: most words stand in a text as they are, and a document may be a book.
        return tokens(self.text)

    @cached_property
    def _starts(self) -> list[int]:
        return [token.start for token in self._tokens]

    @cached_property
    def _folded(self) -> str:
        return _joined(self._tokens)

    def locate(self, words: str, *, bare: bool = False) -> Span | None:
        """The first span of the text that says `words`: exactly if possible, else as `tokens` compares them.

        Words, numbers and signs are compared whole: "5" is found neither in "45" nor in "4.5", "-5" or "5 %". bare: a
        number is also found where the text adds a unit sign to it, so that "5" is found in "5 %" and "€5".
        """
        return next(self.occurrences(words, bare=bare), None)

    def occurrences(self, words: str, *, bare: bool = False) -> Iterator[Span]:
        """Every span that `locate` could find; those that read exactly as `words` hide the others."""
        respaced = _LOOSE_MARK.sub(lambda found: found[1] or found[2] or found[3], words)
        for search, sought in ((self._exactly, words), (self._find, words), (self._find, respaced)):
            found = search(sought, bare)
            first = next(found, None)
            if first is not None:
                yield first
                yield from found
                return

    def _exactly(self, words: str, bare: bool) -> Iterator[Span]:
        found = self.text.find(words) if words.strip() else -1
        looked_at = 0
        while found >= 0:
            start, end = found, found + len(words)
            # A few places are looked at one by one; for many the text is taken apart once.
            near = self._around if looked_at >= _FEW else partial(tokens_near, self.text)
            if self._parts(start, near(start), bare=bare) and self._parts(end, near(end), ends=True, bare=bare):
                yield start, end
            looked_at += 1
            found = self.text.find(words, found + 1)

    def _find(self, words: str, bare: bool) -> Iterator[Span]:
        wanted = tokens(words)
        if not wanted:
            return
        needle = _joined(wanted)
        found = self._folded.find(needle)
        first = counted = 0
        while found >= 0:
            first += self._folded.count(_GAP, counted, found)
            counted = found
            start, end = self._tokens[first].start, self._tokens[first + len(wanted) - 1].end
            if self._parts(start, self._around(start), bare=bare) and self._parts(
                end, self._around(end), ends=True, bare=bare
            ):
                yield start, end
            found = self._folded.find(needle, found + 1)

    def may_begin(self, offset: int, *, ranges: bool = True) -> bool:
        """Whether a quote of whole words and numbers, with their signs, may begin here; ranges: or the end of one."""
        return self._parts(offset, self._around(offset), ranges=ranges)

    def may_end(self, offset: int, *, ranges: bool = True) -> bool:
        """Whether a quote of whole words and numbers, with their signs, may end here; ranges: or the start of one."""
        return self._parts(offset, self._around(offset), ends=True, ranges=ranges)

    def begins_words(self, offset: int) -> bool:
        """Whether a word, a number, or the sign of a number begins at this character, where a quote may begin."""
        place = bisect_left(self._starts, offset)
        if place == len(self._starts) or self._starts[place] != offset:
            return False
        says = is_word(self.text[offset]) or self._tokens[place].kind is Kind.BEFORE
        return says and self.may_begin(offset)

    def edges(self) -> tuple[list[int], list[int]]:
        """Where words that `locate` finds may begin, and where they may end.

        At nothing that is not seen, nor with a closing mark unless a sentence begins with it.
        """
        begins, ends = [], []
        sentence_starts = {start for start, _ in sentences(self.text)}
        for place, letter in enumerate(self.text):
            if letter.isspace() or unicodedata.category(letter) == "Cf":
                continue
            opens = not _CLOSES.match(letter) or place in sentence_starts
            if opens and self.may_begin(place, ranges=False):
                begins.append(place)
            if self.may_end(place + 1, ranges=False):
                ends.append(place + 1)
        return begins, ends

    def with_signs(self, span: Span) -> Span:
        """The span with the signs that belong to the numbers at its edges: of "5" in "5 %" all of it."""
        start, end = span
        while start > 0 and not self.may_begin(start):
            start -= 1
        while end < len(self.text) and not self.may_end(end):
            end += 1
        return start, end

    def _around(self, offset: int) -> Sequence[Token]:
        """The tokens on both sides of an offset, and what goes across it."""
        place = bisect_left(self._starts, offset)
        return self._tokens[max(0, place - 2) : place + 2]

    def _parts(
        self, offset: int, around: Sequence[Token], *, ends: bool = False, bare: bool = False, ranges: bool = False
    ) -> bool:
        """Whether nothing that belongs together is cut at this offset: no word, no number, no sign from its number.

        around: the tokens near it. ends: whether a quote ends there, rather than begins. bare: whether a unit sign may
        be cut off; ranges: whether a range may be cut.
        """
        if not 0 < offset < len(self.text):
            return True
        if any(token.start < offset < token.end for token in around):
            return False
        if is_word(self.text[offset - 1]) and is_word(self.text[offset]) and not self._parts_words(offset, ends):
            return False
        left = next((token for token in reversed(around) if token.end <= offset), None)
        right = next((token for token in around if token.start >= offset), None)
        if left is None or right is None or self.text[left.end : right.start].strip(_BLANKS):
            return True
        if Kind.BETWEEN in (left.kind, right.kind):
            return (bare or ranges) and TIMES not in (left.folded, right.folded)
        if left.kind is Kind.BEFORE:
            return bare and (unicodedata.category(left.folded[0]) == "Sc" or left.folded in _PERCENTS)
        if right.kind is Kind.AFTER:
            return bare and left.folded[-1].isdecimal() and not right.folded.startswith("^")
        return True

    def _parts_words(self, offset: int, ends: bool) -> bool:
        """Whether one word ends and another begins between two characters of words, as in scripts without spaces."""
        if FOOTNOTE.match(self.text, offset):
            return ends
        if _HANGUL.match(self.text, offset):
            if self.text[offset - 1].isdecimal():
                return ends  # a counter is a word of its own
            return ends and _PARTICLE.match(self.text, offset) is not None
        return is_unspaced(self.text[offset - 1]) or is_unspaced(self.text[offset])


def _joined(found: Sequence[Token]) -> str:
    return "".join(f"{_GAP}{token.folded}" for token in found) + _GAP


def locate(words: str, text: str) -> Span | None:
    """Where `text` says `words` (see `Source.locate`); None where it does not."""
    return Source(text).locate(words)


def contains_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether `text` says any of the accepted answers, whole and with its signs (see `Source.locate`)."""
    source = Source(text)
    return any(source.locate(answer) is not None for answer in answers)


def may_contain_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether `text` may say an accepted answer: by its letters and digits alone, whatever signs and marks they have.

    For choosing distractors, where a passage too many that is left out does no harm. In scripts that write particles,
    articles or whole sentences in one, an answer is found within words too.
    """
    if contains_answer(text, answers):
        return True
    said = f" {_loosely(text)} "
    return any(_may_say(said, sought) for answer in answers if (sought := _loosely(answer)))


_LOOSE = regex.compile(rf"\p{{Nd}}+(?:[{NUMBER_MARKS}]\p{{Nd}}+)*|(?:(?!\p{{Nd}})[\p{{L}}\p{{M}}\p{{N}}])+")
_ALPHABET = regex.compile(r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{Nd}]")


@lru_cache(maxsize=1 << 12)
def _loosely(text: str) -> str:
    """Letters and digits alone, each word apart."""
    plain = (regex.sub(r"[^\p{L}\p{M}\p{N}]+", "", fold(found)) for found in _LOOSE.findall(text))
    return " ".join(word for word in plain if word)


def _may_say(said: str, sought: str) -> bool:
    if _ALPHABET.match(sought) is not None:
        return f" {sought} " in said
    # Spaces there follow the writer's taste.
    return sought.replace(" ", "") in said.replace(" ", "")


def locate_nearly(words: str, text: str, least: float) -> Span | None:
    """The whole words of `text` that are most like `words`, where they are at least this like them, 0 to 1.

    How like is the share of letters in common, in order (difflib's ratio). Fewer than four words are too few to know
    again. Numbers with their signs and units, and negations, must be the same: "38 bar" is no misspelling of "36 bar".
    """
    must_agree = _must_agree(words)
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
            if like > best:
                found = ours[start][1][0], ours[end - 1][1][1]
                denied = _NEGATIONS.intersection(theirs[max(0, start - _SLACK) : end]) - set(wanted)
                if not denied and _must_agree(text[slice(*found)]) == must_agree:
                    best, span = like, found
    return span if best >= least else None


def _words_of(text: str) -> list[tuple[str, Span]]:
    """Words as they are compared, each with where it stands, without the marks around it."""
    return [(fold(found[0]), found.span()) for found in _WORD.finditer(text)]


def _must_agree(text: str) -> list[str]:
    """What no misspelling changes: numbers with their signs, what follows them, words with signs, and negations."""
    said = compared(text)
    return [
        word
        for before, word in zip(["", *said], said, strict=False)
        if not word.isalpha() or any(map(str.isdigit, before)) or word in _NEGATIONS
    ]
