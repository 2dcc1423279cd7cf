"""Question files: what is read comes back when written, and bad lines are named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.artifacts import write_jsonl
from raft.errors import InputError
from raft.questions import question_row, read_question_file, read_questions
from raft.types import Question

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@given(
    st.builds(
        Question,
        id=WORDS,
        text=WORDS,
        answers=st.lists(WORDS, min_size=1).map(tuple),
        document_ids=st.lists(WORDS).map(tuple),
        context=st.none() | WORDS,
        contexts=st.lists(WORDS).map(tuple),
        kind=st.just("") | WORDS,
    )
    | st.builds(Question, id=WORDS, text=WORDS, unanswerable=st.just(True))
)
def test_a_written_question_is_read_back_the_same(tmp_path_factory: pytest.TempPathFactory, question: Question) -> None:
    path = tmp_path_factory.mktemp("questions") / "questions.jsonl"
    write_jsonl(path, [question_row(question)])
    assert read_questions(path) == [question]


def test_questions_keep_the_order_of_their_file_and_other_fields_are_left_alone(tmp_path: Path) -> None:
    path = written(
        tmp_path / "q.jsonl",
        '{"id": "b", "question": "B?", "answers": ["x", "y"], "asked_by": "Ilse"}',
        '{"id": "c", "question": "C?", "answers": ["x"], "choices": ["x", "y"]}',
        '{"id": "d", "question": "D?", "answers": ["x", "y"], "all_of": true}',
        "",
        '{"id": "a", "question": "A?", "answers": [], "unanswerable": true, "document_ids": []}',
    )
    assert read_questions(path) == [
        Question("b", "B?", ("x", "y")),
        Question("c", "C?", ("x",), choices=("x", "y")),
        Question("d", "D?", ("x", "y"), all_of=True),
        Question("a", "A?", unanswerable=True),
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('{"question": "Q?", "answers": ["x"]}', "'id' is missing"),
        ('{"id": "1", "text": "Q?", "answers": ["x"]}', "'question' is missing (found besides the known fields: text)"),
        ('{"id": "1", "question": " ", "answers": ["x"]}', "'question' is empty"),
        ('{"id": 1, "question": "Q?", "answers": ["x"]}', "'id' must be text, not 1"),
        ('{"id": "1", "question": "Q?"}', "'answers' is missing or empty"),
        ('{"id": "1", "question": "Q?", "answers": "x"}', "'answers' must be a list of non-empty texts, not 'x'"),
        ('{"id": "1", "question": "Q?", "answers": ["x", ""]}', "'answers' must be a list of non-empty texts"),
        ('{"id": "1", "question": "Q?", "answers": ["x"], "unanswerable": true}', "has answers and is marked"),
        ('{"id": "1", "question": "Q?", "unanswerable": "false"}', "must be true or false, not 'false'"),
        ('{"id": "1", "question": "Q?", "answers": ["x"], "document_ids": "a.md"}', "'document_ids' must be a list"),
        ('{"id": "0", "question": "Q?", "answers": ["x"]}', "id '0' is already used in line 1"),
        (
            '{"id": "1", "question": "Q?", "answers": ["x"], "choices": ["y"]}',
            "its answer 'x' is none of its 'choices'",
        ),
        ('{"id": "1", "question": "Q?", "answers": ["x"], "choices": "x"}', "'choices' must be a list"),
        ('{"id": "1", "question": "Q?", "answers": ["x", "y"], "all_of": "yes"}', "'all_of' must be true or false"),
        ('{"id": "1", "question": "Q?", "answers": ["x"], "all_of": true}', "two answers or more, and it has 1"),
        ('{"id": "1", "question": "Q?", "unanswerable": true, "all_of": true}', "two answers or more, and it has 0"),
        (
            '{"id": "1", "question": "Q?", "answers": ["x", "y", "The X."], "all_of": true}',
            "of its answers 'x' and 'The X.' are the same",
        ),
        (
            '{"id": "1", "question": "Q?", "answers": ["x", "y"], "choices": ["x", "y"], "all_of": true}',
            "'choices' are for one answer",
        ),
        ('["id"]', "expected a JSON object"),
        ("{", "not valid JSON"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_what_is_wrong(tmp_path: Path, line: str, complaint: str) -> None:
    path = written(tmp_path / "q.jsonl", '{"id": "0", "question": "Q?", "answers": ["x"]}', line)
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}, line 2: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no questions"):
        read_questions(written(tmp_path / "q.jsonl", ""))


def test_a_json_file_holds_a_list_of_questions_or_json_lines_in_spite_of_its_name(tmp_path: Path) -> None:
    rows = ['{"id": "a", "question": "A?", "answers": ["x"]}', '{"id": "b", "question": "B?", "answers": ["y"]}']
    expected = [Question("a", "A?", ("x",)), Question("b", "B?", ("y",))]
    assert read_questions(written(tmp_path / "list.json", f"[{rows[0]},", f"{rows[1]}]")) == expected
    assert read_questions(written(tmp_path / "lines.json", *rows)) == expected
    assert read_questions(written(tmp_path / "one.json", rows[0])) == expected[:1]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[{"id": "1", "question": "Q?", "answers": ["x"]}, 7]', ", item 2: expected a JSON object"),
        ('[{"id": "1", "question": "Q?", "answers": ["x"]}, {}]', ", item 2: 'id' is missing"),
        ('{"id": "1",\n"question" "Q?"}', ", line 2: not valid JSON"),
        ('{"questions": []}', ", item 1: 'id' is missing (found besides the known fields: questions)"),
        ("[]", " holds no questions"),
        ("\x00\udcff", " cannot be read as UTF-8 text"),
    ],
)
def test_a_bad_json_file_is_named_with_the_item_that_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "q.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError) as caught:
        read_questions(path)
    assert str(caught.value).startswith(f"{path}{complaint}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["q.jsonl", "q.json", "q.csv"])
def test_a_file_that_is_not_there_is_an_error_of_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_questions(tmp_path / name)


def test_nothing_is_left_out_of_a_file_of_questions(tmp_path: Path) -> None:
    file = read_question_file(written(tmp_path / "q.jsonl", '{"id": "a", "question": "A?", "answers": ["x"]}'))
    assert (file.left_out, file.omissions, str(file)) == ((), {}, "1 questions")
