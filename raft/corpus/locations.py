"""Where documents lie: a folder here and a place far away give the same kind of entries, files that can be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from raft.artifacts import stage_of
from raft.corpus.entries import LARGEST_FILE, TOO_LARGE, Entry, Location, UnopenedError
from raft.errors import InputError


def is_remote(location: Location) -> bool:
    """Whether a location is a URL."""
    return isinstance(location, str) and "://" in location


def shown(location: Location) -> str:
    """A location as messages may name it: a URL without its user, password, query and fragment."""
    if not is_remote(location):
        return str(location)
    from raft.corpus.remote import without_secrets

    return without_secrets(str(location))


def entries_at(location: Location) -> Iterator[Entry]:
    """Everything at a location, in sorted order. Raises InputError where there is nothing or it cannot be reached."""
    if is_remote(location):
        from raft.corpus.remote import remote_entries

        yield from remote_entries(str(location))
        return
    given = Path(location)
    if not given.exists():
        raise InputError(f"{given} does not exist: check the path")
    root = given.resolve()
    if not root.is_dir():
        yield Entry(root.name, LocalFile(root))
        return
    for path, reason in _walk(root):
        yield Entry(path.relative_to(root).as_posix() if path != root else path.name, LocalFile(path), reason)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def read(self, again: bool = False) -> bytes:
        """The bytes of a regular file, which nobody has made a link or a pipe since it was found."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                if not stat.S_ISREG(about.st_mode):
                    raise UnopenedError("not a regular file")
                if about.st_size > LARGEST_FILE:
                    raise UnopenedError(TOO_LARGE)
                return file.read(LARGEST_FILE + 1)
        except OSError as error:
            raise UnopenedError(f"it cannot be opened ({error.strerror})") from error


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
