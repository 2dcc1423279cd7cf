"""Batches of like length in pieces, and a loss that is that of the plain way to compute it."""

from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from raft.models.local import load_model
from raft.tune.batches import LikeLengths, pieces, shuffled
from raft.tune.encoding import IGNORED, EncodedRow
from raft.tune.trainer import PieceCollator, summed_loss

LENGTHS = st.lists(st.integers(1, 900), min_size=1, max_size=120)


@given(LENGTHS, st.integers(1, 16), st.integers(0, 9))
def test_an_epoch_has_each_row_once_and_the_same_seed_gives_the_same_order(
    lengths: list[int], batch_rows: int, seed: int
) -> None:
    order = shuffled(lengths, batch_rows, Random(seed))
    assert sorted(order) == list(range(len(lengths)))
    assert order == shuffled(lengths, batch_rows, Random(seed))


def test_batches_have_rows_of_like_length_and_epochs_differ() -> None:
    rng = Random(0)
    lengths = [rng.randrange(50, 800) for _ in range(400)]
    sampler = LikeLengths(lengths, 8, seed=1)
    first = list(sampler)
    batches = [[lengths[row] for row in first[at : at + 8]] for at in range(0, len(first), 8)]
    assert max(max(batch) - min(batch) for batch in batches) < 60
    # Lengths must not rise or fall over the epoch.
    means = [sum(batch) / len(batch) for batch in batches]
    assert sorted(means) != means != sorted(means, reverse=True)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=40), st.integers(1, 4_096))
def test_pieces_hold_each_row_once_within_the_budget(lengths: list[int], budget: int) -> None:
    made = pieces(lengths, budget)
    assert sorted(row for piece in made for row in piece) == list(range(len(lengths)))
    for piece in made:
        assert len(piece) == 1 or len(piece) * max(lengths[row] for row in piece) <= budget


def rows_of(count: int) -> list[EncodedRow]:
    rng = Random(3)
    return [
        EncodedRow(
            [rng.randrange(5, 200) for _ in range(rng.randrange(3, 60))], [*range(10, 10 + rng.randrange(2, 20)), 1]
        )
        for _ in range(count)
    ]


def plain_loss(model: Any, rows: list[EncodedRow]) -> torch.Tensor:
    """Each row by itself with all logits."""
    total = torch.zeros(())
    for row in rows:
        ids = torch.tensor([row.prompt + row.target])
        labels = torch.tensor([[IGNORED] * len(row.prompt) + row.target])
        logits = model(input_ids=ids).logits
        total = total + F.cross_entropy(logits[0, :-1], labels[0, 1:], ignore_index=IGNORED, reduction="sum")
    return total / sum(len(row.target) for row in rows)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_loss_and_its_gradients_are_those_of_every_row_by_itself_with_all_logits(
    kind: str, tiny_chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raft.tune.trainer._BUDGET", 100)
    model = load_model(str(tiny_chat(kind)), torch.float32).model
    rows = rows_of(7)
    batch = PieceCollator(0, torch.device("cpu"))(rows)
    assert len(batch["pieces"]) > 2 and batch["targets"].tolist() == [len(row.target) for row in rows]

    def gradients() -> torch.Tensor:
        return torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])

    expected = plain_loss(model, rows)
    expected.backward()
    wanted = gradients()
    model.zero_grad()
    found = torch.zeros(())
    for piece in batch["pieces"]:
        part = summed_loss(model, piece) / batch["targets"].sum()
        part.backward()
        found += part.detach()
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradients(), wanted, rtol=1e-3, atol=1e-6)


def test_logits_are_computed_for_targets_alone(tiny_chat: Any) -> None:
    model = load_model(str(tiny_chat("llama")), torch.float32).model
    asked: list[tuple[int, ...]] = []
    model.lm_head.register_forward_hook(lambda module, given, made: asked.append(tuple(made.shape)))
    rows = [EncodedRow([7] * 90, [8, 9, 1]), EncodedRow([7] * 80, [8, 1])]
    (piece,) = PieceCollator(0, torch.device("cpu"))(rows)["pieces"]
    summed_loss(model, piece)
    assert [shape[1] for shape in asked] == [4]
