"""An answer shows only quotes that really stand where they claim to."""

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raft.answering import Answer, Answerer, CitedSource
from raft.display import print_answer
from raft.errors import InputError, ModelError
from raft.models.generator import Failure
from raft.prompts import REFUSAL
from raft.recipe import AnswerSettings

QUOTED = "[1] ##begin_quote## it may run dry for 40 seconds ##end_quote## <ANSWER>: 40 seconds"
INVENTED = "[1] ##begin_quote## it may run dry for 90 seconds ##end_quote## <ANSWER>: 90 seconds"


def test_a_quote_comes_with_its_file_and_its_place_in_the_document(
    answerer: Answerer, model: Any, documents: dict[str, str]
) -> None:
    model.text = QUOTED
    answer = answerer.answer("How long may P-7 run dry?")
    (quote,) = answer.quotes
    assert answer.answer == "40 seconds"
    assert (quote.source, quote.document_id, quote.title) == ("docs/pump.md", "pump.md", "Pumps")
    assert quote.text == "It may run dry for 40 seconds" == documents["pump.md"][quote.start : quote.end]
    assert quote.passage_id == answer.passages[0].passage.id


def test_words_that_no_passage_holds_are_counted_and_never_shown(answerer: Answerer, model: Any) -> None:
    model.text = INVENTED
    answer = answerer.answer("How long may P-7 run dry?")
    assert (answer.quotes, answer.unverified) == ((), 1)


@pytest.mark.parametrize("number", [0, 2, 4, 17, 99])
def test_true_words_of_another_passage_are_no_quote_of_the_passage_named(
    answerer: Answerer, model: Any, number: int
) -> None:
    model.text = QUOTED.replace("[1]", f"[{number}]")
    answer = answerer.answer("How long may P-7 run dry?")
    assert (answer.quotes, answer.unverified) == ((), 1)


def test_a_quote_said_twice_is_shown_once(answerer: Answerer, model: Any) -> None:
    model.text = QUOTED.replace(" <ANSWER>", " [1] ##begin_quote##It may run dry for 40 seconds##end_quote## <ANSWER>")
    assert len(answerer.answer("How long may P-7 run dry?").quotes) == 1


def test_offsets_count_characters_after_an_emoji_as_before_it(
    answerer: Answerer, model: Any, documents: dict[str, str]
) -> None:
    model.text = "[3] ##begin_quote## Anna's ##end_quote## <ANSWER>: Anna"
    (quote,) = answerer.answer("Whose pump is it?").quotes
    assert documents["pump.md"][quote.start : quote.end] == "Anna's"


@pytest.mark.parametrize("text", [f"<ANSWER>: {REFUSAL}", "<ANSWER>: the passages do not answer this"])
def test_a_refusal_always_reads_the_same(answerer: Answerer, model: Any, text: str) -> None:
    model.text = text
    answer = answerer.answer("Who sank the ferry?")
    assert (answer.answer, answer.abstained) == (REFUSAL, True)


@pytest.mark.parametrize("text", ["", "   "])
def test_an_output_without_an_answer_is_not_passed_off_as_a_refusal(answerer: Answerer, model: Any, text: str) -> None:
    model.text = text
    answer = answerer.answer("Who sank the ferry?")
    assert (answer.answer, answer.abstained) == ("", False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.sampled_from(["[1]", "[3]", "##begin_quote##", "##end_quote##", "<ANSWER>:", "It may", "P-7", "🛟", "is"])
    )
)
def test_every_quote_is_a_slice_of_its_document_whatever_the_model_writes(
    answerer: Answerer, model: Any, documents: dict[str, str], pieces: list[str]
) -> None:
    model.text = " ".join(pieces)
    for quote in answerer.answer("Anything?").quotes:
        assert quote.text == documents[quote.document_id][quote.start : quote.end]


def test_the_prompt_shows_as_many_passages_as_asked_for(answerer: Answerer, model: Any) -> None:
    assert len(answerer.answer("Tea?").passages) == 3
    assert len(answerer.answer("Tea?", top_k=1).passages) == 1
    assert "Tea is served" in model.prompts[0].text
    assert "Tea is served" not in model.prompts[1].text


@pytest.mark.parametrize(
    ("question", "top_k", "message"),
    [
        (" \n", None, "the question is empty"),
        ("x" * 2001, None, "2001 characters, but at most 2000"),
        ("Tea?", 0, "top_k is 0, but a prompt holds 1 to 16 passages"),
        ("Tea?", 17, "top_k is 17"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_before_the_model_runs(
    answerer: Answerer, model: Any, question: str, top_k: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        answerer.answer(question, top_k)
    assert model.prompts == []


def test_an_unsure_answer_is_a_refusal_without_quotes(model: Any, answering: Any) -> None:
    model.text, model.likelihood = QUOTED, math.log(0.6)

    def answered(min_confidence: float) -> Answer:
        return answering(AnswerSettings(top_k=3, min_confidence=min_confidence)).answer("How long may P-7 run dry?")

    sure, unsure = answered(0.59), answered(0.61)
    assert (sure.answer, sure.abstained, len(sure.quotes)) == ("40 seconds", False, 1)
    assert (unsure.answer, unsure.abstained, unsure.quotes, unsure.unverified) == (REFUSAL, True, (), 0)
    model.likelihood = None
    assert answered(0.0).answer == "40 seconds"
    with pytest.raises(ModelError, match=r"likely its answers are: set answer\.min_confidence to 0"):
        answered(0.5)


def test_a_quote_that_runs_over_a_line_is_printed_on_one(capsys: pytest.CaptureFixture[str]) -> None:
    quote = CitedSource("fees.md", "fees.md", "Fees", "seven crowns\n  for each metre", 4, 33, "p")
    print_answer(Answer("How much?", "seven crowns", False, (quote,), 0, (), 0.0))
    assert capsys.readouterr().out.splitlines()[1:3] == [
        '  "seven crowns for each metre"',
        "    fees.md, characters 4 to 33",
    ]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (Failure.CUT_OFF, "(cut off at max_new_tokens 64): raise answer.max_new_tokens"),
        (
            Failure.STILL_THINKING,
            "(cut off at max_new_tokens 64 while the model was thinking): raise answer.max_new_tokens, or set "
            "answer.thinking to false",
        ),
        (Failure.ONLY_THOUGHTS, "(thoughts without an answer): set answer.thinking to false"),
        (Failure.DECLINED, "(the model declined to answer): ask another model"),
        (Failure.CALLED_TOOL, "(a tool call instead of an answer): ask another model"),
        (Failure.NO_TEXT, "(no text): ask another model"),
    ],
)
def test_a_reply_without_an_answer_is_an_error_that_says_why_and_what_to_do(
    model: Any, answering: Any, failure: Failure, message: str
) -> None:
    model.text, model.failure = "", failure
    with pytest.raises(ModelError) as caught:
        answering(AnswerSettings(max_new_tokens=64)).answer("Tea?")
    assert str(caught.value) == f"scripted gave no answer {message}"


def test_an_answer_that_a_content_filter_held_back_is_an_error(answerer: Answerer, model: Any) -> None:
    model.held_back = True
    with pytest.raises(ModelError, match="a content filter held it back"):
        answerer.answer("Tea?")


def test_a_model_is_asked_not_to_think_where_the_setting_says_so(model: Any, answering: Any) -> None:
    answering(AnswerSettings()).answer("Tea?")
    answering(AnswerSettings(thinking=False)).answer("Tea?")
    assert [one.thinking for one in model.decodings] == [True, False]
