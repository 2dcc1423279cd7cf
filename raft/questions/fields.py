"""Turn the cells of one row into the fields of a question: lists, flags and plain texts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from raft.errors import InputError
from raft.questions.cells import as_shown, begins_a_list, number_as_text, several_in, texts_in
from raft.questions.columns import is_nothing
from raft.questions.quoting import quoted
from raft.questions.rows import FIELDS, as_text


class Cells(StrEnum):
    """What the cells of a file are: texts, values of typed columns, or JSON."""

    TEXT = "text"
    TYPED = "typed"
    JSON = "json"


_BETWEEN = "|"
_LISTS = ("answers", "document_ids", "choices")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
# Never meant literally.
_NOT_MEANT = {
    **dict.fromkeys(
        ["#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!"], "Excel writes where a formula failed"
    ),
    **dict.fromkeys(["nan", "NaN", "<NA>"], "pandas writes for an empty cell"),
}


def question_fields(row: Mapping[str, Any], where: str, cells: Cells) -> dict[str, Any]:
    """A row under raft's own names in the form that `question_of` takes. Raises InputError for ambiguous cells.

    In tables | separates the items of `answers`, `document_ids` and `choices`. In `answer`, `context` and `contexts` it
    is part of the text. All of these also take lists in the forms that tools write.
    """
    made = dict(row) if cells is Cells.JSON else {name: _trimmed(value, name, where) for name, value in row.items()}
    if cells is not Cells.JSON:
        made = {name: value for name, value in made.items() if value != "" or name == "question"}
    for name in _LISTS:
        if isinstance(value := made.get(name), str):
            made[name] = _list(value, name, where, cells)
    _set_contexts(made, where, cells)
    _set_answers(made, where, cells)
    for name in _LISTS:
        if isinstance(value := made.get(name), list):
            made[name] = [number_as_text(as_shown(item)) for item in value]
    if cells is not Cells.JSON:
        made |= {name: _flag(made[name]) for name in ("unanswerable", "all_of") if name in made}
        if "id" in made:
            made["id"] = as_text(number_as_text(as_shown(made["id"])))
    return made


def _trimmed(value: Any, name: str, where: str) -> Any:
    if not isinstance(value, str) or name not in FIELDS | {"answer"}:
        return value
    value = value.strip()
    if reason := _NOT_MEANT.get(value):
        raise InputError(f"{where}: '{name}' is {value}, which {reason}: correct the cell, or clear it")
    return value


def _list(cell: str, name: str, where: str, cells: Cells) -> Any:
    """The items of a cell in a column of lists."""
    several = several_in(cell)
    if several is not None:
        return several
    _refuse_half_a_list(cell, name, where)
    if cells is Cells.JSON:
        return cell  # `question_of` raises the error
    if _BETWEEN in cell:
        return [part.strip() for part in cell.split(_BETWEEN)]
    for mark, called in ((";", "a ;"), ("\n", "a line break")):
        if mark in cell:
            raise InputError(
                f"{where}: {quoted(cell)} in '{name}' contains {called}, so it may be one item or several: separate "
                f"several with {_BETWEEN}, or write a JSON list"
            )
    return [cell]


def _set_contexts(made: dict[str, Any], where: str, cells: Cells) -> None:
    for name in ("contexts", "context"):
        value = made.get(name)
        if isinstance(value, str):
            several = texts_in(value)
            if several is None:
                _refuse_half_a_list(value, name, where)
            made[name] = several if several is not None else [value] if _is_one(name, cells) else value
    if isinstance(made.get("context"), list) and "contexts" not in made:
        made["contexts"] = made.pop("context")


def _is_one(name: str, cells: Cells) -> bool:
    """Whether a plain text stands for a list of one; in JSON it is an error."""
    return name == "contexts" and cells is not Cells.JSON


def _set_answers(made: dict[str, Any], where: str, cells: Cells) -> None:
    """Set `answers` from `answer`, which holds one answer or a list."""
    answer = made.pop("answer", None)
    # The rows of `raft generate` have both; there `answers` counts.
    if is_nothing(answer) or (cells is Cells.JSON and made.get("answers") is not None):
        return
    if made.get("answers") is not None:
        raise InputError(f"{where}: it has both 'answer' and 'answers': keep one of the two columns")
    if isinstance(answer, str):
        several = several_in(answer)
        if texts_in(answer) is not None or (isinstance(several, dict) and "text" in several):
            answer = several
        else:
            _refuse_half_a_list(answer, "answer", where)
            if cells is Cells.TEXT and _BETWEEN in answer:
                raise InputError(
                    f"{where}: 'answer' holds one answer, but there is a {_BETWEEN} in it: name the column 'answers' "
                    "if it separates several, or give this question as JSON Lines"
                )
    made["answers"] = answer if isinstance(answer, list | Mapping) else [answer]


def _refuse_half_a_list(cell: str, name: str, where: str) -> None:
    if begins_a_list(cell):
        raise InputError(
            f"{where}: '{name}' begins like a list, but cannot be read as one ({quoted(cell)}): correct it, or write "
            "it as a JSON list"
        )


def _flag(value: Any) -> Any:
    """True or false; any other value stays as it is, for `question_of` to name."""
    if isinstance(value, float | int):
        return bool(value) if value in (0, 1) else value
    return _FLAGS.get(value.lower(), value) if isinstance(value, str) else value
