"""What stands on two sides of the splits is found and named; what does not is left alone."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from raft.examples.leakage import Leak, LeakKind, find_leaks, leak_counts
from raft.examples.splits import Split
from raft.types import Example, ExampleKind, ShownPassage


def shown(id_: str, text: str = "", *, document: str = "d", oracle: bool = False) -> ShownPassage:
    return ShownPassage(id_, document, "", text or f"text of {id_}", oracle)


def row(id_: str, question: str, *passages: ShownPassage) -> Example:
    return Example(f"row {id_}", id_, question, ("x",), ("d",), passages, "", (), "x", "x", ExampleKind.ORACLE, {})


def leaks(
    train: Sequence[Example], test: Sequence[Example], splits: dict[str, Split] | None = None
) -> dict[LeakKind, list[Leak]]:
    found = find_leaks({Split.TRAIN: train, Split.VALIDATION: [], Split.TEST: test}, splits or {})
    return {kind: [leak for leak in found if leak.kind is kind] for kind in LeakKind}


def test_the_same_question_in_other_words_and_marks_is_found_on_the_other_side_only() -> None:
    asked = "At what pressure does the older of the two Merrow pumps stop by itself?"
    again = "at what pressure does the older of the two Merrow pumps stop?"
    assert not leaks([row("a", asked), row("b", asked)], [row("c", "Who keeps the lamp?")])[LeakKind.QUESTION]
    (first, second) = leaks([row("a", asked), row("b", asked)], [row("c", again)])[LeakKind.QUESTION]
    assert (first.split, first.other_split) == (Split.TRAIN, Split.TEST)
    assert (first.question_ids, first.other_question_ids) == (("a",), ("c",))
    assert (first.text, first.other_text) == (asked, again)
    assert second.question_ids == ("b",)
    assert first.similarity is not None and 0.8 <= first.similarity < 1


def test_a_question_with_another_number_or_other_words_is_another_question() -> None:
    asked = "How many litres a minute does the pump Merrow {} in the cellar of the museum move?"
    assert not leaks([row("a", asked.format(45))], [row("b", asked.format(40))])[LeakKind.QUESTION]
    assert not leaks([row("a", "Who keeps the lamp?")], [row("b", "Who greases the winch?")])[LeakKind.QUESTION]


def test_questions_of_signs_alone_are_compared_as_they_are() -> None:
    assert len(leaks([row("a", "???")], [row("b", "???"), row("c", "!!!")])[LeakKind.QUESTION]) == 1


def test_a_passage_that_is_oracle_on_one_side_and_shown_on_the_other_is_named_once_with_its_questions() -> None:
    train = [row("a", "One?", shown("p", oracle=True), shown("q")), row("b", "Two?", shown("p", oracle=True))]
    test = [row("c", "Three?", shown("r", oracle=True), shown("p")), row("d", "Four?", shown("p"), shown("q"))]
    (leak,) = leaks(train, test)[LeakKind.ORACLE]
    assert (leak.passage_id, leak.split, leak.other_split) == ("p", Split.TRAIN, Split.TEST)
    assert (leak.question_ids, leak.other_question_ids) == (("a", "b"), ("c", "d"))


def test_the_same_words_under_another_id_are_the_same_passage() -> None:
    train = [row("a", "One?", shown("p", "It stops at 36 bar.", oracle=True))]
    test = [row("b", "Two?", shown("q", "it stops  at 36 bar."))]
    assert len(leaks(train, test)[LeakKind.ORACLE]) == 1


def test_a_distractor_of_both_sides_is_no_leak_and_one_of_an_unseen_document_is_named() -> None:
    train = [row("a", "One?", shown("p", document="seen"), shown("u", document="hidden"))]
    test = [row("b", "Two?", shown("p", document="seen"))]
    found = leaks(train, test, {"seen": Split.TRAIN, "hidden": Split.UNSEEN})
    assert found[LeakKind.ORACLE] == []
    assert [(leak.passage_id, leak.other_split, leak.other_question_ids) for leak in found[LeakKind.UNSEEN]] == [
        ("u", Split.TRAIN, ("a",))
    ]
    assert leak_counts(found[LeakKind.UNSEEN]) == {
        "leaked_questions": 0,
        "leaked_oracles": 0,
        "unseen_passages_shown": 1,
    }


@given(st.lists(st.sampled_from(["Who?", "When was it?", "When was it", "How?"]), max_size=6), st.integers(0, 6))
def test_every_pair_of_equal_questions_on_two_sides_is_found(questions: list[str], cut: int) -> None:
    rows = [row(str(number), question) for number, question in enumerate(questions)]
    found = leaks(rows[:cut], rows[cut:])[LeakKind.QUESTION]
    equal = {
        (one.question_id, other.question_id)
        for one in rows[:cut]
        for other in rows[cut:]
        if one.question.rstrip("?") == other.question.rstrip("?")
    }
    assert {(leak.question_ids[0], leak.other_question_ids[0]) for leak in found} == equal
