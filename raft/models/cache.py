"""A key-value cache that does not copy itself for every token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

# Tokens of room to add when a layer is full: most answers need one addition at most.
_ROOM = 64


class GrowingLayer(DynamicLayer):
    """A layer that keeps room for tokens to come; `keys` and `values` are views of what is filled.

    transformers' own joins old and new into fresh memory at each token, two fifths of the time that an answer took on
    a CPU. Whatever replaces `keys` (beams, cropping) still works: a view of other memory is copied once.
    """

    _key_room: torch.Tensor | None = None
    _value_room: torch.Tensor | None = None

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add states (batch, heads, new, size); returns all so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self._key_room, self.keys = _grown(self._key_room, self.keys, key_states)
        self._value_room, self.values = _grown(self._value_room, self.values, value_states)
        return self.keys, self.values

    def begin_with(self, common: GrowingLayer, rows: int) -> None:
        """Begin `rows` rows with the states of a layer that has one."""
        keys, values = common.keys, common.values
        assert keys is not None and values is not None
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1)

    @classmethod
    def joined(cls, parts: Sequence[tuple[GrowingLayer, Sequence[int], int]], columns: int) -> GrowingLayer:
        """A layer of some rows of others, all ending in one column. parts: layer, its rows, and how many columns."""
        layer = cls()
        first = parts[0][0]
        assert first.keys is not None and first.values is not None
        layer.lazy_initialization(first.keys, first.values)
        layer._key_room, layer.keys = _beside([(one.keys, rows, width) for one, rows, width in parts], columns)
        layer._value_room, layer.values = _beside([(one.values, rows, width) for one, rows, width in parts], columns)
        return layer


def _beside(
    parts: Sequence[tuple[torch.Tensor | None, Sequence[int], int]], columns: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Room with rows of several states, and what is filled of it."""
    given = [(states, rows, width) for states, rows, width in parts if states is not None]
    _, heads, _, size = given[0][0].shape
    count = sum(len(rows) for _, rows, _ in given)
    room = given[0][0].new_empty(count, heads, columns + _ROOM, size)
    at = 0
    for states, rows, width in given:
        place = slice(at, at + len(rows))
        # Nobody attends to these, but what lies in fresh memory may be no number.
        room[place, :, : columns - width] = 0
        room[place, :, columns - width : columns] = states[list(rows), :, states.shape[-2] - width :]
        at += len(rows)
    return room, room[..., :columns, :]


def _grown(
    room: torch.Tensor | None, kept: torch.Tensor | None, fresh: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    held = kept.shape[-2] if kept is not None and kept.numel() else 0
    needed = held + fresh.shape[-2]
    if room is None or room.shape[-2] < needed or kept is None or kept.data_ptr() != room.data_ptr():
        room = fresh.new_empty((*fresh.shape[:-2], needed + _ROOM, fresh.shape[-1]))
        if held and kept is not None:
            room[..., :held, :] = kept
    room[..., held:needed, :] = fresh
    return room, room[..., :needed, :]


def growing_cache(config: Any) -> DynamicCache:
    """The cache that transformers would make for a decoder, with growing layers in place of the plain ones."""
    cache = DynamicCache(config=config)
    make: Any = GrowingLayer
    cache.layers = [make() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def layers_of(cache: DynamicCache) -> list[GrowingLayer]:
    """The layers of a growing cache of which all grow."""
    return [layer for layer in cache.layers if isinstance(layer, GrowingLayer)]
