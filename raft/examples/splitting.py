"""Divide documents between training, validation, test and "unseen", so that no document stands on two sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from random import Random

from raft.artifacts import read_jsonl, write_jsonl
from raft.recipe import ExampleSettings


class Split(StrEnum):
    """What the rows of a document are for; no question is ever written for an unseen one."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    UNSEEN = "unseen"


_FILE = "splits.jsonl"


def write_splits(folder: Path, splits: Mapping[str, Split]) -> None:
    """Note the side of every document, one a line."""
    write_jsonl(folder / _FILE, ({"document_id": document_id, "split": split} for document_id, split in splits.items()))


def tuned_documents(folder: Path) -> frozenset[str]:
    """The documents of an examples folder that tuning looks at: those of training, and of validation for stopping."""
    looked_at = (Split.TRAIN, Split.VALIDATION)
    return frozenset(row["document_id"] for _, row in read_jsonl(folder / _FILE) if row["split"] in looked_at)


def split_by_document(document_ids: Sequence[str], settings: ExampleSettings, rng: Random) -> Mapping[str, Split]:
    """Shuffle the documents and cut: unseen first, then test and validation shares of the rest, then training.

    Every share that is above zero gets at least one document as long as two remain for the splits after it.
    """
    order = sorted(document_ids)
    rng.shuffle(order)
    splits: dict[str, Split] = {}

    def take(split: Split, share: float, total: int) -> None:
        wanted = max(1, round(share * total)) if share > 0 else 0
        for document_id in [d for d in order if d not in splits][: min(wanted, len(order) - len(splits) - 1)]:
            splits[document_id] = split

    take(Split.UNSEEN, settings.unseen_fraction, len(order))
    seen = len(order) - len(splits)
    take(Split.VALIDATION, settings.validation_fraction, seen)
    take(Split.TEST, settings.test_fraction, seen)
    return {document_id: splits.get(document_id, Split.TRAIN) for document_id in sorted(order)}
