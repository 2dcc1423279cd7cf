"""The bytes and the text of a question file; for a file of another type, an error that names the type."""

from __future__ import annotations

import codecs
from pathlib import Path

from raft.errors import InputError
from raft.questions.quoting import reason_of

READ = "JSON, JSON Lines, CSV, TSV, XLSX and Parquet"
# The mark of UTF-32 begins with that of UTF-16, so it comes first.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PACKED = "a compressed file: unpack it"
_OTHER = {
    **dict.fromkeys([".gz", ".tgz", ".zip", ".bz2", ".xz", ".zst", ".lz4", ".7z", ".rar", ".tar"], _PACKED),
    **dict.fromkeys([".xls", ".xlt"], "an old Excel file: save it as XLSX"),
    ".xlsb": "a binary Excel file: save it as XLSX",
    **dict.fromkeys([".ods", ".fods"], "an OpenDocument spreadsheet: save it as XLSX or CSV"),
    ".numbers": "a Numbers spreadsheet: export it as XLSX or CSV",
    **dict.fromkeys([".doc", ".docx", ".odt", ".rtf"], "a text document: put its questions in a table"),
    **dict.fromkeys([".ppt", ".pptx", ".odp"], "a slide show: put its questions in a table"),
    ".pdf": "a PDF: put its questions in a table",
    **dict.fromkeys([".html", ".htm", ".xml"], "a web page or an XML file: save it as CSV or JSON"),
    **dict.fromkeys([".yaml", ".yml", ".toml"], "a YAML or TOML file: save it as JSON"),
    **dict.fromkeys([".arrow", ".feather", ".ipc"], "an Arrow file: save it as Parquet"),
    **dict.fromkeys([".orc", ".avro"], "an ORC or Avro file: save it as Parquet"),
    **dict.fromkeys([".pkl", ".pickle", ".npy", ".npz", ".pt"], "a Python object: save it as JSON Lines or Parquet"),
    **dict.fromkeys([".db", ".sqlite", ".sqlite3"], "a database: save its table as CSV"),
}
_BEGINNINGS = (
    (b"PK\x03\x04", "an Excel file or a zip archive: rename it to .xlsx, or unpack it"),
    (b"PAR1", "a Parquet file: rename it to .parquet"),
    (b"\x1f\x8b", _PACKED),
    (b"BZh", _PACKED),
    (b"\xfd7zXZ\0", _PACKED),
    (b"\x28\xb5\x2f\xfd", _PACKED),
    (bytes.fromhex("d0cf11e0a1b11ae1"), "an old or password-protected Office file: save it as a plain XLSX"),
    (b"%PDF-", _OTHER[".pdf"]),
    (b"ARROW1", _OTHER[".arrow"]),
    (b"SQLite format 3\0", _OTHER[".db"]),
)


def bytes_of(path: Path) -> bytes:
    """The bytes of a file. Raises InputError if it cannot be opened or its suffix is that of an unsupported type."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: check the path") from error
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or reason_of(error)
        raise InputError(f"{path} cannot be read ({told}): check the file") from error
    if other := _OTHER.get(path.suffix.lower()):
        raise _of_another_type(path, other)
    return raw


def text_of(raw: bytes, path: Path) -> str:
    """Text in UTF-8, or in the encoding of its byte order mark. Raises InputError for other bytes."""
    for beginning, other in _BEGINNINGS:
        if raw.startswith(beginning):
            raise _of_another_type(path, other)
    mark, encoding = next(((m, name) for m, name in _BYTE_ORDER_MARKS if raw.startswith(m)), (b"", "utf-8"))
    body = raw[len(mark) :]
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{body[error.start]:02X} in line {line}"
        name = encoding.removesuffix("-le").removesuffix("-be").upper()
        excel = ', in Excel as "CSV UTF-8"' if path.suffix.lower() == ".csv" else ""
        raise InputError(f"{path} cannot be read as {name} text ({found}): save it as UTF-8{excel}") from error
    if "\0" in text:
        raise InputError(
            f"{path} cannot be read as UTF-8 text (it contains zero bytes, as binary files do): save it as UTF-8, or "
            "give another file"
        )
    return text


def _of_another_type(path: Path, other: str) -> InputError:
    return InputError(f"{path} is {other} (questions are read from {READ})")
