"""Batches of like length in pieces, and a loss that is that of the plain way to compute it."""

from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from raft.models.engine import shared_tokens
from raft.models.local import load_model
from raft.tune.batches import LikeLengths, families, pieces, shuffled
from raft.tune.encoding import IGNORED, EncodedRow
from raft.tune.trainer import SHARED, PieceCollator, summed_loss

LENGTHS = st.lists(st.integers(1, 900), min_size=1, max_size=120)


def row_of(length: int, begins: list[int] | None = None, mark: int = 0) -> EncodedRow:
    """A row of so many tokens. begins: what its prompt begins with. mark: the token after that."""
    prompt = [*(begins or []), mark, *range(length - 1 - len(begins or []))]
    return EncodedRow(prompt[:-1], prompt[-1:])


def rows_of(count: int, begins: list[int] | None = None) -> list[EncodedRow]:
    rng = Random(3)
    return [
        EncodedRow(
            [*(begins or []), *(rng.randrange(5, 200) for _ in range(rng.randrange(3, 60)))],
            [*range(10, 10 + rng.randrange(2, 20)), 1],
        )
        for _ in range(count)
    ]


@given(LENGTHS, st.integers(1, 16), st.integers(0, 9))
def test_an_epoch_has_each_row_once_and_the_same_seed_gives_the_same_order(
    lengths: list[int], batch_rows: int, seed: int
) -> None:
    apart = [[row] for row in range(len(lengths))]
    order = shuffled(apart, lengths, batch_rows, Random(seed))
    assert sorted(order) == list(range(len(lengths)))
    assert order == shuffled(apart, lengths, batch_rows, Random(seed))


def test_batches_have_rows_of_like_length_and_epochs_differ() -> None:
    rng = Random(0)
    lengths = [rng.randrange(50, 800) for _ in range(400)]
    sampler = LikeLengths([row_of(length, mark=1000 + n) for n, length in enumerate(lengths)], 8, seed=1)
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


def test_rows_about_the_same_passages_are_drawn_together() -> None:
    rng = Random(0)
    shown = [[rng.randrange(1000) for _ in range(40)] for _ in range(30)]
    rows = [row_of(60, shown[n % 30], mark=2000 + n) for n in range(120)]
    assert families(rows) == [[n, n + 30, n + 60, n + 90] for n in range(30)]
    drawn = list(LikeLengths(rows, 8, seed=0))
    assert sorted(drawn) == list(range(120))
    assert all(len({row % 30 for row in drawn[at : at + 8]}) == 2 for at in range(0, 120, 8))


def test_prompts_share_what_they_begin_with_but_for_their_last_token() -> None:
    begins = list(range(20))
    assert shared_tokens([row_of(40, begins, 90).prompt, row_of(50, begins, 91).prompt]) == 20
    assert shared_tokens([row_of(40, begins[:9], 90).prompt, row_of(50, begins[:9], 91).prompt]) == 0
    assert shared_tokens([row_of(40, begins, 90).prompt]) == 0
    assert shared_tokens([begins, begins]) == 19


@given(st.lists(st.integers(2, 3_000), min_size=1, max_size=40), st.integers(1, 4_096), st.booleans(), st.booleans())
def test_pieces_hold_each_row_once_within_the_budget(
    lengths: list[int], budget: int, sharing: bool, alike: bool
) -> None:
    begins = list(range(40)) if alike else []
    rows = [row_of(len(begins) + length, begins, mark=5000 + n) for n, length in enumerate(lengths)]
    made = pieces(rows, budget, sharing=sharing)
    assert sorted(row for piece in made for row in piece) == list(range(len(lengths)))
    for piece in made:
        longest = max(rows[row].length for row in piece)
        shared = len(begins) if sharing else 0
        assert len(piece) == 1 or shared + len(piece) * (longest - shared) <= budget


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
@pytest.mark.parametrize("begins", [[], list(range(60, 90))], ids=["apart", "alike"])
def test_the_loss_and_its_gradients_are_those_of_every_row_by_itself_with_all_logits(
    kind: str, begins: list[int], tiny_chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raft.tune.trainer._BUDGET", 100 + len(begins))
    model = load_model(str(tiny_chat(kind)), torch.float32).model
    rows = rows_of(7, begins)
    batch = PieceCollator(0, torch.device("cpu"), sharing=True)(rows)
    assert len(batch["pieces"]) > 2 and batch["targets"].tolist() == [len(row.target) for row in rows]
    assert any(SHARED in piece for piece in batch["pieces"]) == bool(begins)

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


def test_what_rows_begin_with_is_read_once(tiny_chat: Any) -> None:
    model = load_model(str(tiny_chat("llama")), torch.float32).model
    read: list[int] = []
    model.model.embed_tokens.register_forward_hook(lambda module, given, made: read.append(given[0].numel()))
    rows = [EncodedRow([*range(5, 105), mark], [8, 9, 1]) for mark in (110, 111, 112)]
    (piece,) = PieceCollator(0, torch.device("cpu"), sharing=True)(rows)["pieces"]
    summed_loss(model, piece)
    assert read == [100, 3 * 4]


def test_logits_are_computed_for_targets_alone(tiny_chat: Any) -> None:
    model = load_model(str(tiny_chat("llama")), torch.float32).model
    asked: list[tuple[int, ...]] = []
    model.lm_head.register_forward_hook(lambda module, given, made: asked.append(tuple(made.shape)))
    rows = [EncodedRow([7] * 90, [8, 9, 1]), EncodedRow([7] * 80, [8, 1])]
    (piece,) = PieceCollator(0, torch.device("cpu"), sharing=False)(rows)["pieces"]
    summed_loss(model, piece)
    assert [shape[1] for shape in asked] == [4]
