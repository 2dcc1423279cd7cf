"""An append-only journal of results that cost time or money, so that killed work goes on where it stopped.

One JSON object a line, `{"key": sha256, "value": ...}`, where the key names everything that decides the value: after a
change of settings or inputs old lines are simply never asked for. What `add` returned from survives the death of the
process; with `durable` also that of the machine (an fsync each time, for what was paid for). A last line that was cut
off is dropped, as is any other that is no such object: its work is done again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from raft.errors import ArtifactError


class Journal:
    """What was done so far, by key; the file is made at the first `add`, and one process at a time may hold it."""

    def __init__(self, path: Path, *, durable: bool = False) -> None:
        """Raises ArtifactError where another process holds the journal."""
        self._path, self._durable = path, durable
        self._values: dict[str, Any] = {}
        self._file: BinaryIO | None = None
        if path.exists():
            self._open()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def add(self, values: Mapping[str, Any]) -> None:
        """Note results by key, all in one write."""
        file = self._file or self._open()
        lines = (json.dumps({"key": key, "value": value}, ensure_ascii=False) + "\n" for key, value in values.items())
        file.write("".join(lines).encode())
        file.flush()
        if self._durable:
            os.fsync(file.fileno())
        self._values |= values

    def finish(self) -> None:
        """Remove the journal: what it was kept for is done."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let go of the file, which stays for whoever takes the work up again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        while self._file is None:
            file = self._path.open("ab+")
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

    def _read(self, file: BinaryIO) -> dict[str, Any]:
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
