"""Tunes several times and is killed each time: a process that has loaded torch once forks a child for each death.

Reads jobs as JSON from standard input: what `tune` needs, and the moment of death. A child that gets away with its life
makes the process fail.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from raft.models.local import load_model
from raft.recipe import TuneSettings, TuningMethod
from raft.tune import checkpoints, tune, tuning
from raft.tune.resuming import ResumingTrainer
from raft.tune.training import _Report


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def doomed(owner: Any, name: str, calls: int, *, after: bool = False) -> None:
    """Let the process die at a call of a function, before or after it did what it is for."""
    made, real = 0, getattr(owner, name)

    def mortal(*arguments: Any, **named: Any) -> Any:
        nonlocal made
        made += 1
        if made == calls and not after:
            die()
        result = real(*arguments, **named)
        if made == calls:
            die()
        return result

    setattr(owner, name, mortal)


MOMENTS: dict[str, Callable[[int], None]] = {
    "step": lambda n: doomed(_Report, "on_step_begin", n),
    "evaluation": lambda n: doomed(ResumingTrainer, "prediction_step", n),
    # Of a checkpoint nothing, its files, or all is written; or it is there, and others are half removed.
    "files": lambda n: doomed(checkpoints, "hash_file", n),
    "record": lambda n: doomed(checkpoints, "write_whole", n, after=True),
    "removal": lambda n: doomed(checkpoints.Checkpoints, "_remove", n, after=True),
    "model": lambda n: doomed(tuning, "_save", n, after=True),
    "swap": lambda n: doomed(checkpoints.Checkpoints, "finish", n),
}


def child(job: dict[str, Any]) -> None:
    # After each step.
    checkpoints._SECONDS, checkpoints._SHARE = 0.0, 0
    if job["moment"] in MOMENTS:
        MOMENTS[job["moment"]](job["call"])
    tune(Path(job["examples"]), Path(job["out"]), TuningMethod.RAFT, TuneSettings(**job["settings"]))


def main() -> None:
    jobs = json.load(sys.stdin)
    for model in {job["settings"]["model"] for job in jobs}:
        # For what is imported with it, once for all.
        load_model(model)
    for job in jobs:
        pid = os.fork()
        if pid == 0:
            try:
                child(job)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        if job["moment"] == "clock":
            time.sleep(job["call"] / 1000)
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        # By the clock it may be done before.
        assert os.WTERMSIG(status) == signal.SIGKILL or job["moment"] == "clock", job


if __name__ == "__main__":
    main()
