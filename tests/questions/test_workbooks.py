"""XLSX and Parquet: cells as they are shown, and one line about what is damaged, missing or meant twice."""

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from raft.errors import InputError
from raft.questions import read_questions
from raft.questions.sheets import number_shown
from raft.types import Question


def workbook(
    path: Path, sheets: Mapping[str, Sequence[Sequence[Any]]], formats: Mapping[str, str] | None = None
) -> Path:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        for cell, shown in (formats or {}).items():
            sheet[cell].number_format = shown
    book.save(path)
    return path


def parquet(path: Path, **columns: Any) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_a_sheet_holds_all_that_a_question_has_below_its_title(tmp_path: Path) -> None:
    rows = [
        ["Questions about the pump"],
        [],
        ["ID", "Question", "Answers", "Document IDs", "unanswerable", "asked by"],
        [1, "How long?", "three minutes|180 s", "pump.md", None, "Ilse"],
        [None] * 6,
        [2.0, "Why?", None, None, True, None],
    ]
    path = workbook(tmp_path / "q.xlsx", {"Notes": [["nothing here"]], "Questions": rows})
    assert read_questions(path) == [
        Question("1", "How long?", ("three minutes", "180 s"), ("pump.md",)),
        Question("2", "Why?", unanswerable=True),
    ]


@pytest.mark.parametrize(
    ("value", "number_format", "answer"),
    [
        (3, "General", "3"),
        (3.0, "General", "3"),
        (1.5, "General", "1.5"),
        (0.1 + 0.2, "General", "0.3"),
        (0.15, "0%", "15%"),
        (0.155, "0.0\\ %", "15.5 %"),
        (20, '"$"#,##0', "$20"),
        (1234.5, "#,##0.00\\ [$€-407]", "1,234.50 €"),
        (7, "000", "007"),
        (-0.05, "0%", "-5%"),
        (date(2026, 5, 3), "d mmm yyyy", "2026-05-03"),
        (datetime(2026, 5, 3, 14, 30), "yyyy-mm-dd hh:mm", "2026-05-03 14:30"),
        (time(14, 30), "hh:mm", "14:30"),
        (True, "General", "TRUE"),
        ("_x000D_\n36 bar", "General", "36 bar"),
    ],
)
def test_a_cell_is_read_as_the_sheet_shows_it(tmp_path: Path, value: Any, number_format: str, answer: str) -> None:
    rows = [["id", "question", "answer"], ["a", "Q?", value]]
    path = workbook(tmp_path / "q.xlsx", {"Sheet1": rows}, {"C2": number_format})
    assert read_questions(path) == [Question("a", "Q?", (answer,))]


def test_a_format_that_is_not_known_leaves_the_number_as_it_is() -> None:
    assert number_shown(12.5, "# ?/?") == "12.5"
    assert number_shown(-20, "0;(0)") == "-20"
    assert number_shown(1e20, "0") == "1e+20"


def test_a_table_gives_the_same_questions_from_every_kind_of_file(tmp_path: Path) -> None:
    rows = [["question", "answers"], ["Q?", "['x', 'y']"], ["R?", "3"]]
    (tmp_path / "q.csv").write_text("question;answers\nQ?;['x', 'y']\nR?;3\n")
    expected = read_questions(tmp_path / "q.csv")
    assert [question.answers for question in expected] == [("x", "y"), ("3",)]
    assert read_questions(workbook(tmp_path / "q.xlsx", {"A": rows})) == expected
    assert (
        read_questions(parquet(tmp_path / "q.parquet", question=["Q?", "R?"], answers=[["x", "y"], ["3"]])) == expected
    )
    assert read_questions(parquet(tmp_path / "q.pq", question=["Q?", "R?"], answers=["['x', 'y']", "3"])) == expected


def test_of_several_sheets_with_questions_none_is_guessed(tmp_path: Path) -> None:
    rows = [["question", "answer"], ["Q?", "x"]]
    path = workbook(tmp_path / "q.xlsx", {"May": rows, "June": rows, "Notes": [["x"]]})
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert (
        str(caught.value) == f"{path} has 2 sheets with a column 'question' (May, June): keep one of them in the file"
    )


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([["asked", "answer"], ["Q?", "x"]], ", row 1: the header has no column 'question' (found: asked, answer)"),
        ([["question", "answer", "Answer"], ["Q?", "x", "y"]], ", row 1: the header has two columns 'answer'"),
        ([["question", "answer"], ["Q?", "#REF!"]], ", row 2: 'answer' is #REF!, which Excel writes where a formula"),
        ([["question", "answer"], [None, "x"]], ", row 2: 'question' is empty"),
        ([["question", "answers"], ["Q?", "x\ny"]], ", row 2: 'x\\ny' in 'answers' contains a line break"),
        ([["question", "answer"]], " holds no questions"),
        ([], " holds no questions"),
    ],
)
def test_a_bad_row_of_a_sheet_is_named(tmp_path: Path, rows: list[list[Any]], complaint: str) -> None:
    path = workbook(tmp_path / "q.xlsx", {"Sheet1": rows})
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}{complaint}")
    assert "\n" not in str(caught.value)


def test_a_workbook_that_is_damaged_locked_or_none_is_an_error_of_one_line(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "whole.xlsx", {"A": [["question", "answer"], ["Q?", "x"]]}).read_bytes()
    bare = tmp_path / "bare.xlsx"
    with zipfile.ZipFile(bare, "w") as archive:
        archive.writestr("hello.txt", "hello")
    for raw in (b"", b"question,answer\n", whole[:-40], bare.read_bytes()):
        (tmp_path / "q.xlsx").write_bytes(raw)
        with pytest.raises(InputError, match="cannot be read as XLSX") as caught:
            read_questions(tmp_path / "q.xlsx")
        assert "\n" not in str(caught.value)
    (tmp_path / "q.xlsx").write_bytes(bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 512)
    with pytest.raises(InputError, match="is password-protected or an old Excel file"):
        read_questions(tmp_path / "q.xlsx")


def test_reading_a_workbook_warns_of_nothing(tmp_path: Path) -> None:
    from openpyxl import load_workbook
    from openpyxl.worksheet.datavalidation import DataValidation

    path = workbook(tmp_path / "q.xlsx", {"A": [["id", "question", "answer"], ["a", "Q?", "x"]]})
    book = load_workbook(path)
    book["A"].add_data_validation(DataValidation(type="list", formula1='"x,y"', sqref="C2"))
    book.save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_questions(path) == [Question("a", "Q?", ("x",))]


def test_typed_columns_are_read_as_text(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "q.parquet",
        id=[1.0, 2.0, 3.0, 4.0],
        question=["A?", "B?", "C?", "D?"],
        answer=[Decimal("1.50"), Decimal("3.00"), None, Decimal("0.25")],
        unanswerable=[0, None, 1, None],
        seen=[b"\xff", None, None, None],
    )
    assert read_questions(path) == [
        Question("1", "A?", ("1.50",)),
        Question("2", "B?", ("3.00",)),
        Question("3", "C?", unanswerable=True),
        Question("4", "D?", ("0.25",)),
    ]
    dates = parquet(tmp_path / "dates.parquet", id=["a"], question=["When?"], answer=[datetime(2026, 5, 3)])
    assert read_questions(dates) == [Question("a", "When?", ("2026-05-03",))]


def test_parquet_holds_answers_as_squad_has_them_and_chat_logs(tmp_path: Path) -> None:
    squad = parquet(tmp_path / "s.parquet", id=["a"], question=["Q?"], answers=[{"text": ["x"], "answer_start": [1]}])
    assert read_questions(squad) == [Question("a", "Q?", ("x",))]
    messages = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "x"}]
    log = parquet(tmp_path / "log.parquet", id=["a"], messages=[messages], accepted=[True])
    assert read_questions(log) == [Question("a/1", "Q?", ("x",))]


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"query": ["Q?"], "answer": ["x"]}, ": it has no column 'question' (its columns: query, answer)"),
        ({"question": ["Q?"], "Question": ["R?"]}, ": it has two columns 'question'"),
        ({"question": ["Q?"], "answer": [b"\xff"]}, ", row 1: 'answers' must be a list of non-empty texts"),
        ({"question": ["Q?"], "answer": [float("nan")]}, ", row 1: 'answers' is missing or empty"),
        ({"question": ["Q?"], "answer": [True]}, ", row 1: 'answers' must be a list of non-empty texts, not [True]"),
    ],
)
def test_bad_parquet_is_named(tmp_path: Path, columns: dict[str, Any], complaint: str) -> None:
    path = parquet(tmp_path / "q.parquet", **columns)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}{complaint}")


def test_damaged_parquet_is_an_error_of_one_line(tmp_path: Path) -> None:
    path = parquet(tmp_path / "q.parquet", question=["Q?"], answer=["x"])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="cannot be read as Parquet") as caught:
        read_questions(path)
    assert "\n" not in str(caught.value)
