"""One cell of a table: lists in the forms that tools write, and numbers and dates as text."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")
      | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
      | (?P<mark>[\[\](){},:=])
      | (?P<word>[A-Za-z_][\w.]*)
    )""",
    re.DOTALL | re.VERBOSE,
)
_CLOSING = {"[": "]", "(": ")", "{": "}"}
# NumPy writes these around an array and, since version 2, around each item.
_WRAPPER = re.compile(r"array|(?:np|numpy)\.\w+")
_WORDS: dict[str, Any] = {"None": None, "nan": None, "True": True, "False": False}
_DEEPEST = 8
# A quotation mark just inside the first bracket: lists of texts begin like that, and sentences do not.
_BEGINS_A_LIST = re.compile(r"""\s*(?:\[\s*['"]|array\(|\{\s*['"]text['"]\s*:)""")
Token = tuple[str, str]


class _NotAListError(Exception):
    """The cell is plain text."""


def several_in(cell: str) -> Any:
    """The list or dictionary that a tool wrote into a cell; None if the cell is plain text.

    It may be JSON, a list, tuple, set or dictionary as Python prints it, or an array as NumPy prints it, with spaces in
    place of commas: `['a' 'b']` holds two texts. Tuples and sets count only if all their items are texts: `(1, 2)` may
    be a point. No code is evaluated, only string literals.
    """
    if not cell.lstrip().startswith(("[", "(", "{", "array(")):
        return None
    try:
        value = json.loads(cell, strict=False)
    except (ValueError, RecursionError):
        try:
            value = _as_python_prints(cell)
        except _NotAListError:
            return None
    return value if isinstance(value, list | dict) else None


def texts_in(cell: str) -> list[str] | None:
    """The list in a cell if all its items are texts; None otherwise."""
    value = several_in(cell)
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else None


def begins_a_list(cell: str) -> bool:
    """Whether a cell begins like a list of texts. If it is not one, it was probably cut off."""
    return _BEGINS_A_LIST.match(cell) is not None


def as_shown(value: Any) -> Any:
    """Dates, times and decimals as text, midnight left out; any other value as it is."""
    if isinstance(value, datetime):
        if value.time() == time():
            return value.date().isoformat()
        return f"{value.date().isoformat()} {as_shown(value.time())}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return value.isoformat("seconds" if value.second else "minutes")
    return str(value) if isinstance(value, Decimal) else value


def number_as_text(value: Any) -> Any:
    """A number as people write it ("3" for 3.0, into which tools turn whole numbers); any other value as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, float) and "e" not in (written := repr(value)) and "n" not in written:
        return written
    return value


def _as_python_prints(cell: str) -> Any:
    tokens = _tokens(cell)
    value = _value(next(tokens, ("", "")), tokens, 0)
    if next(tokens, None) is not None:
        raise _NotAListError
    return value


def _tokens(cell: str) -> Iterator[Token]:
    start, end = 0, len(cell.rstrip())
    while start < end:
        match = _TOKEN.match(cell, start, end)
        # NumPy puts a space between two texts. Without one, the quotation mark was doubled.
        if match is None or match.lastgroup is None or (match[0][0] in "'\"" and cell[start - 1] in "'\""):
            raise _NotAListError
        yield match.lastgroup, match[match.lastgroup]
        start = match.end()


def _value(token: Token, tokens: Iterator[Token], depth: int) -> Any:
    kind, written = token
    if kind == "text":
        return _unquoted(written)
    if kind == "number":
        digits = written.lstrip("+-")
        if len(digits) > 1 and digits.isdecimal() and (digits.startswith("0") or len(digits) > 100):
            raise _NotAListError
        return int(written) if digits.isdecimal() else float(written)
    if written in _WORDS:
        return _WORDS[written]
    if kind == "word" and _WRAPPER.fullmatch(written):
        return _wrapped(tokens, depth)
    if written in _CLOSING and depth < _DEEPEST:
        return _group(written, tokens, depth + 1)
    raise _NotAListError


def _unquoted(written: str) -> str:
    try:
        # Python prints a line break as \n, but some tools write a real one.
        value = ast.literal_eval(_without_odd_escapes(written).replace("\r", "\\r").replace("\n", "\\n"))
    except (ValueError, SyntaxError, MemoryError) as error:
        raise _NotAListError from error
    return str(value)


def _without_odd_escapes(written: str) -> str:
    r"""Python reads `\d` as two characters too, but warns about it."""
    return re.sub(
        r"\\(.)", lambda m: m[0] if m[1] in "\\'\"abfnrtvxuUN01234567\n" else "\\" + m[0], written, flags=re.S
    )


def _wrapped(tokens: Iterator[Token], depth: int) -> Any:
    """The value inside `array([...], dtype=object)` or `np.str_('a')`."""
    if next(tokens, None) != ("mark", "(") or depth >= _DEEPEST:
        raise _NotAListError
    value = _value(next(tokens, ("", "")), tokens, depth + 1)
    for token in tokens:
        if token == ("mark", ")"):
            return value
        if token[0] == "mark" and token[1] not in ",=":
            break
    raise _NotAListError


def _group(opening: str, tokens: Iterator[Token], depth: int) -> Any:
    """The list between brackets, or the dictionary if there are colons."""
    items: list[Any] = []
    values: list[Any] = []
    commas = 0
    for token in tokens:
        if token == ("mark", _CLOSING[opening]):
            break
        if token == ("mark", ","):
            commas += 1
        elif token == ("mark", ":") and opening == "{" and len(values) == len(items) - 1:
            values.append(_value(next(tokens, ("", "")), tokens, depth))
        else:
            items.append(_value(token, tokens, depth))
    else:
        raise _NotAListError
    if values or (opening == "{" and not items):
        if len(values) != len(items) or not all(isinstance(item, str) for item in items):
            raise _NotAListError
        return dict(zip(items, values, strict=True))
    if opening == "[":
        return items
    if (opening == "(" and not commas) or not all(isinstance(item, str) for item in items):
        raise _NotAListError
    return items
