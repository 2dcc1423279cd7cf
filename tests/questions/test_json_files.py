"""JSON and JSON Lines in the ways in which tools wrap them, and mistakes that JSON itself lets pass."""

import json
from pathlib import Path
from typing import Any

import pytest

from raft.errors import InputError
from raft.questions import read_questions
from raft.types import Question

A = {"id": "a", "question": "A?", "answers": ["x"]}
B = {"id": "b", "question": "B?", "answers": ["y"]}
BOTH = [Question("a", "A?", ("x",)), Question("b", "B?", ("y",))]


def saved(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("name", ["q.json", "q.jsonl", "q.ndjson", "q.txt", "q"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "text",
    [
        f"{json.dumps(A)}\n{json.dumps(B)}\n",
        f"\r\n{json.dumps(A)}\r\n\r\n{json.dumps(B)}",
        json.dumps([A, B]),
        json.dumps([A, B], indent=2),
        json.dumps({"questions": [A, B]}),
        json.dumps({"version": 1, "data": [A, B]}, indent=2),
        json.dumps({name: [A[name], B[name]] for name in A}),
        json.dumps({name: {"0": A[name], "1": B[name]} for name in A}),
    ],
    ids=["lines", "windows", "list", "indented", "named", "data", "columns", "pandas"],
)
def test_json_is_read_whatever_its_name_its_mark_and_its_wrapping(
    tmp_path: Path, name: str, encoding: str, text: str
) -> None:
    assert read_questions(saved(tmp_path / name, text, encoding)) == BOTH


def test_a_list_of_conversations_may_stand_under_a_name(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "x"}], "accepted": True}
    (question,) = read_questions(saved(tmp_path / "q.json", json.dumps({"conversations": [row]})))
    assert (question.text, question.answers) == ("Q?", ("x",))


@pytest.mark.parametrize(
    ("whole", "complaint"),
    [
        ({"train": [A], "test": [B]}, " holds several lists of questions (train, test): save one of them as a file"),
        ({"questions": [A, 7]}, ", questions[1]: expected a JSON object"),
        ({"questions": [A, {"id": "b"}]}, ", questions[1]: 'question' is missing"),
        ({"questions": [A, A]}, ", questions[1]: id 'a' is already used in questions[0]"),
        (
            {"question": ["A?", "B?"], "answer": ["x"]},
            ": 'question' has 2 values, but 'answer' has not: make them match",
        ),
        ({"question": ["A?"], "answer": "x"}, ": 'question' has 1 values, but 'answer' has not: make them match"),
    ],
)
def test_a_wrapping_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, whole: Any, complaint: str) -> None:
    path = saved(tmp_path / "q.json", json.dumps(whole))
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}{complaint}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ({"answer": "x"}, ("x",)),
        ({"answer": "x | y; z"}, ("x | y; z",)),
        ({"answer": ["x", "y"]}, ("x", "y")),
        ({"answer": 3}, ("3",)),
        ({"answer": 3.0}, ("3",)),
        ({"answers": [3, 1.5, "x"]}, ("3", "1.5", "x")),
        ({"answers": "['x', 'y']"}, ("x", "y")),
        ({"answers": {"text": ["x"], "answer_start": [0]}}, ("x",)),
        ({"answers": {"text": "x"}}, ("x",)),
        ({"answers": ["x"], "answer": "y"}, ("x",)),
        ({"answers": ["x"], "answer": None, "context": float("nan"), "document_ids": None}, ("x",)),
        ({"ground_truth": "x"}, ("x",)),
        ({"ground_truths": ["x", "y"]}, ("x", "y")),
    ],
)
def test_an_answer_may_be_one_or_several_and_a_number(tmp_path: Path, fields: dict[str, Any], answers: Any) -> None:
    path = saved(tmp_path / "q.jsonl", json.dumps({"id": "a", "question": "Q?", **fields}))
    assert read_questions(path) == [Question("a", "Q?", answers)]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"answer": True}, "'answers' must be a list of non-empty texts, not [True]"),
        ({"answer": float("inf")}, "'answers' must be a list of non-empty texts, not [inf]"),
        ({"answer": float("nan")}, "'answers' is missing or empty"),
        ({"answer": ""}, "'answers' is missing or empty"),
        ({"answers": ["x", None]}, "'answers' must be a list of non-empty texts, not ['x', None]"),
        ({"answers": [["x"]]}, "'answers' must be a list of non-empty texts, not [['x']]"),
        ({"response": "x"}, "'answers' is missing or empty (found besides the known fields: response)"),
        ({"answers": ["half \ud83d"]}, "'answers' contains half a character (\\ud83d)"),
        ({"answers": ["x"], "context": "\udc00"}, "'context' contains half a character (\\udc00)"),
        ({"answers": ["x"], "question": "\ud83d?"}, "'question' contains half a character"),
        ({"answers": ["x"], "id": "\ud83d"}, "'id' contains half a character"),
        ({"answers": ["x"], "document_ids": ["\ud83d"]}, "'document_ids' contains half a character"),
    ],
)
def test_what_is_no_answer_is_named(tmp_path: Path, fields: dict[str, Any], complaint: str) -> None:
    path = saved(tmp_path / "q.jsonl", json.dumps({"id": "a", "question": "Q?", **fields}))
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}, line 1: {complaint}")
    assert str(caught.value).encode()


def test_half_an_emoji_in_a_field_that_is_left_alone_does_no_harm(tmp_path: Path) -> None:
    assert read_questions(saved(tmp_path / "q.jsonl", json.dumps({**A, "note": "half \ud83d"}))) == BOTH[:1]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("q.jsonl", '{"id": "a", "answers": ["x"], "answers": ["y"]}', ", line 1: the field 'answers' is there twice"),
        ("q.json", '[{"id": "a", "answers": ["x"], "answers": ["y"]}]', ": the field 'answers' is there twice"),
        ("q.jsonl", '{"id": "a", "Answers": ["x"], "answers": ["y"]}', ", line 1: it has two fields 'answers'"),
        ("q.jsonl", f'{json.dumps(A)}\n{{"id": {"[" * 100_000}', ", line 2: it is nested too deeply"),
        ("q.json", "[" * 100_000, ": it is nested too deeply"),
        ("q.jsonl", f'{json.dumps(A)}\n{{"id": {"1" * 5_000}}}', ", line 2: a number in it has too many digits"),
        ("q.jsonl", '[\n{"id": "a",\n"question" "Q?"}]', ", line 3: not valid JSON"),
        ("q.jsonl", '{"id": "a", "question": "Q?",\n', ", line 1: not valid JSON"),
        ("q.jsonl", '"a"\n"b"', ", line 1: expected a JSON object"),
        ("q.txt", "question;answer\nQ?;x\n", ", line 1: not valid JSON (Expecting value): correct that line, or name"),
    ],
)
def test_json_that_cannot_be_meant_is_named_by_its_line(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    path = saved(tmp_path / name, text)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}{complaint}")
    assert "\n" not in str(caught.value)


def test_fields_that_are_left_alone_may_stand_twice(tmp_path: Path) -> None:
    path = saved(tmp_path / "q.jsonl", '{"id": "a", "question": "A?", "answers": ["x"], "note": 1, "note": 2}')
    assert read_questions(path) == BOTH[:1]


def test_rows_of_ragas_need_no_id_in_json_and_others_do(tmp_path: Path) -> None:
    (question,) = read_questions(saved(tmp_path / "q.jsonl", '{"user_input": "Q?", "reference": "x"}'))
    assert (question.text, question.answers, len(question.id)) == ("Q?", ("x",), 16)
    with pytest.raises(InputError, match="'id' is missing"):
        read_questions(saved(tmp_path / "own.jsonl", '{"question": "Q?", "answers": ["x"]}'))


def test_an_id_keeps_its_characters_composed_or_not(tmp_path: Path) -> None:
    for document_id in ("m\u00fcll.md", "mu\u0308ll.md"):
        row = {**A, "document_ids": [document_id]}
        assert read_questions(saved(tmp_path / "q.jsonl", json.dumps(row)))[0].document_ids == (document_id,)
