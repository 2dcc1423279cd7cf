"""Keep the embedded model to its own form, token by token: a quote is a run of words of the passage that it names.

The weights learnt the form, but a small model slips: one wrong word makes a quote that is none. No word is put into its
mouth; of the words that the form allows next, it says the likeliest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import torch
from transformers import PreTrainedTokenizerBase

from raft.models.generator import Decoding
from raft.models.sampling import keep_only
from raft.prompts import ANSWER, ASK, BEGIN_QUOTE, CONTROL_TOKENS, END_QUOTE, QUESTION, RECALL, Prompt
from raft.text import Source

# More quotes than this, or answers longer than this, are loops.
_MOST_QUOTES, _LONGEST_ANSWER, _LONGEST_RECALLED = 3, 20, 80
# Tokens that an output with choices is left to end its quote, which may be amid a word, and to begin its answer.
_HURRY = 10
# Answers that begin this near to each other are about the same thing.
_APART = 4


@dataclass(frozen=True)
class _Words:
    """The tokens of one passage, and which of them may begin or end a quote: those at the edges of whole words."""

    ids: tuple[int, ...]
    begins: tuple[bool, ...]
    ends: tuple[bool, ...]
    unknown: int

    def starts(self) -> list[int]:
        return [place for place, may in enumerate(self.begins) if may and self.ids[place] != self.unknown]


class _Place(Enum):
    """Where in its form an output stands."""

    BEGIN = auto()
    NUMBER = auto()
    QUOTE = auto()
    ASKED_ANSWER = auto()
    CITED_ANSWER = auto()
    CHOICE = auto()
    FREE = auto()


@dataclass
class _Run:
    """Words copied so far: where in the passage the next one may stand, and whether they say anything yet."""

    words: _Words
    next_places: list[int]
    length: int = 0

    def follow(self, token: int) -> None:
        self.next_places = [place + 1 for place in self._open() if self.words.ids[place] == token]
        self.length += 1

    def _open(self) -> list[int]:
        ids = self.words.ids
        return [place for place in self.next_places if place < len(ids) and ids[place] != self.words.unknown]

    def may_end(self) -> bool:
        return self.length > 0 and any(self.words.ends[place - 1] for place in self.next_places)

    def continuations(self) -> list[int]:
        return sorted({self.words.ids[place] for place in self._open()})


@dataclass
class Output:
    """What one prompt allows, and how far its output has come."""

    grammar: Grammar
    passages: Sequence[_Words]
    asks: bool
    turn: int = 0
    recalls: bool = False
    longest: int = _LONGEST_ANSWER
    place: _Place = _Place.BEGIN
    quotes: int = 0
    run: _Run = field(default_factory=lambda: _Run(_Words((), (), (), -1), []))
    question: list[int] = field(default_factory=list)
    # The tokens after which it must come to its answer; None where it has no choices, and is free to be cut off.
    latest: int | None = None
    length: int = 0

    def advance(self, token: int) -> None:
        """Take note of the token that was written last."""
        grammar = self.grammar
        self.length += 1
        if self.place is _Place.CHOICE:
            return
        if self.place is _Place.FREE:
            self.question.append(token)
            return
        if token == grammar.answer:
            self._begin_answer()
        elif self.place is _Place.CITED_ANSWER and self.run.length == 0 and token in grammar.verdicts:
            self.place = _Place.FREE
        elif token in grammar.numbers and self.recalls:
            self.place, self.run = _Place.NUMBER, _Run(_Words((), (), (), -1), [])
        elif token in grammar.numbers:
            self.place, passage = _Place.NUMBER, self.passages[grammar.numbers.index(token)]
            self.run = _Run(passage, passage.starts())
        elif token == grammar.begin:
            self.place = _Place.QUOTE
        elif token == grammar.end:
            self.place, self.quotes = _Place.BEGIN, self.quotes + 1
        elif token == grammar.question:
            self.place = _Place.FREE
        else:
            self.run.follow(token)

    def allowed(self, scores: torch.Tensor) -> list[int] | None:
        """The tokens that may come next; None where any but a control token may. scores: (vocabulary)."""
        grammar = self.grammar
        late = self.latest is not None and self.length >= self.latest
        match self.place:
            case _Place.FREE:
                return None
            case _Place.CHOICE:
                return [grammar.eos]
            case _Place.BEGIN if late:
                return [grammar.answer]
            case _Place.QUOTE if late and (self.recalls or self.run.may_end()):
                return [grammar.end]
            case _Place.BEGIN:
                quotable = [] if self.asks or self.quotes == _MOST_QUOTES else range(len(self.passages))
                if self.recalls and self.quotes < _MOST_QUOTES:
                    return [*grammar.numbers, grammar.answer]
                numbers = [grammar.numbers[n] for n in quotable if n < len(grammar.numbers) and self._can_quote(n)]
                return [*numbers, grammar.answer]
            case _Place.NUMBER:
                return [grammar.begin]
            case _Place.QUOTE if self.recalls:
                return [grammar.end] if self.run.length == _LONGEST_RECALLED else grammar.recallable
            case _Place.QUOTE:
                return self._copied(grammar.end, self.run.may_end())
            case _Place.ASKED_ANSWER:
                if self.run.length == 0:
                    self._choose(scores)
                return self._answered(grammar.question)
            case _Place.CITED_ANSWER:
                verdicts = grammar.verdicts if self.run.length == 0 else []
                return [*self._answered(grammar.eos), *verdicts]

    def circling(self) -> list[int]:
        """The tokens that would make a question say the same twice: the last one, or three in the same order."""
        if not self.asks or not self.question:
            return []
        written, last = self.question, self.question[-2:]
        again = [written[at + 2] for at in range(len(written) - 2) if written[at : at + 2] == last]
        return [last[-1], *again]

    @property
    def must_cite(self) -> bool:
        """Whether the answer is to be words of what was quoted, so that it cannot be a refusal."""
        return self.quotes > 0 and not self.recalls

    def answered(self, row: Sequence[int]) -> int | None:
        """How many tokens of the finished output come before its choice; None where it has none or was cut off."""
        chooses = self.latest is not None and self.grammar.answer in row
        return row.index(self.grammar.answer) + 1 if chooses else None

    def _begin_answer(self) -> None:
        """A question is asked about words of its passage, and an answer that cites a passage is words of it.

        One of several choices is left to whoever weighs them: the output ends at its mark.
        """
        if self.latest is not None:
            self.place = _Place.CHOICE
            return
        if self.asks and self.passages:
            self.place, words = _Place.ASKED_ANSWER, self.passages[0]
        elif self.must_cite:
            self.place, words = _Place.CITED_ANSWER, self.run.words
        else:
            self.place = _Place.FREE
            return
        self.run = _Run(words, words.starts())

    def _answered(self, closing: int) -> list[int]:
        if self.run.length >= self.longest and self.run.may_end():
            return [closing]
        return self._copied(closing, self.run.may_end())

    def _choose(self, scores: torch.Tensor) -> None:
        """Leave the answer one place to begin: the likeliest on the first turn, on each later one the next elsewhere.

        Sampling alone asked the same thing again and again, or, when made bolder, things that nobody could answer.
        """
        ids = self.run.words.ids
        ranked = sorted(self.run.next_places, key=lambda place: -float(scores[ids[place]]))
        chosen: list[int] = []
        for place in ranked:
            if len(chosen) <= self.turn and all(
                abs(place - other) > _APART and ids[place] != ids[other] for other in chosen
            ):
                chosen.append(place)
        self.run.next_places = chosen[-1:]

    def _can_quote(self, number: int) -> bool:
        return bool(self.passages[number].starts())

    def _copied(self, closing: int, may_end: bool) -> list[int]:
        words = self.run.continuations()
        # A word that is cut by an unknown piece can neither go on nor end well; then it ends.
        return [*words, closing] if may_end or not words else words


class Grammar:
    """The embedded model's form as token ids; `outputs` follows a batch through it."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, recalls_quotes: bool = False) -> None:
        """recalls_quotes: for weights that were taught to quote from memory; others need passages to quote."""
        self._tokenizer = tokenizer
        self._recalls_quotes = recalls_quotes
        ids = {token: int(tokenizer.vocab[token]) for token in CONTROL_TOKENS}
        self.control = sorted(ids.values())
        self.begin, self.end = ids[BEGIN_QUOTE], ids[END_QUOTE]
        self.answer, self.question = ids[ANSWER], ids[QUESTION]
        self.eos = int(tokenizer.eos_token_id)
        # "Yes" and "no" stand in few passages, and are answers all the same.
        self.verdicts = [int(tokenizer.vocab[word]) for word in ("yes", "no")]
        self.numbers = [ids[f"[{n}]"] for n in range(1, 17)]
        self.recallable = [token for token in range(len(tokenizer)) if token not in ids.values() or token == self.end]

    def output(self, prompt: Prompt, turn: int = 0, spare: int = 0) -> Output:
        """A fresh output for one prompt. turn: how often it was given before, where a question is to be written.

        spare: tokens of room beyond what is usual: whoever gives more wants longer answers, such as calls of an API.
        """
        passages = [self._words(text) for text in prompt.passages]
        recalls = self._recalls_quotes and prompt.user[0].text == RECALL
        asks = prompt.user[0].text == ASK
        longest = _LONGEST_ANSWER + (0 if asks else max(0, spare))
        latest = Decoding().max_new_tokens + spare - _HURRY if prompt.choices else None
        return Output(self, passages, asks, turn, recalls, longest, latest=latest)

    def _words(self, text: str) -> _Words:
        encoded = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        ids, offsets, source = encoded["input_ids"], encoded["offset_mapping"], Source(text)
        return _Words(
            tuple(ids),
            tuple(source.begins_words(start) for start, _ in offsets),
            tuple(source.may_end(end) for _, end in offsets),
            int(self._tokenizer.unk_token_id),
        )


class KeepToForm:
    """A logits processor for one batch: minus infinity for every token that the form does not allow next."""

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = outputs
        self._begun = False

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """input_ids: (batch, so far), the prompts first. scores: (batch, vocabulary), changed copies are returned."""
        scores = scores.clone()
        last = input_ids[:, -1].tolist()
        for row, output in enumerate(self._outputs):
            if self._begun:
                output.advance(last[row])
            allowed = output.allowed(scores[row])
            if allowed is None:
                scores[row, [*output.grammar.control, *output.circling()]] = -torch.inf
            else:
                keep_only(scores[row], allowed)
        self._begun = True
        return scores
