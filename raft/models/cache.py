"""A key-value cache that does not copy itself for every token."""

from __future__ import annotations

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
