"""The embedded model keeps to its form whatever its weights say: here they are random."""

import json
import shutil
from pathlib import Path

import pytest

from raft.citations import check_citations
from raft.models.generator import Decoding, Generator
from raft.models.loading import load_generator
from raft.models.local import LocalGenerator, load_model
from raft.outputs import parse_answer, parse_question
from raft.prompts import BEGIN_QUOTE, CONTROL_TOKENS, ask_prompt, closed_book_prompt, passages_prompt
from raft.text import locate
from raft.types import ShownPassage

TEXTS = [
    "The Merrow 45 stops at 36.5 bar; 1,200 of them run at -5 °C.",
    "Café Zürich \N{EM DASH} naïve, 12\N{EN DASH}14 men, rock'n'roll, don\N{RIGHT SINGLE QUOTATION MARK}t 1/2 ½ m².",
    "東京 is far. ☃ snow ☃ man. [1] ##begin_quote## not a mark ##end_quote## <ANSWER>: no",
    "x",
    "☃",
    "",
]


@pytest.fixture(scope="module")
def mini(tiny_mini: Path) -> Generator:
    return load_generator(str(tiny_mini))


def shown(texts: list[str]) -> list[ShownPassage]:
    return [ShownPassage(str(n), "d", "A title" if n % 2 else "", text, False) for n, text in enumerate(texts)]


def test_every_quote_is_a_quote_and_every_output_has_the_form(mini: Generator) -> None:
    some = [shown(TEXTS[first:] + TEXTS[:first]) for first in range(len(TEXTS))]
    quotes = 0
    for seed in range(6):
        prompts = [passages_prompt("Who?", passages, mini.style) for passages in some]
        for passages, written in zip(
            some,
            mini.generate(prompts, Decoding(max_new_tokens=90, temperature=3.0, top_p=1.0, seed=seed)),
            strict=True,
        ):
            parsed = parse_answer(written.text)
            checked = check_citations(parsed, passages)
            # The last quote may have been cut off by the limit; it is a run of the passage all the same.
            assert not checked.unverified, (written.text, checked.unverified)
            quotes += len(checked.quotes)
            assert written.text.startswith(("[", "<ANSWER>:"))
    assert quotes > 20


def test_only_weights_that_were_taught_to_quote_from_memory_do(tiny_mini: Path, mini: Generator) -> None:
    taught = LocalGenerator(load_model(str(tiny_mini)), "dsf-cot")
    prompts = [closed_book_prompt(f"Who is number {n}?", mini.style) for n in range(12)]
    decoding = Decoding(max_new_tokens=90, temperature=3.0, top_p=1.0)
    assert not any(BEGIN_QUOTE in written.text for written in mini.generate(prompts, decoding))
    recalled = [parse_answer(written.text) for written in taught.generate(prompts, decoding)]
    assert any(parsed.quotes for parsed in recalled)
    for parsed in recalled:
        assert len(parsed.quotes) <= 3
        assert not any(mark in quote.text for quote in parsed.quotes for mark in CONTROL_TOKENS)


def test_a_question_is_written_for_words_of_its_passage(mini: Generator) -> None:
    passage = shown(TEXTS[:1])[0]
    prompts = [ask_prompt(passage, mini.style)] * 8
    for written in mini.generate(prompts, Decoding(max_new_tokens=60, temperature=3.0, top_p=1.0)):
        parsed = parse_question(written.text)
        assert parsed is not None, written.text
        assert locate(parsed.answer, passage.text) is not None
        words = parsed.question.split()
        runs = list(zip(words, words[1:], words[2:], strict=False))
        assert len(runs) == len(set(runs))


def test_questions_of_one_passage_begin_with_different_answers(mini: Generator) -> None:
    prompts = [ask_prompt(shown(TEXTS[:1])[0], mini.style)] * 3
    written = mini.generate(prompts, Decoding(max_new_tokens=60, temperature=0.3))
    parsed = [parse_question(one.text) for one in written]
    assert len({one.answer.split()[0] for one in parsed if one}) == 3


def test_an_answer_from_memory_begins_at_once(mini: Generator) -> None:
    for written in mini.generate([closed_book_prompt("Who?", mini.style)], Decoding(max_new_tokens=8)):
        assert written.text.startswith("<ANSWER>:")


def test_a_prompt_brings_the_texts_of_its_passages(mini: Generator) -> None:
    assert list(passages_prompt("[1] ", shown(TEXTS), mini.style).passages) == TEXTS
    assert list(ask_prompt(shown(TEXTS)[0], mini.style).passages) == TEXTS[:1]
    assert closed_book_prompt("Who?", mini.style).passages == ()


@pytest.mark.parametrize(("bias", "begins"), [(1e6, "<ANSWER>:"), (-1e6, "[")])
def test_the_refusal_bias_decides_between_a_refusal_and_a_quote(
    tiny_mini: Path, tmp_path: Path, bias: float, begins: str
) -> None:
    shutil.copytree(tiny_mini, tmp_path / "biased")
    config = json.loads((tmp_path / "biased" / "config.json").read_text())
    (tmp_path / "biased" / "config.json").write_text(json.dumps(config | {"refusal_bias": bias}))
    biased = load_generator(str(tmp_path / "biased"))
    prompts = [passages_prompt(f"Who {n}?", shown(TEXTS[:3]), biased.style) for n in range(4)]
    assert all(one.text.startswith(begins) for one in biased.generate(prompts, Decoding(max_new_tokens=8)))
    # What has no passages to quote from, or is to be a question, is not a matter of refusing.
    free = [closed_book_prompt("Who?", biased.style), ask_prompt(shown(TEXTS)[0], biased.style)]
    assert all(one.text.startswith("<ANSWER>:") for one in biased.generate(free, Decoding(max_new_tokens=8)))
