"""Read files and folders into documents; whatever cannot be read is listed with its reason, never dropped silently."""

from __future__ import annotations

import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft.artifacts import stage_of
from raft.corpus.formats import READERS, UnreadableError, clean, decode
from raft.corpus.headings import first_heading
from raft.errors import InputError, RaftError
from raft.progress import Advance
from raft.types import Document

_ROWS = ".jsonl"
_LONGEST_TITLE = 120
_LONGEST_REASON = 160


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file, folder or row that gave no document, and why. `source` is named like a document's."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found. `files` holds the sha256 of every file that has a reader, by id, also of unreadable ones."""

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """The files below the given paths before any is opened: path of each by id, in order, and what is left out."""

    files: Mapping[str, Path]
    skipped: tuple[Skipped, ...]


def find_files(paths: Sequence[Path]) -> Found:
    """Every file of a supported type. The id of a file is its path below the given folder, or its name.

    Raises InputError for a path that does not exist, for two files with the same id, and where there is nothing.
    """
    files: dict[str, Path] = {}
    skipped: list[Skipped] = []
    for given in paths:
        if not given.exists():
            raise InputError(f"{given} does not exist: check the path")
        root = given.resolve()
        for path, reason in _walk(root) if root.is_dir() else [(root, "")]:
            name = path.relative_to(root).as_posix() if path != root else path.name
            # A name that is not UTF-8 could not be written down; its odd bytes are shown as a question mark.
            source = unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))
            suffix = path.suffix.lower()
            if not reason and suffix not in READERS and suffix != _ROWS:
                reason = f"no reader for {suffix} files" if suffix else "no reader for files without a suffix"
            if reason:
                skipped.append(Skipped(source, reason))
            elif source in files:
                raise InputError(
                    f"{path} and {files[source]} would both be document '{source}': "
                    "rename one, or give their common folder"
                )
            else:
                files[source] = path
    if not files:
        where = ", ".join(map(str, paths)) or "the given paths"
        why = f" ({skipped[0].source}: {skipped[0].reason})" if skipped else ""
        raise InputError(f"{where} holds no file of a supported type{why}: give {' '.join((*READERS, _ROWS))}")
    return Found(files, tuple(skipped))


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    """Everything below a folder in sorted order, each with the reason to leave it out, or "" for a file to read."""
    try:
        entries = sorted(root.iterdir(), key=lambda path: path.name)
    except OSError as error:
        yield root, f"the folder cannot be opened ({error.strerror})"
        return
    for path in entries:
        if path.name.startswith("."):
            yield path, "hidden"
        elif path.is_symlink():
            yield path, "a link: give what it points to as a path of its own"
        elif path.is_dir():
            if not _is_ours(path):
                yield from _walk(path)
        elif path.is_file():
            yield path, ""
        else:
            yield path, "not a regular file"


def _is_ours(folder: Path) -> bool:
    """Whether raft itself wrote the folder: an artefact kept among the documents is not one of them."""
    try:
        return stage_of(folder) is not None
    except OSError:
        return False


def read_documents(paths: Sequence[Path], advance: Advance | None = None) -> Reading:
    """Read every file of a supported type in the given files and folders, in sorted order.

    `advance` is told as files are done. Raises InputError for a missing path, for two documents with the same id, for
    a wrong row of JSON Lines (with its line number), and where nothing at all can be read.
    """
    found = find_files(paths)
    documents: dict[str, Document] = {}
    skipped = list(found.skipped)
    hashes: dict[str, str] = {}
    for source, path in found.files.items():
        try:
            raw = path.read_bytes()
            hashes[source] = hashlib.sha256(raw).hexdigest()
            results = _rows(raw, source, path) if path.suffix.lower() == _ROWS else [_document(raw, source, path)]
            for result in results:
                if isinstance(result, Skipped):
                    skipped.append(result)
                elif result.id in documents:
                    other = documents[result.id].source
                    raise InputError(f"{path}: document id '{result.id}' is taken by {other}: give each its own id")
                else:
                    documents[result.id] = result
        except UnreadableError as error:
            skipped.append(Skipped(source, " ".join(str(error).split())))
        except RecursionError:
            skipped.append(Skipped(source, "it is nested too deeply"))
        except OSError as error:
            skipped.append(Skipped(source, f"it cannot be opened ({error.strerror})"))
        if advance:
            advance(1)
    if not documents:
        first = skipped[len(found.skipped)]
        where = ", ".join(map(str, paths))
        raise InputError(f"{where} holds no readable document ({first.source}: {first.reason}): give other files")
    return Reading(tuple(documents.values()), tuple(skipped), hashes)


def _document(raw: bytes, source: str, path: Path) -> Document | Skipped:
    """The one document of a file of any type but JSON Lines."""
    try:
        content = READERS[path.suffix.lower()](raw)
    except (UnreadableError, RecursionError, RaftError):
        raise
    except Exception as error:
        # Parsers fail on damaged files in ways of their own, and one bad file must not cost all the others.
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        raise UnreadableError(f"its reader failed ({type(error).__name__}{': ' * bool(reason)}{reason})") from error
    if not content.text.strip():
        return Skipped(source, "it is empty")
    return Document(source, _label(content.title or _readable(path.stem)), content.text, source, content.metadata)


def _rows(raw: bytes, source: str, path: Path) -> Iterator[Document | Skipped]:
    """One document a row of JSON Lines with `id`, `text` and perhaps `title`; other plain fields become metadata."""
    seen = 0
    for number, line in enumerate(decode(raw).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            raise InputError(f"{path}, line {number}: not valid JSON ({reason}): correct that line") from error
        missing = [name for name in ("id", "text") if not isinstance(row, dict) or not _is_given(row.get(name))]
        if missing and not seen:
            raise UnreadableError(f"its line {number} has no '{missing[0]}', so its rows are not documents")
        if missing:
            raise InputError(f"{path}, line {number}: no '{missing[0]}' as text: every document has an id and a text")
        seen += 1
        yield _row_document(row, source, number)
    if not seen:
        yield Skipped(source, "it is empty")


def _is_given(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))


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
