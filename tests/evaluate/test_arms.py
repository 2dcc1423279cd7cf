"""All arms are asked the same questions with the same passages and the same decoding."""

from typing import Any

import pytest

from raft.evaluate.arms import arms_for, predict
from raft.models.generator import Decoding
from raft.progress import Silent
from raft.prompts import PromptStyle, closed_book_prompt, passages_prompt
from raft.types import Prediction, Question

DECODING = Decoding(max_new_tokens=32, seed=7)
QUESTIONS = [Question("q4", "What colour is the lamp of pier 4?", ("violet",)), Question("n", "Who paints pier 1?")]


@pytest.fixture
def predictions(harbour: Any, rule_models: Any) -> list[Prediction]:
    retrieved = harbour.retrieve([question.text for question in QUESTIONS], 2)
    return predict(arms_for(["dsf", "raft"]), QUESTIONS, retrieved, rule_models, DECODING, Silent())


@pytest.mark.parametrize(
    ("models", "names"),
    [
        ([], ["base", "rag"]),
        (["raft"], ["base", "rag", "raft"]),
        (["dsf"], ["base", "rag", "dsf", "dsf+rag"]),
        (["raft", "dsf"], ["base", "rag", "dsf", "dsf+rag", "raft"]),
    ],
)
def test_an_arm_takes_part_if_its_model_is_given(models: list[str], names: list[str]) -> None:
    assert [arm.name for arm in arms_for(models)] == names


def test_all_arms_answer_the_same_ids_with_the_same_decoding(predictions: list[Prediction], rule_models: Any) -> None:
    for arm in arms_for(["dsf", "raft"]):
        assert [one.question_id for one in predictions if one.arm == arm.name] == ["q4", "n"]
    assert {decoding for model in rule_models.values() for decoding in model.decodings} == {DECODING}


def test_retrieving_arms_share_their_prompt_and_the_others_see_no_passage(
    predictions: list[Prediction], harbour: Any
) -> None:
    said = {one.arm: one for one in predictions if one.question_id == "q4"}
    shown = [harbour.passage(4), harbour.passage(5)]
    for arm in ("rag", "dsf+rag", "raft"):
        assert said[arm].prompt == passages_prompt(QUESTIONS[0].text, shown, PromptStyle.COMPACT).text
        assert said[arm].passage_ids == ("p4", "p5")
    for arm in ("base", "dsf"):
        assert said[arm].prompt == closed_book_prompt(QUESTIONS[0].text, PromptStyle.COMPACT).text
        assert said[arm].passage_ids == ()


def test_a_quote_is_kept_only_where_it_stands_in_its_passage(predictions: list[Prediction], harbour: Any) -> None:
    said = {one.arm: one for one in predictions if one.question_id == "q4"}
    (quote,) = said["raft"].quotes
    assert quote.text == "The lamp of pier 4 burns violet"
    assert harbour.passage(4).text[quote.start : quote.end] == quote.text
    assert said["rag"].quotes == ()
    assert said["rag"].answer == "it is violet I think"


def test_a_refusal_is_recorded_as_one(predictions: list[Prediction]) -> None:
    assert [one.arm for one in predictions if one.abstained] == ["raft"]
