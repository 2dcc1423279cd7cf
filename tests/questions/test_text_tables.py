"""Tables of questions: CSV, TSV and datasets on disk give the same questions, and bad rows are named."""

from pathlib import Path
from typing import Any

import pytest

from raft.artifacts import hash_path
from raft.errors import InputError
from raft.questions import LeftOut, read_question_file, read_questions
from raft.questions.rows import Omission
from raft.types import Question


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def dataset(folder: Path, *rows: dict[str, Any]) -> Path:
    from datasets import Dataset

    Dataset.from_list(list(rows)).save_to_disk(str(folder))
    return folder


def test_a_table_holds_all_that_a_question_has(tmp_path: Path) -> None:
    path = table(
        tmp_path / "q.csv",
        "\ufeffID,Question,answers,document_ids,context,unanswerable,asked_by",
        'a,"How far, and when?",12 miles | noon,log.md|map.md,"It is 12 miles,',
        'at noon.",false,Ilse',
        "b,Why?,,,,TRUE,",
        "",
        ",,,,,,",
        "c,Who?,Ilse,,,,",
    )
    closed = table(tmp_path / "closed.csv", "id,question,answers,choices", "d,Which end?,aft,fore|aft")
    assert read_questions(closed) == [Question("d", "Which end?", ("aft",), choices=("fore", "aft"))]
    several = table(tmp_path / "list.csv", "id,question,answers,all_of", "e,Which ends?,aft|fore,yes", "f,Who?,Ilse,")
    assert read_questions(several) == [
        Question("e", "Which ends?", ("aft", "fore"), all_of=True),
        Question("f", "Who?", ("Ilse",)),
    ]
    assert read_questions(path) == [
        Question("a", "How far, and when?", ("12 miles", "noon"), ("log.md", "map.md"), "It is 12 miles,\nat noon."),
        Question("b", "Why?", unanswerable=True),
        Question("c", "Who?", ("Ilse",)),
    ]


def test_an_id_that_is_missing_is_made_from_the_content_and_not_from_the_place(tmp_path: Path) -> None:
    one = read_questions(table(tmp_path / "one.csv", "question,answer", "Q?,x", "Q?,y"))
    other = read_questions(table(tmp_path / "other.tsv", "answer\tquestion", "y\tQ?", "x\tQ?"))
    assert [question.answers for question in one] == [("x",), ("y",)]
    assert len({question.id for question in one}) == 2
    assert one == other[::-1]


def test_a_row_that_repeats_another_is_left_out_and_counted(tmp_path: Path) -> None:
    file = read_question_file(table(tmp_path / "q.csv", "question,answer", "Q?,x", "R?,x", "Q?,x"))
    assert [question.text for question in file.questions] == ["Q?", "R?"]
    assert file.left_out == (LeftOut("row 4", Omission.REPEATED, "Q?"),)
    assert str(file) == "2 questions, 1 left out (1 x the same question and answers stand in the file before)"


@pytest.mark.parametrize(
    ("header", "row", "complaint"),
    [
        ("id;asked;answer", "1;Q?;x", "row 1: the header has no column 'question' (found: id, asked, answer)"),
        ("question,answers", "Q?,x;y", "row 2: 'x;y' in 'answers' contains a ;, so it may be one item or several"),
        (
            "question,answers",
            '"Q?","x\ny"',
            "row 2: 'x\\ny' in 'answers' contains a line break, so it may be one item",
        ),
        ("question,answers", '"Q?","[\'x\', \'y"', "row 2: 'answers' begins like a list, but cannot be read as one"),
        ("question,answer", "Q?,#N/A", "row 2: 'answer' is #N/A, which Excel writes where a formula failed"),
        ("question,answer,context", "Q?,x,nan", "row 2: 'context' is nan, which pandas writes for an empty cell"),
        ("question,question,answer", "Q?,R?,x", "row 1: the header has two columns 'question'"),
        ("question,answer", "Q?,x,y", "row 2: it has 3 cells, but the header has 2"),
        ("question,answer", "Q?", "row 2: it has 1 cells, but the header has 2"),
        ("question,answer", ",x", "row 2: 'question' is empty"),
        ("question,answer", "Q?,", "row 2: 'answers' is missing or empty"),
        ("question,answer", "Q?,x|y", "row 2: 'answer' holds one answer, but there is a | in it"),
        ("question,answers", "Q?,x||y", "row 2: 'answers' must be a list of non-empty texts"),
        ("question,answer,answers", "Q?,x,y", "row 2: it has both 'answer' and 'answers'"),
        ("question,answer,unanswerable", "Q?,,perhaps", "row 2: 'unanswerable' must be true or false, not 'perhaps'"),
        ("question,answer,unanswerable", "Q?,x,yes", "row 2: it has answers and is marked unanswerable"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path: Path, header: str, row: str, complaint: str) -> None:
    path = table(tmp_path / "q.csv", header, row)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}, {complaint}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_table_may_be_parted_and_encoded_as_any_spreadsheet_writes_it(
    tmp_path: Path, mark: str, end: str, encoding: str
) -> None:
    lines = [f"id{mark}question{mark}answer", f'a{mark}"Wie weit, und wann; oder\t|?"{mark}3,50 €{mark}{mark}']
    path = tmp_path / "q.csv"
    path.write_bytes((end.join(lines).replace("3,50 €", '"3,50 €"') + end).encode(encoding))
    assert read_questions(path) == [Question("a", "Wie weit, und wann; oder\t|?", ("3,50 €",))]


def test_a_first_line_of_excel_says_what_parts_the_cells_and_is_no_row(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", "sep=;", "id;question;answer", 'a;"Q, or R?";x; y', "b;R?;")
    with pytest.raises(InputError, match="row 2: it has 4 cells, but the header has 3"):
        read_questions(path)
    assert read_questions(table(path, '"sep=|"', "id|question|answer", "a|Q; or R?|x, y")) == [
        Question("a", "Q; or R?", ("x, y",))
    ]


def test_a_title_may_stand_above_the_header_and_names_may_be_written_in_any_way(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", "Question", "", "ID;Question ;Document-IDs;allOf;Answers", "a;Q?;x.md|y.md;;z")
    assert read_questions(path) == [Question("a", "Q?", ("z",), ("x.md", "y.md"))]


def test_a_cell_may_be_longer_than_the_usual_limit_of_the_csv_library(tmp_path: Path) -> None:
    import csv

    path = table(tmp_path / "q.csv", "id,question,context,answer", f"a,Q?,{'x' * 140_000},y", "b,R?,short,z")
    assert [len(question.context or "") for question in read_questions(path)] == [140_000, 5]
    assert csv.field_size_limit() == 131_072


def test_text_in_an_old_encoding_is_named_with_its_first_odd_byte(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes("question;answer\nWas kostet es?;3 €\n".encode("cp1252"))
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value) == (
        f'{path} cannot be read as UTF-8 text (byte 0x80 in line 2): save it as UTF-8, in Excel as "CSV UTF-8"'
    )


@pytest.mark.parametrize("text", ["", "\n\n", "question,answer\n", "\ufeff"])
def test_a_table_without_rows_holds_no_questions(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="holds no questions"):
        read_questions(table(tmp_path / "q.csv", text))


def test_a_table_of_markdown_in_a_context_stays_whole(tmp_path: Path) -> None:
    plans = "| Plan | Price |\n| --- | --- |\n| Pro | $20 |"
    path = table(tmp_path / "q.csv", "id,question,answer,contexts", f'a,How much is Pro?,$20,"{plans}"')
    assert read_questions(path) == [Question("a", "How much is Pro?", ("$20",), contexts=(plans,))]
    path = table(tmp_path / "two.csv", "id,question,answer,contexts", f"""a,Q?,x,"['{plans[:16]}', 'y']\"""")
    assert read_questions(path) == [Question("a", "Q?", ("x",), contexts=("| Plan | Price |", "y"))]


def test_several_contexts_under_the_name_of_one_are_several(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", "id,question,answer,context", """a,Q?,x,"['one', 'two']\"""")
    assert read_questions(path) == [Question("a", "Q?", ("x",), contexts=("one", "two"))]


def test_the_same_id_for_two_questions_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", "id,question,answer", "a,Q?,x", "a,R?,x")
    with pytest.raises(InputError, match="row 3: id 'a' is already used in row 2"):
        read_questions(path)


def test_a_quotation_mark_that_is_not_closed_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read as a table \(unexpected end of data, row 2\)"):
        read_questions(table(tmp_path / "q.csv", "question,answer", '"Q?,x'))


def test_a_mistake_below_the_header_does_not_change_what_parts_the_cells(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read as a table \('\|' expected after '\"', row 2\)"):
        read_questions(table(tmp_path / "q.csv", "question|answer", '"Q?" really|x'))


def test_a_dataset_gives_the_same_questions_as_its_columns_say(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "question": "Q?", "answers": ["x", "y"], "document_ids": ["a.md"], "context": None, "mine": 0.5},
        {"id": 2, "question": "R?", "answers": ["z"], "document_ids": None, "context": "It is z.", "mine": 0.1},
    ]
    assert read_questions(dataset(tmp_path / "set", *rows)) == [
        Question("1", "Q?", ("x", "y"), ("a.md",)),
        Question("2", "R?", ("z",), context="It is z."),
    ]


def test_a_dataset_may_have_one_answer_a_row_and_no_ids(tmp_path: Path) -> None:
    (question,) = read_questions(dataset(tmp_path / "set", {"question": "Q?", "answer": "x|y"}))
    assert (question.text, question.answers, len(question.id)) == ("Q?", ("x|y",), 16)


def test_a_dataset_in_the_form_of_squad_is_read_with_its_unanswerable_questions(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "question": "Q?", "context": "It is x.", "answers": {"text": ["x", "x"], "answer_start": [6, 6]}},
        {"id": "b", "question": "R?", "context": "It is x.", "answers": {"text": [], "answer_start": []}},
    ]
    assert read_questions(dataset(tmp_path / "squad_v2", *rows)) == [
        Question("a", "Q?", ("x",), context="It is x."),
        Question("b", "R?", context="It is x.", unanswerable=True),
    ]


def test_a_dataset_that_was_a_table_has_lists_as_text(tmp_path: Path) -> None:
    row = {"id": "a", "question": "Q?", "answers": "['x', 'y']", "document_ids": "a.md|b.md", "contexts": "| z |"}
    assert read_questions(dataset(tmp_path / "set", row)) == [
        Question("a", "Q?", ("x", "y"), ("a.md", "b.md"), contexts=("| z |",))
    ]


def test_of_several_splits_one_must_be_named_and_one_alone_is_taken(tmp_path: Path) -> None:
    from datasets import Dataset, DatasetDict

    rows = Dataset.from_list([{"id": "a", "question": "Q?", "answer": "x"}])
    DatasetDict({"validation": rows, "test": rows}).save_to_disk(str(tmp_path / "two"))
    DatasetDict({"all": rows}).save_to_disk(str(tmp_path / "one"))
    expected = [Question("a", "Q?", ("x",))]
    with pytest.raises(InputError) as caught:
        read_questions(tmp_path / "two")
    named = f"give the folder of one, as {tmp_path / 'two' / 'validation'}"
    assert str(caught.value) == f"{tmp_path / 'two'} holds 2 splits (validation, test): {named}"
    assert read_questions(tmp_path / "two" / "validation") == expected
    assert read_questions(tmp_path / "one") == expected


def test_a_dataset_without_questions_or_with_a_bad_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"it has no column 'question' \(its columns: query, answer\)"):
        read_questions(dataset(tmp_path / "query", {"query": "Q?", "answer": "x"}))
    path = dataset(tmp_path / "bad", {"question": "Q?", "answer": "x"}, {"question": "Q?", "answer": None})
    with pytest.raises(InputError, match="bad, row 2: 'answers' is missing or empty"):
        read_questions(path)


def test_a_folder_that_is_no_dataset_or_a_broken_one_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, but no dataset"):
        read_questions(tmp_path)
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read as a dataset") as caught:
        read_questions(tmp_path)
    assert "\n" not in str(caught.value)


def test_the_hash_of_a_folder_tells_its_names_and_its_bytes(tmp_path: Path) -> None:
    hashes = set()
    for name, content in [("a", "x"), ("a", "y"), ("b", "x")]:
        folder = tmp_path / f"{name}{content}"
        folder.mkdir()
        (folder / name).write_text(content)
        hashes.add(hash_path(folder))
    (tmp_path / "ax" / "a").replace(tmp_path / "moved")
    assert len(hashes) == 3
    assert hash_path(tmp_path / "moved") == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
