"""Files of other types are named by their type, and no bytes at all end in anything but an error of one line."""

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raft.artifacts import write_jsonl
from raft.errors import InputError
from raft.questions import QuestionFile, question_row, read_question_file, read_questions

# A few of each run here; the readers were tried on many more.
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = ["q.csv", "q.tsv", "q.json", "q.jsonl", "q.txt", "q.xlsx", "q.parquet"]
PIECES = [
    b'"',
    b"'",
    b"[",
    b"]",
    b"{",
    b"}",
    b"|",
    b";",
    b",",
    b"\n",
    b"\r",
    b"\t",
    b"\0",
    b"\\",
    b"\xff\xfe",
    b"sep=;\n",
]
PIECES += [
    b"\\ud83d",
    b"NaN",
    b"1e999",
    b"question",
    b"answers",
    b"ground_truth",
    b"messages",
    b"role",
    b"data",
    b"PAR1",
]
PIECES += [
    b'"id": "1"',
    b'"question": "Q?"',
    b'"answers": ["x"]',
    b"['a' 'b']",
    b"{'text': array(['a'])}",
    b"\xef\xbb\xbf",
]


def only_an_error_of_one_line(path: Path) -> None:
    """Reads the file, and writes what it gives: half an emoji would fail there."""
    said, file = "", QuestionFile(())
    try:
        file = read_question_file(path)
    except InputError as error:
        said = str(error)
    assert "\n" not in said and "\r" not in said and said.encode() is not None
    write_jsonl(path.with_name("written"), [question_row(question) for question in file.questions])
    write_jsonl(path.with_name("left"), [{"place": one.place, "text": one.text} for one in file.left_out])


@pytest.mark.parametrize("name", NAMES)
@FEW
@given(raw=st.binary(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=25).map(b"".join))
def test_no_bytes_end_in_a_traceback(name: str, raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    only_an_error_of_one_line(path)


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    """A good workbook and a good Parquet file, by name."""
    import pyarrow
    import pyarrow.parquet
    from openpyxl import Workbook

    book, made = Workbook(), {"q.xlsx": io.BytesIO(), "q.parquet": io.BytesIO()}
    for row in (["id", "question", "answers"], [1, "Q?", "['a', 'b']"], [2, "R?", 0.5]):
        book.active.append(row)
    book.save(made["q.xlsx"])
    columns = {"id": [1, 2], "question": ["Q?", "R?"], "answer": ["x", "y"]}
    pyarrow.parquet.write_table(pyarrow.table(columns), made["q.parquet"])
    return {name: file.getvalue() for name, file in made.items()}


DAMAGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), st.binary(max_size=8)), min_size=1, max_size=4)


@pytest.mark.parametrize("name", ["q.xlsx", "q.parquet"])
@FEW
@given(damages=DAMAGES)
def test_no_damage_to_a_workbook_or_parquet_ends_in_a_traceback(
    name: str, damages: list[tuple[float, int, bytes]], whole: dict[str, bytes], tmp_path: Path
) -> None:
    raw = bytearray(whole[name])
    for where, length, other in damages:
        place = int(where * len(raw))
        raw[place : place + length] = other
    (tmp_path / name).write_bytes(raw)
    only_an_error_of_one_line(tmp_path / name)


@FEW
@given(damages=DAMAGES, part=st.integers(0, 9))
def test_no_damage_within_a_workbook_ends_in_a_traceback(
    damages: list[tuple[float, int, bytes]], part: int, whole: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "q.xlsx"
    with zipfile.ZipFile(io.BytesIO(whole["q.xlsx"])) as read, zipfile.ZipFile(path, "w") as written:
        for number, name in enumerate(read.namelist()):
            raw = bytearray(read.read(name))
            for where, length, other in damages if number == part else ():
                place = int(where * len(raw))
                raw[place : place + length] = other
            written.writestr(name, bytes(raw))
    only_an_error_of_one_line(path)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just("\ud83d")
    | st.just("['a']"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "role", "content", "id"]), inner)
    ),
    max_leaves=6,
)
FIELDS = [
    "id",
    "question",
    "answers",
    "answer",
    "document_ids",
    "context",
    "contexts",
    "unanswerable",
    "kind",
    "choices",
]
FIELDS += [
    "all_of",
    "ground_truth",
    "user_input",
    "messages",
    "accepted",
    "score",
    "data",
    "reference_contexts",
    "questions",
]


@FEW
@given(rows=st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6), min_size=1, max_size=3))
def test_no_values_of_json_end_in_a_traceback(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    good = {"id": "1", "question": "Q?", "answers": ["x"]}
    for name, made in [
        ("rows.jsonl", rows),
        ("mended.jsonl", [good | row for row in rows]),
        ("list.json", [rows]),
        ("named.json", [{"questions": rows}]),
        ("log.jsonl", [{"messages": [{"role": "user", "content": "Q?"}, row]} | row for row in rows]),
    ]:
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in made))
        only_an_error_of_one_line(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "raw", "what"),
    [
        ("q.xls", b"\xd0\xcf\x11\xe0", "an old Excel file: save it as XLSX"),
        ("q.ods", b"PK\x03\x04", "an OpenDocument spreadsheet: save it as XLSX or CSV"),
        ("q.docx", b"PK\x03\x04", "a text document"),
        ("q.PDF", b"%PDF-1.7", "a PDF"),
        ("q.csv.gz", b"\x1f\x8b", "a compressed file: unpack it"),
        ("q.zip", b"PK\x03\x04", "a compressed file: unpack it"),
        ("q.arrow", b"ARROW1", "an Arrow file: save it as Parquet"),
        ("q.feather", b"ARROW1", "an Arrow file: save it as Parquet"),
        ("q.yaml", b"- a", "a YAML or TOML file"),
        ("q.pkl", b"\x80\x04", "a Python object"),
        ("q.csv", b"PK\x03\x04\x14", "an Excel file or a zip archive: rename it to .xlsx"),
        ("q.jsonl", b"PAR1\x15", "a Parquet file: rename it to .parquet"),
        ("q.jsonl", b"\x1f\x8b\x08", "a compressed file: unpack it"),
        ("questions", b"%PDF-1.7", "a PDF"),
    ],
)
def test_a_file_of_another_type_is_named_by_its_type(tmp_path: Path, name: str, raw: bytes, what: str) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path} is {what}")
    assert str(caught.value).endswith("(questions are read from JSON, JSON Lines, CSV, TSV, XLSX and Parquet)")


@pytest.mark.parametrize("name", [*NAMES, "q.pdf"])
def test_a_file_that_is_not_there_or_cannot_be_opened_is_an_error_of_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(InputError, match=f"{name} does not exist: check the path"):
        read_questions(path)
    os.symlink(path, path)
    with pytest.raises(InputError, match="cannot be read"):
        read_questions(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_questions(tmp_path / ("x" * 300 + name))


@pytest.mark.parametrize("name", ["q.csv", "q.json", "q.jsonl"])
def test_binary_data_is_no_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00\x01\x02")
    with pytest.raises(InputError, match="it contains zero bytes, as binary files do"):
        read_questions(tmp_path / name)


def test_a_message_stays_short_and_on_one_line_whatever_the_file_holds(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps({"id": ["x" * 10_000], "question": "Q?", "a\nname": 1}))
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert len(str(caught.value).removeprefix(str(path))) < 200
    path.write_text(json.dumps({"id": "1", "asked": "Q?", "a\nname\ud83d": 1, **dict.fromkeys(map(str, range(50)))}))
    with pytest.raises(InputError, match=r"and 40 more\): add it") as caught:
        read_questions(path)
    assert "\n" not in str(caught.value) and str(caught.value).encode()
