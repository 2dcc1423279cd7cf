"""Arms and judges behind an endpoint: kept busy, and never paid for the same answer twice."""

import json
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_endpoint import Endpoint, completion, last_words, serving
from listening import Listener

from raft.answering.cases import Case
from raft.answering.journaled import Models
from raft.answering.respondent import Respondent
from raft.artifacts import read_jsonl
from raft.errors import ModelError
from raft.evaluate import Loaders, evaluate
from raft.evaluate.measures.judging import JUDGEMENT, judge_all
from raft.evaluate.measures.metrics import score_all
from raft.evaluate.predictions import failures_of
from raft.journal import Journal
from raft.models.generator import Decoding, Failure, Generation
from raft.progress import Silent
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, Prompt
from raft.recipe import AnswerSettings
from raft.types import Prediction, Question

CASES = [Case(Question(f"q{n}", f"Which pier is number {n}?", ("none",)), None) for n in range(90)]


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setattr("raft.models.endpoint._pause", lambda *_: None)
    with serving(Endpoint()) as state:
        yield state


def answers(endpoint: Endpoint, path: Path, cases: list[Case] = CASES) -> list[str]:
    with Journal(path) as journal:
        model = Models(journal).open(endpoint.name, None, "id", Decoding())
        return [one.text for one in Respondent(model).answer(cases, Silent(), "")]


def test_an_endpoint_has_as_many_calls_under_way_as_its_pace_allows(
    endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine calls take longer for no fault of the endpoint.
    monkeypatch.setattr("raft.models.pace._SLOWER", math.inf)
    together, changed, served = 40, threading.Condition(), [0, 0]

    def rule(body: dict[str, Any]) -> str:
        with changed:
            served[0] += 1
            # The pace allows 64 at once after 1, 4 and 16 answers; until then 16 may be under way.
            if served[0] > 1 + 4 + 16 + 16:
                served[1] += 1
                changed.notify_all()
                assert changed.wait_for(lambda: served[1] >= together, timeout=20)
        return last_words(body)

    endpoint.rule = rule
    said = answers(endpoint, tmp_path / "journal")
    assert said == [f"Question: Which pier is number {n}?" for n in range(90)]
    assert served == [90, 53]


def test_what_an_endpoint_answered_before_a_fault_is_not_asked_again(endpoint: Endpoint, tmp_path: Path) -> None:
    whole = answers(endpoint, tmp_path / "other")
    endpoint.asked.clear()
    calls = []

    def rule(body: dict[str, Any]) -> str:
        calls.append(1)
        if len(calls) == 30:
            endpoint.faults = [(401, {"error": "no credit left"})] * 999
        return last_words(body)

    endpoint.rule = rule
    with pytest.raises(ModelError, match="no credit left"):
        answers(endpoint, tmp_path / "journal")
    endpoint.faults, endpoint.rule = [], last_words
    kept, refused = len(calls), len(endpoint.asked) - len(calls)
    assert 30 <= kept < 90
    assert answers(endpoint, tmp_path / "journal") == whole
    assert len(endpoint.asked) == 90 + refused
    assert answers(endpoint, tmp_path / "journal") == whole
    assert len(endpoint.asked) == 90 + refused


def test_a_judge_behind_an_endpoint_is_asked_for_each_verdict_once(endpoint: Endpoint, tmp_path: Path) -> None:
    questions = {case.question.id: case.question for case in CASES}
    predictions = [Prediction(id_, "rag", (), "", "", f"pier {id_}", (), False, 0.0) for id_ in questions]
    scores = score_all(questions, predictions)

    def judged() -> tuple[list[str], int]:
        with Journal(tmp_path / "journal") as journal:
            judge = Models(journal).open(endpoint.name, None, "id", JUDGEMENT)
            found = judge_all(questions, predictions, scores, judge, Silent())
        return [one.question_id for one in found.scores if one.metrics.get("judged_correct")], found.failed

    def rule(body: dict[str, Any]) -> str:
        # A reply without an end in sight for one answer; of the others those to even questions are right.
        number = int(last_words(body).rpartition("pier q")[2])
        return "x" if number == 33 else "CORRECT" if number % 2 == 0 else "INCORRECT"

    endpoint.rule = rule
    first = judged()
    assert first == ([f"q{n}" for n in range(0, 90, 2)], 1)
    assert len(endpoint.asked) == 90
    assert judged() == first
    assert len(endpoint.asked) == 90


LABELLED = [
    Case(Question("q1", "Is pier 1 lit?", ("yes",)), None),
    Case(Question("q2", "Which end of pier 2 is lit?", ("aft",), choices=("fore", "aft")), None),
    Case(Question("q3", "Who lights pier 3?", ("Ada",)), None),
]


def labelled(endpoint: Endpoint, path: Path, hold: bool = True) -> list[tuple[str, bool | None]]:
    with Journal(path) as journal:
        model = Models(journal).open(endpoint.name, None, "id", Decoding())
        said = Respondent(model, AnswerSettings(hold_to_labels=hold)).answer(LABELLED, Silent(), "")
    return [(one.text, one.label_constrained) for one in said]


def test_an_endpoint_is_told_the_labels_and_held_to_them_by_a_schema(endpoint: Endpoint, tmp_path: Path) -> None:
    def rule(body: dict[str, Any]) -> str:
        if "response_format" not in body:
            return f"{ANSWER} Ada"
        labels = body["response_format"]["json_schema"]["schema"]["properties"]["answer"]["enum"]
        assert last_words(body).endswith("Choices:" + "".join(f"\n- {one}" for one in labels[:-1]))
        return json.dumps({"quotes": "", "answer": labels[1]})

    endpoint.rule = rule
    assert labelled(endpoint, tmp_path / "journal") == [
        (f"{ANSWER} no", True), (f"{ANSWER} aft", True), (f"{ANSWER} Ada", None),
    ]  # fmt: skip
    assert labelled(endpoint, tmp_path / "free", hold=False) == [(f"{ANSWER} Ada", None)] * 3


def test_an_endpoint_that_takes_no_schema_or_ignores_it_is_not_said_to_be_held(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.rule = lambda body: '{"quotes": "", "answer": "yes"}' if "Is" in last_words(body) else f"{ANSWER} aft."
    ignored = [(f"{ANSWER} yes", True), (f"{ANSWER} aft.", False), (f"{ANSWER} aft.", None)]
    assert labelled(endpoint, tmp_path / "journal") == ignored
    endpoint.faults = [(400, {"error": "no such field"})]
    refused = [(f"{ANSWER} yes", False), *ignored[1:]]
    assert labelled(endpoint, tmp_path / "other") == refused


def test_an_evaluation_says_which_arms_were_held_to_labels(world: Any, tmp_path: Path) -> None:
    """Those of a local model that can be; the models by rule say what they like."""

    load = world.load

    def holding(name: str, folder: Path | None) -> Any:
        model = load(name, folder)
        if folder is None:
            write = model.generate

            def held(prompts: list[Prompt], *others: Any) -> list[Generation]:
                written = zip(prompts, write(prompts, *others), strict=True)
                return [replace(one, structured=True if prompt.choices else None) for prompt, one in written]

            model.generate = held
        return model

    world.load = holding

    def run(out: Path, **changes: Any) -> Any:
        made = world.evaluate(out, questions=questions, answer=world.answer.model_copy(update=changes))
        return made.summary["label_constrained"], (out / "report.md").read_text(encoding="utf-8")

    lit = [Question(f"lit{n}", f"Is the lamp of pier {n} red?", ("no",), (f"{n}.md",)) for n in (1, 2)]
    questions = [*world.questions, *lit]
    held, report = run(tmp_path / "held")
    assert held["rag"] == held["base"] == {"held": 2, "free": 0}
    assert held["raft"] == held["dsf"] == {"held": 0, "free": 2}
    assert "all: base, rag; none: dsf, dsf+rag, raft." in report
    free, report = run(tmp_path / "free", hold_to_labels=False)
    assert set(map(str, free.values())) == {"{'held': 0, 'free': 2}"}
    questions = world.questions
    none, report = run(tmp_path / "open")
    assert none == {}
    assert "decoding held" not in report


def behind(
    endpoint: Endpoint, world: Any, out: Path, judge: str = "", **changes: Any
) -> tuple[Any, list[str], list[dict[str, Any]]]:
    """An evaluation of a model behind the endpoint: its summary, its notes, and the answers of rag."""
    settings, answer = world.settings.model_copy(update={"judge": judge}), world.answer.model_copy(update=changes)
    listener = Listener()
    spec = world.spec(models={}, base_model=endpoint.name, settings=settings, answer=answer)
    made = evaluate(spec, out, listener, Loaders(world.open_index))
    rows = [row for _, row in read_jsonl(out / "predictions.jsonl") if row["arm"] == "rag"]
    return made.summary, listener.notes, rows


def test_worked_turns_are_messages_and_the_first_line_of_a_reply_is_its_answer(
    endpoint: Endpoint, world: Any, tmp_path: Path
) -> None:
    endpoint.rule = lambda body: "red\n\nI say so because of passage 1."
    summary, _, rows = behind(endpoint, world, tmp_path / "evaluation", prompt="worked")
    roles = {tuple(message["role"] for message in body["messages"]) for body in endpoint.asked}
    assert roles == {("system", "user", "assistant", "user", "assistant", "user")}
    assert {(row["text"], row["answer"]) for row in rows} == {("red", "red")}
    assert summary["prompts"]["used"] == {"base": {"prompt": "worked", "why": "as answer.prompt says"}}


def test_half_an_emoji_in_every_reply_ends_no_evaluation(endpoint: Endpoint, world: Any, tmp_path: Path) -> None:
    endpoint.rule = lambda body: f"{ANSWER} red \ud83d"
    summary, notes, rows = behind(endpoint, world, tmp_path / "evaluation")
    assert {row["answer"] for row in rows} == {"red \ufffd"}
    assert summary["questions"] == 10
    assert [note for note in notes if "count" in note] == []


def test_labels_with_half_an_emoji_beside_them_are_read(endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.rule = lambda body: r'{"quotes": "\ud83d", "answer": "yes"}' if "Is" in last_words(body) else "\x00"
    assert labelled(endpoint, tmp_path / "journal")[0] == (f"\ufffd {ANSWER} yes", True)
    assert "\ufffd" in (tmp_path / "journal").read_text(encoding="utf-8")


def test_answers_that_were_cut_off_count_as_wrong_in_their_form_and_are_told(
    endpoint: Endpoint, world: Any, tmp_path: Path
) -> None:
    quoted = f"[1] {BEGIN_QUOTE}Pier 0 {END_QUOTE} {ANSWER} red, as"
    endpoint.faults = [(200, completion(quoted, "length"))] * 20
    summary, notes, rows = behind(endpoint, world, tmp_path / "evaluation", max_new_tokens=64)
    told = "count as wrong for {} (cut off at max_new_tokens 64): raise answer.max_new_tokens"
    assert [note for note in notes if "wrong" in note] == [
        f"evaluation: 10 answers {told.format(arm)}" for arm in ("base", "rag")
    ]
    assert summary["arms"]["rag"]["f1"]["mean"] == summary["arms"]["rag"]["refused"]["mean"] == 0
    assert {(row["answer"], row["abstained"], row["text"]) for row in rows} == {("", False, quoted)}
    assert {row["outcome"] for _, row in read_jsonl(tmp_path / "evaluation" / "outcomes.jsonl")} == {"format"}
    (quote,) = next(row for row in rows if row["question_id"] == "q0")["quotes"]
    assert quote["text"] == "Pier 0"


@pytest.mark.parametrize(
    "thoughts", ["<think>\nOkay, the lamp", f"<think>\nThe form is {ANSWER} and the answer. red", None]
)
def test_thoughts_are_never_an_answer_in_an_evaluation(
    endpoint: Endpoint, world: Any, tmp_path: Path, thoughts: str | None
) -> None:
    cut = completion(thoughts, "length")
    cut["choices"][0]["message"]["reasoning_content"] = "" if thoughts else "Okay, the lamp is red"
    endpoint.faults = [(200, cut)] * 20
    summary, notes, rows = behind(endpoint, world, tmp_path / "evaluation")
    assert {(row["answer"], row["text"]) for row in rows} == {("", "")}
    assert summary["arms"]["rag"]["f1"]["mean"] == 0
    assert "while the model was thinking): raise answer.max_new_tokens, or set answer.thinking to false" in notes[-1]


def test_models_and_judge_are_asked_not_to_think_where_the_setting_says_so(
    endpoint: Endpoint, world: Any, tmp_path: Path
) -> None:
    endpoint.rule = lambda body: f"{ANSWER} reddish"
    behind(endpoint, world, tmp_path / "usual", judge=endpoint.name)
    assert all("reasoning_effort" not in body for body in endpoint.asked)
    endpoint.asked.clear()
    endpoint.rule = lambda body: "INCORRECT" if body["max_tokens"] == 16 else f"{ANSWER} reddish"
    behind(endpoint, world, tmp_path / "silent", judge=endpoint.name, thinking=False)
    assert {body["max_tokens"] for body in endpoint.asked} == {16, 128}
    assert all(body["reasoning_effort"] == "none" for body in endpoint.asked)


def test_failures_of_a_model_on_this_machine_come_back_from_its_journal(tmp_path: Path, world: Any) -> None:
    """A back-end of the user's own may have them too."""
    model = world.load("mini", None)
    model.generate = lambda prompts, *_: [Generation("", 0.1, failure=Failure.CUT_OFF, unused="re")] * len(prompts)
    for _ in range(2):
        with Journal(tmp_path / "journal") as journal:
            noted = Models(journal, lambda *_: model).open("mini", None, "id", Decoding())
            respondent = Respondent(noted)
            (said,) = respondent.answer(CASES[:1], Silent(), "")
            assert (said.text, said.answer, failures_of([said])) == ("re", "", {Failure.CUT_OFF: 1})
        model.generate = None
