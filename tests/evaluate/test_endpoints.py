"""Arms and judges behind an endpoint: kept busy, and never paid for the same answer twice."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_endpoint import Endpoint, last_words, serving

from raft.errors import ModelError
from raft.evaluate.answering import Case, Respondent
from raft.evaluate.judging import JUDGEMENT, judge_all
from raft.evaluate.metrics import score_all
from raft.evaluate.noting import Models
from raft.journal import Journal
from raft.models.generator import Decoding
from raft.progress import Silent
from raft.types import Prediction, Question

CASES = [Case("ours", Question(f"q{n}", f"Which pier is number {n}?", ("none",)), None) for n in range(90)]


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
