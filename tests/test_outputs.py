"""What a model wrote is taken apart as it was meant."""

import pytest

from raft.outputs import parse_answer
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, CitedQuote


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
        "`<ANSWER>`: three minutes",
        "\uff1cANSWER\uff1e\uff1athree minutes",
        "[ANSWER]: three minutes",
        "ANSWER>: three minutes",
        "<ANSWER/>: three minutes",
        "</ANSWER>: three minutes",
        "&lt;ANSWER&gt;: three minutes",
        "- Answer: three minutes",
        "<ANSWER>: three minutes <ANSWER>:",
        "<ANSWER>: three minutes\n</answer>\n<ANSWER>",
        "<ANSWER>:\n\nthree minutes\n\nExplanation: passage 1 says so.",
    ],
)
def test_an_answer_mark_that_is_nearly_in_form_is_read_as_meant(text: str) -> None:
    parsed = parse_answer(text)
    assert (parsed.answer, parsed.marked, parsed.abstained) == ("three minutes", True, False)


def test_an_answer_may_speak_of_a_tag_and_a_closing_mark_alone_is_taken_off() -> None:
    assert parse_answer("<ANSWER>: Use the tag <answer> in XML").answer == "Use the tag <answer> in XML"
    assert parse_answer("36 bar</ANSWER>").answer == "36 bar"


def test_odd_and_long_outputs_are_read_in_no_time() -> None:
    for text in ("*" * 50_000, "_" * 50_000, "<" * 50_000, "[" + "9" * 5_000 + "]##begin_quote##x##end_quote##"):
        assert not parse_answer(text).marked


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
        "There is not enough information to answer the question.",
        "None of the passages answer this.",
        "No passage answers this.",
        "The passages contain no answer.",
        "The passages provide no information on this.",
        "The answer is not in the passages.",
        "The answer cannot be found in the passages.",
        "Based on the passages, the answer is not stated.",
        "The maximum pressure is not stated.",
        "The price is not mentioned in the passages.",
        "The information is not available.",
        "Cannot be determined.",
        "Unable to answer",
        "I'm unable to answer.",
        "The question can't be answered",
        "It isn't mentioned.",
        "There is no mention of a price.",
        "Nothing in the passages answers this.",
        "No relevant information was found.",
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
        "The passages do not state it explicitly, but the pressure is 36 bar",
        "I do not know, but 36 bar is usual",
        "The context does not answer this; however the answer is 5 bar.",
        "The text does not contain sulphites",
        "The warranty document does not cover water damage",
        "The documents do not include the invoice",
        "We do not provide refunds",
        "We cannot provide spare parts",
        "The light source does not have a filter",
        "the document does not have to be signed",
        "This cannot be answered by phone",
        "Not Found",
        "Not included",
        "not covered",
        "Not available from the source of the river",
        "The passage from Brill to Dunmarra, which the ferry does not cover in winter while the ice is too thick",
    ],
)
def test_an_answer_with_a_negation_is_no_refusal(answer: str) -> None:
    assert not parse_answer(f"{ANSWER} {answer}").abstained


def test_quotes_may_stand_behind_the_answer() -> None:
    first, second = f"[2] {BEGIN_QUOTE} It stops at 36 bar. {END_QUOTE}", f"[1] {BEGIN_QUOTE}36 bar{END_QUOTE}"
    parsed = parse_answer(f"<ANSWER>: 36 bar {first} {second}")
    assert (parsed.answer, parsed.reasoning, parsed.marked) == ("36 bar", "", True)
    assert parsed.quotes == (CitedQuote(2, "It stops at 36 bar."), CitedQuote(1, "36 bar"))
    around = parse_answer(f"{second} <ANSWER>: 36 bar {first}")
    assert (around.answer, [quote.number for quote in around.quotes]) == ("36 bar", [1, 2])
    # One that was cut off is a claim all the same, and an answer that is a quote stays one.
    assert parse_answer(f"<ANSWER>: 36 bar [2] {BEGIN_QUOTE} It stops").quotes == (CitedQuote(2, "It stops"),)
    assert parse_answer(f"<ANSWER>: {second}").quotes == ()
    assert parse_answer(f"<ANSWER>: The passages do not answer this. {first}").abstained
