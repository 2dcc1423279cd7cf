"""Training rows as token ids, and the batches that models which compute their own loss take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from raft.errors import ModelError
from raft.examples.training_rows import TrainingRow
from raft.models.local import LoadedModel
from raft.models.mini.modeling import MiniConfig

IGNORED = -100


@dataclass(frozen=True)
class EncodedRow:
    """Token ids of a prompt and of its target, end token included."""

    prompt: list[int]
    target: list[int]

    @property
    def length(self) -> int:
        """Tokens of both together."""
        return len(self.prompt) + len(self.target)


def encode_rows(rows: Sequence[TrainingRow], loaded: LoadedModel) -> list[EncodedRow]:
    """Token ids of every row. Raises ModelError where one does not fit the model: nothing is ever cut."""
    encoded = [EncodedRow(loaded.codec.prompt_ids(row.prompt), loaded.codec.target_ids(row.target)) for row in rows]
    for row, ids in zip(rows, encoded, strict=True):
        length = loaded.codec.row_length(ids.prompt, ids.target)
        if length > loaded.context_tokens:
            raise ModelError(
                f"row {row.id} has {length} tokens and {loaded.name!r} holds {loaded.context_tokens}: "
                "generate again with for_model, which rejects such rows, or lower num_distractors or passage_tokens"
            )
    return encoded


class Collator:
    """Pads rows into one batch; only target tokens carry labels."""

    def __init__(self, loaded: LoadedModel) -> None:
        self._pad = int(loaded.codec.tokenizer.pad_token_id)
        self._seq2seq = loaded.codec.seq2seq
        self._prefix = isinstance(loaded.model.config, MiniConfig)

    def __call__(self, rows: Sequence[EncodedRow]) -> dict[str, torch.Tensor]:
        if self._seq2seq:
            inputs = [row.prompt for row in rows]
            labels = [row.target for row in rows]
        else:
            inputs = [row.prompt + row.target for row in rows]
            labels = [[IGNORED] * len(row.prompt) + row.target for row in rows]
        batch = {
            "input_ids": _padded(inputs, self._pad),
            "attention_mask": _padded([[1] * len(ids) for ids in inputs], 0),
            "labels": _padded(labels, IGNORED),
        }
        if self._prefix:
            batch["token_type_ids"] = (batch["labels"] != IGNORED).long()
        return batch


def _padded(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[value] * (longest - len(row))] for row in rows], dtype=torch.long)
