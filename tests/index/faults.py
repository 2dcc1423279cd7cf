"""An index builder in a process of its own, where file operations can be made to fail; run by test_reliability.py.

faults.py fail NOTES OUT EVERY         # the n-th operation on a file fails, for every EVERY-th n, once and for good
faults.py full NOTES OUT EVERY         # no file may grow beyond n bytes, for some n
faults.py build NOTES OUT              # one build
faults.py read OUT SECONDS             # open and search as long as that; prints how often
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from raft.errors import RaftError
from raft.index import Index, RetrievalMode, build_index
from raft.recipe import IndexSettings

SETTINGS = IndexSettings(passage_tokens=32)
_EVENTS = frozenset(["open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.listdir", "os.scandir"])


class HashEmbedder:
    """Vectors from the bytes of a text: as good as any for a test of files, and at once."""

    name, fingerprint, window = "hash", "0" * 64, 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def encode(self, texts: Sequence[str], advance: Any = None, *, repeatable: bool = False) -> Any:
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        return np.array([np.frombuffer(digest, np.uint8) for digest in digests], np.float32).reshape(-1, 32)

    def encode_questions(self, texts: Sequence[str]) -> Any:
        return self.encode(texts)


class Faults:
    """Counts operations on files below a folder; the n-th fails, and all after it if `for_good`."""

    def __init__(self, below: Path) -> None:
        self.below, self.count, self.at, self.for_good = str(below), 0, 0, False
        sys.addaudithook(self._hook)
        self._sync = os.fsync
        os.fsync = self._fsync  # type: ignore[assignment]

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.at and event in _EVENTS and arguments and str(arguments[0]).startswith(self.below):
            self._step()

    def _fsync(self, descriptor: int) -> None:
        if self.at:
            self._step()
        self._sync(descriptor)

    def _step(self) -> None:
        self.count += 1
        if self.count == self.at or (self.for_good and self.count > self.at):
            raise OSError(errno.EIO, "made to fail")


def build(notes: Path, out: Path) -> str:
    return build_index([notes], out, SETTINGS, embedder=HashEmbedder()).digest


def digest_of(out: Path) -> str | None:
    """The digest of what stands there, after it was opened and searched; None where nothing stands."""
    if not out.exists():
        return None
    index = Index.open(out, HashEmbedder())
    assert index.retrieve(["pump"], 3, RetrievalMode.HYBRID)[0]
    return index.manifest.digest


def survives(notes: Path, out: Path, attempt: Any) -> None:
    """After a failed attempt the old index stands or the new one, and the next build needs no help."""
    before, wanted = digest_of(out), build(notes, out.with_name("wanted"))
    with suppress(RaftError, OSError):
        attempt()
    after = digest_of(out)
    assert after in (before, wanted), (before, after, wanted)
    assert build(notes, out) == wanted
    left = [path.name for path in out.parent.iterdir() if path.name.startswith(f".{out.name}")]
    assert not left, left


def restore(out: Path, first: Path | None) -> None:
    shutil.rmtree(out, ignore_errors=True)
    if first is not None:
        shutil.copytree(first, out)


def fail(notes: Path, out: Path, every: int) -> int:
    faults, trials = Faults(out.parent), 0
    for first in (None, _older(notes, out)):
        for for_good in (False, True):
            at = 1
            while True:
                restore(out, first)
                faults.count, faults.for_good = 0, for_good

                def attempt(at: int = at) -> None:
                    faults.at = at
                    try:
                        build(notes, out)
                    finally:
                        faults.at = 0

                survives(notes, out, attempt)
                trials += 1
                if faults.count < at:
                    break
                at += every
    return trials


def full(notes: Path, out: Path, every: int) -> int:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    trials = 0
    for first in (None, _older(notes, out)):
        for limit in range(0, 6000, every):
            restore(out, first)

            def attempt(limit: int = limit) -> None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
                try:
                    build(notes, out)
                finally:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

            survives(notes, out, attempt)
            trials += 1
    return trials


def _older(notes: Path, out: Path) -> Path:
    """An index of the notes as they were before one of them came."""
    older, some = out.with_name("older"), out.with_name("some")
    some.mkdir(parents=True)
    for path in sorted(notes.iterdir())[:-1]:
        shutil.copy(path, some)
    build(some, older)
    return older


def read(out: Path, seconds: float) -> int:
    until, times = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        digest_of(out)
        times += 1
    return times


def main() -> None:
    match sys.argv[1:]:
        case ["fail" | "full" as what, notes, out, every]:
            result: object = {"fail": fail, "full": full}[what](Path(notes), Path(out), int(every))
        case ["build", notes, out]:
            result = build(Path(notes), Path(out))
        case ["digest", out]:
            result = digest_of(Path(out))
        case ["read", out, seconds]:
            result = read(Path(out), float(seconds))
        case _:
            sys.exit(__doc__)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
