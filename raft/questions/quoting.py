"""How error messages show what a question file holds: short, printable and on one line."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any

_NAMES, _LETTERS = 12, 80
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother, _REPR.maxlong = 3, _LETTERS, _LETTERS, _LETTERS


def quoted(value: Any) -> str:
    """A value as Python writes it, without the middle of a long one."""
    return _REPR.repr(value)


def names_in_line(names: Iterable[str]) -> str:
    """The first of these names, and how many more there are."""
    found = [_printable(name) for name in names]
    more = f" and {len(found) - _NAMES} more" if len(found) > _NAMES else ""
    return ", ".join(found[:_NAMES]) + more


def reason_of(error: BaseException) -> str:
    """The message of another library's error."""
    return _printable(" ".join(str(error).split()) or type(error).__name__)


def _printable(text: str) -> str:
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= 2 * _LETTERS else f"{shown[: 2 * _LETTERS]}..."
