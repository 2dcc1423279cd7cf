"""The sheets of an XLSX workbook as records of cells, each cell as the sheet shows it."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from raft.errors import InputError
from raft.questions.cells import as_shown
from raft.questions.delimited import Record
from raft.questions.quoting import reason_of

_OLD_OR_LOCKED = bytes.fromhex("d0cf11e0a1b11ae1")
# A small file can unpack to a huge one.
_MOST_BYTES, _MOST_ROWS = 1 << 30, 1 << 20
# The first section of a number format: literal characters, digits, literal characters.
_SIGNS = r"""((?:"[^"]*"|\\.|\[\$[^\]]*\]|_.|[$€£¥%\s°+\-/()])*)"""
_FORMAT = re.compile(rf"{_SIGNS}(#,##0|#|0+)(?:\.(0+))?{_SIGNS}")
_SIGN = re.compile(r"""\"([^"]*)\"|\\(.)|\[\$([^\]-]*)[^\]]*\]|_(.)|(.)""", re.DOTALL)
# How Excel writes a carriage return.
_RETURN = "_x000D_"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet by its name, with its rows."""

    name: str
    records: Sequence[Record]


def sheets_of(raw: bytes, path: Path) -> list[Sheet]:
    """All sheets of a workbook, formulas as their last values. Raises InputError if it cannot be read."""
    if raw.startswith(_OLD_OR_LOCKED):
        raise InputError(f"{path} is password-protected or an old Excel file: save it as a plain XLSX")
    import warnings

    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _MOST_BYTES:
            raise InputError(f"{path} unpacks to {size >> 20} MB, more than {_MOST_BYTES >> 20} MB: split it")
        with warnings.catch_warnings():
            # openpyxl warns about what it drops, such as drop-down lists. None of that is needed.
            warnings.simplefilter("ignore")
            from openpyxl import load_workbook

            book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
            return [Sheet(str(sheet.title), _records(sheet, path)) for sheet in book.worksheets]
    except InputError:
        raise
    except Exception as error:  # openpyxl documents no errors for damaged files
        raise InputError(f"{path} cannot be read as XLSX ({reason_of(error)}): save it again") from error


def _records(sheet: Any, path: Path) -> list[Record]:
    records: list[Record] = []
    # Some tools record wrong dimensions, and openpyxl ignores cells outside them.
    sheet.reset_dimensions()
    for number, cells in enumerate(sheet.iter_rows(), 1):
        if number > _MOST_ROWS:
            raise InputError(f"{path} has more than {_MOST_ROWS} rows in sheet '{sheet.title}': split it")
        if cells:
            records.append((number, [_shown(cell) for cell in cells]))
    return records


def _shown(cell: Any) -> str:
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int | float):
        return number_shown(value, str(cell.number_format or "General"))
    return str(as_shown(value)).replace(_RETURN, "")


def number_shown(value: float, number_format: str) -> str:
    """A number as a sheet shows it: 0.15 as "15%" where its format says so.

    Decimals, thousands separators, percent and literal characters such as $ are supported. With any other format, and
    with General, the number has up to 15 digits.
    """
    first, *others = number_format.split(";")
    match = _FORMAT.fullmatch(first)
    # A second section of the format is for negative numbers.
    if match is None or abs(value) >= 1e12 or (value < 0 and others):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.15g}"
    before, whole, decimals, after = match.groups()
    before, after = (_SIGN.sub(_sign, signs) for signs in (before, after))
    exact = Decimal(repr(value)) * (100 if "%" in before + after else 1)
    rounded = abs(exact).quantize(Decimal(1).scaleb(-len(decimals or "")), ROUND_HALF_UP)
    digits = f"{rounded:,f}" if "," in whole else f"{rounded:f}"
    width = whole.count("0") if "," not in whole else 0
    padded = digits.zfill(width + (len(decimals) + 1 if decimals else 0))
    return f"{'-' if value < 0 and rounded else ''}{before}{padded}{after}".strip()


def _sign(match: re.Match[str]) -> str:
    """The literal text of one element of a format; `_x` is a gap as wide as x."""
    text, escaped, currency, _, plain = match.groups()
    return text or escaped or currency or plain or ""
