"""SQuAD files: every question with its paragraph, and mistakes named by the way to them."""

import json
from pathlib import Path
from typing import Any

import pytest

from raft.errors import InputError
from raft.questions import read_questions
from raft.types import Question

PUMPS = "The Merrow 45 stops at 36 bar."


def squad(path: Path, *asked: dict[str, Any], context: Any = PUMPS) -> Path:
    paragraphs = [{"context": context, "qas": list(asked)}]
    path.write_text(json.dumps({"version": "v2.0", "data": [{"title": "Pumps", "paragraphs": paragraphs}]}))
    return path


def test_a_paragraph_is_the_context_of_its_questions_and_a_repeated_answer_counts_once(tmp_path: Path) -> None:
    answers = [{"text": "36 bar", "answer_start": 23}, {"text": "36 bar", "answer_start": 23}, {"text": "36"}]
    path = squad(tmp_path / "dev-v1.1.json", {"id": "5733be", "question": "When does it stop?", "answers": answers})
    assert read_questions(path) == [Question("5733be", "When does it stop?", ("36 bar", "36"), context=PUMPS)]


def test_an_impossible_question_is_unanswerable_whatever_seems_plausible(tmp_path: Path) -> None:
    impossible = {"id": "a", "question": "Who built it?", "answers": [], "is_impossible": True}
    plausible = {"plausible_answers": [{"text": "Merrow", "answer_start": 4}]}
    possible = {"id": 7, "question": "When?", "answers": [{"text": "36 bar"}], "is_impossible": False}
    path = squad(tmp_path / "dev-v2.0.json", impossible | plausible, possible)
    assert read_questions(path) == [
        Question("a", "Who built it?", context=PUMPS, unanswerable=True),
        Question("7", "When?", ("36 bar",), context=PUMPS),
    ]


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"id": "b", "question": "Q?", "answers": []}, "'answers' is missing or empty"),
        ({"id": "b", "question": "Q?"}, "'answers' is missing or empty"),
        ({"question": "Q?", "answers": [{"text": "x"}]}, "'id' is missing"),
        ({"id": "b", "answers": [{"text": "x"}]}, "'question' is missing"),
        ({"id": "b", "question": "Q?", "answers": [{"answer": "x"}]}, "'answers' must be a list of non-empty texts"),
        ({"id": "b", "question": "Q?", "answers": [{"text": "x"}], "is_impossible": True}, "has answers and is marked"),
        ({"id": "b", "question": "Q?", "answers": [], "is_impossible": "yes"}, "'is_impossible' must be true or false"),
        ({"id": "a", "question": "Q?", "answers": [{"text": "x"}]}, "already used in data[0].paragraphs[0].qas[0]"),
        ("Q?", "expected a JSON object"),
    ],
)
def test_a_bad_question_is_named_by_the_way_to_it(tmp_path: Path, asked: Any, complaint: str) -> None:
    path = squad(tmp_path / "squad.json", {"id": "a", "question": "Q?", "answers": [{"text": "x"}]}, asked)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}, data[0].paragraphs[0].qas[1]: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("whole", "complaint"),
    [
        ({"data": [{"title": "Pumps"}]}, ", data[0]: 'paragraphs' is no list"),
        ({"data": [{"paragraphs": [{"context": PUMPS}]}]}, ", data[0].paragraphs[0]: 'qas' is no list"),
        ({"data": [{"paragraphs": [{"qas": [{}]}]}]}, ", data[0].paragraphs[0].qas[0]: its paragraph has no text"),
        ({"data": []}, " holds no questions"),
    ],
)
def test_another_structure_is_refused_where_it_begins(tmp_path: Path, whole: Any, complaint: str) -> None:
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(whole))
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}{complaint}")
