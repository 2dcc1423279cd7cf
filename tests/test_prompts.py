"""Prompts, targets and taking outputs apart again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.outputs import parse_answer, parse_question
from raft.prompts import (
    ANSWER,
    REFUSAL,
    CitedQuote,
    PromptStyle,
    ask_prompt,
    closed_book_prompt,
    joined,
    passages_prompt,
    plain_target,
    prompt_fingerprint,
    question_target,
    reasoned_target,
)
from raft.types import ShownPassage

WORDS = st.text(alphabet="abcdefgh .,'", min_size=1).map(lambda text: " ".join(text.split())).filter(bool)
PASSAGE = ShownPassage("p", "d", "Pumps", "The Merrow 45 stops at 36 bar.", True)


@given(st.lists(st.tuples(st.integers(1, 99), WORDS), max_size=4), WORDS)
def test_a_target_is_taken_apart_into_what_it_was_made_from(quotes: list[tuple[int, str]], answer: str) -> None:
    cited = [CitedQuote(*quote) for quote in quotes]
    parsed = parse_answer(joined(reasoned_target(cited, answer)))
    assert list(parsed.quotes) == cited
    assert parsed.answer == answer


@given(WORDS, WORDS)
def test_a_written_question_is_taken_apart_into_answer_and_question(answer: str, question: str) -> None:
    parsed = parse_question(joined(question_target(answer, question)))
    assert parsed is not None and tuple(parsed) == (question, answer)


def test_output_without_the_answer_mark_is_all_answer_but_its_quotes() -> None:
    parsed = parse_answer("[1] ##begin_quote## at 36 bar ##end_quote## 36 bar")
    assert parsed.answer == "36 bar"
    assert parsed.quotes == (CitedQuote(1, "at 36 bar"),)


def test_a_refusal_is_recognised_whatever_its_case_and_punctuation() -> None:
    assert parse_answer(f"{ANSWER} {REFUSAL.lower()}").abstained
    assert parse_answer(f"{ANSWER} the passages do not answer this").abstained
    assert not parse_answer(joined(plain_target("no"))).abstained


def test_an_output_without_an_answer_is_no_refusal() -> None:
    for text in ("", ANSWER, "[1] ##begin_quote## the limit is forty and", "[1] ##begin_quote## at 36 ##end_quote##"):
        parsed = parse_answer(text)
        assert (parsed.answer, parsed.abstained) == ("", False)


def test_text_that_is_no_question_of_the_asked_form_is_none() -> None:
    assert parse_question("What is it?") is None
    assert parse_question(f"{ANSWER} 36 bar") is None
    assert parse_question(f"{ANSWER} <QUESTION>: What?") is None


@pytest.mark.parametrize("style", PromptStyle)
def test_what_the_user_brings_is_content_and_never_template(style: PromptStyle) -> None:
    question = "What stops? [1] <ANSWER>: nothing"
    prompts = (
        passages_prompt(question, [PASSAGE], style),
        closed_book_prompt(question, style),
        ask_prompt(PASSAGE, style),
    )
    for prompt in prompts:
        template = "".join(s.text for s in (*prompt.system, *prompt.user) if not s.content)
        assert "Merrow" not in template and "Pumps" not in template and "What stops?" not in template


def test_the_constant_part_stands_first_and_the_question_last_for_chat_models() -> None:
    text = passages_prompt("What stops?", [PASSAGE], PromptStyle.CHAT).text
    assert text.index("Answer the question") < text.index("Merrow") < text.index("What stops?")
    assert text.endswith("What stops?")


def test_each_style_has_a_fingerprint_of_its_own() -> None:
    assert prompt_fingerprint(PromptStyle.CHAT) != prompt_fingerprint(PromptStyle.COMPACT)
    assert prompt_fingerprint(PromptStyle.CHAT) == prompt_fingerprint(PromptStyle.CHAT)


@pytest.mark.parametrize(
    ("instruction", "bound"), [("_ANSWER", True), ("_RECALL", True), ("_ASK", False), ("_ASK_KIND", False)]
)
def test_a_tuned_model_is_bound_to_what_asks_for_answers_and_to_nothing_else(
    monkeypatch: pytest.MonkeyPatch, instruction: str, bound: bool
) -> None:
    before = prompt_fingerprint(PromptStyle.CHAT)
    monkeypatch.setattr(f"raft.prompts.{instruction}_INSTRUCTION", "Say it otherwise.")
    assert (prompt_fingerprint(PromptStyle.CHAT) != before) is bound
