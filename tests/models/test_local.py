"""Models on this machine: the same answers in any order, nothing cut, adapters put on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from raft.errors import ModelError
from raft.models.generator import Decoding, Generator, load_generator
from raft.prompts import PromptStyle, closed_book_prompt, passages_prompt
from raft.types import ShownPassage

QUESTIONS = ["What stops at 36 bar?", "Who?", "When did the Tessaly run aground near Hask Landing?", "Who?"]


@pytest.fixture(scope="module")
def mini(tiny_mini: Path) -> Generator:
    return load_generator(str(tiny_mini))


def test_the_order_of_prompts_does_not_change_what_is_written(mini: Generator) -> None:
    prompts = [closed_book_prompt(question, mini.style) for question in QUESTIONS]
    forward = [g.text for g in mini.generate(prompts, Decoding(max_new_tokens=8))]
    backward = [g.text for g in mini.generate(prompts[::-1], Decoding(max_new_tokens=8))]
    assert forward == backward[::-1]
    assert forward[1] == forward[3]


def test_progress_counts_every_prompt_once_though_equal_ones_are_answered_once(mini: Generator) -> None:
    done: list[int] = []
    prompts = [closed_book_prompt(question, mini.style) for question in QUESTIONS]
    mini.generate(prompts, Decoding(max_new_tokens=2), done.append)
    assert sum(done) == len(QUESTIONS)


def test_sampling_repeats_under_one_seed_and_varies_between_equal_prompts(mini: Generator) -> None:
    prompts = [closed_book_prompt("Who?", mini.style)] * 4
    decoding = Decoding(max_new_tokens=12, temperature=1.5, seed=3)
    first = [g.text for g in mini.generate(prompts, decoding)]
    assert first == [g.text for g in mini.generate(prompts, decoding)]
    assert len(set(first)) > 1


def test_a_prompt_that_does_not_fit_is_an_error_and_never_cut(mini: Generator) -> None:
    passage = ShownPassage("p", "d", "", "word " * 1200, True)
    with pytest.raises(ModelError, match="does not fit"):
        mini.generate([passages_prompt("Who?", [passage], mini.style)], Decoding())


@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5"])
def test_any_causal_or_seq2seq_model_of_transformers_can_write(kind: str, tiny_chat: Callable[[str], Path]) -> None:
    generator = load_generator(str(tiny_chat(kind)))
    assert generator.style is PromptStyle.CHAT
    prompts = [closed_book_prompt(question, generator.style) for question in QUESTIONS]
    written = generator.generate(prompts, Decoding(max_new_tokens=4))
    assert len(written) == len(QUESTIONS)
    assert written[1].text == written[3].text


def test_a_model_that_is_not_there_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="give 'mini'"):
        load_generator(str(tmp_path / "nothing"))
    with pytest.raises(ModelError, match="names no endpoint"):
        load_generator("openai:gpt")
