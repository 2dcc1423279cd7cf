"""A Trainer that computes logits where something is to be learnt, and reads each batch in pieces that fit a budget.

The batch of an optimiser step stays what the recipe says: its pieces' gradients are added up before the step, and the
loss is the mean over all target tokens of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Sampler

from raft.tune.batches import LikeLengths, pieces
from raft.tune.encoding import IGNORED, EncodedRow
from raft.tune.resuming import ResumingTrainer

# Padded tokens that are read at once: more of them only take more memory on a CPU, and a GPU is idle with fewer.
_BUDGET, _BUDGET_ELSEWHERE = 2_048, 16_384
# Target tokens of each row of a batch; by this name Trainer knows that there is something to be learnt.
TARGETS = "targets"


class PieceCollator:
    """Rows of a causal model as pieces, padded on the left so that all targets end in one place."""

    def __init__(self, pad: int, device: torch.device) -> None:
        self._pad, self._budget = pad, _BUDGET if device.type == "cpu" else _BUDGET_ELSEWHERE

    def __call__(self, rows: Sequence[EncodedRow]) -> dict[str, Any]:
        chosen = pieces([row.length for row in rows], self._budget)
        # First, because Trainer takes the length of the first tensor for the rows of a batch.
        targets = torch.tensor([len(row.target) for row in rows])
        return {TARGETS: targets, "pieces": [self._piece([rows[n] for n in piece]) for piece in chosen]}

    def _piece(self, rows: Sequence[EncodedRow]) -> dict[str, Tensor]:
        longest = max(row.length for row in rows)
        ids = torch.full((len(rows), longest), self._pad)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
        for place, row in enumerate(rows):
            ids[place, longest - row.length :] = torch.tensor(row.prompt + row.target)
            mask[place, longest - row.length :] = 1
            labels[place, longest - len(row.target) :] = torch.tensor(row.target)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        return {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "labels": labels}


class TargetTrainer(ResumingTrainer):
    """For causal models. Batches come from `PieceCollator`."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        return LikeLengths([row.length for row in rows], self.args.per_device_train_batch_size, self.args.seed)

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """The loss of a batch in nats a target token; one backward pass a piece."""
        model.train()
        batch = self._prepare_inputs(inputs)
        loss = torch.zeros((), device=self.args.device)
        for piece in batch["pieces"]:
            with self.compute_loss_context_manager():
                part = summed_loss(model, piece) / batch[TARGETS].sum()
            self.accelerator.backward(part)
            loss += part.detach()
        return loss

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The same without gradients, for the validation rows."""
        total = sum((summed_loss(model, piece) for piece in inputs["pieces"]), torch.zeros((), device=self.args.device))
        loss = total / inputs[TARGETS].sum()
        return (loss, {}) if return_outputs else loss


def summed_loss(model: Any, piece: dict[str, Tensor]) -> Tensor:
    """Nats of all target tokens of a piece, added up; logits are computed before these tokens and nowhere else."""
    labels = piece["labels"]
    longest = int((labels != IGNORED).sum(1).max())
    inputs = {name: value for name, value in piece.items() if name != "labels"}
    # The token before each target says it, and the last one says nothing.
    logits = model(**inputs, logits_to_keep=longest + 1, use_cache=False).logits[:, :-1]
    return F.cross_entropy(
        logits.flatten(0, 1).float(), labels[:, -longest:].flatten(), ignore_index=IGNORED, reduction="sum"
    )
