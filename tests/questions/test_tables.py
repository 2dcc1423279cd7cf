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
        ("id;question;answer", "1;Q?;x", "row 1: the header has no column 'question' (found: id;question;answer)"),
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


def test_the_same_id_for_two_questions_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "q.csv", "id,question,answer", "a,Q?,x", "a,R?,x")
    with pytest.raises(InputError, match="row 3: id 'a' is already used in row 2"):
        read_questions(path)


def test_a_quotation_mark_that_is_not_closed_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as a table"):
        read_questions(table(tmp_path / "q.csv", "question,answer", '"Q?,x'))


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
