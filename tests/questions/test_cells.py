"""A cell that holds several values, in every form that tools write, gives the values and nothing made up."""

import ast
import warnings
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from raft.questions.cells import begins_a_list, number_as_text, several_in, texts_in

np = pytest.importorskip("numpy")


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ('["a", "b"]', ["a", "b"]),
        ("['a', 'b']", ["a", "b"]),
        ("""["it's", 'said "so"']""", ["it's", 'said "so"']),
        (r"['C:\dir', 'a\nb', 'caf\xe9']", ["C:\\dir", "a\nb", "café"]),
        ("['a\nb']", ["a\nb"]),
        ("('a',)", ["a"]),
        ("{'a', 'b'}", ["a", "b"]),
        ("['a' 'b']", ["a", "b"]),
        ("['a'\n 'b, c']", ["a", "b, c"]),
        ("array(['a', 'b'], dtype=object)", ["a", "b"]),
        ("[np.str_('a'), np.str_('b')]", ["a", "b"]),
        ("[1, 2.5, -3]", [1, 2.5, -3]),
        ("['a', None, nan, True]", ["a", None, None, True]),
        ("[]", []),
        ("{'text': ['a'], 'answer_start': [3]}", {"text": ["a"], "answer_start": [3]}),
        (
            "{'text': array(['a'], dtype=object), 'answer_start': array([3], dtype=int32)}",
            {"text": ["a"], "answer_start": [3]},
        ),
        ("{'text': array([], dtype=object), 'answer_start': []}", {"text": [], "answer_start": []}),
        ("[{'text': 'a'}, {'text': 'b'}]", [{"text": "a"}, {"text": "b"}]),
    ],
)
def test_what_a_tool_wrote_as_several_values_is_several(cell: str, values: Any) -> None:
    assert several_in(cell) == values
    assert several_in(f"  {cell}\n") == values


@pytest.mark.parametrize(
    "cell",
    [
        *("", "a|b", "a; b", "[see above]", "[1] and [2]", "(a) first", "(1, 2)", "{1, 2}", "('a')", "[a, b]", '"a"'),
        *("['a'", "['a' 'b' ... 'z']", "['it''s']", "[open('x')]", "['a'] + ['b']", "{'a': }", "[007]", "[" * 5_000),
    ],
)
def test_other_text_is_one_value(cell: str) -> None:
    assert several_in(cell) is None


def test_a_list_that_was_cut_off_is_told_from_other_text() -> None:
    assert [begins_a_list(cell) for cell in ("['a', 'b", '[ "a"', "{'text': ['a'", "array(['a'")] == [True] * 4
    assert [begins_a_list(cell) for cell in ("[see]", "'a'", "| a |", "{'a': 1", "")] == [False] * 5


def test_only_a_list_of_texts_is_one_of_texts() -> None:
    assert texts_in("['a', 'b']") == ["a", "b"]
    assert texts_in("[1, 2]") is None and texts_in("{'text': ['a']}") is None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
@example(["'", '"', "\\", "\\n", "a\nb", "'\"", "array(['x'])"])
def test_whatever_python_json_or_numpy_print_is_read_back(values: list[str]) -> None:
    import json

    assert several_in(repr(values)) == values
    assert several_in(json.dumps(values)) == several_in(json.dumps(values, ensure_ascii=False)) == values
    with np.printoptions(threshold=100_000):
        assert several_in(str(np.array(values, dtype=object))) == values


@given(st.text("[](){}'\",:= \\ab1.-N", max_size=30) | st.text())
def test_no_cell_stops_the_reader_and_none_is_read_otherwise_than_python_reads_it(cell: str) -> None:
    value = several_in(cell)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            meant = ast.literal_eval(cell.strip())
        except (ValueError, SyntaxError, MemoryError, TypeError):
            return
    # Two texts with a blank between them are one to Python and two to NumPy.
    if isinstance(meant, list) and value is not None and "' '" not in cell and '" "' not in cell:
        assert len(value) >= len(meant)


@pytest.mark.parametrize(
    ("number", "text"), [(3, "3"), (3.0, "3"), (1.5, "1.5"), (-0.25, "-0.25"), (1e22, 1e22), (True, True), ("3", "3")]
)
def test_a_number_is_written_as_people_write_it(number: Any, text: Any) -> None:
    assert number_as_text(number) == text
    assert type(number_as_text(number)) is type(text)
