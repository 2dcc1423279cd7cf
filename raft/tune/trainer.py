"""A Trainer that computes logits where something is to be learnt, and reads each batch in pieces that fit a budget.

The batch of an optimiser step stays what the recipe says: its pieces' gradients are added up before the step, and the
loss is the mean over all target tokens of the batch. What all prompts of a piece begin with, the instruction at least,
is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Sampler

from raft.models.engine import shared_tokens
from raft.tune.batches import LikeLengths, pieces
from raft.tune.encoding import IGNORED, EncodedRow
from raft.tune.resuming import ResumingTrainer

# Padded tokens that are read at once: more of them only take more memory on a CPU, and a GPU is idle with fewer.
_BUDGET, _BUDGET_ELSEWHERE = 2_048, 16_384
# Target tokens of each row of a batch; by this name Trainer knows that there is something to be learnt.
TARGETS = "targets"
# What all rows of a piece begin with: (1, tokens).
SHARED = "shared"


class PieceCollator:
    """Rows of a causal model as pieces, padded on the left so that all targets end in one place.

    sharing: whether the model's cache can hold what the rows of a piece begin with (`raft.models.engine.can_run`).
    """

    def __init__(self, pad: int, device: torch.device, *, sharing: bool) -> None:
        self._pad, self._budget = pad, _BUDGET if device.type == "cpu" else _BUDGET_ELSEWHERE
        self._sharing = sharing

    def __call__(self, rows: Sequence[EncodedRow]) -> dict[str, Any]:
        chosen = pieces(rows, self._budget, sharing=self._sharing)
        # First, because Trainer takes the length of the first tensor for the rows of a batch.
        targets = torch.tensor([len(row.target) for row in rows])
        return {TARGETS: targets, "pieces": [self._piece([rows[n] for n in piece]) for piece in chosen]}

    def _piece(self, rows: Sequence[EncodedRow]) -> dict[str, Tensor]:
        shared = shared_tokens([row.prompt for row in rows]) if self._sharing else 0
        width = max(row.length for row in rows) - shared
        ids = torch.full((len(rows), width), self._pad)
        mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORED)
        for place, row in enumerate(rows):
            own = row.length - shared
            ids[place, width - own :] = torch.tensor(row.prompt[shared:] + row.target)
            mask[place, width - own :] = 1
            labels[place, width - len(row.target) :] = torch.tensor(row.target)
        positions = (shared + mask.cumsum(1) - 1).clamp(min=0)
        piece = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, "labels": labels}
        if not shared:
            return piece
        before = mask.new_ones(len(rows), shared)
        return piece | {"attention_mask": torch.cat([before, mask], 1), SHARED: torch.tensor([rows[0].prompt[:shared]])}


class TargetTrainer(ResumingTrainer):
    """For causal models. Batches come from `PieceCollator`."""

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        return LikeLengths(rows, self.args.per_device_train_batch_size, self.args.seed)

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
    """Nats of all target tokens of a piece, added up; logits are computed before these tokens and nowhere else.

    Gradients reach what the rows share through the keys and values that all of them attend to.
    """
    labels = piece["labels"]
    longest = int((labels != IGNORED).sum(1).max())
    inputs: dict[str, Any] = {name: value for name, value in piece.items() if name not in ("labels", SHARED)}
    if SHARED in piece:
        cache = model(input_ids=piece[SHARED], logits_to_keep=1, use_cache=True).past_key_values
        cache.batch_repeat_interleave(len(labels))
        inputs["past_key_values"] = cache
    # The token before each target says it, and the last one says nothing.
    logits = model(**inputs, logits_to_keep=longest + 1, use_cache=SHARED in piece).logits[:, :-1]
    return F.cross_entropy(
        logits.flatten(0, 1).float(), labels[:, -longest:].flatten(), ignore_index=IGNORED, reduction="sum"
    )
