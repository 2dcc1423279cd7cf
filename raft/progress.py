"""How stages tell what they are doing, without knowing whether anybody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

Advance = Callable[[int], None]


class DetailedAdvance(Protocol):
    """An `Advance` that also takes what else a person wants to see of the work at this moment, such as its speed."""

    def __call__(self, count: int, detail: str = "", /) -> None: ...


class Progress(Protocol):
    """A display of work under way."""

    def task(self, label: str, total: int) -> AbstractContextManager[DetailedAdvance]:
        """A piece of work of `total` units; call the value with the number of units just done."""
        ...

    def note(self, text: str) -> None:
        """One line that stays: a count, a decision, something skipped."""
        ...


class Silent:
    """Shows nothing: the default of the Python functions."""

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[DetailedAdvance]:
        yield lambda _count, _detail="": None

    def note(self, text: str) -> None:
        pass
