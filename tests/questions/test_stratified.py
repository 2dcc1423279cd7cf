"""A sample stands for all questions: its strata have the shares that they have there."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from raft.questions import stratified
from raft.types import Question

ASKED = [
    Question(
        str(n),
        f"question {n}?",
        document_ids=(f"d{n % 7}",),
        unanswerable=n % 5 == 0,
        kind="number" if n % 3 else "fact",
    )
    for n in range(420)
]


@given(st.integers(1, 500))
def test_a_sample_has_as_many_questions_as_asked_for_in_their_order(count: int) -> None:
    drawn = stratified(ASKED, count)
    assert len(drawn) == min(count, len(ASKED))
    assert drawn == [question for question in ASKED if question in drawn]


def test_each_stratum_is_there_in_proportion() -> None:
    drawn = stratified(ASKED, 140)
    for part in (lambda q: q.unanswerable, lambda q: (q.unanswerable, q.kind)):
        of_all, of_some = Counter(map(part, ASKED)), Counter(map(part, drawn))
        assert all(abs(of_some[key] - count / 3) <= 1 for key, count in of_all.items())
    by_document = Counter(question.document_ids[0] for question in drawn)
    assert set(by_document) == {f"d{n}" for n in range(7)}


def test_the_sample_does_not_depend_on_the_order_of_the_file() -> None:
    assert {question.id for question in stratified(ASKED[::-1], 50)} == {q.id for q in stratified(ASKED, 50)}
