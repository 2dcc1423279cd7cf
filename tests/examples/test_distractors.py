"""The mix of distractors: kinds by weight, others where one is used up, and no answer among them."""

from collections import Counter
from random import Random

import pytest

from raft.examples.distractors import Distractor, Pool, choose_distractors, draw_kinds
from raft.recipe import DistractorMix
from raft.types import DistractorKind, Passage, Question

HARD, RANDOM, SAME, FALSE = DistractorKind
QUESTION = Question("q", "When does the Merrow 45 stop?", ("36 bar",), ("pumps",))
ORACLE = Passage("oracle", "pumps", "Pumps", "The Merrow 45 stops at 36 bar.", 0, 30)


def passages(name: str, count: int) -> list[Passage]:
    return [Passage(f"{name}{n}", name, "", f"Shed {name} number {n} holds {n} ropes.", 0, 9) for n in range(count)]


FALSE_ONE = Distractor(Passage("f", "", "Pumps", "The Merrow 45 stops at 40 bar.", 0, 30), FALSE, "oracle")
POOL = Pool.of([ORACLE, *passages("hard", 2)], passages("random", 2), passages("same", 1), [FALSE_ONE])


def chosen(*kinds: DistractorKind, **more: set[str]) -> list[tuple[str, DistractorKind]]:
    return [(one.passage.id, one.kind) for one in choose_distractors(QUESTION, [ORACLE], POOL, kinds, **more)]


def test_each_distractor_is_of_the_kind_that_was_drawn() -> None:
    wanted = [(FALSE, "f"), (SAME, "same0"), (RANDOM, "random0"), (HARD, "hard0")]
    assert chosen(*(kind for kind, _ in wanted)) == [(name, kind) for kind, name in wanted]


def test_where_a_kind_is_used_up_hard_ones_stand_in_then_random_ones_and_never_a_false_one() -> None:
    assert [name for name, _ in chosen(SAME, SAME, SAME, SAME, SAME, SAME)] == [
        *("same0", "hard0", "hard1", "random0", "random1")
    ]
    assert [name for name, _ in chosen(FALSE, FALSE)] == ["f", "hard0"]


def test_a_banned_passage_gives_way_to_the_next() -> None:
    assert [name for name, _ in chosen(HARD, HARD, banned={"hard0"})] == ["hard1", "random0"]


def test_a_false_passage_that_still_holds_the_answer_is_none() -> None:
    still = Distractor(Passage("g", "", "", "The Merrow 45 stops at 40 bar, not 36 bar.", 0, 42), FALSE, "oracle")
    assert choose_distractors(QUESTION, [ORACLE], Pool.of([], (), (), [still]), [FALSE]) == []


def test_kinds_are_drawn_by_their_weights_and_false_ones_only_beside_the_oracle() -> None:
    mix = DistractorMix(hard=1, random=0, same_document=2, counterfactual=1)
    beside = Counter(draw_kinds(mix, 4000, Random(0), beside_oracle=True))
    # Four standard deviations of a binomial of 4,000.
    assert beside.keys() == {HARD, SAME, FALSE}
    assert abs(beside[SAME] - 2000) < 127 and abs(beside[FALSE] - 1000) < 110
    alone = Counter(draw_kinds(mix, 3000, Random(0), beside_oracle=False))
    assert alone.keys() == {HARD, SAME}
    assert draw_kinds(DistractorMix(hard=0, counterfactual=1), 2, Random(0), beside_oracle=False) == (HARD, HARD)


@pytest.mark.parametrize("mix", [DistractorMix(), DistractorMix(hard=0, random=3)])
def test_a_single_kind_needs_no_chance(mix: DistractorMix) -> None:
    rng = Random(5)
    assert len(set(draw_kinds(mix, 3, rng, beside_oracle=True))) == 1
    assert rng.random() == Random(5).random()
