"""A model's own answers are never taken for the accepted ones, in whatever file and under whatever name they stand."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from raft.errors import InputError
from raft.questions import read_questions
from raft.types import Question

Row = dict[str, Any]


def csv_file(rows: Sequence[Row], folder: Path) -> Path:
    import csv

    path = folder / "q.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return path


def xlsx_file(rows: Sequence[Row], folder: Path) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    for values in (list(rows[0]), *([str(v) if isinstance(v, list) else v for v in row.values()] for row in rows)):
        book.active.append(values)
    book.save(folder / "q.xlsx")
    return folder / "q.xlsx"


def parquet_file(rows: Sequence[Row], folder: Path) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), folder / "q.parquet")
    return folder / "q.parquet"


def dataset_folder(rows: Sequence[Row], folder: Path) -> Path:
    from datasets import Dataset

    Dataset.from_list(list(rows)).save_to_disk(str(folder / "set"))
    return folder / "set"


def json_file(rows: Sequence[Row], folder: Path) -> Path:
    (folder / "q.json").write_text(json.dumps(list(rows)))
    return folder / "q.json"


def lines_file(rows: Sequence[Row], folder: Path) -> Path:
    (folder / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "q.jsonl"


WRITERS = [csv_file, xlsx_file, parquet_file, dataset_folder, json_file, lines_file]
Writer = Callable[[Sequence[Row], Path], Path]
every_format = pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)


@every_format
@pytest.mark.parametrize(
    ("said", "truth"),
    [
        ("answer", "ground_truth"),
        ("answer", "ground_truths"),
        ("answer", "reference"),
        ("answer", "expected_answer"),
        ("answer", "correct_answer"),
        ("response", "reference"),
        ("prediction", "ground_truth"),
        ("answers", "ground_truth"),
        ("ground_truth", "reference"),
    ],
)
def test_what_a_model_said_beside_what_is_right_is_an_error_that_names_both(
    write: Writer, said: str, truth: str, tmp_path: Path
) -> None:
    rows = [
        {"question": "How long?", said: "an hour", truth: "three minutes"},
        {"question": "Q?", said: "y", truth: "z"},
    ]
    path = write(rows, tmp_path)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value) == (
        f"{path} has both '{said}' and '{truth}': rename the one with the accepted answers to 'answers' and remove "
        "the other"
    )


@every_format
def test_one_row_without_the_truth_does_not_make_its_answer_the_accepted_one(write: Writer, tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": "Q?", "answer": "x", "ground_truth": None},
        {"id": "b", "question": "R?", "answer": None, "ground_truth": "y"},
    ]
    with pytest.raises(InputError, match=r"has both 'answer' and 'ground_truth' \(\w+ \d and \w+ \d\)"):
        read_questions(write(rows, tmp_path))


@every_format
def test_contexts_are_named_too_since_a_system_may_have_retrieved_them(write: Writer, tmp_path: Path) -> None:
    row = {"question": "Q?", "answer": "x", "contexts": ["c"], "ground_truth": "y"}
    with pytest.raises(InputError, match="remove the other; remove 'contexts' too if a system retrieved them"):
        read_questions(write([row], tmp_path))


@every_format
@pytest.mark.parametrize("truth", ["ground_truth", "ground_truths", "reference", "expected_answer", "Ground Truth"])
def test_a_truth_alone_is_read_as_the_answer_and_what_was_retrieved_is_no_evidence(
    write: Writer, truth: str, tmp_path: Path
) -> None:
    rows = [{"id": "a", "question": "Q?", "contexts": ["retrieved"], truth: "three minutes", "answer": None}]
    assert read_questions(write(rows, tmp_path)) == [Question("a", "Q?", ("three minutes",))]


@every_format
def test_a_test_set_of_ragas_is_read_with_its_reference_contexts(write: Writer, tmp_path: Path) -> None:
    rows = [
        {"user_input": "Q?", "reference_contexts": ["one", "two"], "reference": "x", "synthesizer_name": "s"},
        {"user_input": "R?", "reference_contexts": ["three"], "reference": "y", "synthesizer_name": "s"},
    ]
    read = read_questions(write(rows, tmp_path))
    assert [(one.text, one.answers, one.contexts) for one in read] == [
        ("Q?", ("x",), ("one", "two")),
        ("R?", ("y",), ("three",)),
    ]
    assert len({one.id for one in read}) == 2


@every_format
def test_the_scores_of_an_evaluation_tell_that_an_answer_was_a_models(write: Writer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has 'faithfulness', .* so 'answer' may be a model's own"):
        read_questions(write([{"question": "Q?", "answer": "x", "faithfulness": 0.5}], tmp_path))
    renamed = {"id": "a", "question": "Q?", "answers": ["x"], "contexts": ["c"], "faithfulness": 0.5}
    assert read_questions(write([renamed], tmp_path / "..")) == [Question("a", "Q?", ("x",))]


def test_answers_are_the_accepted_ones_beside_a_response_and_a_source(tmp_path: Path) -> None:
    row = {"id": "a", "question": "Q?", "answers": ["x"], "response": "y", "reference": "manual, page 3"}
    assert read_questions(lines_file([row], tmp_path)) == [Question("a", "Q?", ("x",))]


def test_two_columns_of_questions_are_an_error_that_names_both(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has both 'question' and 'user_input'"):
        read_questions(csv_file([{"question": "Q?", "user_input": "R?", "answer": "x"}], tmp_path))


def test_a_message_about_a_row_says_which_columns_were_read_as_which(tmp_path: Path) -> None:
    rows = [{"user_input": "Q?", "reference": "x"}, {"user_input": "R?", "reference": ""}]
    with pytest.raises(InputError) as caught:
        read_questions(csv_file(rows, tmp_path))
    assert "row 3 ('user_input' as 'question', 'reference' as 'answer'): 'answers' is missing" in str(caught.value)


def test_a_conversation_of_several_turns_as_question_is_named(tmp_path: Path) -> None:
    row = {"user_input": [{"content": "Hello", "type": "human"}], "reference": "x"}
    with pytest.raises(InputError, match=r"'user_input' as 'question'.*: 'question' must be text"):
        read_questions(lines_file([row, row], tmp_path))
