"""Write many texts with one causal model: rows leave when they are complete, and others take their place.

Continuous batching (Yu et al. 2022, Orca, section 4) over transformers' model and cache. What all prompts begin with is
computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from raft.models.cache import GrowingLayer, growing_cache, layers_of
from raft.models.forms import AnswerForm, Spelling, Written
from raft.models.generator import Decoding
from raft.models.sampling import nucleus

# Tokens of the cache, and rows, that are under way at once: enough to keep the cores busy, and small enough for 6 GiB.
_CACHE_TOKENS, _ROWS = 12_288, 48
# Tokens of prompts in one forward pass, and how many prompts must have in common for these to be read apart.
_PASS_TOKENS, _WORTH_SHARING = 4_096, 16
# One in so many rows must be complete before the batch is made anew, which copies the cache.
_SPARE = 4
# A loop is a run of at most so many tokens that comes so many times over and is so long in all; one without a letter,
# such as the noughts of a number or the numbers of a network card, must be longer.
_LONGEST_LOOP, _LOOPS, _LOOPED_TOKENS = 32, 3, 12
_LOOPS_OF_MARKS, _LOOPED_MARKS = 8, 48
# Both measure distance in columns of the cache, so that a gap behind what prompts have in common misleads them; these
# kinds of rotary embeddings change with the longest row of a batch.
_BY_COLUMNS, _BY_LONGEST = ("mpt", "gpt_neo"), ("dynamic", "longrope")


@dataclass
class Row:
    """One text under way. form: what is known of it beforehand. draw: for sampling. stop: whether what it has is all.

    written: tokens so far, without what ended them. logs: the log-probability of each to the model, where it is asked.
    """

    prompt: Sequence[int]
    form: AnswerForm | None = None
    draw: torch.Generator | None = None
    stop: Callable[[Sequence[int]], bool] | None = None
    written: list[int] = field(default_factory=list)
    logs: list[float] = field(default_factory=list)
    complete: bool = False

    def take(self, token: int, spelling: Spelling, room: int) -> None:
        """Note the next token, and whether the text is complete with it."""
        if token in spelling.closing:
            self.complete = True
            return
        self.written.append(token)
        if self.form is not None:
            self.form.advance(token)
        if loops := looped(self.written, spelling.has_letter):
            if self.form is not None and self.form.quoting:
                pass  # it comes to the end of its passage
            elif self.form is not None and self.form.owes_answer:
                self.form.come_to_answer()
            else:
                del self.written[-loops:], self.logs[-loops:]
                self.complete = True
        self.complete = self.complete or len(self.written) >= room
        if self.stop is not None and self.stop(self.written):
            self.complete = True

    @property
    def result(self) -> Written:
        """The text, when it is complete."""
        answered = self.form.answered if self.form is not None and self.form.stops_at_answer else None
        counted = self.logs[:answered]
        return Written(self.written, sum(counted) / len(counted) if counted else None, answered, self.logs)


def looped(written: Sequence[int], has_letter: Callable[[int], bool]) -> int:
    """How many tokens at the end only say again what stands before them; 0 where it is no loop."""
    for length in range(1, min(_LONGEST_LOOP, len(written) // _LOOPS) + 1):
        again = _said_again(written, length, _LOOPS, _LOOPED_TOKENS)
        if again and not any(map(has_letter, written[-length:])):
            again = _said_again(written, length, _LOOPS_OF_MARKS, _LOOPED_MARKS)
        if again:
            return again
    return 0


def _said_again(written: Sequence[int], length: int, fewest: int, tokens: int) -> int:
    """How many tokens repeat a run of this length, if it comes so many times over and is so many tokens in all."""
    times = max(fewest, -(-tokens // length))
    tail = list(written[-length * times :])
    return length * (times - 1) if len(tail) == length * times and tail == tail[:length] * times else 0


def can_run(model: Any) -> bool:
    """Whether the engine knows the model's cache: that of a decoder whose layers all attend to all that was said."""
    config = model.config
    keeps = "past_key_values" in signature(model.forward).parameters
    rotary = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    if config.is_encoder_decoder or not keeps or config.model_type in _BY_COLUMNS:
        return False
    if rotary.get("rope_type") in _BY_LONGEST:
        return False
    return all(isinstance(layer, GrowingLayer) for layer in growing_cache(model.config).layers)


def shared_tokens(prompts: Sequence[Sequence[int]]) -> int:
    """How many tokens all prompts begin with: 0 where it is not worth it to read them apart.

    The last token of a prompt is never among them, since it says what comes next.
    """
    if len(prompts) < 2:
        return 0
    length = min(map(len, prompts)) - 1
    for prompt in prompts[1:]:
        length = next((at for at in range(length) if prompt[at] != prompts[0][at]), length)
    return length if length >= _WORTH_SHARING else 0


@dataclass
class _Start:
    """What all prompts begin with, as the model has read it: (1, heads, columns, size) a layer."""

    layers: Sequence[GrowingLayer]
    length: int


@dataclass
class _Batch:
    """Rows under way, with what the model has read of them.

    layers: the cache, (rows, heads, columns, size) each. mask: (rows, columns), 1 where a row has a token in a column;
    the last one is everybody's latest token. scores: (rows, vocabulary), of what may come next.
    """

    rows: list[Row]
    layers: list[GrowingLayer]
    mask: Tensor
    scores: Tensor

    @property
    def columns(self) -> int:
        """Columns of the cache."""
        return int(self.mask.shape[1])

    @property
    def under_way(self) -> list[int]:
        """The places of the rows that are not complete."""
        return [place for place, row in enumerate(self.rows) if not row.complete]


class Engine:
    """A loaded model that writes rows. Not safe for threads."""

    def __init__(self, model: Any, spelling: Spelling) -> None:
        """model: one that `can_run` is true of."""
        self._model, self._spelling = model, spelling
        known = signature(model.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self._takes_positions = "position_ids" in known

    @torch.inference_mode()
    def write(self, rows: Sequence[Row], decoding: Decoding, completed: Callable[[int], None]) -> None:
        """Write every row to its end. completed: told how many have come to theirs since it was told before."""
        # Taken from the end: the longest first, so that what takes a place later needs no more room than there is.
        waiting = sorted(rows, key=lambda row: len(row.prompt))
        start = self._start(waiting)
        batch: _Batch | None = None
        while (batch := self._filled(batch, waiting, start, decoding)) is not None:
            before = len(batch.under_way)
            self._choose(batch, decoding)
            left = len(batch.under_way)
            if left < before:
                completed(before - left)
            if left:
                self._read_latest(batch)

    def _start(self, rows: Sequence[Row]) -> _Start | None:
        """What the prompts have in common, read once; None where that is not worth it."""
        length = shared_tokens([row.prompt for row in rows])
        if not length:
            return None
        cache = growing_cache(self._model.config)
        self._forward(torch.tensor([list(rows[0].prompt[:length])]), torch.ones(1, length, dtype=torch.long), cache)
        return _Start(layers_of(cache), length)

    def _filled(
        self, batch: _Batch | None, waiting: list[Row], start: _Start | None, decoding: Decoding
    ) -> _Batch | None:
        """The batch without rows that are complete, and with others in their places; None where nothing is left.

        It stays as it is while few rows of it are complete.
        """
        kept = batch.under_way if batch is not None else []
        if batch is not None and kept and (len(batch.rows) - len(kept)) * _SPARE < len(batch.rows):
            return batch
        parts: list[tuple[_Batch, list[int]]] = [(batch, kept)] if batch is not None and kept else []
        columns = batch.columns if batch is not None and kept else 0
        while rows := self._next(waiting, sum(len(places) for _, places in parts), columns, decoding.max_new_tokens):
            fresh = self._read(rows, start)
            parts.append((fresh, list(range(len(rows)))))
            columns = max(columns, fresh.columns)
        return _joined(parts) if parts else None

    def _next(self, waiting: list[Row], held: int, columns: int, room: int) -> list[Row]:
        """The next rows to read at once, taken from those that wait."""
        taken: list[Row] = []
        while waiting:
            longest = len((taken or waiting[-1:])[0].prompt)
            width = max(columns, longest) + room
            count = held + len(taken) + 1
            full = count > _ROWS or count * width > _CACHE_TOKENS or (len(taken) + 1) * longest > _PASS_TOKENS
            if full and (held or taken):
                break
            taken.append(waiting.pop())
        return taken

    def _read(self, rows: list[Row], start: _Start | None) -> _Batch:
        """The prompts of new rows, read by the model; padded on the left of what is their own."""
        shared = start.length if start is not None else 0
        own = [row.prompt[shared:] for row in rows]
        width = max(map(len, own))
        ids = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros(len(rows), shared + width, dtype=torch.long)
        mask[:, :shared] = 1
        for place, tokens in enumerate(own):
            ids[place, width - len(tokens) :] = torch.tensor(tokens)
            mask[place, shared + width - len(tokens) :] = 1
        cache = growing_cache(self._model.config)
        if start is not None:
            for layer, common in zip(layers_of(cache), start.layers, strict=True):
                layer.begin_with(common, len(rows))
        scores = self._forward(ids, mask, cache)
        return _Batch(rows, layers_of(cache), mask, scores)

    def _read_latest(self, batch: _Batch) -> None:
        """Show the model the latest token of every row."""
        ids = torch.tensor([[row.written[-1] if row.written else 0] for row in batch.rows])
        # A complete row stays where it is until it leaves: going on, it could pass the last position of its model.
        goes_on = torch.tensor([[int(not row.complete)] for row in batch.rows])
        batch.mask = torch.cat([batch.mask, goes_on], dim=1)
        cache = growing_cache(self._model.config)
        cache.layers = list(batch.layers)
        batch.scores = self._forward(ids, batch.mask, cache)

    def _forward(self, ids: Tensor, mask: Tensor, cache: DynamicCache) -> Tensor:
        """Scores (rows, vocabulary) behind the last of some tokens (rows, length); the cache grows by these."""
        device = self._model.device
        places = (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        positions = {"position_ids": places.to(device)} if self._takes_positions else {}
        made = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            past_key_values=cache,
            use_cache=True,
            **positions,
            **self._last_only,
        )
        scores: Tensor = made.logits[:, -1].float()
        return scores

    def _choose(self, batch: _Batch, decoding: Decoding) -> None:
        """The next token of every row under way: the likeliest that its form allows, or one that is drawn."""
        scores, places = batch.scores, batch.under_way
        logs = scores.log_softmax(-1) if decoding.logprobs else None
        for place in places:
            if (form := batch.rows[place].form) is not None:
                form.hold(scores[place])
        tokens = scores.argmax(-1).tolist() if decoding.temperature == 0 else _drawn(batch.rows, scores, decoding)
        for place in places:
            row, token = batch.rows[place], tokens[place]
            # What ends a text is no word of it, unless it is all that there is.
            if logs is not None and (token not in self._spelling.closing or not row.logs):
                row.logs.append(float(logs[place, token]))
            row.take(token, self._spelling, decoding.max_new_tokens)


def _drawn(rows: Sequence[Row], scores: Tensor, decoding: Decoding) -> list[int]:
    """A token for each row, by its own random numbers: what others are under way with it does not matter."""
    best, words = nucleus(scores, decoding)
    chances = (best / decoding.temperature).softmax(-1).cpu()
    chosen = [int(torch.multinomial(one, 1, generator=row.draw)) for one, row in zip(chances, rows, strict=True)]
    return [int(words[place, number]) for place, number in enumerate(chosen)]


def _joined(parts: Sequence[tuple[_Batch, list[int]]]) -> _Batch:
    """Some rows of each batch as one batch, without the columns that none of them has a token in."""
    if len(parts) == 1 and len(parts[0][1]) == len(parts[0][0].rows):
        return parts[0][0]
    rows = [batch.rows[place] for batch, places in parts for place in places]
    # A row's own columns may have a gap behind what all begin with, so its first token tells how many it needs.
    widths = [batch.columns - int(batch.mask[places].argmax(1).min()) for batch, places in parts]
    columns = max(widths)
    mask = torch.zeros(len(rows), columns, dtype=torch.long)
    at = 0
    for (batch, places), width in zip(parts, widths, strict=True):
        mask[at : at + len(places), columns - width :] = batch.mask[places, batch.columns - width :]
        at += len(places)
    selected = [(batch.layers, places, width) for (batch, places), width in zip(parts, widths, strict=True)]
    layers = [
        GrowingLayer.joined([(layers[number], places, width) for layers, places, width in selected], columns)
        for number in range(len(parts[0][0].layers))
    ]
    return _Batch(rows, layers, mask, torch.cat([batch.scores[places] for batch, places in parts]))
