"""Where each token stands and what it may see: passages side by side, read alike wherever they are in the prompt.

Each passage sees the question and itself, much as an encoder of one passage at a time would (Izacard and Grave 2021),
and its positions begin where the question ends. The question and the target see all passages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Each (batch, seen): the target a token belongs to or 0, its passage or 0, its position, whether it is real."""

    targets: Tensor
    passages: Tensor
    positions: Tensor
    real: Tensor

    def visible(self, past: int) -> Tensor | None:
        """Which keys each new token may see, (batch, 1, new, seen); None where all see all."""
        new = self.targets[:, past:]
        if bool(self.real.all()) and (new.shape[1] == 1 or not bool((new > 0).any() or (self.passages > 0).any())):
            return None
        order = torch.arange(self.targets.shape[1], device=self.real.device)
        before = order <= order[past:, None]
        of_prompt, passage = self.targets[:, None, :] == 0, self.passages[:, past:, None]
        near = (passage == 0) | (self.passages[:, None, :] == 0) | (passage == self.passages[:, None, :])
        # A target sees the prompt and itself so far; several targets of one prompt do not see each other.
        same_target = new[:, :, None] == self.targets[:, None, :]
        allowed = torch.where(of_prompt, near, before & same_target)
        return (allowed & self.real[:, None, :])[:, None]


def lay_out(ids: Tensor, targets: Tensor, attention_mask: Tensor, marks: Sequence[int]) -> Layout:
    """The layout of whole sequences, each tensor (batch, seen). marks: the tokens that begin a passage in a prompt."""
    real = attention_mask.bool()
    order = (real.cumsum(-1) - 1).clamp(min=0)
    prompt = real & (targets == 0)
    begins = is_mark(ids, marks) & prompt
    passages = begins.cumsum(-1) * prompt
    question = (prompt & (passages == 0)).sum(-1, keepdim=True)
    positions = torch.where(passages > 0, question + order - _start(begins, order), order)
    # Every target goes on from the end of the longest passage.
    furthest = positions.masked_fill(~prompt, -1).amax(-1, keepdim=True) + 1
    changes = torch.cat([targets[:, :1] > 0, targets[:, 1:] != targets[:, :-1]], dim=-1) & (targets > 0)
    positions = torch.where(targets > 0, furthest + order - _start(changes, order), positions)
    return Layout(targets, passages, positions, real)


def is_mark(ids: Tensor, marks: Sequence[int]) -> Tensor:
    """Which ids begin a passage where they stand in a prompt, shape of `ids`."""
    return torch.isin(ids, torch.tensor(list(marks), dtype=ids.dtype, device=ids.device))


def _start(begins: Tensor, order: Tensor) -> Tensor:
    """For each token, where the run that it belongs to begins."""
    return torch.where(begins, order, 0).cummax(-1).values
