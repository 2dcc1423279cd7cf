"""Read files and folders into documents; whatever cannot be read is listed with its reason, never dropped silently."""

from __future__ import annotations

import hashlib
import os
import stat
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from raft.artifacts import stage_of
from raft.corpus.parsing import READERS, ROWS, RowError, Skipped, can_read, why_not
from raft.corpus.sandbox import Results, Sandbox
from raft.errors import InputError
from raft.progress import Advance
from raft.types import Document

# A larger file is no document that a person reads.
LARGEST_FILE = 200 << 20


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found.

    files: the sha256 of every file that has a reader, by id, also of unreadable ones. given: the ids of the documents
    of every file and folder that was come upon; none for one that gave none. lost: what
    of each could not be read, and why.
    """

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    files: Mapping[str, str]
    given: Mapping[str, tuple[str, ...]]
    lost: Mapping[str, tuple[Skipped, ...]]


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
            if not reason and not can_read(path.name):
                reason = why_not(path.name)
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
        raise InputError(f"{where} holds no file of a supported type{why}: give {' '.join((*READERS, ROWS))}")
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


def read_documents(
    paths: Sequence[Path],
    advance: Advance | None = None,
    known: Callable[[str, str], Results | None] = lambda file, digest: None,
) -> Reading:
    """Read every file of a supported type in the given files and folders, in sorted order.

    `advance` is told as files are done. known: what a file with this id and sha256 gave before, or None. Raises
    InputError for a missing path, for two documents with the same id, for a wrong row of JSON Lines (with its line
    number), and where nothing at all can be read.
    """
    found = find_files(paths)
    gathered = _Gathered(found.skipped)
    with Sandbox(len(os.sched_getaffinity(0))) as sandbox:

        def read(file: tuple[str, Path]) -> tuple[str | None, Results]:
            source, path = file
            try:
                raw = _bytes_of(path)
            except _UnopenedError as error:
                return None, [Skipped(source, str(error))]
            digest = hashlib.sha256(raw).hexdigest()
            try:
                return digest, known(source, digest) or sandbox.parse(source, raw)
            except RowError as error:
                raise InputError(f"{path}, {error}") from error

        for (source, path), (digest, results) in zip(
            found.files.items(), sandbox.in_order(read, found.files.items()), strict=True
        ):
            gathered.add(source, path, digest, results)
            if advance:
                advance(1)
    if not gathered.documents:
        first = gathered.skipped[len(found.skipped)]
        where = ", ".join(map(str, paths))
        raise InputError(f"{where} holds no readable document ({first.source}: {first.reason}): give other files")
    return gathered.reading()


def hash_files(found: Found) -> dict[str, str]:
    """The sha256 of every file that can be opened, by id: what `read_documents` finds as `files`, without parsing."""
    hashes = {}
    for source, path in found.files.items():
        with suppress(_UnopenedError):
            hashes[source] = hashlib.sha256(_bytes_of(path)).hexdigest()
    return hashes


class _Gathered:
    """What the files read so far gave."""

    def __init__(self, passed_over: Sequence[Skipped]) -> None:
        self.documents: dict[str, Document] = {}
        self.skipped = list(passed_over)
        self._hashes: dict[str, str] = {}
        self._given: dict[str, tuple[str, ...]] = {lost.source: () for lost in passed_over}
        self._lost: dict[str, tuple[Skipped, ...]] = {lost.source: (lost,) for lost in passed_over}

    def add(self, file: str, path: Path, digest: str | None, results: Results) -> None:
        if digest is not None:
            self._hashes[file] = digest
        self._given[file] = tuple(result.id for result in results if isinstance(result, Document))
        if lost := tuple(result for result in results if isinstance(result, Skipped)):
            self._lost[file] = lost
        for result in results:
            if isinstance(result, Skipped):
                self.skipped.append(result)
            elif result.id in self.documents:
                other = self.documents[result.id].source
                raise InputError(f"{path}: document id '{result.id}' is taken by {other}: give each its own id")
            else:
                self.documents[result.id] = result

    def reading(self) -> Reading:
        documents = tuple(self.documents.values())
        return Reading(documents, tuple(self.skipped), self._hashes, self._given, self._lost)


class _UnopenedError(Exception):
    """Why the bytes of a file were not read."""


def _bytes_of(path: Path) -> bytes:
    """The bytes of a regular file, which nobody has made a link or a pipe since it was found."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise _UnopenedError("not a regular file")
            if about.st_size > LARGEST_FILE:
                raise _UnopenedError(f"it is larger than {LARGEST_FILE >> 20} MB: split it")
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise _UnopenedError(f"it cannot be opened ({error.strerror})") from error
