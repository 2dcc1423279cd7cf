"""How a generator goes about its calls: what is known already, what they may come to, how many at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from raft.errors import InputError, LimitError
from raft.journal import Journal
from raft.recipe import MAX_CONCURRENCY

# How keys begin whose values cost money: those stay when the result is there, and may serve the next one.
PAID = "paid "


def is_paid(key: str) -> bool:
    """Whether what a journal holds under a key was paid for, and did not only take time."""
    return key.startswith(PAID)


class Tokens(NamedTuple):
    """What a call reads and writes."""

    prompt: int
    new: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What the calls of one run may come to, and the prices of a million tokens, in any one currency.

    Answers that the journal holds cost nothing and count for nothing. Raises InputError for a cost without prices.
    """

    max_calls: int | None = None
    max_cost: float | None = None
    price_in: float | None = None
    price_out: float | None = None

    def __post_init__(self) -> None:
        if self.max_cost is not None and not self.has_prices:
            raise InputError(
                f"--max-cost {self.max_cost:g} says nothing without prices: add --price-in and --price-out"
            )

    @property
    def has_prices(self) -> bool:
        return self.price_in is not None or self.price_out is not None

    def cost(self, tokens: Tokens) -> float:
        """The price of so many tokens."""
        return (tokens.prompt * (self.price_in or 0.0) + tokens.new * (self.price_out or 0.0)) / 1e6


class Spending:
    """Counts calls, tokens and money against limits; threads may share it."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self.limits = limits
        self.calls = self.known = 0
        self.tokens = Tokens(0, 0)
        self._reserved, self._under_way = 0.0, 0
        self._changed = threading.Condition()

    @property
    def cost(self) -> float:
        """What has been spent, in the currency of the prices."""
        return self.limits.cost(self.tokens)

    def reserve(self, calls: int, most: Tokens) -> None:
        """Before calls that read and write at most so many tokens together; `pay` must follow.

        Where only the calls under way stand between these and the limit, waits for them, since they mostly cost less
        than they might. Raises LimitError where a limit would be passed.
        """
        limits, most_cost = self.limits, self.limits.cost(most)
        with self._changed:
            if limits.max_calls is not None and self.calls + calls > limits.max_calls:
                raise LimitError(self._said(f"--max-calls {limits.max_calls}", calls))
            while limits.max_cost is not None and self.cost + self._reserved + most_cost > limits.max_cost:
                if not self._under_way:
                    raise LimitError(self._said(f"--max-cost {limits.max_cost:g}", calls))
                self._changed.wait()
            self.calls += calls
            self._reserved += most_cost
            self._under_way += 1

    def pay(self, most: Tokens, used: Tokens) -> None:
        """After calls for which `most` was reserved."""
        with self._changed:
            self.tokens = Tokens(self.tokens.prompt + used.prompt, self.tokens.new + used.new)
            self._under_way -= 1
            # Sums of prices leave a rest that nobody holds.
            self._reserved = self._reserved - self.limits.cost(most) if self._under_way else 0.0
            self._changed.notify_all()

    def _said(self, limit: str, calls: int) -> str:
        more = "another call" if calls == 1 else f"the next {calls} calls, which this model makes together,"
        # Without a call the same command would stop at the same place.
        next_ = "run the same command again to go on, what was written is kept" if self.calls else "raise the limit"
        return f"stopped before {more} would pass {limit} ({self}): {next_}"

    def __str__(self) -> str:
        money = f", cost {self.cost:.4f}" if self.limits.has_prices else ""
        return (
            f"{self.calls:,} calls, {self.known:,} answers known from before, "
            f"{self.tokens.prompt:,} tokens read and {self.tokens.new:,} written{money}"
        )


@dataclass(slots=True)
class Calls:
    """What a generator is given for its calls; the defaults keep nothing and limit nothing.

    thinking: false where a model behind an endpoint is not to think, whatever its decoding says. identity: sha256 of
    the weights of a model on this machine, where the caller knows it; else they are read for it.
    """

    journal: Journal | None = None
    spending: Spending = field(default_factory=Spending)
    max_concurrency: int = MAX_CONCURRENCY
    thinking: bool = True
    identity: str = ""

    def known(self, key: str, count: int = 1) -> Any | None:
        """What an earlier run wrote for the same `count` prompts, or None."""
        if self.journal is None or key not in self.journal:
            return None
        self.spending.known += count
        return self.journal[key]

    def keep(self, key: str, value: Any) -> None:
        """Note what was written, before anything else is done with it."""
        if self.journal is not None:
            self.journal.add({key: value})
