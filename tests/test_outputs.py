"""What a model wrote is taken apart as it was meant."""

import pytest

from raft.outputs import parse_answer
from raft.prompts import ANSWER


@pytest.mark.parametrize(
    "text",
    [
        "<ANSWER>: three minutes",
        "<answer>: three minutes",
        "<ANSWER>\uff1a three minutes",
        "<ANSWER>:three minutes</ANSWER>",
        "<ANSWER> three minutes </answer> I hope this helps.",
        "<Answer :> three minutes",
        "**<ANSWER>:** three minutes",
        "It says so. <ANSWER>: an hour. Or rather <ANSWER>: three minutes",
        "It stands in passage 1.\nAnswer: three minutes",
        "## Final answer:\nthree minutes",
    ],
)
def test_an_answer_mark_that_is_nearly_in_form_is_read_as_meant(text: str) -> None:
    parsed = parse_answer(text)
    assert (parsed.answer, parsed.marked, parsed.abstained) == ("three minutes", True, False)


def test_words_that_are_no_mark_are_left_alone() -> None:
    for text in ("the answer: three minutes", "an answer to <b>all</b>: yes", "three minutes"):
        parsed = parse_answer(text)
        assert (parsed.answer, parsed.marked) == (text, False)


@pytest.mark.parametrize(
    "answer",
    [
        "The passages do not answer this.",
        "The passages do not answer this question.",
        "the passages don’t answer the question",
        "The provided context does not mention the fee.",
        "Passage [1] does not say how long.",
        "The documents do not contain this information.",
        "The text doesn't specify an age.",
        "I don't know.",
        "I cannot answer this from the passages.",
        "Sorry, I can't find it.",
        "Not mentioned.",
        "It is not stated in the passages.",
        "No information in the given context",
        "Not enough information.",
        "There is no answer in these passages.",
        "This cannot be determined from the text.",
        "Unanswerable",
    ],
)
def test_a_refusal_in_other_words_is_one(answer: str) -> None:
    assert parse_answer(f"{ANSWER} {answer}").abstained


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "no",
        "not more than 36 bar",
        "No information was lost",
        "They do not answer the phone on Sundays",
        "Whoever does not answer the letter within a month",
        "36 bar, which the passages do not explain",
        "not available on Mondays",
        "The harbour office gives no information by telephone",
        "unknown",
        "The passage from Brill to Dunmarra, which the ferry does not cover in winter while the ice is too thick",
    ],
)
def test_an_answer_with_a_negation_is_no_refusal(answer: str) -> None:
    assert not parse_answer(f"{ANSWER} {answer}").abstained
