"""Read files and folders into documents; whatever cannot be read is listed with its reason, never dropped silently."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from raft.corpus.entries import File, Location, UnopenedError
from raft.corpus.locations import entries_at, shown
from raft.corpus.parsing import READERS, ROWS, RowError, Skipped, can_read, is_row, why_not
from raft.corpus.sandbox import Results, Sandbox
from raft.errors import InputError
from raft.processor import usable_cores
from raft.progress import Advance
from raft.types import Document

# Files that are hashed at once: one that comes from far away is mostly waited for.
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found.

    files: the sha256 of every file that has a reader, by id, also of unreadable ones. given: the ids of the documents
    of every file and folder that was come upon; none for one that gave none. lost: what
    of each could not be read, and why. rows: how many rows of JSON Lines there were, skipped ones included. row_of:
    which of them each document was, counted from 0; wrong where `known` gave what a file held.
    """

    documents: tuple[Document, ...]
    skipped: tuple[Skipped, ...]
    files: Mapping[str, str]
    given: Mapping[str, tuple[str, ...]]
    lost: Mapping[str, tuple[Skipped, ...]]
    rows: int
    row_of: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Found:
    """The files below the given paths before any is opened: each by its id, in order, and what is left out.

    where: the given paths, as messages name them.
    """

    files: Mapping[str, File]
    skipped: tuple[Skipped, ...]
    where: str


def find_files(paths: Sequence[Location]) -> Found:
    """Every file of a supported type. The id of a file is its path below the given folder, or its name.

    paths: files and folders, and URLs of either as text. Raises InputError for a path that does not exist or cannot be
    reached, for two files with the same id, and where there is nothing.
    """
    files: dict[str, File] = {}
    skipped: list[Skipped] = []
    for given in paths:
        for entry in entries_at(given):
            # A name that is not UTF-8 could not be written down; its odd bytes are shown as a question mark.
            source = unicodedata.normalize("NFC", os.fsencode(entry.name).decode("utf-8", "replace"))
            reason = entry.reason or ("" if can_read(entry.name) else why_not(entry.name))
            if reason:
                skipped.append(Skipped(source, reason))
            elif source in files:
                raise InputError(
                    f"{entry.file} and {files[source]} would both be document '{source}': "
                    "rename one, or give their common folder"
                )
            else:
                files[source] = entry.file
    where = ", ".join(map(shown, paths))
    if not files:
        why = f" ({skipped[0].source}: {skipped[0].reason})" if skipped else ""
        raise InputError(
            f"{where or 'the given paths'} holds no file of a supported type{why}: give {' '.join((*READERS, ROWS))}"
        )
    return Found(files, tuple(skipped), where)


def read_documents(
    paths: Sequence[Location] | Found,
    advance: Advance | None = None,
    known: Callable[[str, str], Results | None] = lambda file, digest: None,
) -> Reading:
    """Read every file of a supported type in the given files, folders and URLs, in sorted order.

    paths: also as `find_files` found them. `advance` is told as files are done. known: what a file with this id and
    sha256 gave before, or None. Raises InputError for a missing path, for two documents with the same id, for a wrong
    row of JSON Lines (with its line number), and where nothing at all can be read.
    """
    found = paths if isinstance(paths, Found) else find_files(paths)
    gathered = _Gathered(found.skipped)
    with Sandbox(usable_cores()) as sandbox:

        def read(named: tuple[str, File]) -> tuple[str | None, Results]:
            source, file = named
            try:
                raw = file.read()
            except UnopenedError as error:
                return None, [Skipped(source, str(error))]
            digest = hashlib.sha256(raw).hexdigest()
            try:
                return digest, known(source, digest) or sandbox.parse(source, raw)
            except RowError as error:
                raise InputError(f"{file}, {error}") from error

        for (source, file), (digest, results) in zip(
            found.files.items(), sandbox.in_order(read, found.files.items()), strict=True
        ):
            gathered.add(source, file, digest, results)
            if advance:
                advance(1)
    if not gathered.documents:
        first = gathered.skipped[len(found.skipped)]
        raise InputError(f"{found.where} holds no readable document ({first.source}: {first.reason}): give other files")
    return gathered.reading()


def hash_files(found: Found) -> dict[str, str]:
    """The sha256 of every file that can be opened, by id: what `read_documents` finds as `files`, without parsing."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        digests = pool.map(_digest, found.files.values())
        return {source: digest for source, digest in zip(found.files, digests, strict=True) if digest is not None}


def _digest(file: File) -> str | None:
    try:
        return hashlib.sha256(file.read(again=True)).hexdigest()
    except UnopenedError:
        return None


class _Gathered:
    """What the files read so far gave."""

    def __init__(self, passed_over: Sequence[Skipped]) -> None:
        self.documents: dict[str, Document] = {}
        self.skipped = list(passed_over)
        self._hashes: dict[str, str] = {}
        self._rows = 0
        self._row_of: dict[str, int] = {}
        self._given: dict[str, tuple[str, ...]] = {lost.source: () for lost in passed_over}
        self._lost: dict[str, tuple[Skipped, ...]] = {lost.source: (lost,) for lost in passed_over}

    def add(self, source: str, file: File, digest: str | None, results: Results) -> None:
        if digest is not None:
            self._hashes[source] = digest
        self._given[source] = tuple(result.id for result in results if isinstance(result, Document))
        if lost := tuple(result for result in results if isinstance(result, Skipped)):
            self._lost[source] = lost
        for result in results:
            if isinstance(result, Skipped):
                self.skipped.append(result)
            elif result.id in self.documents:
                other = self.documents[result.id].source
                raise InputError(f"{file}: document id '{result.id}' is taken by {other}: give each its own id")
            else:
                self.documents[result.id] = result
                if is_row(result):
                    self._row_of[result.id] = self._rows
            self._rows += is_row(result)

    def reading(self) -> Reading:
        documents = tuple(self.documents.values())
        skipped = tuple(self.skipped)
        return Reading(documents, skipped, self._hashes, self._given, self._lost, self._rows, self._row_of)
