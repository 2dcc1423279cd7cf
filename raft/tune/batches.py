"""Rows of like length together, those that begin alike side by side, and as many at once as fit a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from torch.utils.data import Sampler

from raft.models.engine import shared_tokens
from raft.tune.encoding import EncodedRow

# Batches are drawn from so many at a time, so that rows of like length meet and every epoch still has its own order.
_DRAWN_FROM = 50


class LikeLengths(Sampler[int]):
    """Row numbers in a new order each epoch: each run of `batch_rows` of them has rows of like length."""

    def __init__(self, rows: Sequence[EncodedRow], batch_rows: int, seed: int) -> None:
        self._rows, self._batch_rows, self._seed = rows, batch_rows, seed
        self._families = families(rows)
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate before each epoch, also where training goes on in its midst."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[int]:
        lengths = [max(self._rows[row].length for row in family) for family in self._families]
        drawn = shuffled(self._families, lengths, self._batch_rows, Random(f"{self._seed} epoch {self._epoch}"))
        return iter(drawn)


def families(rows: Sequence[EncodedRow]) -> list[list[int]]:
    """The row numbers, those together whose prompts begin alike for more than half: they ask about the same passages.

    In the order of the first row of each.
    """
    found: list[list[int]] = []
    for row in sorted(range(len(rows)), key=lambda row: rows[row].prompt):
        longest = max(len(rows[row].prompt), len(rows[found[-1][0]].prompt)) if found else 0
        if found and 2 * shared_tokens([rows[found[-1][0]].prompt, rows[row].prompt]) > longest:
            found[-1].append(row)
        else:
            found.append([row])
    return sorted((sorted(family) for family in found), key=lambda family: family[0])


def shuffled(families: Sequence[Sequence[int]], lengths: Sequence[int], batch_rows: int, rng: Random) -> list[int]:
    """The order of one epoch: each row once; only its last run may be shorter than `batch_rows`.

    lengths: tokens of the longest row of each family.
    """
    order = rng.sample(range(len(families)), len(families))
    batches: list[list[int]] = []
    for some in _windows(order, [len(family) for family in families], _DRAWN_FROM * batch_rows):
        alike = [row for family in sorted(some, key=lambda family: lengths[family]) for row in families[family]]
        batches += (alike[at : at + batch_rows] for at in range(0, len(alike), batch_rows))
    whole = [batch for batch in batches if len(batch) == batch_rows]
    rng.shuffle(whole)
    left_over = [row for batch in batches if len(batch) < batch_rows for row in batch]
    return [row for batch in whole for row in batch] + left_over


def _windows(order: Sequence[int], sizes: Sequence[int], rows: int) -> Iterator[list[int]]:
    """The families in this order, in runs of at least so many rows; the last one may have fewer."""
    window: list[int] = []
    held = 0
    for family in order:
        window.append(family)
        held += sizes[family]
        if held >= rows:
            yield window
            window, held = [], 0
    if window:
        yield window


def pieces(rows: Sequence[EncodedRow], budget: int, *, sharing: bool) -> list[list[int]]:
    """The rows of one batch in pieces that are read at once, each of at most `budget` tokens when it is padded.

    A longer row is a piece by itself. sharing: whether what the prompts of a piece begin with is read once.
    """
    made: list[list[int]] = []
    taken = 0
    for row in sorted(range(len(rows)), key=lambda row: rows[row].prompt if sharing else [-rows[row].length]):
        if made:
            together = _tokens([rows[other] for other in (*made[-1], row)], sharing=sharing)
            # A longer row pads the others, and one that begins otherwise parts what they share.
            if together <= budget and (not sharing or together <= taken + rows[row].length):
                made[-1].append(row)
                taken = together
                continue
        made.append([row])
        taken = rows[row].length
    return made


def _tokens(rows: Sequence[EncodedRow], *, sharing: bool) -> int:
    """Tokens that are computed for a piece."""
    shared = shared_tokens([row.prompt for row in rows]) if sharing else 0
    return shared + len(rows) * (max(row.length for row in rows) - shared)
