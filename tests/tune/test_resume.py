"""A tuning that is killed goes on from its last checkpoint and ends with the bytes of one that ran through."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from listening import Listener

from raft.artifacts import TIMING
from raft.recipe import TuneSettings, TuningMethod
from raft.tune import tune

MORTAL = Path(__file__).parent / "mortal.py"
# Of two rows each; an epoch has four.
STEPS = 12
# The kind of model, when it dies, at which call of what does it then, and the step that it goes on from.
DEATHS = [
    ("mini", "step", 1, 0),
    ("mini", "step", 7, 6),
    ("mini", "evaluation", 3, 7),
    ("mini", "files", 22, 5),
    ("mini", "record", 6, 5),
    ("mini", "removal", 6, 6),
    ("mini", "model", 1, 12),
    ("mini", "swap", 1, 12),
    ("mini", "clock", 700, None),
    ("llama", "step", 6, 5),
    ("llama", "evaluation", 2, 3),
    ("t5", "step", 7, 6),
]


@pytest.fixture(scope="module")
def settings(tiny_mini: Path, tiny_chat: Callable[[str], Path]) -> dict[str, dict[str, Any]]:
    """Of each kind with dropout, LoRA and all weights, by the name of the kind."""
    short = {"num_train_epochs": 3, "per_device_train_batch_size": 2, "learning_rate": 0.01, "r": 4}
    return {
        "mini": {**short, "model": str(tiny_mini)},
        "llama": {**short, "model": str(tiny_chat("llama")), "lora_dropout": 0.1},
        "t5": {**short, "model": str(tiny_chat("t5")), "full": True, "learning_rate": 0.001},
    }


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != TIMING}


@pytest.fixture(scope="module")
def killed(examples: Path, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The output of each death, by its place in DEATHS; all of one process."""
    folder = tmp_path_factory.mktemp("killed")
    outs = [folder / str(number) / "models" / "raft" for number in range(len(DEATHS))]
    jobs = [
        {"examples": str(examples), "out": str(out), "settings": settings[kind], "moment": moment, "call": call,
         "seconds": 0}
        for out, (kind, moment, call, _) in zip(outs, DEATHS, strict=True)
    ]  # fmt: skip
    subprocess.run([sys.executable, str(MORTAL)], input=json.dumps(jobs), text=True, check=True)
    return outs


@pytest.fixture(scope="module")
def whole(examples: Path, settings: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each kind ends with when nothing kills it."""
    folder = tmp_path_factory.mktemp("whole")
    for kind, chosen in settings.items():
        tune(examples, folder / kind, TuningMethod.RAFT, TuneSettings(**chosen))
    return {kind: written(folder / kind) for kind in settings}


@pytest.mark.parametrize("number", range(len(DEATHS)), ids=lambda n: "-".join(map(str, DEATHS[n][:3])))
def test_a_killed_tuning_goes_on_and_ends_with_the_same_bytes(
    number: int, killed: list[Path], whole: dict[str, Any], examples: Path, settings: dict[str, Any]
) -> None:
    kind, _, _, step = DEATHS[number]
    out, listener = killed[number], Listener()
    tune(examples, out, TuningMethod.RAFT, TuneSettings(**settings[kind]), progress=listener)
    assert written(out) == whole[kind]
    assert [path.name for path in out.parent.iterdir()] == ["raft"]
    if step is not None:
        note = [f"tune raft: goes on from step {step} of {STEPS}"] if step else []
        assert [text for text in listener.notes if "goes on" in text] == note
