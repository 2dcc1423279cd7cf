"""Chat logs: the question before each accepted answer, and a count of what has none."""

import json
from pathlib import Path
from typing import Any

import pytest

from raft.errors import InputError
from raft.questions import LeftOut, read_question_file, read_questions
from raft.questions.rows import Omission

ASK = {"role": "user", "content": "How far is it?"}
ANSWER = {"role": "assistant", "content": "12 miles"}
MORE = [{"role": "user", "content": "Who says so?"}, {"role": "assistant", "content": "Ilse", "id": "m4"}]


def log(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pairs(path: Path) -> list[tuple[str, str]]:
    return [(question.text, *question.answers) for question in read_questions(path)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"accepted": True}, [("Who says so?", "Ilse")]),
        ({"accepted": 1}, [("How far is it?", "12 miles")]),
        ({"accepted": "m4"}, [("Who says so?", "Ilse")]),
        ({"accepted": [1, "m4"]}, [("How far is it?", "12 miles"), ("Who says so?", "Ilse")]),
        ({"rating": "thumbs_up"}, [("Who says so?", "Ilse")]),
        ({"accepted": None, "rating": None, "score": 1.0}, [("Who says so?", "Ilse")]),
    ],
)
def test_a_conversation_says_which_answer_was_accepted(
    tmp_path: Path, fields: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert pairs(log(tmp_path / "log.jsonl", {"messages": [ASK, ANSWER, *MORE], **fields})) == expected


@pytest.mark.parametrize("mark", [{"accepted": True}, {"rating": "up"}, {"score": 1}, {"accepted": True, "score": 4}])
def test_a_message_says_that_it_was_accepted(tmp_path: Path, mark: dict[str, Any]) -> None:
    path = log(tmp_path / "log.jsonl", {"messages": [ASK, ANSWER | mark, *MORE]})
    assert pairs(path) == [("How far is it?", "12 miles")]


def test_what_has_no_accepted_answer_is_left_out_and_counted_with_its_reason(tmp_path: Path) -> None:
    image = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, {"type": "image_url"}]}
    path = log(
        tmp_path / "log.jsonl",
        {"messages": [ASK, ANSWER]},
        {"messages": [ASK, ANSWER], "accepted": True},
        {"messages": [ASK, ANSWER], "rating": "down"},
        {"messages": [ANSWER], "accepted": True},
        {"messages": [image, ANSWER], "accepted": True},
        {"messages": [ASK, ANSWER], "accepted": 1},
        {"messages": []},
    )
    file = read_question_file(path)
    assert len(file.questions) == 1
    assert file.left_out == (
        LeftOut("line 1", Omission.NOT_ACCEPTED, "How far is it?"),
        LeftOut("line 3", Omission.NOT_ACCEPTED, "How far is it?"),
        LeftOut("line 4", Omission.NO_QUESTION, "12 miles"),
        LeftOut("line 5", Omission.NOT_TEXT, ""),
        LeftOut("line 6", Omission.REPEATED, "How far is it?"),
        LeftOut("line 7", Omission.NOT_ACCEPTED, ""),
    )
    assert file.omissions["no accepted answer"] == 3


def test_a_log_in_which_nothing_was_accepted_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no questions \(0 questions, 1 left out \(1 x no accepted answer\)\)"):
        read_questions(log(tmp_path / "log.jsonl", {"messages": [ASK, ANSWER]}))


def test_calls_of_tools_and_parts_of_text_stand_between_question_and_answer(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": " How far "}, {"type": "text", "text": "is it?"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
        {"role": "tool", "content": "12", "tool_call_id": "c1"},
        {"role": "assistant", "content": "12 miles\n"},
    ]
    (tmp_path / "log.json").write_text(json.dumps({"id": "talk", "messages": messages, "accepted": True}))
    (question,) = read_questions(tmp_path / "log.json")
    assert (question.id, question.text, question.answers) == ("talk/4", "How far is it?", ("12 miles",))


@pytest.mark.parametrize(
    "content",
    [
        "How far is it?",
        ["How far ", "is it?"],
        [{"text": "How far is it?"}],
        [{"type": "input_text", "text": "How far "}, {"type": "text", "text": {"value": "is it?", "annotations": []}}],
    ],
)
def test_content_may_be_a_text_or_parts_of_one(tmp_path: Path, content: Any) -> None:
    row = {"messages": [{"role": "user", "content": content}, ANSWER], "accepted": True}
    assert pairs(log(tmp_path / "log.jsonl", row)) == [("How far is it?", "12 miles")]


def test_a_log_that_holds_a_growing_conversation_gives_each_answer_once(tmp_path: Path) -> None:
    rows = [
        {"conversation_id": 8, "messages": [ASK, ANSWER | {"accepted": True}]},
        {"conversation_id": 8, "messages": [ASK, ANSWER | {"accepted": True}, MORE[0], MORE[1] | {"accepted": True}]},
    ]
    file = read_question_file(log(tmp_path / "log.jsonl", *rows))
    assert [question.id for question in file.questions] == ["8/1", "8/3"]
    assert file.omissions == {"the same question and answers stand in the file before": 1}


def test_a_conversation_may_name_its_documents(tmp_path: Path) -> None:
    row = {"messages": [ASK, ANSWER], "accepted": True, "document_ids": ["log.md"]}
    (question,) = read_questions(log(tmp_path / "log.jsonl", row))
    assert question.document_ids == ("log.md",)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({"accepted": True}, ": 'messages' must be a list"),
        ({"messages": ["Hello"]}, ", message 0: expected role and content"),
        ({"messages": [{"role": "human", "content": "x"}]}, ", message 0: role 'human' is not one of"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, ", message 0: role ['user'] is not one of"),
        ({"messages": [{"role": "user", "content": 5}]}, ", message 0: 'content' must be text"),
        (
            {"messages": [{"role": "user", "content": "half \ud83d"}]},
            ", message 0: 'content' contains half a character",
        ),
        ({"messages": [ASK, ANSWER], "accepted": 1, "id": ["a"]}, ": 'id' must be text or a number, not ['a']"),
        ({"messages": [ASK, ANSWER], "rating": 4}, ": 'rating' is 4, which says neither good"),
        ({"messages": [ASK, ANSWER | {"score": 0.7}]}, ", message 1: 'score' is 0.7, which says neither good"),
        ({"messages": [ASK, ANSWER], "accepted": 2}, ": 'accepted' is 2, the place (from 0) or id of no messages"),
        ({"messages": [ASK, ANSWER], "accepted": "m9"}, ": 'accepted' is 'm9', the place (from 0) or id of no"),
        ({"messages": [ASK, ANSWER], "accepted": 0}, ": 'accepted' names message 0, which is the user's"),
        ({"messages": [ASK, ANSWER], "accepted": [True]}, ": 'accepted' must be true, false, a place or an id"),
        ({"messages": [ASK, ANSWER | {"score": 1}], "accepted": True}, ": 'accepted' stands on the conversation and"),
        ({"messages": [ASK], "accepted": True}, ": it is accepted, but no message is the assistant's"),
        ({"messages": [ASK, ANSWER], "accepted": 1, "document_ids": "a.md"}, ": 'document_ids' must be a list"),
    ],
)
def test_a_conversation_that_could_be_read_in_two_ways_is_refused(
    tmp_path: Path, row: dict[str, Any], complaint: str
) -> None:
    path = log(tmp_path / "log.jsonl", {"messages": [ASK, ANSWER]}, row)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}, line 2{complaint}")
    assert "\n" not in str(caught.value)
