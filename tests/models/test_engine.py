"""Continuous batching: every row is written as if it were alone, whatever shares the batch with it."""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import transformers

from raft.models import engine
from raft.models.engine import Engine, Row, can_run, looped
from raft.models.generator import Decoding
from raft.models.local import load_model

CLOSING = [1]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request: pytest.FixtureRequest, tiny_chat: Callable[[str], Path]) -> Any:
    loaded = load_model(str(tiny_chat(request.param)), torch.float32)
    # Random weights hardly ever end a text: this one does now and then.
    with torch.no_grad():
        loaded.model.lm_head.weight = torch.nn.Parameter(loaded.model.lm_head.weight * 20)
    return loaded


def prompts(count: int, start: int = 0) -> list[list[int]]:
    """Of different lengths, the first `start` tokens of all the same."""
    rng = Random(5)
    common = [rng.randrange(5, 250) for _ in range(start)]
    return [common + [rng.randrange(5, 250) for _ in range(rng.randrange(1, 90))] for _ in range(count)]


def alone(loaded: Any, prompt: list[int], most: int) -> list[int]:
    """What transformers' own greedy search writes to one prompt."""
    settings = transformers.GenerationConfig(max_new_tokens=most, do_sample=False, eos_token_id=CLOSING, pad_token_id=1)
    ids = torch.tensor([prompt])
    output = loaded.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    tokens = [token for token in output[0, len(prompt) :].tolist() if token not in CLOSING]
    ends = (end - looped(tokens[:end]) for end in range(len(tokens)) if looped(tokens[:end]))
    return tokens[: next(ends, len(tokens) - looped(tokens))]


@pytest.mark.parametrize("start", [0, 40])
def test_rows_that_come_and_go_are_written_as_each_is_alone(
    model: Any, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_CACHE_TOKENS", 900)
    monkeypatch.setattr(engine, "_PASS_TOKENS", 250)
    asked = prompts(30, start)
    rows = [Row(prompt) for prompt in asked]
    told: list[int] = []
    Engine(model.model, CLOSING).write(rows, Decoding(24), told.append)
    assert sum(told) == len(rows) and len(told) > 3
    assert all(row.complete for row in rows)
    expected = [alone(model, prompt, 24) for prompt in asked]
    assert [row.written for row in rows] == expected
    # Some end by themselves and others do not: rows did leave at different times.
    assert len({len(written) for written in expected}) > 1


def test_what_is_drawn_for_a_row_does_not_depend_on_the_others(model: Any) -> None:
    asked = prompts(6)
    decoding = Decoding(12, temperature=1.0, top_p=0.9)

    def drawn(chosen: list[int]) -> list[list[int]]:
        rows = [Row(asked[n], draw=torch.Generator().manual_seed(n)) for n in chosen]
        Engine(model.model, CLOSING).write(rows, decoding, lambda _: None)
        return [row.written for row in rows]

    together = drawn([0, 1, 2, 3, 4, 5])
    assert drawn([4, 2]) == [together[4], together[2]]
    assert len({tuple(written) for written in together}) > 1


def test_the_likelihood_is_that_of_the_tokens_that_were_written(model: Any) -> None:
    (prompt,) = prompts(1)
    row = Row(prompt)
    Engine(model.model, CLOSING).write([row], Decoding(8, weigh=True), lambda _: None)
    with torch.inference_mode():
        logits = model.model(input_ids=torch.tensor([[*prompt, *row.written]])).logits[0, len(prompt) - 1 : -1]
    logs = logits.float().log_softmax(-1).gather(-1, torch.tensor(row.written)[:, None])[:, 0]
    assert row.result.likelihood == pytest.approx(float(logs.mean()), abs=1e-4)


def test_a_row_may_stop_itself(model: Any) -> None:
    row = Row(prompts(1)[0], stop=lambda written: len(written) == 3)
    Engine(model.model, CLOSING).write([row], Decoding(20), lambda _: None)
    assert len(row.written) == 3


def test_nothing_to_write_is_written_at_once(model: Any) -> None:
    Engine(model.model, CLOSING).write([], Decoding(5), lambda _: pytest.fail("there is nothing"))


@pytest.mark.parametrize(
    ("written", "again"),
    [
        ([7] * 12, 11),
        ([7] * 11, 0),
        ([1, 2, 3, 4, 5] * 3, 10),
        ([9, 8, *[1, 2, 3, 4, 5] * 3], 10),
        ([1, 2, 3, 4, 5] * 2, 0),
        ([1, 2] * 5, 0),
        ([1, 2] * 6, 10),
        ([*range(32)] * 3, 64),
        ([*range(33)] * 3, 0),
        ([*range(100)], 0),
        ([], 0),
    ],
)
def test_a_loop_is_told_by_what_comes_three_times_over(written: list[int], again: int) -> None:
    assert looped(written) == again


def test_a_loop_ends_a_row_with_one_round_of_it() -> None:
    row = Row([5])
    for token in [3, *[6, 7, 8, 9] * 9]:
        if row.complete:
            break
        row.take(token, CLOSING, 100)
    assert row.complete and row.written == [3, 6, 7, 8, 9]


def test_models_that_forget_or_read_both_ways_are_left_to_transformers(tiny_chat: Callable[[str], Path]) -> None:
    assert not can_run(load_model(str(tiny_chat("t5"))).model)
    config = transformers.MistralConfig(
        vocab_size=64,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_key_value_heads=1,
        sliding_window=8,
    )
    assert not can_run(transformers.MistralForCausalLM(config))
