"""The training loop: transformers' Trainer, with LoRA through peft, and loss on the target alone."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, TaskType, get_peft_model
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from raft.errors import ModelError
from raft.models.hardware import has_fast_bfloat16, pick_device
from raft.models.local import LoadedModel, without_peft_noise
from raft.models.mini.modeling import MiniConfig
from raft.progress import Advance
from raft.recipe import TuneSettings
from raft.tune.encoding import Collator, EncodedRow
from raft.tune.trainer import TARGETS, PieceCollator, TargetTrainer

_DROPOUT = 0.05


@dataclass(frozen=True)
class TrainingResult:
    """What training did: the adapted model, the steps taken and the one whose weights it has, and the losses.

    losses: nats a row or token, by step; where there are validation rows, that of the untuned model on them is at 0.
    """

    model: Any
    steps: int
    kept_step: int
    seconds: float
    target_tokens: int
    losses: list[dict[str, float]]

    def validation_losses(self) -> tuple[float, float] | None:
        """Before any step, and with the weights that were kept; None without validation rows."""
        by_step = {entry["step"]: entry["eval_loss"] for entry in self.losses if "eval_loss" in entry}
        return (by_step[0], by_step[self.kept_step]) if by_step else None


class _Report(TrainerCallback):
    """Passes the Trainer's steps on to our progress display."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._advance(1)


def optimiser_steps(rows: int, settings: TuneSettings) -> int:
    """Optimiser steps of a whole run: the budget that both methods share."""
    return -(-rows // settings.per_device_train_batch_size) * settings.num_train_epochs


def train(
    loaded: LoadedModel,
    rows: Sequence[EncodedRow],
    validation: Sequence[EncodedRow],
    settings: TuneSettings,
    seed: int,
    advance: Advance,
) -> TrainingResult:
    """Train on `rows` and keep the weights with the lowest loss on `validation`, where there is any."""
    torch.manual_seed(seed)
    device = pick_device()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="raft-tune-") as checkpoints, without_peft_noise():
        model: Any = loaded.model if settings.full else _adapted(loaded, settings)
        strategy = "epoch" if validation else "no"
        kind, collator = _way(loaded)
        arguments = TrainingArguments(
            output_dir=checkpoints,
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
            save_total_limit=1,
            load_best_model_at_end=bool(validation),
            prediction_loss_only=True,
            label_names=["labels"] if kind is Trainer else [TARGETS],
            logging_strategy="epoch",
            remove_unused_columns=False,
            disable_tqdm=True,
            report_to="none",
        )
        trainer = kind(
            model=model,
            args=arguments,
            train_dataset=list(rows),
            eval_dataset=list(validation) or None,
            data_collator=collator,
            callbacks=[_Report(advance)],
        )
        trainer.remove_callback(PrinterCallback)
        untuned: list[dict[str, float]] = []
        if validation:
            # Loading a batch draws a random number: looking first must not make another model.
            with torch.random.fork_rng():
                untuned = [{"epoch": 0.0, "step": 0, "eval_loss": trainer.evaluate()["eval_loss"]}]
            trainer.add_callback(EarlyStoppingCallback(settings.early_stopping_patience))
        try:
            torch.set_flush_denormal(True)
            trainer.train()
        finally:
            # It is the whole process's, and others count on numbers this small.
            torch.set_flush_denormal(False)
    losses = [
        {key: float(value) for key, value in entry.items() if key in ("epoch", "step", "loss", "eval_loss")}
        for entry in [*untuned, *trainer.state.log_history]
        if "loss" in entry or "eval_loss" in entry
    ]
    tokens = sum(len(row.target) for row in rows)
    kept = trainer.state.best_global_step or trainer.state.global_step
    return TrainingResult(model, trainer.state.global_step, kept, time.perf_counter() - began, tokens, losses)


def _way(loaded: LoadedModel) -> tuple[type[Trainer], Any]:
    """How a model is trained: causal ones with logits where they are needed, others by the loss that they compute."""
    if loaded.codec.seq2seq or isinstance(loaded.model.config, MiniConfig):
        return Trainer, Collator(loaded)
    return TargetTrainer, PieceCollator(int(loaded.codec.tokenizer.pad_token_id), loaded.model.device)


def _dropout(loaded: LoadedModel, settings: TuneSettings) -> float:
    """The dropout before LoRA matrices. On a CPU it can halve the speed of a language model, and costs gigabytes."""
    if settings.lora_dropout is not None:
        return settings.lora_dropout
    writes = not isinstance(loaded.model.config, MiniConfig)
    return 0.0 if writes and loaded.model.device.type == "cpu" else _DROPOUT


def _adapted(loaded: LoadedModel, settings: TuneSettings) -> Any:
    """The model under LoRA (Hu et al. 2021). Raises ModelError where it has no layers of the given names."""
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
