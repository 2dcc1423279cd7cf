"""All arms are asked the same questions with the same passages and the same decoding."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from raft.answering.journaled import JournaledModel
from raft.answering.respondent import Respondent
from raft.errors import InputError
from raft.evaluate.plan.arms import FEW_SHOT, ORACLE, Shown, arms_for, cases_for, read_arm
from raft.evaluate.predictions import predictions_of
from raft.journal import Journal
from raft.models.generator import Decoding
from raft.progress import Silent
from raft.prompts import (
    PromptStyle,
    WorkedExample,
    closed_book_prompt,
    few_shot_prompt,
    passages_prompt,
    plain_target,
)
from raft.types import Arm, Context, Prediction, Question

DECODING = Decoding(max_new_tokens=32, seed=7)
QUESTIONS = [Question("q4", "What colour is the lamp of pier 4?", ("violet",)), Question("n", "Who paints pier 1?")]


def answers(arms: Iterable[Arm], harbour: Any, models: Any, folder: Path, **shown: Any) -> list[Prediction]:
    hits = harbour.retrieve([question.text for question in QUESTIONS], 2)
    retrieved = {q.id: tuple(hit.passage for hit in found) for q, found in zip(QUESTIONS, hits, strict=True)}
    with Journal(folder / "journal.jsonl") as journal:
        respondents = {
            name: Respondent(JournaledModel(model, name, DECODING, journal)) for name, model in models.items()
        }
        return [
            prediction
            for arm in arms
            for cases in [cases_for(arm, QUESTIONS, Shown(retrieved, **shown))]
            for prediction in predictions_of(arm.name, cases, respondents[arm.model].answer(cases, Silent(), arm.name))
        ]


@pytest.fixture
def predictions(harbour: Any, rule_models: Any, tmp_path: Path) -> list[Prediction]:
    return answers(arms_for(["dsf", "raft"]), harbour, rule_models, tmp_path)


@pytest.mark.parametrize(
    ("models", "names"),
    [
        ([], ["base", "rag"]),
        (["raft"], ["base", "rag", "raft"]),
        (["dsf"], ["base", "rag", "dsf", "dsf+rag"]),
        (["raft", "dsf"], ["base", "rag", "dsf", "dsf+rag", "raft"]),
        (["raft-no-cot", "dsf-cot"], ["base", "rag", "dsf-cot", "raft-no-cot"]),
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


def test_the_oracle_arm_shows_the_passage_that_answers_and_leaves_out_what_has_none(
    harbour: Any, rule_models: Any, tmp_path: Path
) -> None:
    said = answers([ORACLE], harbour, rule_models, tmp_path, oracles={"q4": harbour.passage(4)})
    assert [(one.question_id, one.passage_ids) for one in said] == [("q4", ("p4",))]


@pytest.mark.parametrize("style", PromptStyle)
def test_worked_examples_stand_before_the_question_and_are_not_among_its_passages(
    harbour: Any, style: PromptStyle
) -> None:
    worked = [WorkedExample(f"What burns on pier {n}?", [harbour.passage(n)], plain_target("x"), "x") for n in (6, 7)]
    shown = [harbour.passage(4), harbour.passage(5)]
    prompt, bare = few_shot_prompt(worked, "Q?", shown, style), passages_prompt("Q?", shown, style)
    assert prompt.text.endswith(bare.user[0].text + "".join(segment.text for segment in bare.user[1:]))
    assert prompt.text.index("pier 6") < prompt.text.index("<ANSWER>: x") < prompt.text.index("pier 7")
    assert prompt.passages == bare.passages == tuple(passage.text for passage in shown)


def test_an_equal_prompt_is_answered_once_whatever_arm_asks(harbour: Any, rule_models: Any, tmp_path: Path) -> None:
    twin = Arm("twin", "base", Context.RETRIEVED)
    base = rule_models["base"]
    said = answers([*arms_for([]), twin], harbour, {"base": base}, tmp_path)
    assert len(base.decodings) == 2  # one call without passages and one with them
    assert [one.text for one in said if one.arm == "twin"] == [one.text for one in said if one.arm == "rag"]


def test_an_arm_is_named_or_spelt_out() -> None:
    assert [read_arm("oracle", ()), read_arm("few-shot", ())] == [ORACLE, FEW_SHOT]
    arm = read_arm("a=openai:m,x@http://localhost:1/v1,none", ())
    assert arm == Arm("a", "openai:m,x@http://localhost:1/v1", Context.NONE)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("best", "there is no arm 'best'"),
        ("a=mini", "is not NAME=MODEL,CONTEXT"),
        ("a=mini,all", "none, retrieved, oracle as the context"),
        ("=mini,none", "is not NAME=MODEL,CONTEXT"),
        ("rag=mini,none", "one of raft's own arms"),
        ("oracle", "two arms are called 'oracle'"),
    ],
)
def test_an_arm_that_is_neither_is_an_error(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        read_arm(text, ["oracle"])
    assert "\n" not in str(caught.value)
