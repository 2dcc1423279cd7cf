"""Questions in JSON and JSON Lines, whatever the file is called and whatever its list is wrapped in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raft.errors import InputError
from raft.questions.columns import KNOWN, QUESTIONS, Row, folded, with_folded_names
from raft.questions.files import text_of
from raft.questions.quoting import names_in_line

_ASKING = QUESTIONS | {"messages"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_JSON_NAMES = (".json", ".jsonl", ".ndjson")


class _TwiceError(ValueError):
    """A JSON object has a known field twice."""


def json_rows(raw: bytes, path: Path) -> list[Row]:
    """The rows of a file that is one JSON value, or one JSON object a line.

    Raises InputError that names the first bad line or item.
    """
    text = text_of(raw, path)
    lines = [(number, line) for number, line in enumerate(_LINE_END.split(text), 1) if line.strip()]
    if not lines:
        return []
    if path.suffix.lower() == ".json" or not isinstance(_value_or_none(lines[0][1]), dict):
        whole = _whole(text, lines, path)
        if whole is not None:
            return _unwrapped(whole, path)
    rows: list[Row] = [(f"line {number}", _object(line, f"{path}, line {number}")) for number, line in lines]
    return _unwrapped(rows, path)


def _whole(text: str, lines: Sequence[tuple[int, str]], path: Path) -> list[Row] | None:
    """The rows of a file that is one JSON value; None if it is JSON Lines."""
    try:
        value = _parsed(text)
    except json.JSONDecodeError as error:
        # A second value follows, or the first line is bad by itself: the file is meant as JSON Lines.
        alone = lines[0][1].strip() in ("[", "{", "[{")
        if error.msg == "Extra data" or (path.suffix.lower() != ".json" and not alone):
            return None
        raise InputError(f"{path}, line {error.lineno}: not valid JSON ({error.msg}): correct that line") from error
    except (ValueError, RecursionError) as error:
        if len(lines) > 1 and path.suffix.lower() != ".json":
            return None
        raise InputError(f"{path}: {_why(error)}: correct it") from error
    rows = [(f"item {number}", row) for number, row in enumerate(value if isinstance(value, list) else [value], 1)]
    for place, row in rows:
        if not isinstance(row, dict):
            raise InputError(f"{path}, {place}: expected a JSON object: correct it")
    return [(place, with_folded_names(row, f"{path}, {place}")) for place, row in rows]


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = _parsed(line)
    except (ValueError, RecursionError) as error:
        hint = "correct that line"
        if not where.rpartition(", line ")[0].lower().endswith(_JSON_NAMES):
            hint += ", or name a table .csv, .tsv, .xlsx or .parquet"
        raise InputError(f"{where}: {_why(error)}: {hint}") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: expected a JSON object: correct that line")
    return with_folded_names(row, where)


def _parsed(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_each_once)


def _value_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, with an error for a repeated field, of which JSON keeps only the last."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        for name in made:
            if names.count(name) > 1 and (folded(name) in KNOWN or name == "messages"):
                raise _TwiceError(f"the field '{name}' is there twice in one object")
    return made


def _why(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON ({error.msg})"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error) if isinstance(error, _TwiceError) else "a number in it has too many digits"


def _unwrapped(rows: list[Row], path: Path) -> list[Row]:
    """The rows inside a single object: in a list under some name, or in one list for each column."""
    if len(rows) != 1:
        return rows
    ((_, row),) = rows
    if row.keys() & QUESTIONS and not isinstance(row.get("data"), list):
        return _by_column(row, path) or rows
    lists = {name: value for name, value in row.items() if _holds_rows(value)}
    if len(lists) > 1:
        raise InputError(
            f"{path} holds several lists of questions ({names_in_line(lists)}): save one of them as a file"
        )
    if not lists or "messages" in row:
        return rows
    ((name, values),) = lists.items()
    made: list[Row] = []
    for number, value in enumerate(values):
        if not isinstance(value, dict):
            raise InputError(f"{path}, {name}[{number}]: expected a JSON object: correct it")
        made.append((f"{name}[{number}]", with_folded_names(value, f"{path}, {name}[{number}]")))
    return made


def _holds_rows(value: Any) -> bool:
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return False
    return any(name in _ASKING or folded(name) in _ASKING for name in value[0])


def _by_column(row: Mapping[str, Any], path: Path) -> list[Row]:
    """Rows from an object of columns, each a list or, as pandas writes it, an object of index and value."""
    called = next(name for name in row if name in QUESTIONS)
    asked = row[called]
    if not isinstance(asked, list | dict):
        return []
    if isinstance(asked, dict):
        same = {name: value for name, value in row.items() if isinstance(value, dict) and value.keys() == asked.keys()}
        columns = {name: list(value.values()) for name, value in same.items()}
    else:
        columns = {name: value for name, value in row.items() if isinstance(value, list)}
    for name in row:
        if len(columns.get(name, [])) != len(asked):
            raise InputError(f"{path}: '{called}' has {len(asked)} values, but '{name}' has not: make them match")
    return [
        (f"item {number}", dict(zip(columns, values, strict=True)))
        for number, values in enumerate(zip(*columns.values(), strict=True), 1)
    ]
