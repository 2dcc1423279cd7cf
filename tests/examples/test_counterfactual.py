"""Swapping an answer for another of its kind: number for number, name for name, wherever the passage says it."""

from random import Random

import pytest

from raft.examples.counterfactual import Inventory, counterfactuals, mentions, near_misses
from raft.text import contains_answer
from raft.types import DistractorKind, Passage, Question


def passage(name: str, text: str, title: str = "") -> Passage:
    return Passage(name, f"{name}.md", title, text, 0, len(text))


PUMP = passage("pump", "The Merrow 45 stops at 36 bar. At 36 bar its valve opens, in 1998 as now.")
KEEPER = passage("keeper", "The lamp is kept by Noor Halvane. Rope is sold on Fridays.")
OTHERS = [
    passage("a", "The Merrow 40 stops at 40 bar after 30 minutes. It was bought in 2019."),
    passage("b", "The books are kept by Hanne Ruud, on Tuesdays. She works at Dunmarra Pier."),
    passage("c", "Freight and wages: see the freight list."),
]
INVENTORY = Inventory([PUMP, KEEPER, *OTHERS])


def false_texts(question: Question, oracle: Passage, count: int = 9, inventory: Inventory = INVENTORY) -> list[str]:
    made = counterfactuals(question, oracle, inventory, count, Random(0))
    assert all(one.kind is DistractorKind.COUNTERFACTUAL and one.made_from == oracle.id for one in made)
    return [one.passage.text for one in made]


def test_numbers_and_names_are_told_with_what_they_are_like() -> None:
    found = [
        (mention.text, mention.like) for mention in mentions("Ropes are sold. On 3 May 2019 Jory Mabb took 1,200 cr.")
    ]
    assert found == [
        ("3", ("0 may", "may", "0")),
        ("2019", ("year jory", "jory", "year")),
        ("1,200", ("0,000 cr", "cr", "0,000")),
        ("May", ("month",)),
        ("Jory Mabb", ("Aa Aa",)),
    ]


def test_a_number_gives_way_to_one_with_the_same_unit_wherever_the_answer_stands() -> None:
    question = Question("q", "When does the Merrow 45 stop?", ("36 bar", "36"))
    first = false_texts(question, PUMP, 1)
    assert first == ["The Merrow 45 stops at 40 bar. At 40 bar its valve opens, in 1998 as now."]
    assert not any(contains_answer(text, question.answers) for text in false_texts(question, PUMP))


def test_a_year_gives_way_to_a_year_and_a_name_to_a_name() -> None:
    assert false_texts(Question("q", "Since when?", ("1998",)), PUMP) == [PUMP.text.replace("1998", "2019")]
    names = false_texts(Question("q", "Who keeps the lamp?", ("Noor Halvane",)), KEEPER)
    assert set(names) == {KEEPER.text.replace("Noor Halvane", name) for name in ("Hanne Ruud", "Dunmarra Pier")}


def test_a_person_gives_way_to_a_person_first_where_answers_tell_who_is_one() -> None:
    told = Inventory([PUMP, KEEPER, *OTHERS], [(Question("w", "Who keeps the books?", ("Hanne Ruud",)), OTHERS[1])])
    for seed in range(9):
        (one,) = counterfactuals(Question("q", "Who keeps the lamp?", ("Noor Halvane",)), KEEPER, told, 1, Random(seed))
        assert "Hanne Ruud" in one.passage.text


@pytest.mark.parametrize(
    ("answers", "oracle"),
    [
        (("its valve opens",), PUMP),
        (("Noor Halvane",), passage("t", KEEPER.text, title="Noor Halvane")),
        (("36 bar", "the valve"), passage("v", "It stops at 36 bar. Then the valve opens.")),
        (("no such words",), PUMP),
    ],
)
def test_what_cannot_be_swapped_has_no_counterfactual(answers: tuple[str, ...], oracle: Passage) -> None:
    assert false_texts(Question("q", "What?", answers), oracle) == []


def test_nobody_takes_a_false_passage_for_one_of_the_corpus() -> None:
    (one,) = counterfactuals(Question("q", "When does it stop?", ("36 bar",)), PUMP, INVENTORY, 1, Random(0))
    assert one.passage.id.startswith("counterfactual-") and one.passage.document_id == ""


def test_a_near_miss_asks_for_what_its_passage_does_not_speak_of() -> None:
    question = Question("q", "At how many bar does the Merrow 45 stop?", ("36 bar",))
    swaps = list(near_misses(question, PUMP, INVENTORY, Random(0)))
    assert {(swap.old, swap.new) for swap in swaps if swap.old == "45"} == {("45", "40"), ("45", "30")}
    for swap in swaps:
        assert swap.text == question.text.replace(swap.old, swap.new)
        assert not contains_answer(PUMP.text, (swap.new,)) and not contains_answer(question.text, (swap.new,))


def test_words_that_stand_in_small_letters_elsewhere_are_no_names() -> None:
    listed = Inventory([passage("x", "It is kept at Quillan near Freight. The freight is dear.")])
    (mention,) = (m for m in mentions("We met at Ullay.") if m.text == "Ullay")
    assert set(listed.others(mention, Random(0))) == {"Quillan"}
