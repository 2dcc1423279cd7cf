"""Limits are never passed, and the number of calls at once follows the endpoint."""

import threading

import pytest

from raft.errors import InputError, LimitError
from raft.models.calls import Limits, Spending, Tokens
from raft.models.pace import Pace


def test_calls_and_cost_are_counted_and_never_pass_their_limits() -> None:
    spending = Spending(Limits(max_calls=2, price_in=1, price_out=2))
    spending.reserve(1, Tokens(500, 100))
    spending.pay(Tokens(500, 100), Tokens(400, 50))
    assert spending.cost == pytest.approx(0.0005)
    with pytest.raises(LimitError, match=r"the next 2 calls.*--max-calls 2 \(1 calls.*run the same command again"):
        spending.reserve(2, Tokens(1, 1))
    spending.reserve(1, Tokens(1, 1))
    with pytest.raises(LimitError, match="another call would pass --max-calls 2"):
        spending.reserve(1, Tokens(1, 1))


def test_a_limit_that_lets_no_call_pass_is_to_be_raised() -> None:
    with pytest.raises(LimitError, match=r"the next 3 calls.*--max-calls 2 .*: raise the limit$"):
        Spending(Limits(max_calls=2)).reserve(3, Tokens(1, 1))
    with pytest.raises(LimitError, match=r"--max-cost 0 .*: raise the limit$"):
        Spending(Limits(max_cost=0, price_in=1)).reserve(1, Tokens(1, 1))


def test_what_is_under_way_is_waited_for_before_a_cost_is_too_much() -> None:
    spending = Spending(Limits(max_cost=1.0, price_in=1))
    most, passed = Tokens(600_000, 0), threading.Event()
    spending.reserve(1, most)

    def another() -> None:
        spending.reserve(1, most)
        passed.set()

    waiting = threading.Thread(target=another)
    waiting.start()
    assert not passed.wait(0.05)
    spending.pay(most, Tokens(300_000, 0))
    waiting.join(10)
    assert passed.is_set()
    spending.pay(most, most)
    with pytest.raises(LimitError, match=r"--max-cost 1 \(2 calls.*cost 0\.9000\)"):
        spending.reserve(1, most)


def test_a_cost_without_prices_is_refused() -> None:
    with pytest.raises(InputError, match="add --price-in and --price-out"):
        Limits(max_cost=3)


def window(pace: Pace, seconds: float) -> int:
    """The slots after as many answers as there were slots."""
    for _ in range(pace.slots):
        pace.answered(seconds)
    return pace.slots


def test_the_first_call_is_made_alone_and_then_ever_more_up_to_the_most() -> None:
    pace = Pace(50)
    assert pace.slots == 1
    assert [window(pace, 0.2) for _ in range(4)] == [4, 16, 50, 50]


def test_calls_that_wait_for_each_other_are_not_joined_by_more_until_they_do_no_longer() -> None:
    pace = Pace(64)
    assert [window(pace, seconds) for seconds in (1.0, 1.0, 2.5, 2.3, 1.0, 1.0)] == [4, 16, 16, 16, 17, 18]


def test_a_refusal_halves_the_slots_once_for_all_calls_that_were_under_way() -> None:
    pace = Pace(64)
    while pace.slots < 64:
        window(pace, 0.2)
    before = pace.shrunk
    for _ in range(10):
        pace.refused(before)
    assert pace.slots == 32
    pace.refused(pace.shrunk)
    assert [pace.slots, window(pace, 0.2), window(pace, 0.2)] == [16, 17, 18]
    for _ in range(9):
        pace.refused(pace.shrunk)
    assert pace.slots == 1


def test_no_more_calls_are_under_way_than_there_are_slots() -> None:
    pace, entered = Pace(4), threading.Semaphore(0)

    def call() -> None:
        with pace.slot():
            entered.release()

    with pace.slot():
        thread = threading.Thread(target=call)
        thread.start()
        assert not entered.acquire(timeout=0.05)
    assert entered.acquire(timeout=10)
    thread.join()
