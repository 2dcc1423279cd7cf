"""What is left of a run, told from what its stages cost and took so far."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from raft.progress import DetailedAdvance, Silent
from raft.remaining import WholeRun


class Watched(Silent):
    """Remembers every detail, and turns the clock on before it is told of work."""

    def __init__(self) -> None:
        self.details: list[str] = []
        self.time = 0.0

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[DetailedAdvance]:
        yield lambda _count, detail="": self.details.append(detail)


def test_the_first_stage_tells_by_its_own_pace_and_later_ones_by_what_came_before() -> None:
    inner = Watched()
    run = WholeRun(inner, lambda: inner.time)
    run.plan({"models/dsf": 10.0, "models/raft": 30.0, "evaluation": 60.0})
    with run.stage("models/dsf"), run.task("tune dsf", 100) as advance:
        inner.time = 5.0
        advance(1)
        inner.time = 20.0
        advance(9, "loss 1.00")
        inner.time = 200.0
        advance(90)
    # After a tenth in 20 s: 180 s of this one and ten times 200 s for nine times its cost.
    assert inner.details == [
        "",
        "loss 1.00, whole run: about 33 min left",
        "whole run: about 30 min left",
    ]
    inner.details.clear()
    with run.stage("models/raft"), run.task("tune raft", 10) as advance:
        inner.time = 500.0
        advance(5)
    # 20 s for each unit: 600 s for this one, of which 300 have passed, and 1,200 to come.
    assert inner.details == ["whole run: about 25 min left"]


def test_a_stage_that_is_slower_than_those_before_is_believed_when_it_tells_so() -> None:
    inner = Watched()
    run = WholeRun(inner, lambda: inner.time)
    run.plan({"prompts": 10.0, "models/raft": 30.0, "evaluation": 60.0})
    with run.stage("prompts"):
        inner.time = 10.0
    with run.stage("models/raft"), run.task("tune raft", 100) as advance:
        inner.time = 12.0
        advance(1)
        inner.time = 40.0
        advance(9)
    # At first the pace of the prompts: 1 s for each unit, 28 s for the rest of this stage. Then a tenth in 30 s: 270 s
    # of this stage are left, and at 10 s for each unit 600 s of the next.
    assert inner.details == ["whole run: about 90 s left", "whole run: about 14 min left"]


def test_nothing_is_told_of_the_last_stage_nor_of_stages_that_nobody_expects() -> None:
    inner = Watched()
    run = WholeRun(inner, lambda: inner.time)
    with run.stage("index"), run.task("embed", 2) as advance:
        advance(1)
    run.plan({"models/raft": 1.0, "evaluation": 1.0})
    run.skip("models/raft")
    with run.stage("evaluation"), run.task("answer", 2) as advance:
        inner.time = 10.0
        advance(1, "so far")
    assert inner.details == ["", "so far"]


@pytest.mark.parametrize(("took", "told"), [(2.0, "10 s"), (70.0, "70 s"), (90.0, "2 min"), (3000.0, "50 min")])
def test_times_are_told_roundly(took: float, told: str) -> None:
    inner = Watched()
    run = WholeRun(inner, lambda: inner.time)
    run.plan({"a": 1.0, "b": 1.0})
    with run.stage("a"), run.task("a", 1) as advance:
        inner.time = took
        advance(1)
    assert inner.details == [f"whole run: about {told} left"]
