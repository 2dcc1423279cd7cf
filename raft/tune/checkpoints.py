"""Checkpoints of one tuning: hidden folders beside its output, each whole or not there, from which it goes on.

A checkpoint is written aside and renamed into place. Its record, which is written last, names the work that it belongs
to and the hash of each file. One of other work, or of which a byte differs, is removed with a note.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from raft.artifacts import hash_file, hash_json
from raft.errors import ArtifactError
from raft.swap import sync, write_whole

# What a kill may cost; more where writing takes so long that it would cost more than a twentieth of the time.
_SECONDS, _SHARE = 60.0, 20
_RECORD, _STEP, _ASIDE = "checkpoint.json", "step-", "partial"
_STEP_FOLDER = re.compile(rf"{_STEP}(\d+)")


@dataclass(frozen=True)
class Checkpoint:
    """One that training can go on from, with what was noted beside the tensors in its folder."""

    folder: Path
    step: int
    state: Mapping[str, Any]


class Checkpoints:
    """Those of one piece of work; their folder is made with the first, and one process at a time may hold it."""

    def __init__(self, out: Path, say: Callable[[str], None]) -> None:
        """out: the folder that the work is to end in. say: shows a note."""
        place = out.absolute()
        self.folder = place.with_name(f".{place.name}.checkpoints")
        self._work, self._say = "", say
        self._descriptor: int | None = None
        self._due, self._last_step, self._failed = time.monotonic() + _SECONDS, 0, False

    def __enter__(self) -> Checkpoints:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def newest(self, work: str) -> Checkpoint | None:
        """The last one that is whole; those that training cannot go on from are removed.

        work: names what is under way, with all that decides its result; so do those that are written from here on.
        Raises ArtifactError where another process does the same work, or the folder cannot be used.
        """
        self._work = work
        if not self.folder.exists():
            return None
        try:
            self._hold()
        except OSError as error:
            raise ArtifactError(
                f"{self.folder} is to hold checkpoints and cannot be used ({_reason(error)}): move it out of the way, "
                "or give --out another path"
            ) from error
        shutil.rmtree(self.folder / _ASIDE, ignore_errors=True)
        steps = self._steps()
        if any(self._record(step).get("work", self._work) != self._work for step in steps):
            self._say(f"removed {self.folder}: its checkpoints are of other settings, data or versions")
            self._remove(steps)
            return None
        for step in reversed(steps):
            if found := self._read(step):
                self._last_step = step
                return found
            self._say(f"removed the checkpoint of step {step} in {self.folder}: it is damaged")
            self._remove([step])
        return None

    def folder_of(self, step: int) -> Path:
        """Where the checkpoint of a step stands."""
        return self.folder / f"{_STEP}{step}"

    @property
    def is_due(self) -> bool:
        """Whether enough time has passed since the last one was written."""
        return time.monotonic() >= self._due

    def write(self, step: int, best_step: int, state: Mapping[str, Any], fill: Callable[[Path], None]) -> None:
        """Keep one more, whose files `fill` writes into a folder, and one older to fall back on.

        best_step: of the one with the lowest validation loss, whose weights the work may end with; 0 before the first.
        Where one cannot be written, a note says so and training continues, unless it is the best: raises ArtifactError.
        """
        began = time.monotonic()
        try:
            self._write(step, best_step, state, fill)
            self._last_step, self._failed = step, False
        except OSError as error:
            reason = f"the checkpoint of step {step} cannot be written to {self.folder} ({_reason(error)})"
            since = f"from step {self._last_step}" if self._last_step else "from the start"
            if best_step == step:
                raise ArtifactError(
                    f"{reason}: put that right and run the same command again; it goes on {since}"
                ) from error
            if not self._failed:
                self._say(f"{reason}: training continues, but after a kill it would go on {since}")
            self._failed = True
        now = time.monotonic()
        self._due = now + max(_SECONDS, _SHARE * (now - began))

    def finish(self) -> None:
        """Remove them all: what they were kept for is done. Changes nothing where another process has taken them up."""
        if self.folder.is_dir():
            with suppress(ArtifactError, OSError):
                self._hold()
                shutil.rmtree(self.folder)

    def _write(self, step: int, best_step: int, state: Mapping[str, Any], fill: Callable[[Path], None]) -> None:
        self._hold()
        aside = self.folder / _ASIDE
        try:
            aside.mkdir()
            fill(aside)
            files = sorted(path.name for path in aside.iterdir())
            for name in files:
                sync(aside / name)
            hashes = {name: hash_file(aside / name) for name in files}
            record = {"work": self._work, "best_step": best_step, "files": hashes, "state": state}
            write_whole(aside / _RECORD, json.dumps(record | {"digest": hash_json(record)}) + "\n")
            aside.rename(self.folder_of(step))
            sync(self.folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        # What knows of no better one than itself needs no other. Of these the last is also the best that `step` knows.
        alone = [one for one in self._steps() if one < step and self._record(one).get("best_step") in (0, one)]
        self._remove([one for one in self._steps() if one not in (step, *alone[-1:])])

    def _read(self, step: int) -> Checkpoint | None:
        """One that is whole, and so is the best that it may end with; else None."""
        if not (record := self._record(step)):
            return None
        best: int = record["best_step"]
        if best not in (0, step) and not self._record(best):
            return None
        if not all(self._is_whole(one) for one in {step, best} - {0}):
            return None
        return Checkpoint(self.folder_of(step), step, record["state"])

    def _is_whole(self, step: int) -> bool:
        try:
            files = self._record(step)["files"].items()
            return all(hash_file(self.folder_of(step) / name) == expected for name, expected in files)
        except OSError:
            return False

    def _record(self, step: int) -> dict[str, Any]:
        """What is written last; empty where it is missing or damaged."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            record: dict[str, Any] = json.loads((self.folder_of(step) / _RECORD).read_text(encoding="utf-8"))
            if record.pop("digest", "") == hash_json(record):
                return record
        return {}

    def _steps(self) -> list[int]:
        names = (_STEP_FOLDER.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def _remove(self, steps: list[int]) -> None:
        for step in steps:
            shutil.rmtree(self.folder_of(step), ignore_errors=True)

    def _hold(self) -> None:
        """Make the folder if it is missing, and keep other processes out of it."""
        if self._descriptor is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ArtifactError(
                f"{self.folder} is in use by another tuning into the same folder: wait until it has ended"
            ) from error
        except OSError:
            pass  # a file system without locks
        self._descriptor = descriptor


def _reason(error: OSError) -> str:
    """In a few words: the path is told already."""
    return error.strerror or str(error)
