"""Questions in tables of text cells: CSV, TSV and the sheets of XLSX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from raft.errors import InputError
from raft.questions.columns import KNOWN, QUESTIONS, Row, folded
from raft.questions.delimited import Record, delimited_records
from raft.questions.quoting import names_in_line
from raft.questions.sheets import Sheet, sheets_of

# A title and some remarks may stand above the header.
_HEADER_WITHIN = 10


def delimited_rows(raw: bytes, path: Path) -> list[Row]:
    """The rows below the header of a CSV or TSV file. Raises InputError for a bad header or a row of another width."""
    return list(_rows(delimited_records(raw, path, _known_columns), path, ""))


def sheet_rows(raw: bytes, path: Path) -> list[Row]:
    """The rows of the sheet that has a column of questions. Raises InputError if none or several have one."""
    sheets = sheets_of(raw, path)
    asking = [sheet for sheet in sheets if _header_at(sheet.records) is not None]
    if len(asking) > 1:
        raise InputError(
            f"{path} has {len(asking)} sheets with a column 'question' ({names_in_line(s.name for s in asking)}): keep "
            "one of them in the file"
        )
    filled = [sheet for sheet in sheets if _filled(sheet.records)]
    chosen = asking or filled[:1]
    if not chosen:
        return []
    return list(_rows(_as_wide(chosen[0]), path, f"sheet '{chosen[0].name}', " if len(filled) > 1 else ""))


def _rows(records: Sequence[Record], path: Path, sheet: str) -> Iterator[Row]:
    filled = _filled(records)
    if not filled:
        return
    at = _header_at(filled)
    number, header = filled[at or 0]
    names = _header(header, f"{path}, {sheet}row {number}")
    for number, cells in filled[(at or 0) + 1 :]:
        where = f"{path}, {sheet}row {number}"
        # Spreadsheets write delimiters for empty columns too.
        cells = _without_empty_end(cells, len(names))
        if len(cells) != len(names):
            raise InputError(
                f"{where}: it has {len(cells)} cells, but the header has {len(names)}: correct it, and put cells that "
                "contain the delimiter in quotation marks"
            )
        yield f"{sheet}row {number}", _named(names, cells)


def _filled(records: Sequence[Record]) -> list[Record]:
    return [(number, cells) for number, cells in records if any(cell.strip() for cell in cells)]


def _known_columns(records: Sequence[Record]) -> int:
    at = _header_at(records)
    return 0 if at is None else len(KNOWN & {folded(cell) for cell in _filled(records)[at][1]})


def _header_at(records: Sequence[Record]) -> int | None:
    """Which filled record is the header: the first with a column of questions and, if possible, another known one."""
    alone = None
    for place, (_, cells) in enumerate(_filled(records)[:_HEADER_WITHIN]):
        names = {folded(cell) for cell in cells}
        if names & QUESTIONS:
            if len(names & KNOWN) > 1:
                return place
            alone = place if alone is None else alone
    return alone


def _header(cells: Sequence[str], where: str) -> list[str]:
    names = [folded(cell) for cell in cells]
    if not QUESTIONS & set(names):
        raise InputError(
            f"{where}: the header has no column 'question' (found: {names_in_line(cells)}): rename the one "
            "that is meant"
        )
    for name in names:
        if name in KNOWN and names.count(name) > 1:
            raise InputError(f"{where}: the header has two columns '{name}': remove one of them")
    return names


def _named(names: Sequence[str], cells: Sequence[str]) -> dict[str, Any]:
    """Filled cells by column, and the question even if it is empty, so that the error is about that."""
    return {name: cell for name, cell in zip(names, cells, strict=True) if name and (cell.strip() or name in QUESTIONS)}


def _without_empty_end(cells: Sequence[str], width: int) -> Sequence[str]:
    return cells[:width] if not any(cell.strip() for cell in cells[width:]) else cells


def _as_wide(sheet: Sheet) -> list[Record]:
    """All records as wide as the widest: XLSX omits empty cells at the end of a row."""
    width = max(len(cells) for _, cells in sheet.records)
    return [(number, [*cells, *[""] * (width - len(cells))]) for number, cells in sheet.records]
