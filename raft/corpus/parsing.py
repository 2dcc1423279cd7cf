"""From the bytes of one file to its documents. Pure: no file is opened here, so that a sandbox can run it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePosixPath
from typing import Any

from raft.corpus.formats import Content, Reader, UnreadableError, clean, decode
from raft.corpus.headings import first_heading
from raft.errors import RaftError
from raft.types import Document

ROWS = ".jsonl"
_LONGEST_TITLE = 120
_LONGEST_REASON = 160
# How the source of a skipped row ends.
_SKIPPED_ROW = re.compile(r", line \d+$")
# Archives in archives in archives: nobody keeps documents so.
_DEEPEST = 3


class RowError(RaftError):
    """A wrong row in a file of documents: what its owner made by hand is to be mended, not skipped."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, folder or row that gave no document, and why. `source` is named like a document's."""

    source: str
    reason: str


def _later(module: str, name: str) -> Reader:
    """A reader whose module, with the library behind it, is imported at the first file that needs it."""

    def read(raw: bytes) -> Content:
        content: Content = getattr(import_module(f"raft.corpus.{module}"), name)(raw)
        return content

    return read


# Source code and settings: read as they are.
_CODE = """
    .py .pyi .js .mjs .ts .jsx .tsx .java .kt .scala .c .h .cc .cpp .hpp .cs .go .rs .rb .php .pl .sh .bash .ps1 .sql
    .r .jl .lua .swift .tex .yaml .yml .toml .ini .cfg .conf .log
"""
READERS: dict[str, Reader] = {
    ".md": _later("formats", "read_text"),
    ".markdown": _later("formats", "read_text"),
    ".txt": _later("formats", "read_text"),
    ".rst": _later("formats", "read_text"),
    ".html": _later("formats", "read_html"),
    ".htm": _later("formats", "read_html"),
    ".pdf": _later("pdf", "read_pdf"),
    ".docx": _later("office", "read_docx"),
    ".pptx": _later("office", "read_pptx"),
    ".xlsx": _later("office", "read_xlsx"),
    ".epub": _later("packed", "read_epub"),
    ".eml": _later("packed", "read_mail"),
    ".csv": _later("formats", "read_csv"),
    ".tsv": _later("formats", "read_tsv"),
    ".json": _later("formats", "read_json"),
    **dict.fromkeys(_CODE.split(), _later("formats", "read_plainly")),
}
# What holds files of its own, by suffix, the longest first.
_HOLDERS = {
    ".tar.gz": "tar_members",
    ".tgz": "tar_members",
    ".tar": "tar_members",
    ".zip": "zip_members",
    ".gz": "gzip_members",
    ".eml": "mail_attachments",
}


def kind_of(name: str) -> str:
    """The suffix that decides how a file is read, in lower case; "" where there is none."""
    lowered = name.lower()
    holder = next((suffix for suffix in _HOLDERS if lowered.endswith(suffix)), None)
    return holder or PurePosixPath(lowered).suffix


def keeps_lines(name: str) -> bool:
    """Whether each line of files of this name stands for itself: source code, settings, logs."""
    return kind_of(name.removesuffix(".gz")) in _CODE.split()


def can_read(name: str) -> bool:
    """Whether files of this name have a reader; a `.gz` has one where the file inside does."""
    kind = kind_of(name)
    if kind == ".gz":
        return can_read(name[: -len(kind)])
    return kind in READERS or kind in _HOLDERS or kind == ROWS


def why_not(name: str) -> str:
    """The reason to skip a file for its name."""
    kind = kind_of(name[: -len(".gz")]) if kind_of(name) == ".gz" else kind_of(name)
    return f"no reader for {kind} files" if kind else "no reader for files without a suffix"


def parse(raw: bytes, source: str, depth: int = 0) -> Iterator[Document | Skipped]:
    """Everything that one file gives, in order: its documents, and what of it could not be read.

    source: its name, from which its type follows. Raises RowError for a wrong row of JSON Lines.
    """
    kind = kind_of(source)
    if not raw:
        yield Skipped(source, "it is empty")
        return
    try:
        if kind == ROWS:
            yield from _rows(raw, source)
        elif kind in READERS:
            yield _document(READERS[kind](raw), source)
        if kind in _HOLDERS:
            members: Callable[..., Any] = getattr(import_module("raft.corpus.packed"), _HOLDERS[kind])
            for member in members(raw):
                yield from _member(member.name, member.raw, member.reason, source, depth)
    except RowError:
        if depth:
            yield Skipped(source, "one of its rows is not a document")
        else:
            raise
    except UnreadableError as error:
        yield Skipped(source, " ".join(str(error).split()))
    except RecursionError:
        yield Skipped(source, "it is nested too deeply")
    except MemoryError:
        yield Skipped(source, "it needs more memory than one file may")
    except Exception as error:
        # Parsers fail on damaged files in ways of their own, and one bad file must not cost all the others.
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        yield Skipped(source, f"its reader failed ({type(error).__name__}{': ' * bool(reason)}{reason})")


def _member(name: str, raw: bytes, reason: str, source: str, depth: int) -> Iterator[Document | Skipped]:
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
    inner = "/".join([source, *parts]) if name else source[: -len(".gz")]
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    if hidden or reason:
        yield Skipped(inner, reason or "hidden")
    elif not can_read(inner):
        yield Skipped(inner, why_not(inner))
    elif depth == _DEEPEST:
        yield Skipped(inner, "archives are nested too deeply")
    else:
        yield from parse(raw, inner, depth + 1)


def _document(content: Content, source: str) -> Document | Skipped:
    if not content.text.strip():
        return Skipped(source, "it is empty")
    title = content.title or _readable(PurePosixPath(source).stem)
    return Document(source, _label(title), content.text, source, content.metadata)


def _rows(raw: bytes, source: str) -> Iterator[Document | Skipped]:
    """One document a row of JSON Lines with `id`, `text` and perhaps `title`; other plain fields become metadata."""
    seen = 0
    for number, line in enumerate(decode(raw).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise RowError(f"line {number}: not valid JSON ({reason}): correct that line") from error
        missing = [name for name in ("id", "text") if not isinstance(row, dict) or not _is_given(row.get(name))]
        if missing and not seen:
            raise UnreadableError(f"its line {number} has no '{missing[0]}', so its rows are not documents")
        if missing:
            raise RowError(f"line {number}: no '{missing[0]}' as text: every document has an id and a text")
        seen += 1
        yield _row_document(row, source, number)
    if not seen:
        yield Skipped(source, "it is empty")


def _is_given(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


def is_row(result: Document | Skipped) -> bool:
    """Whether it is what one row of JSON Lines gave, not what a whole file did."""
    if isinstance(result, Skipped):
        return _SKIPPED_ROW.search(result.source) is not None
    return "line" in result.metadata


def _row_document(row: Mapping[str, Any], source: str, number: int) -> Document | Skipped:
    id_, text = clean(str(row["id"])).strip(), clean(str(row["text"]))
    if not id_ or not text.strip():
        return Skipped(f"{source}, line {number}", "its id is empty" if not id_ else "it is empty")
    others = {key: value for key, value in row.items() if key not in ("id", "title", "text")}
    metadata = {clean(key): clean(str(value)) for key, value in others.items() if isinstance(value, str | int | float)}
    title = clean(str(row.get("title") or "")) or first_heading(text) or id_
    return Document(id_, _label(title), text, source, {**metadata, "line": str(number)})


def _label(title: str) -> str:
    """A title short enough to stand above every passage: at most 120 characters, the rest shown as an ellipsis."""
    title = " ".join(title.split())
    return title if len(title) <= _LONGEST_TITLE else title[: _LONGEST_TITLE - 1].rsplit(" ", 1)[0] + "…"


def _readable(stem: str) -> str:
    """A file stem as words: hyphens and underscores become spaces, but for those within numbers and dates."""
    words = clean(re.sub(r"(?<!\d)[-_]+|[-_]+(?!\d)", " ", stem)).strip()
    return words[:1].upper() + words[1:] if words else clean(stem)
