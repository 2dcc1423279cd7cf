"""How rows are spread is counted, told where one class has too much, and evened on request."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.examples.balance import SURPLUS, Facet, measure_balance, rebalance
from raft.examples.composing import Reason
from raft.types import Example, ExampleKind, Quote


def row(number: int, question: str = "What?", answer: str = "the pump", document: str = "d") -> Example:
    kind = ExampleKind.ORACLE if answer else ExampleKind.UNANSWERABLE
    answers = (answer,) if answer else ()
    return Example(f"r{number}", f"q{number}", question, answers, (document,), (), "", (), answer, answer, kind, {})


def classes(rows: list[Example], facet: Facet) -> dict[str, int]:
    return dict(measure_balance(rows).classes.get(facet, {}))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How many litres does it move?", "how many"),
        ("In what year was it bought?", "when"),
        ("Who greases the winch?", "who"),
        ("At which harbour does it lie?", "which"),
        ("How is the filter washed?", "how"),
        ("Is the pump greased in winter?", "yes or no"),
        ("Is it the pump or the winch?", "other"),
        ("Wann wird die Pumpe geschmiert?", "other"),
    ],
)
def test_questions_are_counted_by_their_question_word(question: str, kind: str) -> None:
    assert classes([row(0, question)], Facet.QUESTION) == {kind: 1}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("36 bar", "number"),
        ("about sixty days", "number"),
        ("2019", "date"),
        ("the 25th of May", "date"),
        ("10:30", "date"),
        ("Ilse Torrand", "name"),
        ("Harbour Office of Dunmarra", "name"),
        ("Merrow 45", "name"),
        ("close the valve", "phrase"),
        ("Yes.", "yes or no"),
        ("", "none"),
    ],
)
def test_answers_are_counted_by_their_type(answer: str, kind: str) -> None:
    assert classes([row(0, answer=answer)], Facet.ANSWER) == {kind: 1}


def test_labels_are_the_verdicts_or_answers_that_are_few_and_often_given() -> None:
    free = [row(n, answer=f"thing {n}") for n in range(20)]
    assert classes(free, Facet.LABEL) == {}
    assert classes([*free, row(20, answer="Maybe")], Facet.LABEL) == {"maybe": 1}
    closed = [row(n, answer=("safe", "unsafe")[n % 5 == 0]) for n in range(20)]
    assert classes(closed, Facet.LABEL) == {"safe": 16, "unsafe": 4}


def test_a_class_with_more_than_the_share_is_told_in_one_line_and_few_rows_are_not() -> None:
    rows = [row(n, document="abcd"[n % 4], answer="yes" if n < 9 else "no") for n in range(12)]
    assert measure_balance(rows).warnings(0.5) == [
        "9 of 12 training rows have the label 'yes': more than 50%",
    ]
    assert measure_balance(rows).warnings(0.75) == []
    assert measure_balance(rows[:9]).warnings(0.5) == []


def test_rebalancing_drops_the_surplus_of_a_label_with_its_reason_and_keeps_all_others() -> None:
    rows = [row(n, document=f"d{n}", answer="yes" if n < 90 else "no") for n in range(100)]
    dropped = rebalance(rows, 0.5, Random(1))
    assert len(dropped) == 80
    assert set(dropped.values()) == {Reason.SURPLUS_OF_LABEL}
    assert dropped.keys() <= {f"r{n}" for n in range(90)}


def test_rebalancing_is_the_same_with_the_same_seed_and_another_with_another() -> None:
    rows = [row(n, document="abc"[min(n // 20, 2)]) for n in range(44)]
    first, again, other = (rebalance(rows, 0.4, Random(seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert set(first.values()) == {Reason.SURPLUS_OF_DOCUMENT}


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["Who?", "When?", "Is it?", "What?"]),
        st.sampled_from(["yes", "no", "36 bar", "2019", "Ilse", "the pump"]),
        st.sampled_from("abc"),
    ),
    min_size=1,
    max_size=40,
)


@given(ROWS, st.floats(0.05, 0.95), st.integers())
def test_after_rebalancing_no_class_has_more_than_its_share_and_something_is_left(
    drawn: list[tuple[str, str, str]], share: float, seed: int
) -> None:
    rows = [row(number, *one) for number, one in enumerate(drawn)]
    dropped = rebalance(rows, share, Random(seed))
    left = [one for one in rows if one.id not in dropped]
    assert left
    before, after = measure_balance(rows).classes, measure_balance(left).classes
    for facet in (facet for facet, counts in before.items() if sum(counts.values()) >= 10):
        counts = after[facet]
        # So few classes cannot have less than equal shares, and a row is a whole one.
        fair = max(share, 1 / len(counts))
        assert len(counts) == 1 or max(counts.values()) <= max(1, fair * sum(counts.values()) + 1e-6)


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ("Magda Brey", "first words"),
        ("lists", "amid"),
        ("a yearly report", "last words"),
        ("Magda Brey lists all approvers in a yearly report.", "all of its sentence"),
        ("Olga", ""),
    ],
)
def test_answers_are_counted_by_their_place_in_the_quote(answer: str, place: str) -> None:
    quote = Quote("p", 0, 50, "Magda Brey lists all approvers in a yearly report.")
    one = replace(row(0, answer=answer), quotes=(quote,))
    assert classes([one], Facet.PLACE) == ({place: 1} if place else {})


def with_answers_in_front(count: int) -> list[Example]:
    """Twelve rows, of which so many have the first words of their quote for an answer, and the others words amid it."""
    quotes = [Quote("p", 0, 20, f"Magda Brey rings {n}."[:20]) for n in range(12)]
    rows = [
        replace(
            row(n, document=f"d{n}", question=f"{['Who', 'When', 'Where', 'What', 'Which'][n % 5]} rings {n}?"),
            quotes=(quote,),
        )
        for n, quote in enumerate(quotes)
    ]
    return [replace(one, answer="Magda Brey" if n < count else "rings") for n, one in enumerate(rows)]


def test_answers_that_all_begin_their_sentence_are_told_and_evened() -> None:
    rows = with_answers_in_front(9)
    (told,) = [line for line in measure_balance(rows).warnings(0.5) if "place" in line]
    assert list(rebalance(rows, 0.5, Random(0)).values()) == [Reason.SURPLUS_OF_PLACE] * 6
    assert told == "9 of 12 training rows have the answer place 'first words': more than 50%"


def test_answers_amid_their_sentences_stand_in_many_places_and_are_no_surplus() -> None:
    rows = with_answers_in_front(3)
    assert measure_balance(rows).classes[Facet.PLACE] == {"amid": 9, "first words": 3}
    assert not [line for line in measure_balance(rows).warnings(0.5) if "place" in line]
    assert not rebalance(rows, 0.5, Random(0))


def test_a_facet_of_few_rows_is_neither_told_nor_evened() -> None:
    rows = [row(n, question=f"Thing {n}?", document=f"d{n}", answer=f"thing {n}") for n in range(20)]
    rows += [row(20 + n, document=f"e{n}", answer="no" if n else "yes") for n in range(4)]
    assert measure_balance(rows).classes[Facet.LABEL] == {"no": 3, "yes": 1}
    assert "label" not in " ".join(measure_balance(rows).warnings(0.5))
    assert Reason.SURPLUS_OF_LABEL not in rebalance(rows, 0.5, Random(0)).values()


def test_every_facet_has_a_reason_of_its_own() -> None:
    assert set(SURPLUS) == set(Facet)
    assert len(set(SURPLUS.values())) == len(Facet)
