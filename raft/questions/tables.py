"""Questions in tables: CSV, TSV, and folders that the library `datasets` saved."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raft.errors import InputError
from raft.questions.chats import CHAT_FIELDS
from raft.questions.rows import FIELDS, Rows, as_text, with_one_answer

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_BETWEEN = "|"
_COLUMNS = FIELDS | {"answer"}
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def delimited_rows(path: Path) -> Rows:
    """The rows of a CSV or TSV file with a header; rows are counted as spreadsheets do, the header being row 1.

    `answers`, `document_ids`, `contexts` and `choices` hold several when parted by |. Raises InputError for a header or
    row that cannot be read without guessing.
    """
    header: list[str] = []
    for number, cells in _records(path):
        if not any(cell.strip() for cell in cells):
            continue
        if not header:
            header = _header(cells, f"{path}, row {number}")
            continue
        where = f"{path}, row {number}"
        if len(cells) != len(header):
            raise InputError(f"{where}: it has {len(cells)} cells, but the header has {len(header)}: correct it")
        yield f"row {number}", _fields(dict(zip(header, cells, strict=True)), where)


def dataset_rows(folder: Path) -> Rows:
    """The rows of a Hugging Face dataset on disk, counted from 1. Raises InputError where there is none or several."""
    table = _one_split(folder)
    # Only these columns are decoded: others may be images or sounds.
    wanted = [name for name in table.column_names if name in _COLUMNS | CHAT_FIELDS]
    if not {"question", "messages"} & set(wanted):
        found = ", ".join(table.column_names) or "none"
        raise InputError(f"{folder}: it has no column 'question' (its columns: {found}): rename the one that is meant")
    for number, row in enumerate(table.select_columns(wanted), 1):
        row = {name: value for name, value in row.items() if value is not None}
        if "id" in row:
            row["id"] = as_text(row["id"])
        yield f"row {number}", with_one_answer(row, f"{folder}, row {number}")


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        # What Excel writes begins with a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from enumerate(csv.reader(file, delimiter=DELIMITERS[path.suffix.lower()], strict=True), 1)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text ({error}): check the file") from error
    except csv.Error as error:
        raise InputError(f"{path} cannot be read as a table ({error}): check its quotation marks") from error


def _header(cells: list[str], where: str) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    if "question" not in names:
        raise InputError(f"{where}: the header has no column 'question' (found: {', '.join(cells)}): name one so")
    for name in names:
        if name in _COLUMNS and names.count(name) > 1:
            raise InputError(f"{where}: the header has two columns '{name}': remove one of them")
    return names


def _fields(cells: Mapping[str, str], where: str) -> dict[str, Any]:
    """Filled cells as the fields of a question; an empty cell is a field that is not there."""
    trimmed = {name: cell.strip() for name, cell in cells.items() if name in _COLUMNS}
    filled = {name: cell for name, cell in trimmed.items() if cell or name == "question"}
    if _BETWEEN in filled.get("answer", ""):
        raise InputError(
            f"{where}: 'answer' holds one answer, but there is a {_BETWEEN} in it: name the column 'answers' if that "
            "parts several, or give this question as JSON Lines"
        )
    row: dict[str, Any] = dict(filled)
    for name in ("answers", "document_ids", "contexts", "choices"):
        if name in filled:
            row[name] = [part.strip() for part in filled[name].split(_BETWEEN)]
    for name in ("unanswerable", "all_of"):
        if name in filled:
            # What is neither goes on as it is, to be named in the message.
            row[name] = _FLAGS.get(filled[name].lower(), filled[name])
    return with_one_answer(row, where)


def _one_split(folder: Path) -> Any:
    if not (folder / "state.json").is_file() and not (folder / "dataset_dict.json").is_file():
        raise InputError(
            f"{folder} is a folder, but no dataset that `save_to_disk` of the library datasets made: give such a "
            "folder, or a file"
        )
    from datasets import DatasetDict, load_from_disk

    try:
        loaded = load_from_disk(str(folder))
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{folder} cannot be read as a dataset ({reason}): save it again") from error
    if not isinstance(loaded, DatasetDict):
        return loaded
    if len(loaded) != 1:
        names = ", ".join(loaded) or "none"
        example = next((name for name in ("train", "validation", "test") if name in loaded), next(iter(loaded), ""))
        raise InputError(
            f"{folder} holds {len(loaded)} splits ({names}): give the folder of one, as {folder / example}"
        )
    (table,) = loaded.values()
    return table
