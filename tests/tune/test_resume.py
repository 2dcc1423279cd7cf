"""A tuning that is killed goes on from its last checkpoint and ends with the bytes of one that ran through."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from listening import Listener

from raft.artifacts import TIMING
from raft.models.tuned import read_tuned
from raft.recipe import TuneSettings, TuningMethod
from raft.tune import tune

MORTAL = Path(__file__).parent / "mortal.py"
# Two epochs of four steps, of two rows each.
STEPS = 8
# What is tuned, when it dies, at which call of what it then does, and the step that it goes on from.
DEATHS = [
    ("mini", "step", 7, 6),
    ("mini", "evaluation", 3, 7),
    # The first file of the sixth checkpoint is hashed.
    ("mini", "files", 21, 5),
    ("mini", "record", 6, 5),
    ("mini", "removal", 6, 6),
    ("mini", "model", 1, 8),
    ("mini", "swap", 1, 8),
    ("mini", "clock", 900, None),
    ("stopped", "model", 1, 8),
    ("llama", "step", 6, 5),
    ("t5", "step", 7, 6),
]
MODEL = [death[:2] for death in DEATHS].index(("mini", "model"))


@pytest.fixture(scope="module")
def settings(tiny_mini: Path, tiny_chat: Callable[[str], Path]) -> dict[str, TuneSettings]:
    """Of three kinds of models, with dropout, LoRA and all weights; and one that early stopping ends."""
    short = TuneSettings(
        model=str(tiny_mini), num_train_epochs=2, per_device_train_batch_size=2, learning_rate=0.01, r=4
    )
    return {
        "mini": short,
        "stopped": short.model_copy(
            update={"learning_rate": 0.3, "num_train_epochs": 5, "early_stopping_patience": 1, "warmup_steps": 0}
        ),
        "llama": short.model_copy(update={"model": str(tiny_chat("llama")), "lora_dropout": 0.1}),
        "t5": short.model_copy(update={"model": str(tiny_chat("t5")), "full": True, "learning_rate": 0.001}),
    }


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != TIMING}


@pytest.fixture(scope="module")
def killed(examples: Path, settings: dict[str, TuneSettings], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Where each of the DEATHS left its checkpoints."""
    folder = tmp_path_factory.mktemp("killed")
    places = [folder / str(number) for number in range(len(DEATHS))]
    jobs = [
        {"examples": str(examples), "out": str(place / "raft"), "settings": settings[kind].model_dump(mode="json"),
         "moment": moment, "call": call}
        for place, (kind, moment, call, _) in zip(places, DEATHS, strict=True)
    ]  # fmt: skip
    subprocess.run([sys.executable, str(MORTAL)], input=json.dumps(jobs), text=True, check=True)
    return places


@pytest.fixture(scope="module")
def whole(
    examples: Path, settings: dict[str, TuneSettings], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    """What each ends with when nothing kills it."""
    folder = tmp_path_factory.mktemp("whole")
    for kind, chosen in settings.items():
        tune(examples, folder / kind, TuningMethod.RAFT, chosen)
    assert read_tuned(folder / "stopped").steps == STEPS
    return {kind: written(folder / kind) for kind in settings}


def resumed(examples: Path, place: Path, chosen: TuneSettings) -> list[str]:
    """The notes of a second try in a folder."""
    listener = Listener()
    tune(examples, place / "raft", TuningMethod.RAFT, chosen, progress=listener)
    assert [path.name for path in place.iterdir()] == ["raft"]
    return [text.removeprefix("tune raft: ") for text in listener.notes]


@pytest.mark.parametrize("number", range(len(DEATHS)), ids=lambda n: "-".join(map(str, DEATHS[n][:3])))
def test_a_killed_tuning_goes_on_and_ends_with_the_same_bytes(
    number: int, killed: list[Path], whole: dict[str, Any], examples: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    kind, _, _, step = DEATHS[number]
    steps = 20 if kind == "stopped" else STEPS
    notes = resumed(examples, shutil.copytree(killed[number], tmp_path / "again"), settings[kind])
    assert written(tmp_path / "again" / "raft") == whole[kind]
    if step is not None:
        assert notes[0] == f"goes on from step {step} of {steps}"


def test_checkpoints_hold_no_pickles_and_at_most_one_older_than_the_last(killed: list[Path]) -> None:
    left = {path for place in killed for path in place.glob(".raft.checkpoints/step-*/*")}
    assert {path.suffix for path in left} == {".safetensors", ".json"}
    kept = sorted(path.name for path in (killed[MODEL] / ".raft.checkpoints").iterdir())
    assert len(kept) == 2 and kept[-1] == f"step-{STEPS}"


def test_a_damaged_checkpoint_is_skipped_for_an_older_one(
    killed: list[Path], whole: dict[str, Any], examples: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    place = shutil.copytree(killed[0], tmp_path / "again")
    weights = place / ".raft.checkpoints" / "step-6" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    notes = resumed(examples, place, settings["mini"])
    assert notes[:2] == [
        f"removed the checkpoint of step 6 in {place / '.raft.checkpoints'}: it is damaged",
        f"goes on from step 4 of {STEPS}",
    ]
    assert written(place / "raft") == whole["mini"]


def test_checkpoints_of_other_settings_are_removed(
    killed: list[Path], examples: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    place = shutil.copytree(killed[0], tmp_path / "again")
    notes = resumed(examples, place, settings["mini"].model_copy(update={"weight_decay": 0.02}))
    checkpoints = place / ".raft.checkpoints"
    assert notes[0] == f"removed {checkpoints}: its checkpoints are of other settings, data or versions"
    assert not [text for text in notes if "goes on" in text]
