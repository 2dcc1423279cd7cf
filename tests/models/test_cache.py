"""The growing cache holds what transformers' own would hold, whatever is done to it on the way."""

import torch
from transformers.cache_utils import DynamicLayer

from raft.models.cache import GrowingLayer


def states(batch: int, new: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, 2, new, 3)
    return torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)


def test_a_growing_layer_equals_a_plain_one() -> None:
    plain, growing = DynamicLayer(), GrowingLayer()
    for step, new in enumerate((5, 1, 1, 70, 1)):
        for layer in (plain, growing):
            layer.update(*states(2, new, step))
    for change in ("crop", "select", "repeat", "none"):
        for layer in (plain, growing):
            if change == "crop":
                layer.crop(-3)
            elif change == "select":
                layer.batch_select_indices(torch.tensor([1, 1, 0]))
            elif change == "repeat":
                layer.batch_repeat_interleave(2)
            layer.update(*states(layer.keys.shape[0], 1, 9))
        assert torch.equal(plain.keys, growing.keys), change
        assert torch.equal(plain.values, growing.values), change
        assert plain.get_seq_length() == growing.get_seq_length()


def test_what_was_handed_out_is_not_written_over_by_the_next_token() -> None:
    layer = GrowingLayer()
    first, _ = layer.update(*states(1, 4, 0))
    kept = first.clone()
    layer.update(*states(1, 1, 1))
    assert torch.equal(first, kept)
