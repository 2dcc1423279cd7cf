"""Rows of like length together, and as many of them at once as fit a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from torch.utils.data import Sampler

# Batches are drawn from so many at a time, so that rows of like length meet and every epoch still has its own order.
_DRAWN_FROM = 50


class LikeLengths(Sampler[int]):
    """Row numbers in a new order each epoch: each run of `batch_rows` of them has rows of like length."""

    def __init__(self, lengths: Sequence[int], batch_rows: int, seed: int) -> None:
        self._lengths, self._batch_rows, self._seed = lengths, batch_rows, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate before each epoch, also where training goes on in its midst."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(shuffled(self._lengths, self._batch_rows, Random(f"{self._seed} epoch {self._epoch}")))


def shuffled(lengths: Sequence[int], batch_rows: int, rng: Random) -> list[int]:
    """The order of one epoch: each row once; only its last run may be shorter than `batch_rows`."""
    order = rng.sample(range(len(lengths)), len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(order), _DRAWN_FROM * batch_rows):
        alike = sorted(order[start : start + _DRAWN_FROM * batch_rows], key=lambda row: lengths[row])
        batches += (alike[at : at + batch_rows] for at in range(0, len(alike), batch_rows))
    whole = [batch for batch in batches if len(batch) == batch_rows]
    rng.shuffle(whole)
    left_over = [row for batch in batches if len(batch) < batch_rows for row in batch]
    return [row for batch in whole for row in batch] + left_over


def pieces(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """The rows of one batch in pieces that are read at once, each of at most `budget` tokens when it is padded.

    A longer row is a piece by itself.
    """
    made: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        # The first row of a piece is its longest.
        if made and (len(made[-1]) + 1) * lengths[made[-1][0]] <= budget:
            made[-1].append(row)
        else:
            made.append([row])
    return made
