"""The training loop: transformers' Trainer, with LoRA through peft, and loss on the target alone."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors import SafetensorError
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from raft.errors import ModelError
from raft.models.engine import can_run
from raft.models.hardware import has_fast_bfloat16, peak_memory, pick_device
from raft.models.local import LoadedModel, without_peft_noise
from raft.models.mini.modeling import MiniConfig
from raft.models.names import adapter_folder
from raft.progress import DetailedAdvance
from raft.recipe import TuneSettings
from raft.tune.checkpoints import Checkpoint, Checkpoints
from raft.tune.encoding import Collator, EncodedRow
from raft.tune.resuming import ResumingTrainer, steps_an_epoch
from raft.tune.trainer import TARGETS, PieceCollator, TargetTrainer

_DROPOUT = 0.05
_GIB = 2**30
_TOLD: tuple[str, ...] = ("loss", "eval_loss", "epoch", "step")


@dataclass(frozen=True)
class Lessons:
    """What is to be learnt, and how: the rows, those that tell when to stop, the settings and the seed."""

    rows: Sequence[EncodedRow]
    validation: Sequence[EncodedRow]
    settings: TuneSettings
    seed: int

    @property
    def steps(self) -> int:
        """Optimiser steps of a whole run: the budget that both methods share."""
        return -(-len(self.rows) // self.settings.per_device_train_batch_size) * self.settings.num_train_epochs

    @property
    def tokens_a_step(self) -> float:
        """Tokens that a step reads, on average: each epoch reads all rows."""
        return sum(row.length for row in self.rows) * self.settings.num_train_epochs / self.steps


@dataclass(frozen=True)
class TrainingResult:
    """What training did: the adapted model, the steps taken and the one whose weights it has, and the losses.

    seconds: of all tries, but for the work that a kill undid. speed: tokens a second and memory, in words. losses: nats
    a row or token, by epoch; where there are validation rows, that of the untuned model on them is at step 0.
    """

    model: Any
    steps: int
    kept_step: int
    seconds: float
    speed: str
    target_tokens: int
    losses: list[dict[str, float]]

    def validation_losses(self) -> tuple[float, float] | None:
        """Before any step, and with the weights that were kept; None without validation rows."""
        by_step = {entry["step"]: entry["eval_loss"] for entry in self.losses if "eval_loss" in entry}
        return (by_step[0], by_step[self.kept_step]) if by_step else None


class _Report(TrainerCallback):
    """Passes the Trainer's steps on to our progress display, with the loss and the speed of this try."""

    def __init__(self, advance: DetailedAdvance, tokens_a_step: float, device: torch.device) -> None:
        self._advance, self._tokens_a_step, self._device = advance, tokens_a_step, device
        self._steps, self._seconds, self._began = 0, 0.0, 0.0

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began = time.perf_counter()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        # Each step logs its loss; evaluations log too.
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise ModelError(
                f"the training loss is {logs['loss']} at step {state.global_step}: lower tune.learning_rate"
            )
        self._steps += 1
        self._seconds += time.perf_counter() - self._began
        self._advance(1, f"loss {logs['loss']:.2f}, {self.speed}")

    @property
    def speed(self) -> str:
        """Tokens a second without evaluations and checkpoints, and the most memory that was held."""
        memory = f"{peak_memory(self._device) / _GIB:.1f} GiB"
        return f"{self._tokens_a_step * self._steps / self._seconds:.0f} tokens/s, {memory}" if self._steps else memory


def train(
    loaded: LoadedModel, lessons: Lessons, checkpoints: Checkpoints, found: Checkpoint | None, advance: DetailedAdvance
) -> TrainingResult:
    """Learn the rows and keep the weights with the lowest loss on the validation rows, where there are any.

    found: the checkpoint to go on from. `advance` is told of the steps after it.
    """
    settings, seed = lessons.settings, lessons.seed
    torch.manual_seed(seed)
    device = pick_device()
    began = time.perf_counter() - (found.state["seconds"] if found else 0)
    untuned: dict[str, float] = dict(found.state["untuned"]) if found else {}
    with without_peft_noise():
        model: Any = loaded.model if settings.full else _adapted(loaded, settings)
        strategy = "epoch" if lessons.validation else "no"
        kind, collator = _way(loaded)
        arguments = TrainingArguments(
            # It has to be there, and nothing is written to it.
            output_dir=str(checkpoints.folder.parent),
            learning_rate=settings.learning_rate,
            num_train_epochs=settings.num_train_epochs,
            per_device_train_batch_size=settings.per_device_train_batch_size,
            per_device_eval_batch_size=settings.per_device_train_batch_size,
            warmup_steps=settings.warmup_steps,
            lr_scheduler_type=settings.lr_scheduler_type,
            weight_decay=settings.weight_decay,
            use_cpu=device.type == "cpu",
            bf16=has_fast_bfloat16(device),
            seed=seed,
            eval_strategy=strategy,
            save_strategy=strategy,
            load_best_model_at_end=bool(lessons.validation),
            restore_callback_states_from_checkpoint=True,
            prediction_loss_only=True,
            label_names=[TARGETS] if kind is TargetTrainer else ["labels"],
            # Each step by itself, so that the mean of an epoch does not depend on where a kill fell in it.
            logging_strategy="steps",
            logging_steps=1,
            logging_nan_inf_filter=False,
            remove_unused_columns=False,
            disable_tqdm=True,
            report_to="none",
        )
        report = _Report(advance, lessons.tokens_a_step, device)
        trainer = kind(
            checkpoints,
            lambda: {"seconds": time.perf_counter() - began, "untuned": untuned},
            model=model,
            args=arguments,
            train_dataset=list(lessons.rows),
            eval_dataset=list(lessons.validation) or None,
            data_collator=collator,
            callbacks=[report],
        )
        trainer.remove_callback(PrinterCallback)
        if lessons.validation:
            if not untuned:
                # Loading a batch draws a random number: looking first must not make another model.
                with torch.random.fork_rng():
                    untuned = {"eval_loss": trainer.evaluate()["eval_loss"], "epoch": 0.0, "step": 0.0}
            trainer.add_callback(EarlyStoppingCallback(settings.early_stopping_patience))
        try:
            torch.set_flush_denormal(True)
            trainer.run(found)
        finally:
            # It is the whole process's, and others count on numbers this small.
            torch.set_flush_denormal(False)
    state = trainer.state
    return TrainingResult(
        model,
        state.global_step,
        state.best_global_step or state.global_step,
        time.perf_counter() - began,
        report.speed,
        sum(len(row.target) for row in lessons.rows),
        [untuned, *by_epoch(state)] if untuned else by_epoch(state),
    )


def save_adapter(model: Any, base: str, folder: Path) -> None:
    """Write the LoRA matrices of a model and their settings. base: the name of the model below them."""
    # peft would record where the base lies on this machine, look the base up on the hub, and write a set of module
    # names in an order that changes from run to run.
    adapter = model.peft_config["default"]
    adapter.base_model_name_or_path = base
    if isinstance(adapter.target_modules, set):
        adapter.target_modules = sorted(adapter.target_modules)
    model.save_pretrained(folder, save_embedding_layers=False)


def by_epoch(state: TrainerState) -> list[dict[str, float]]:
    """The losses of a training as they are recorded: the mean over the steps of each epoch, and on validation rows."""
    losses: list[dict[str, float]] = []
    steps: list[float] = []
    for entry in state.log_history:
        # In this order: what comes from a checkpoint has another.
        told = {key: float(entry[key]) for key in _TOLD if key in entry}
        if "loss" in told:
            steps.append(told["loss"])
            if entry["step"] % steps_an_epoch(state) == 0:
                losses.append(told | {"loss": math.fsum(steps) / len(steps)})
                steps = []
        elif "eval_loss" in told:
            losses.append(told)
    return losses


def _way(loaded: LoadedModel) -> tuple[type[ResumingTrainer], Any]:
    """How a model is trained: causal ones with logits where they are needed, others by the loss that they compute."""
    if loaded.codec.seq2seq or isinstance(loaded.model.config, MiniConfig):
        return ResumingTrainer, Collator(loaded)
    pad = int(loaded.codec.tokenizer.pad_token_id)
    return TargetTrainer, PieceCollator(pad, loaded.model.device, sharing=can_run(loaded.model))


def _continued(loaded: LoadedModel, start: str) -> Any:
    """The model under the matrices of an adapter, which keep their rank, scale and layers.

    Raises ModelError where it cannot be loaded.
    """
    try:
        return PeftModel.from_pretrained(loaded.model, str(adapter_folder(start)), is_trainable=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"adapter {start!r} cannot be loaded ({reason}): give another as tune.start") from error


def _dropout(loaded: LoadedModel, settings: TuneSettings) -> float:
    """The dropout before LoRA matrices. On a CPU it can halve the speed of a language model, and costs gigabytes."""
    if settings.lora_dropout is not None:
        return settings.lora_dropout
    writes = not isinstance(loaded.model.config, MiniConfig)
    return 0.0 if writes and loaded.model.device.type == "cpu" else _DROPOUT


def _adapted(loaded: LoadedModel, settings: TuneSettings) -> Any:
    """The model under LoRA (Hu et al. 2021), with new matrices or those of the adapter to go on from.

    Raises ModelError where it has no layers of the given names.
    """
    if settings.adapter:
        return _continued(loaded, settings.adapter)
    targets = settings.target_modules
    lora = LoraConfig(
        task_type=TaskType.SEQ_2_SEQ_LM if loaded.codec.seq2seq else TaskType.CAUSAL_LM,
        r=settings.r,
        lora_alpha=settings.alpha,
        lora_dropout=_dropout(loaded, settings),
        target_modules=targets if targets == "all-linear" else targets.split(","),
    )
    try:
        return get_peft_model(loaded.model, lora)
    except ValueError as error:
        raise ModelError(
            f"{loaded.name!r} takes no LoRA on {targets!r}: set tune.target_modules to all-linear"
        ) from error
