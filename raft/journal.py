"""An append-only journal of results that cost time or money, so that killed work goes on where it stopped.

One JSON object a line, `{"key": sha256, "value": ...}`, where the key names everything that decides the value: after a
change of settings or inputs old lines are simply never asked for. What `add` returned from survives the death of the
process; with `durable` also that of the machine (an fsync each time, for what was paid for). A last line that was cut
off is dropped, as is any other that is no such object: its work is done again. Threads may share one.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from raft.errors import ArtifactError
from raft.swap import write_whole


class Journal:
    """What was done so far, by key; the file is made at the first `add`, and one process at a time may hold it."""

    def __init__(self, path: Path, *, durable: bool = False, sync_seconds: float = 0.0) -> None:
        """sync_seconds: where values come by the hundred, the time of which the death of a machine may lose some.

        Raises ArtifactError where another process holds the journal.
        """
        self._path, self._durable = path, durable
        self._sync_seconds, self._synced = sync_seconds, 0.0
        self._values: dict[str, Any] = {}
        self._file: FileIO | None = None
        self._lock = threading.Lock()
        if path.exists():
            self._open()

    @staticmethod
    def beside(out: Path) -> Path:
        """The path of the journal of the work whose result is to stand in the folder `out`: hidden, next to it.

        Not in it, because a folder is written aside and swapped in whole, and what is aside goes when a process dies.
        """
        place = out.absolute()
        return place.with_name(f".{place.name}.journal")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def add(self, values: Mapping[str, Any]) -> None:
        """Note results by key, all in one write."""
        lines = _lines(values)
        with self._lock:
            file = self._file or self._open()
            whole = file.seek(0, os.SEEK_END)
            try:
                while lines:
                    lines = lines[file.write(lines) :]
            except OSError:
                # On a full disk half a line would spoil the next one.
                file.truncate(whole)
                raise
            if self._durable and time.monotonic() - self._synced >= self._sync_seconds:
                os.fsync(file.fileno())
                self._synced = time.monotonic()
            self._values |= values

    def keep(self, lasting: Callable[[str], bool]) -> None:
        """Keep only what has such a key: of the rest, what it was kept for is done. Removed where that is nothing.

        To be called last. Changes nothing where another process has taken the journal up since it was closed.
        """
        if not self._path.exists():
            return
        with suppress(ArtifactError):
            self._file or self._open()
            kept = {key: value for key, value in self._values.items() if lasting(key)}
            if not kept:
                self._path.unlink()
            elif len(kept) < len(self._values):
                write_whole(self._path, _lines(kept).decode())
        self.close()

    def finish(self) -> None:
        """Remove the journal: what it was kept for is done."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file, which stays for whoever takes the work up again."""
        if self._file is not None:
            if self._durable:
                os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def _open(self) -> FileIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while self._file is None:
            file = FileIO(self._path, "ab+")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.close()
                raise ArtifactError(
                    f"{self._path} is in use by another process that does the same work: wait until it has ended"
                ) from error
            except OSError:
                pass  # a file system without locks
            if os.fstat(file.fileno()).st_nlink:
                self._file = file
            else:
                # Whoever held it before has just finished and removed it.
                file.close()
        self._values |= self._read(self._file)
        return self._file

    def _read(self, file: FileIO) -> dict[str, Any]:
        file.seek(0)
        text = file.read()
        whole = text.rfind(b"\n") + 1
        if whole < len(text):
            file.truncate(whole)
        values = {}
        for line in text[:whole].splitlines():
            with suppress(ValueError, TypeError, KeyError):
                row = json.loads(line)
                values[str(row["key"])] = row["value"]
        return values


def _lines(values: Mapping[str, Any]) -> bytes:
    lines = (json.dumps({"key": key, "value": value}, ensure_ascii=False) + "\n" for key, value in values.items())
    # Half of a surrogate pair is written as the escape that JSON has for it: what was paid for is kept in any case.
    return "".join(lines).encode(errors="backslashreplace")
