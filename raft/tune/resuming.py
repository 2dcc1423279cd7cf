"""A Trainer that goes on from its checkpoints, without pickles, and ends with the bytes of a run that was not stopped.

A checkpoint holds what training changes: learnt weights, the optimiser's moments and the states of random numbers as
safetensors; losses, schedule and the rest as JSON.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from raft.models.hardware import random_state, set_random_state
from raft.tune.checkpoints import Checkpoint, Checkpoints

# Trainer itself looks for its losses and counts in a file of this name.
_COUNTS = "trainer_state.json"
_WEIGHTS, _MOMENTS, _RANDOM = "weights.safetensors", "moments.safetensors", "random.safetensors"


class _SaveWhenDue(TrainerCallback):
    """Asks for a checkpoint now and then within an epoch; at its end only after the evaluation that belongs to it."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._checkpoints.is_due and state.global_step % steps_an_epoch(state):
            control.should_save = True

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        control.should_save = control.should_save or self._checkpoints.is_due


def steps_an_epoch(state: TrainerState) -> int:
    """Optimiser steps of each epoch of a training under way."""
    return state.max_steps // state.num_train_epochs


class ResumingTrainer(Trainer):
    """Expects the arguments to restore the state of callbacks, and to log each step."""

    # All are there before the first checkpoint; Trainer's own types say that they may be missing.
    model: Any
    optimizer: Any
    lr_scheduler: Any

    def __init__(
        self, checkpoints: Checkpoints, beside: Callable[[], Mapping[str, Any]] = dict, **arguments: Any
    ) -> None:
        """beside: what else each checkpoint is to note, and what `Checkpoint.state` then holds."""
        super().__init__(**arguments)
        self._checkpoints, self._beside = checkpoints, beside
        self._found: Checkpoint | None = None
        self.add_callback(_SaveWhenDue(checkpoints))

    def run(self, found: Checkpoint | None) -> None:
        """Train to the end, from a checkpoint where there is one, and take the best weights where there are such."""
        self._found = found
        if found is not None and found.state["ended"]:
            # Trainer knows no training that early stopping has ended, and would take another step.
            self.state = TrainerState.load_from_json(str(found.folder / _COUNTS))
            self._load_from_checkpoint(str(found.folder))
        else:
            self.train(resume_from_checkpoint=str(found.folder) if found else None)
        if self.state.best_global_step:
            self._load_from_checkpoint(str(self._checkpoints.folder_of(self.state.best_global_step)))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        states: Any = self.state.stateful_callbacks
        for callback in self.callback_handler.callbacks:
            if isinstance(callback, ExportableState):
                states[type(callback).__name__] = callback.state()
        name, keys, *rest = np.random.get_state()
        state = {
            "ended": self.control.should_training_stop,
            "groups": self.optimizer.state_dict()["param_groups"],
            "schedule": self.lr_scheduler.state_dict(),
            "python": random.getstate(),
            "numpy": [name, np.asarray(keys).tolist(), *rest],
            **self._beside(),
        }
        self._checkpoints.write(self.state.global_step, self.state.best_global_step or 0, state, self._fill)

    def _fill(self, folder: Path) -> None:
        learnt = {name: weight.contiguous() for name, weight in self._learnt().items()}
        moments = {
            f"{number}.{name}": value
            for number, values in self.optimizer.state_dict()["state"].items()
            for name, value in values.items()
        }
        states = {"cpu": torch.get_rng_state(), "device": random_state(self.args.device)}
        try:
            for name, tensors in ((_WEIGHTS, learnt), (_MOMENTS, moments), (_RANDOM, states)):
                save_file(tensors, folder / name)
        except SafetensorError as error:
            # A full disk is no error of the operating system to the library.
            raise OSError(str(error).rpartition("I/O error: ")[2]) from error
        self.state.save_to_json(str(folder / _COUNTS))

    def _learnt(self) -> dict[str, Tensor]:
        """The weights that training changes, by name."""
        return {name: weight.detach() for name, weight in self.model.named_parameters() if weight.requires_grad}

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        saved = load_file(Path(resume_from_checkpoint) / _WEIGHTS)
        for name, weight in self._learnt().items():
            weight.copy_(saved[name])

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if self._found is None:
            return
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in load_file(self._found.folder / _MOMENTS).items():
            number, _, name = key.partition(".")
            moments.setdefault(int(number), {})[name] = value
        self.optimizer.load_state_dict({"state": moments, "param_groups": self._found.state["groups"]})
        self.lr_scheduler.load_state_dict(dict(self._found.state["schedule"]))

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if self._found is None:
            return
        version, words, gauss = self._found.state["python"]
        random.setstate((version, tuple(words), gauss))
        np.random.set_state(tuple(self._found.state["numpy"]))
        states = load_file(self._found.folder / _RANDOM)
        torch.set_rng_state(states["cpu"])
        set_random_state(self.args.device, states["device"])
