"""Each layout is told from its fields, and gives the same question, passages and target."""

import json
from pathlib import Path

import pytest

from raft.audit.faults import Fault
from raft.audit.layouts import Layout, read_file
from raft.errors import InputError


@pytest.mark.parametrize("layout", Layout)
def test_each_layout_is_recognised_and_read_alike(layout: Layout, rows: list, written_as, lines) -> None:
    answerable = rows[:-1]
    file = read_file(lines(written_as[layout](answerable)))
    assert file.layout is layout and file.unreadable == ()
    for number, (row, read) in enumerate(zip(answerable, file.rows, strict=True), 1):
        texts = tuple(passage["text"] for passage in row["passages"])
        assert (read.number, read.question) == (number, row["question"])
        assert read.passages == ((" ".join(texts),) if layout is Layout.PROMPT_COMPLETION else texts)
        assert read.target.endswith(f"<ANSWER>: {row['answer']}")
        if layout in (Layout.RAFT, Layout.GORILLA_HF, Layout.PACK):
            assert read.oracles == (next(n for n, p in enumerate(row["passages"]) if p["oracle"]),)
        else:
            assert read.oracles is None


def test_json_is_read_as_a_list_as_columns_or_under_a_name(rows: list, written_as, lines, tmp_path: Path) -> None:
    made = written_as[Layout.GORILLA_HF](rows)
    columns = {name: [row[name] for row in made] for name in made[0]}
    expected = read_file(lines(made)).rows
    for name, value in (("list", made), ("columns", columns), ("named", {"version": 1, "data": made})):
        for indent in (None, 2):
            path = tmp_path / f"{name}.json"
            path.write_text(json.dumps(value, indent=indent))
            assert read_file(path).rows == expected


def test_a_single_chat_row_is_one_row(rows: list, written_as, lines) -> None:
    row = written_as[Layout.GORILLA_CHAT](rows)[0]
    *prompt, completion = row["messages"]
    for single in (row, {"prompt": prompt, "completion": [completion]}):
        (read,) = read_file(lines([single])).rows
        assert read.question == rows[0]["question"]


def test_speakers_may_be_named_as_sharegpt_names_them(rows: list, written_as, lines) -> None:
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    said = written_as[Layout.MESSAGES](rows)[0]["messages"]
    turns = [{"from": names[message["role"]], "value": message["content"]} for message in said]
    (read,) = read_file(lines([{"conversations": turns}])).rows
    assert (read.question, read.target) == (rows[0]["question"], rows[0]["target"])


def test_content_may_be_in_parts_and_tools_may_be_called_as_in_a_chat_log_of_questions(
    rows: list, written_as, lines
) -> None:
    row = written_as[Layout.MESSAGES](rows)[0]
    system, user, reply = row["messages"]
    half = len(user["content"]) // 2
    parts = [{"type": "text", "text": user["content"][:half]}, {"type": "input_text", "text": user["content"][half:]}]
    turns = [
        {"role": "developer", "content": [system["content"]]},
        {"role": "user", "content": [*parts, {"type": "image_url", "image_url": {"url": "x.png"}}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": reply["content"]}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
    ]
    expected = read_file(lines([row])).rows[0]
    for fields in ({"messages": turns}, {"prompt": turns[:2], "completion": turns[2:]}):
        file = read_file(lines([{"id": row["id"], **fields}]))
        assert file.rows == (expected,)


def test_what_a_tool_returned_is_shown_and_an_empty_reply_is_the_target(rows: list, written_as, lines) -> None:
    row = written_as[Layout.MESSAGES](rows)[0]
    system, user, _ = row["messages"]
    turns = [
        {"role": "system", "content": system["content"]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
        {"role": "tool", "tool_call_id": "c1", "content": user["content"]},
        {"role": "assistant", "content": ""},
    ]
    (read,) = read_file(lines([{"messages": turns}])).rows
    assert (read.question, len(read.passages), read.target) == (rows[0]["question"], 3, "")


def test_a_line_separator_within_a_text_ends_no_row(rows: list, tmp_path: Path) -> None:
    rows[0]["question"] = "Which\u2028pump?"
    text = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows[:2])
    (tmp_path / "train.jsonl").write_text(text, encoding="utf-8-sig", newline="")
    file = read_file(tmp_path / "train.jsonl")
    assert [row.number for row in file.rows] == [1, 2] and file.unreadable == ()
    assert file.rows[0].question == "Which\u2028pump?"


def test_lines_that_are_no_rows_are_named_and_the_rest_is_read(rows: list, tmp_path: Path) -> None:
    first, second = (json.dumps(row) for row in rows[:2])
    (tmp_path / "train.jsonl").write_text(f"{first}\n\n[1]\n{second}\n{second[:40]}")
    file = read_file(tmp_path / "train.jsonl")
    assert [row.number for row in file.rows] == [1, 4]
    assert [(finding.fault, finding.row) for finding in file.unreadable] == [
        (Fault.UNREADABLE, 3),
        (Fault.UNREADABLE, 5),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("not json", "holds no rows"),
        ('[{"a": 1}', "no whole JSON list"),
        ('{"a": 1, "b": 2}\n', r"fields of no layout that is known \(a, b\)"),
        ("\xff\xfe", "cannot be read as UTF-8"),
    ],
)
def test_what_is_no_training_file_is_an_error(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        read_file(tmp_path / "train.jsonl")


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("strange", [None, 7, "words", {"a": 1}, [1, None]], ids=str)
def test_fields_of_other_kinds_count_as_empty_and_stop_nothing(
    layout: Layout, strange: object, rows: list, written_as, lines
) -> None:
    good = written_as[layout](rows)[:2]
    assert len(read_file(lines([*good, dict.fromkeys(good[0], strange)])).rows) == 3


TOLD = ("The pump may run dry for three minutes.\nIt then stops.", "The office is in Oldenfurt.", "It leaves at 07:40.")


@pytest.mark.parametrize(
    "prompt",
    [
        "Answer from the passages.\n\n[1] {}\n[2] {}\n[3] {}\n\nQuestion: How long?",
        "(1) {}\n\n(2) {}\n\n(3) {}\n\nQuery: How long?",
        "Question: How long?\n\nContext:\n[1] {}\n[2] {}\n[3] {}",
        "Document: {}\n\nDocument: {}\n\nDocument: {}\n\nQuestion: How long?",
        "Passage 1: {}\nPassage 2: {}\nPassage 3: {}\nQuestion: How long?",
        "## Document [1]: {}\n## Document [2]: {}\n## Document [3]: {}\n## Question: How long?",
        "[1] {}\n[2] {}\n[3] {}\n\nHow long?",
    ],
)
def test_passages_of_a_prompt_are_told_apart_by_numbers_or_labels(prompt: str, lines) -> None:
    row = {"messages": [{"role": "user", "content": prompt.format(*TOLD)}, {"role": "assistant", "content": "x"}]}
    (read,) = read_file(lines([row])).rows
    assert (read.passages, read.question) == (TOLD, "How long?")
