"""Divide documents between training, validation, test and "unseen": none, nor two alike, stands on two sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from random import Random

from raft.artifacts import read_jsonl, write_jsonl
from raft.recipe import ExampleSettings
from raft.types import Passage, Question


class Split(StrEnum):
    """What the rows of a document are for; no question is ever written for an unseen one."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    UNSEEN = "unseen"


_FILE = "splits.jsonl"


# Of the documents to split, the most that questions over several of them may bring together: where every question
# hangs together with every other one, all would be for training and nothing left to test.
_MOST_JOINED = 0.5


def write_splits(folder: Path, splits: Mapping[str, Split], clusters: Mapping[str, str]) -> None:
    """Note the side of every document, one a line, and its cluster: documents alike name the same one."""
    rows = ({"document_id": id_, "split": split, "cluster": clusters[id_]} for id_, split in splits.items())
    write_jsonl(folder / _FILE, rows)


def tuned_documents(folder: Path) -> frozenset[str]:
    """The documents of an examples folder that tuning looks at: those of training, and of validation for stopping."""
    looked_at = (Split.TRAIN, Split.VALIDATION)
    return frozenset(row["document_id"] for _, row in read_jsonl(folder / _FILE) if row["split"] in looked_at)


def joined_by_questions(
    clusters: Mapping[str, str], questions: Iterable[Question], asked: Collection[str]
) -> Mapping[str, str]:
    """The clusters, with all documents of one question as one, in the order of the questions.

    asked: the documents that will be split. A question that would bring more than half of them together joins nothing,
    and is rejected if its documents come to stand in different splits.
    """
    from scipy.cluster.hierarchy import DisjointSet

    joined = DisjointSet(sorted(set(clusters.values())))
    sizes = Counter(clusters[document_id] for document_id in asked)
    for question in questions:
        first, *others = sorted({joined[clusters[document_id]] for document_id in question.document_ids}) or [""]
        size = sum(sizes[cluster] for cluster in (first, *others))
        if others and size <= max(2, _MOST_JOINED * len(asked)):
            for cluster in others:
                joined.merge(first, cluster)
            sizes[joined[first]] = size
    names = {cluster: min(together) for together in joined.subsets() for cluster in together}
    return {document_id: names[cluster] for document_id, cluster in clusters.items()}


def split_by_document(
    document_ids: Sequence[str], clusters: Mapping[str, str], settings: ExampleSettings, rng: Random
) -> Mapping[str, Split]:
    """Shuffle the documents and cut: unseen first, then test and validation shares of the rest, then training.

    clusters: the cluster of each document, by id; all documents of one go to the same split. What is too large for a
    share is left for the next one, and at last for training. Every share that is above zero gets at least one cluster
    as long as two remain for the splits after it.
    """
    order = sorted(document_ids)
    rng.shuffle(order)
    members: dict[str, list[str]] = {}
    for document_id in order:
        members.setdefault(clusters[document_id], []).append(document_id)
    splits: dict[str, Split] = {}

    def take(split: Split, share: float, total: int) -> None:
        wanted = max(1, round(share * total)) if share > 0 else 0
        taken = 0
        for cluster in list(members):
            if len(members) > 1 and taken + len(members[cluster]) <= wanted:
                taken += len(members[cluster])
                splits.update(dict.fromkeys(members.pop(cluster), split))
        if wanted and not taken and len(members) > 1:
            smallest = min(members, key=lambda cluster: len(members[cluster]))
            splits.update(dict.fromkeys(members.pop(smallest), split))

    take(Split.UNSEEN, settings.unseen_fraction, len(order))
    seen = len(order) - len(splits)
    take(Split.VALIDATION, settings.validation_fraction, seen)
    take(Split.TEST, settings.test_fraction, seen)
    return {document_id: splits.get(document_id, Split.TRAIN) for document_id in sorted(order)}


def with_those_alike(splits: Mapping[str, Split], clusters: Mapping[str, str]) -> Mapping[str, Split]:
    """The splits, and those of all other documents: that of their cluster if it has one, or else unseen."""
    sides = {clusters[document_id]: split for document_id, split in splits.items()}
    return {document_id: sides.get(cluster, Split.UNSEEN) for document_id, cluster in clusters.items()}


def seen_passages(passages: Sequence[Passage], splits: Mapping[str, Split]) -> list[Passage]:
    """Those that questions are written for: all but the passages of unseen documents."""
    return [passage for passage in passages if splits[passage.document_id] is not Split.UNSEEN]
