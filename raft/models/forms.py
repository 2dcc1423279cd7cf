"""What is known of an output while it is written: its quotes are words of their passages, and it comes to an answer.

The model chooses among what the form allows next, so no words are put into its mouth but the mark of its answer, where
it would end without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import accumulate

import torch
from transformers import PreTrainedTokenizerBase

from raft.models.pieces import LONGEST, Pieces
from raft.models.sampling import keep_only
from raft.models.tokens import encode_segments
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, Prompt, Segment
from raft.text import Source

_OPENED = re.compile(rb"\[(\d{1,4})\]\s*" + re.escape(BEGIN_QUOTE.encode()))
_NUMBERING = re.compile(rb"\[(\d{0,4})\Z")
# A quote's number where the form wants a quote, and what of its mark stands behind it.
_NUMBERED = re.compile(rb"\s*\[\d{1,4}\](?P<mark>.*)\Z", re.DOTALL)
_MARK = ANSWER.encode()
# Both are the mark: whether a blank stands before it is the model's choice.
_OPENINGS = (f" {BEGIN_QUOTE}".encode(), BEGIN_QUOTE.encode())
_CLOSINGS = (f" {END_QUOTE}".encode(), END_QUOTE.encode())
# Tokens that an answer is left after its mark, and those that ending a quote takes, which may be amid a word.
_ROOM, _HURRY = 16, 12
_DIGITS = re.compile(rb"\d+")
# Enough tokens to hold the mark of an answer, were each of one byte, and what was glued to it.
_TAIL = 2 * len(ANSWER)


@dataclass(frozen=True, slots=True)
class Written:
    """The tokens of one text, without padding. likelihood: their mean log-probability, where it was asked for.

    answered: how many tokens come before its answer, where a form tells. logs: the log-probability of each token, from
    a back-end that keeps them.
    """

    tokens: list[int]
    likelihood: float | None = None
    answered: int | None = None
    logs: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class _Text:
    """Bytes that a quote may be copied from, and the places where it may begin and end: at the edges of words."""

    written: bytes
    begins: tuple[int, ...] = ()
    ends: frozenset[int] = frozenset()

    @classmethod
    @lru_cache(maxsize=256)
    def of(cls, text: str) -> _Text:
        """Of a passage, which several questions may be shown."""
        begins, ends = Source(text).edges()
        # Of every character the byte that it begins with; they are as many where all is ASCII.
        at = list(accumulate((len(letter.encode()) for letter in text), initial=0))
        return cls(text.encode(), tuple(at[place] for place in begins), frozenset(at[place] for place in ends))

    def openings(self, pieces: Pieces, *, blank: bool) -> Iterator[int]:
        """The tokens that a quote may begin with. blank: whether one may come first, which may be part of a token."""
        for place in self.begins:
            yield from pieces.beginning(self.written, place)
            if blank:
                yield from pieces.beginning(b" " + self.written[place : place + LONGEST], 0)


_ENDINGS = tuple(_Text(closing) for closing in _CLOSINGS)


@dataclass
class _Quote:
    """A quote under way: every place in the passage where its next words may stand."""

    texts: Sequence[_Text]
    places: list[tuple[_Text, int]] = field(default_factory=list)
    blank: bool = False
    begun: bool = False
    closed: bool = False

    def follow(self, written: bytes) -> None:
        """Take note of what was written next."""
        if not self.begun:
            self.blank = self.blank or written[:1].isspace()
            written = written.lstrip()
            if not written:
                return
            self.begun = True
            self.places = [(text, place) for text in self.texts for place in text.begins]
        self.places = [
            (text, place + len(written)) for text, place in self._open() if text.written.startswith(written, place)
        ]
        self.closed = any(text in _ENDINGS and place == len(text.written) for text, place in self.places)

    def continuations(self, pieces: Pieces, *, hurry: bool) -> list[int]:
        """The tokens that may come next. hurry: whether it should end as soon as it may."""
        if not self.begun:
            return sorted({token for text in self.texts for token in text.openings(pieces, blank=not self.blank)})
        places = self._open()
        if hurry:
            places = [one for one in places if one[0] in _ENDINGS] or places
        return sorted({token for text, place in places for token in pieces.beginning(text.written, place)})

    def _open(self) -> list[tuple[_Text, int]]:
        """The places so far and, where a word has ended, that of the mark that closes the quote."""
        if any(place in text.ends for text, place in self.places):
            return [*self.places, *((ending, 0) for ending in _ENDINGS)]
        return self.places


class Spelling:
    """How one model spells the marks of its outputs."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, closing: Sequence[int]) -> None:
        """closing: the tokens that end an output."""
        self._tokenizer, self.closing = tokenizer, list(closing)
        self.mark = encode_segments(tokenizer, [Segment(ANSWER, content=False)])

    @cached_property
    def pieces(self) -> Pieces | None:
        """What its tokens write, where that can be known. Made when needed: a vocabulary is long."""
        return Pieces.of(self._tokenizer)

    @cached_property
    def can_mark(self) -> bool:
        """Whether it can spell the mark of an answer: that of T5 has no such brackets."""
        return ANSWER in str(self._tokenizer.decode(self.mark))

    def has_letter(self, token: int) -> bool:
        """Whether a token writes a letter of any script, as far as pieces tell."""
        written = self.pieces.written(token) if self.pieces is not None else self.decoded([token])
        return any(letter.isalpha() for letter in written.decode(errors="replace"))

    def decoded(self, tokens: Sequence[int]) -> bytes:
        """What some tokens write, where pieces do not tell."""
        return str(self._tokenizer.decode(list(tokens))).encode()


class AnswerForm:
    """One output of a model that quotes passages, and then answers behind a mark.

    Behind the number of a passage, at the beginning or behind a quote, a quote is opened: marks of the passages
    themselves, such as those of headings, lead a small model astray. While a quote is open, only words of the passage
    that it names may follow, before the answer or behind it. Where the output would end behind a quote without an
    answer, or run out of room for one, it begins the answer. What has no quote is left as it is, since all of it is the
    answer.
    """

    def __init__(self, spelling: Spelling, prompt: Prompt, room: int, *, stops_at_answer: bool) -> None:
        """room: the tokens that the output may have. stops_at_answer: whether somebody else gives the answer itself."""
        self._spelling, self.stops_at_answer = spelling, stops_at_answer
        self._passages = prompt.passages if spelling.pieces is not None else ()
        left = room - len(spelling.mark) - (1 if stops_at_answer else _ROOM)
        self._latest = left if left > 0 else room
        # What was written, from where on it has not been taken for a mark yet, and its tokens.
        self._said, self._read, self._tokens = b"", 0, list[int]()
        self._quote: _Quote | None = None
        self._quoted, self._says = False, False
        self._forced: list[int] = []
        self._answered: int | None = None

    @property
    def answered(self) -> int | None:
        """How many tokens come before the answer; None where it has not come to one."""
        return self._answered

    @property
    def owes_answer(self) -> bool:
        """Whether it may not end before it has come to an answer."""
        return self._answered is None and (self._quoted or self.stops_at_answer)

    @property
    def quoting(self) -> bool:
        """Whether a quote is open."""
        return self._quote is not None

    def advance(self, token: int) -> None:
        """Take note of the token that was written last."""
        self._tokens.append(token)
        self._forced = self._forced[1:]
        if self._answered is not None:
            self._says = self._says or bool(self._spelling.decoded([token]).strip())
        if self._spelling.pieces is None:
            written, self._said = b"", self._spelling.decoded(self._tokens[-_TAIL:])
        else:
            written = self._spelling.pieces.written(token)
            self._said += written
        if self._quote is not None:
            self._quote.follow(written)
            if self._quote.closed:
                self._quote, self._read = None, len(self._said)
            return
        if self._answered is None and _MARK in self._said[self._read :]:
            self._answered, self._read = len(self._tokens), len(self._said)
        elif self._passages and (opened := _OPENED.search(self._said, self._read)):
            self._quote, self._read, self._quoted = _Quote(self._texts(int(opened[1]))), opened.end(), True
            self._quote.follow(self._said[self._read :])

    def finished(self, row: Sequence[int]) -> int | None:
        """`answered` of a whole output, whose last token nobody has told yet."""
        for token in row[len(self._tokens) :]:
            self.advance(token)
        return self._answered

    def hold(self, scores: torch.Tensor) -> None:
        """Give what may not come next minus infinity. scores: (vocabulary), changed in place."""
        closing, late = self._spelling.closing, len(self._tokens) >= self._latest
        if self._answered is not None and self._quote is None:
            if self.stops_at_answer:
                keep_only(scores, closing)
            elif not self._says:
                scores[closing] = -torch.inf
            return
        if self._quote is not None and self._spelling.pieces is not None:
            hurry = len(self._tokens) >= self._latest - _HURRY
            allowed = self._quote.continuations(self._spelling.pieces, hurry=hurry)
            if allowed and not late:
                keep_only(scores, allowed)
                return
            # Its passage has letters that the tokenizer cannot spell, or a word that does not end: it stays open.
            self._quote, self._read = None, len(self._said)
            if self._answered is not None:
                return
            self.come_to_answer()
        # Before it is asked whether the output ends here: half of a mark is no place to end.
        if not late and not self._forced and (opening := self._opening()):
            keep_only(scores, opening)
            return
        if self.owes_answer and (late or int(scores.argmax()) in closing):
            self.come_to_answer()
        if self._forced:
            keep_only(scores, self._forced[:1])
        else:
            scores[self._barred()] = -torch.inf

    def come_to_answer(self) -> None:
        """Begin the answer, unless that is under way."""
        self._forced = self._forced or list(self._spelling.mark)

    def _opening(self) -> list[int]:
        """The tokens that go on with the mark of a quote, where a number asks for one; else none."""
        pieces = self._spelling.pieces
        numbered = _NUMBERED.match(self._said, self._read) if self._passages else None
        if numbered is None or pieces is None:
            return []
        begun = numbered["mark"]
        left = [mark[len(begun) :] for mark in _OPENINGS if mark.startswith(begun)]
        return sorted({token for mark in left for token in pieces.beginning(mark, 0)})

    def _barred(self) -> list[int]:
        """The tokens that would end it where it owes an answer, and numbers of passages that there are not."""
        barred = list(self._spelling.closing) if self.owes_answer else []
        numbering = _NUMBERING.search(self._said, self._read) if self._passages else None
        pieces = self._spelling.pieces
        if numbering is None or pieces is None:
            return barred
        numbers = [str(number).encode() for number in range(1, len(self._passages) + 1)]
        for token, written in pieces.digits.items():
            digits = _DIGITS.match(written)
            said = numbering[1] + (digits[0] if digits else b"")
            if not any(number.startswith(said) for number in numbers):
                barred.append(token)
        return barred

    def _texts(self, number: int) -> list[_Text]:
        """What a quote may be copied from, with its line breaks or without. Any passage, where it names none."""
        named = self._passages[number - 1 : number] if number else ()
        texts = dict.fromkeys(form for one in named or self._passages for form in (one, " ".join(one.split())))
        return [_Text.of(text) for text in texts]


class KeepToAnswerForm:
    """A logits processor for one batch of transformers' `generate`; None stands for an output that may say anything."""

    def __init__(self, forms: Sequence[AnswerForm | None]) -> None:
        self._forms = forms
        self._begun = False

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """input_ids: (batch, so far), the prompts first. scores: (batch, vocabulary), changed copies are returned."""
        scores, last = scores.clone(), input_ids[:, -1].tolist()
        for row, form in enumerate(self._forms):
            if form is not None:
                if self._begun:
                    form.advance(last[row])
                form.hold(scores[row])
        self._begun = True
        return scores
