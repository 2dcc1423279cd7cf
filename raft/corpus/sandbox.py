"""Parse files in child processes with limits on time, memory and output: a bad file costs itself and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from types import TracebackType
from typing import TypeVar

from raft.corpus.parsing import RowError, Skipped
from raft.types import Document

# Seconds for one file: a scanned book of a thousand pages takes about half of it.
PATIENCE = 120.0
# A process that has read this much is replaced: libraries do not give all memory back.
_ENOUGH_BYTES = 256 << 20
_MOST_WORKERS = 4
# -P: what lies in the working directory must not be taken for one of the libraries.
COMMAND = (sys.executable, "-P", "-m", "raft.corpus.worker")

T = TypeVar("T")
R = TypeVar("R")
Results = list[Document | Skipped]


class _Worker:
    """One child process; started when it is first asked, and again after it had to be stopped."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self._read = 0

    def parse(self, source: str, raw: bytes) -> Results:
        """What a file gives. Raises RowError for a wrong row of JSON Lines."""
        if self._process is None or self._read > _ENOUGH_BYTES:
            self._start()
        process = self._process
        assert process is not None
        self._read += len(raw)
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        clock = threading.Timer(self._patience, stop)
        clock.start()
        try:
            line = _exchange(process, source, raw)
        finally:
            clock.cancel()
        if not line.endswith(b"\n"):
            self.close()
            reason = f"its reader took longer than {self._patience:.0f} s" if late.is_set() else "its reader crashed"
            return [Skipped(source, reason)]
        reply = json.loads(line)
        if "error" in reply:
            raise RowError(reply["error"])
        return [Document(**one) if kind == "document" else Skipped(**one) for kind, one in reply["results"]]

    def _start(self) -> None:
        self.close()
        self._read = 0
        self._process = subprocess.Popen(
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def _exchange(process: subprocess.Popen[bytes], source: str, raw: bytes) -> bytes:
    """The reply to one request; without its line end where the process is gone."""
    requests, replies = process.stdin, process.stdout
    assert requests is not None and replies is not None
    try:
        requests.write(json.dumps({"source": source, "size": len(raw)}).encode() + b"\n")
        requests.write(raw)
        requests.flush()
        return replies.readline()
    except (OSError, ValueError):
        return b""


class Sandbox:
    """Some workers side by side."""

    def __init__(self, workers: int, patience: float = PATIENCE) -> None:
        self._free: SimpleQueue[_Worker] = SimpleQueue()
        self._workers = [_Worker(patience) for _ in range(max(1, min(workers, _MOST_WORKERS)))]
        for worker in self._workers:
            self._free.put(worker)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.close()

    def parse(self, source: str, raw: bytes) -> Results:
        """What one file gives. Raises RowError for a wrong row of JSON Lines."""
        worker = self._free.get()
        try:
            return worker.parse(source, raw)
        finally:
            self._free.put(worker)

    def in_order(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """What `work` makes of each item, done side by side, in the order of the items and only a few ahead."""
        pending: deque[Future[R]] = deque()
        with ThreadPoolExecutor(len(self._workers)) as pool:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > 2 * len(self._workers):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
