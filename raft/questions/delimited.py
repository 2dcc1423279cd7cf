"""CSV and similar files as records of cells, whatever the delimiter."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from raft.errors import InputError
from raft.questions.files import text_of
from raft.questions.quoting import reason_of

# The number of a row, counted as spreadsheets do (from 1, with header and blank rows), and its cells.
Record = tuple[int, Sequence[str]]

DELIMITERS = {".csv": ",;\t|", ".tsv": "\t,;|"}
# Excel's own way to name the delimiter. It does not show or count this line.
_SEPARATOR = re.compile(r'"?sep=(.)"?[ \t]*(?:\r\n|\r|\n|$)', re.IGNORECASE)
_LOOKED_AT = 20


def delimited_records(raw: bytes, path: Path, known_columns: Callable[[Sequence[Record]], int]) -> list[Record]:
    """The records of a table. Raises InputError if quotation marks do not match.

    known_columns: how many columns the header among the first records has that are known. Without a `sep=` line, the
    delimiter is the one with most of them, and of several the one with most cells.
    """
    text = text_of(raw, path)
    said = _SEPARATOR.match(text)
    if said is not None:
        text, delimiter = text[said.end() :], said[1]
    else:
        delimiter = _delimiter(text, path, known_columns)
    records, error = _parsed(text, delimiter)
    if error is not None:
        where = f"{reason_of(error)}, row {len(records) + 1}"
        raise InputError(f"{path} cannot be read as a table ({where}): check its quotation marks") from error
    return records


def _delimiter(text: str, path: Path, known_columns: Callable[[Sequence[Record]], int]) -> str:
    def worth(delimiter: str) -> tuple[int, int]:
        records, _ = _parsed(text, delimiter, _LOOKED_AT)
        return known_columns(records), max((len(cells) for _, cells in records), default=0)

    return max(DELIMITERS[path.suffix.lower()], key=worth)


def _parsed(text: str, delimiter: str, most: int | None = None) -> tuple[list[Record], Exception | None]:
    """The records of a text, or its first ones, and the error that ended them."""
    records: list[Record] = []
    # The default is 131,072 characters a cell. It holds for the whole process, so it is restored.
    limit = csv.field_size_limit(min(len(text) + 1, 2**31 - 1))
    try:
        # Otherwise quotation marks after a delimiter and a space are part of the cell.
        lines = io.StringIO(text, newline="")
        reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
        for number, cells in enumerate(islice(reader, most), 1):
            records.append((number, cells))
    except (csv.Error, TypeError, ValueError) as error:
        return records, error
    finally:
        csv.field_size_limit(limit)
    return records, None
