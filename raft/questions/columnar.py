"""Questions in tables with typed columns: Parquet, and folders that the library `datasets` saved."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from raft.errors import InputError
from raft.questions.chats import CHAT_FIELDS
from raft.questions.columns import KNOWN, QUESTIONS, Row, folded, with_folded_names
from raft.questions.quoting import names_in_line, reason_of


def parquet_rows(raw: bytes, path: Path) -> list[Row]:
    """The rows of a Parquet file, counted from 1. Raises InputError if it is damaged or has no column of questions."""
    # A requirement of `datasets`.
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(io.BytesIO(raw))
        names = list(file.schema_arrow.names)
    except Exception as error:  # its decoders raise many kinds
        raise InputError(f"{path} cannot be read as Parquet ({reason_of(error)}): save it again") from error
    wanted = _wanted(names, path)
    try:
        rows = file.read(columns=wanted).select(wanted).to_pylist()
    except Exception as error:
        raise InputError(f"{path} cannot be read as Parquet ({reason_of(error)}): save it again") from error
    return _numbered(rows, path)


def dataset_rows(folder: Path) -> list[Row]:
    """The rows of a Hugging Face dataset on disk, counted from 1. Raises InputError where there is none or several."""
    table = _one_split(folder)
    # Only these columns are decoded: others may be images or sounds.
    wanted = _wanted(table.column_names, folder)
    try:
        rows = list(table.select_columns(wanted))
    except Exception as error:  # a damaged file shows only when it is read
        raise InputError(f"{folder} cannot be read as a dataset ({reason_of(error)}): save it again") from error
    return _numbered(rows, folder)


def _wanted(names: Sequence[str], path: Path) -> list[str]:
    wanted = [name for name in names if folded(name) in KNOWN or name in CHAT_FIELDS]
    meant = {folded(name) for name in wanted}
    if not meant & (QUESTIONS | {"messages"}):
        found = names_in_line(names) or "none"
        raise InputError(f"{path}: it has no column 'question' (its columns: {found}): rename the one that is meant")
    for name in wanted:
        if [folded(other) for other in wanted].count(folded(name)) > 1:
            raise InputError(f"{path}: it has two columns '{folded(name)}': remove one of them")
    return wanted


def _numbered(rows: Iterable[Any], path: Path) -> list[Row]:
    return [(f"row {number}", with_folded_names(row, f"{path}, row {number}")) for number, row in enumerate(rows, 1)]


def _one_split(folder: Path) -> Any:
    if not (folder / "state.json").is_file() and not (folder / "dataset_dict.json").is_file():
        raise InputError(
            f"{folder} is a folder, but no dataset that `save_to_disk` of the library datasets made: give such a "
            "folder, or a file"
        )
    from datasets import DatasetDict, load_from_disk

    try:
        loaded = load_from_disk(str(folder))
    except Exception as error:  # a folder that is damaged or half copied
        raise InputError(f"{folder} cannot be read as a dataset ({reason_of(error)}): save it again") from error
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
