"""Prompts in, answers with quotes out: the embedded model's reading as text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from raft.errors import ModelError
from raft.models.generator import Decoding, Generation
from raft.models.mini.modeling import MiniForCausalLM
from raft.models.mini.span_reading import Bounds, Pair, Reading, Span, best_reading, pairs_of
from raft.prompts import READ, REFUSAL, CitedQuote, Prompt, Segment, joined, plain_target, reasoned_target
from raft.text import Source

# Padded tokens read at once.
_BATCH_TOKENS = 4_096
# Answers that are longer than this are mistakes, unless somebody gives more room than is usual.
_LONGEST_ANSWER, _LONGEST_QUOTE = 20, 64
# Nats by which a reading in a rough format has to be preferred to be taken as it is.
_SURE = 0.1
# Tokens of an output that are neither quote nor answer.
_MARKS = 4


@dataclass(frozen=True)
class _Words:
    """The tokens of a passage: where they stand in its text, and which may begin or end a quote."""

    text: str
    offsets: list[tuple[int, int]]
    begins: list[bool]
    ends: list[bool]


class _Row(NamedTuple):
    """One prompt to read: its pairs, and the words of the passage of each."""

    pairs: list[Pair]
    words: list[_Words]


class Pointing:
    """Answers prompts that show passages. cites: whether a quote goes before the answer."""

    def __init__(
        self, model: MiniForCausalLM, rough: MiniForCausalLM, tokenizer: PreTrainedTokenizerBase, cites: bool = True
    ) -> None:
        """rough: the same in a faster format, to read in first; what it leaves in doubt is read with `model`.

        Raises ModelError where the model has not learnt to point.
        """
        if model.form is None:
            raise ModelError(
                "the configuration of this mini names no form_marks: train it anew with scripts/train_mini"
            )
        self._model, self._rough, self._form = model, rough, model.form
        self._tokenizer, self._cites = tokenizer, cites

    def reads(self, prompt: Prompt) -> bool:
        """Whether a prompt shows passages to answer from."""
        return bool(prompt.passages) and any(segment == Segment(READ, content=False) for segment in prompt.user)

    def longest_read(self, ids: Sequence[int]) -> int:
        """Tokens of a prompt that are read at once: of the question with the longest of its passages."""
        return max((len(pair.ids) for pair in pairs_of(ids, self._form)), default=len(ids))

    @torch.inference_mode()
    def answer(self, prompts: Sequence[Prompt], encoded: Sequence[Sequence[int]], room: int) -> list[Generation]:
        """One answer a prompt. encoded: their token ids. room: tokens that an answer with its quote may have."""
        began = time.perf_counter()
        rows = [
            _Row(pairs_of(ids, self._form), [self._words(text) for text in prompt.passages])
            for prompt, ids in zip(prompts, encoded, strict=True)
        ]
        readings = self._read(self._rough, rows, room)
        if self._rough is not self._model:
            unsure = [place for place, reading in enumerate(readings) if reading.margin < _SURE]
            again = self._read(self._model, [rows[place] for place in unsure], room)
            for place, reading in zip(unsure, again, strict=True):
                readings[place] = reading
        made = [self._said(row, reading, room) for row, reading in zip(rows, readings, strict=True)]
        seconds = (time.perf_counter() - began) / max(len(rows), 1)
        return [
            Generation(text, seconds, len(ids), tokens, likelihood)
            for (text, tokens, likelihood), ids in zip(made, encoded, strict=True)
        ]

    def _read(self, model: MiniForCausalLM, rows: Sequence[_Row], room: int) -> list[Reading]:
        """What each row is to say, its pairs read beside those of all others."""
        scores = model.read_pairs([pair for row in rows for pair in row.pairs], _BATCH_TOKENS)
        made, at = [], 0
        for row in rows:
            bounds = [_bounds(pair, words, room) for pair, words in zip(row.pairs, row.words, strict=True)]
            made.append(best_reading(scores[at : at + len(bounds)], bounds, self._model.config.refusal_bias))
            at += len(bounds)
        return made

    def _said(self, row: _Row, reading: Reading, room: int) -> tuple[str, int, float]:
        """What is said to one prompt, its tokens, and its log-probability."""
        if reading.answer is None or reading.quote is None:
            return joined(plain_target(REFUSAL)), len(self._form.refusal) + 1, reading.log_probability
        said = self._text(row, reading.answer)
        tokens = _size(reading.quote) + _size(reading.answer) + _MARKS
        if not self._cites or tokens > room:
            return joined(plain_target(said)), _size(reading.answer) + 1, reading.log_probability
        quote = CitedQuote(reading.answer.pair + 1, self._text(row, reading.quote))
        return joined(reasoned_target([quote], said)), tokens, reading.log_probability

    def _text(self, row: _Row, span: Span) -> str:
        """The words of a span as its passage has them."""
        pair, words = row.pairs[span.pair], row.words[span.pair]
        shift = len(pair.ids) - len(words.offsets)
        return words.text[words.offsets[span.first - shift][0] : words.offsets[span.last - shift][1]]

    def _words(self, text: str) -> _Words:
        encoded = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True
        )
        offsets, source = encoded["offset_mapping"], Source(text)
        begins = [source.begins_words(start) for start, _ in offsets]
        return _Words(text, offsets, begins, [source.may_end(end) for _, end in offsets])


def _bounds(pair: Pair, words: _Words, room: int) -> Bounds:
    """Whole words of the text alone: its title stands before it in the pair."""
    before = [False] * (len(pair.ids) - len(words.offsets))
    begins, ends = torch.tensor([*before, *words.begins]), torch.tensor([*before, *words.ends])
    # An answer stands twice, once in its quote.
    longest = min(_LONGEST_ANSWER + max(0, room - Decoding().max_new_tokens), max(1, (room - _MARKS) // 2))
    return Bounds(begins, ends, longest, min(_LONGEST_QUOTE, max(1, room - _MARKS - longest)))


def _size(span: Span) -> int:
    return span.last - span.first + 1
