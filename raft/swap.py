"""Put a finished folder in the place of another at one stroke, and clear away what killed processes left beside it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PARTIAL, _OLD = "partial", "old"
# Folders that this process is writing; one of its own that is not here was left when even removing it failed.
_IN_USE: set[str] = set()
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A hidden empty folder beside `folder`, which takes its place when the block ends well and is gone otherwise.

    The parents of `folder` are made, and unmade if the block fails. What an earlier process left when it was killed is
    put right first: an old folder whose new one never came goes back to its name, half-written ones are removed.
    """
    folder = folder.absolute()
    made = [parent for parent in folder.parents if not parent.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder.parent):
            _recover(folder)
            aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.{_PARTIAL}-{os.getpid()}-", dir=folder.parent))
            _IN_USE.add(aside.name)
        try:
            yield aside
            for place, _, names in os.walk(aside, topdown=False):
                for name in names:
                    sync(Path(place, name))
                sync(Path(place))
            aside.chmod(0o755)
            with locked(folder.parent):
                _swap(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            _IN_USE.discard(aside.name)
    except BaseException:
        for parent in made:
            # Innermost first; one that somebody else put something into stays.
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise


@contextmanager
def locked(folder: Path, name: str = "") -> Iterator[None]:
    """Alone among raft's processes with a folder, where its file system has locks.

    name: of a file in it that stands for one kind of work; without it, for the names in the folder.
    """
    if name:
        descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    else:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new one, never a part of either."""
    aside = path.with_name(f".{path.name}.{_PARTIAL}-{os.getpid()}")
    try:
        aside.write_text(text, encoding="utf-8")
        sync(aside)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _swap(aside: Path, folder: Path) -> None:
    """`aside` becomes `folder`; what stood there ends under a hidden name and is removed."""
    if not folder.exists():
        os.rename(aside, folder)
    elif not _exchange(aside, folder):
        old = aside.with_name(aside.name.replace(f".{_PARTIAL}-", f".{_OLD}-"))
        os.rename(folder, old)
        try:
            os.rename(aside, folder)
        except OSError:
            os.rename(old, folder)
            raise
        sync(folder.parent)
        shutil.rmtree(old, ignore_errors=True)
    sync(folder.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders trade names at once (Linux's renameat2); False where the system or file system cannot."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    names = os.fsencode(one), os.fsencode(other)
    return bool(call(_AT_FDCWD, names[0], _AT_FDCWD, names[1], ctypes.c_uint(_RENAME_EXCHANGE)) == 0)


def recover(folder: Path) -> None:
    """Put right what processes that are gone left beside `folder`, where there is anything beside it."""
    if folder.absolute().parent.is_dir():
        with locked(folder.absolute().parent):
            _recover(folder.absolute())


def _recover(folder: Path) -> None:
    form = re.compile(rf"\.{re.escape(folder.name)}\.({_PARTIAL}|{_OLD})-(\d+)-.*")
    left = [
        (match[1], path)
        for path in sorted(folder.parent.iterdir())
        if (match := form.fullmatch(path.name)) and not _is_written(path.name, int(match[2]))
    ]
    for kind, path in left:
        if kind == _OLD and not folder.exists():
            os.rename(path, folder)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _is_written(name: str, pid: int) -> bool:
    return name in _IN_USE if pid == os.getpid() else _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
