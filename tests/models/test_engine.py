"""Continuous batching: every row is written as if it were alone, whatever shares the batch with it."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import transformers

from raft.models import engine
from raft.models.engine import Engine, Row, can_run, looped
from raft.models.forms import AnswerForm, Spelling
from raft.models.generator import Decoding
from raft.models.local import LoadedModel, load_model
from raft.prompts import ANSWER, Prompt

CLOSING = [1]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request: pytest.FixtureRequest, tiny_chat: Callable[[str], Path]) -> Any:
    loaded = load_model(str(tiny_chat(request.param)), torch.float32)
    # Random weights hardly ever end a text: this one does now and then.
    with torch.no_grad():
        loaded.model.lm_head.weight = torch.nn.Parameter(loaded.model.lm_head.weight * 20)
    return loaded


def engine_of(loaded: LoadedModel, closing: Sequence[int] = CLOSING) -> Engine:
    return Engine(loaded.model, Spelling(loaded.codec.tokenizer, closing))


def prompts(count: int, start: int = 0) -> list[list[int]]:
    """Of different lengths, the first `start` tokens of all the same."""
    rng = Random(5)
    common = [rng.randrange(5, 250) for _ in range(start)]
    return [common + [rng.randrange(5, 250) for _ in range(rng.randrange(1, 90))] for _ in range(count)]


def alone(loaded: LoadedModel, prompt: list[int], most: int, closing: Sequence[int] = CLOSING) -> list[int]:
    """What transformers' own greedy search writes to one prompt."""
    ends = {"eos_token_id": list(closing), "pad_token_id": 1}
    settings = transformers.GenerationConfig(max_new_tokens=most, do_sample=False, **ends)
    ids = torch.tensor([prompt])
    output = loaded.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
    tokens = [token for token in output[0, len(prompt) :].tolist() if token not in closing]
    has_letter = Spelling(loaded.codec.tokenizer, closing).has_letter
    cuts = (
        end - looped(tokens[:end], has_letter) for end in range(len(tokens) + 1) if looped(tokens[:end], has_letter)
    )
    return tokens[: next(cuts, len(tokens))]


@pytest.mark.parametrize("start", [0, 40])
def test_rows_that_come_and_go_are_written_as_each_is_alone(
    model: Any, start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_CACHE_TOKENS", 900)
    monkeypatch.setattr(engine, "_PASS_TOKENS", 250)
    asked = prompts(30, start)
    # Random weights may never end a text by themselves: a token that about half of the texts come to ends them here.
    found = Counter(token for prompt in asked for token in set(alone(model, prompt, 24)[1:]))
    closing = [*CLOSING, min(found, key=lambda token: (abs(found[token] - len(asked) / 2), token))]
    rows = [Row(prompt) for prompt in asked]
    told: list[int] = []
    engine_of(model, closing).write(rows, Decoding(24), told.append)
    assert sum(told) == len(rows) and len(told) > 3
    assert all(row.complete for row in rows)
    expected = [alone(model, prompt, 24, closing) for prompt in asked]
    assert [row.written for row in rows] == expected
    # Some end by themselves and others do not: rows did leave at different times.
    assert len({len(written) for written in expected}) > 1


def test_what_is_drawn_for_a_row_does_not_depend_on_the_others(model: Any) -> None:
    asked = prompts(6)
    decoding = Decoding(12, temperature=1.0, top_p=0.9)

    def drawn(chosen: list[int]) -> list[list[int]]:
        rows = [Row(asked[n], draw=torch.Generator().manual_seed(n)) for n in chosen]
        engine_of(model).write(rows, decoding, lambda _: None)
        return [row.written for row in rows]

    together = drawn([0, 1, 2, 3, 4, 5])
    assert drawn([4, 2]) == [together[4], together[2]]
    assert len({tuple(written) for written in together}) > 1


def test_the_likelihood_is_that_of_the_tokens_that_were_written(model: Any) -> None:
    (prompt,) = prompts(1)
    row = Row(prompt)
    engine_of(model).write([row], Decoding(8, logprobs=True), lambda _: None)
    with torch.inference_mode():
        logits = model.model(input_ids=torch.tensor([[*prompt, *row.written]])).logits[0, len(prompt) - 1 : -1]
    logs = logits.float().log_softmax(-1).gather(-1, torch.tensor(row.written)[:, None])[:, 0]
    assert row.result.likelihood == pytest.approx(float(logs.mean()), abs=1e-4)


def test_a_row_may_stop_itself(model: Any) -> None:
    row = Row(prompts(1)[0], stop=lambda written: len(written) == 3)
    engine_of(model).write([row], Decoding(20), lambda _: None)
    assert len(row.written) == 3


def test_nothing_to_write_is_written_at_once(model: Any) -> None:
    engine_of(model).write([], Decoding(5), lambda _: pytest.fail("there is nothing"))


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
    assert looped(written, lambda token: True) == again


@pytest.mark.parametrize(("rounds", "again"), [(3, 0), (11, 0), (12, 44)])
def test_a_run_without_letters_must_be_longer(rounds: int, again: int) -> None:
    assert looped([5, 6, 7, 8] * rounds, lambda token: False) == again


def test_a_loop_ends_a_row_with_one_round_of_it(model: Any) -> None:
    tokenizer = model.codec.tokenizer
    row, spelling = Row([5]), Spelling(tokenizer, CLOSING)
    for token in tokenizer("so it is. it is. it is. it is. it is.", add_special_tokens=False)["input_ids"]:
        if not row.complete:
            row.take(token, spelling, 100)
    assert row.complete and tokenizer.decode(row.written) == "so it is."


@pytest.mark.parametrize("figure", ["1,000,000,000,000 dollars", "00:00:00:00:00:00", "1111-1111-1111-1111"])
def test_figures_are_no_loops(model: Any, figure: str) -> None:
    tokenizer = model.codec.tokenizer
    row, spelling = Row([5]), Spelling(tokenizer, CLOSING)
    for token in tokenizer(figure, add_special_tokens=False)["input_ids"]:
        row.take(token, spelling, 100)
    assert not row.complete and tokenizer.decode(row.written) == figure


def test_the_likelihood_of_an_open_answer_counts_the_answer(model: Any) -> None:
    tokenizer = model.codec.tokenizer
    spelling = Spelling(tokenizer, CLOSING)
    for stops in (False, True):
        form = AnswerForm(spelling, Prompt((), ()), 90, stops_at_answer=stops)
        row = Row([5], form=form)
        for token in tokenizer(f"{ANSWER} 36", add_special_tokens=False)["input_ids"]:
            row.logs.append(-1.0 if form.answered is None else -9.0)
            row.take(token, spelling, 100)
        mean = row.result.likelihood
        assert mean == (-1.0 if stops else pytest.approx((-1.0 * len(ANSWER) - 9.0 * 3) / (len(ANSWER) + 3)))


def test_what_ends_at_once_has_the_likelihood_of_its_end(model: Any) -> None:
    row = Row(prompts(1)[0])
    engine = Engine(model.model, Spelling(model.codec.tokenizer, list(range(len(model.codec.tokenizer)))))
    engine.write([row], Decoding(5, logprobs=True), lambda _: None)
    assert row.written == [] and row.result.likelihood is not None and row.result.likelihood < 0


def test_a_complete_row_never_passes_the_last_position_of_its_model(tiny_chat: Callable[[str], Path]) -> None:
    loaded = load_model(str(tiny_chat("gpt2")), torch.float32)
    config = transformers.GPT2Config(**{**loaded.model.config.to_dict(), "n_positions": 80})
    torch.manual_seed(0)
    small = transformers.GPT2LMHeadModel(config).eval()
    # One row ends at once and waits in the batch while the others write to the last position.
    rows = [Row([7] * 60, stop=lambda written: len(written) == 1), *(Row([9, n] * 30) for n in range(5, 12))]
    Engine(small, Spelling(loaded.codec.tokenizer, [])).write(rows, Decoding(20), lambda _: None)
    assert len(rows[0].written) == 1 and all(row.complete for row in rows)


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
    size = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
    rwkv = transformers.RwkvConfig(**size, attention_hidden_size=16)
    assert not can_run(transformers.RwkvForCausalLM(rwkv))
    heads = {"num_attention_heads": 1, "num_key_value_heads": 1}
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
    assert not can_run(transformers.LlamaForCausalLM(transformers.LlamaConfig(**size, **heads, rope_parameters=rope)))
