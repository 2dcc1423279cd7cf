"""Tie the evidence of questions to the documents that an index holds."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from raft.errors import InputError
from raft.types import Question


def settle_evidence(
    questions: Iterable[Question],
    known: Collection[str],
    repeats: Mapping[str, str],
    index: Path,
    file: Path | None = None,
) -> list[Question]:
    """The questions with evidence that the index holds: in the place of a repeated document, the one that was kept.

    A document is also found where its id is written in another Unicode form, as macOS writes the names of files.

    known: the ids of its documents. repeats: the id of the kept document by the id of the one that repeats it. file:
    where the questions come from, for the message. Raises InputError for the first question whose evidence names a
    document that the index does not know.
    """
    where = f"{file}: " if file is not None else ""
    composed = {_composed(document_id): document_id for document_id in (*repeats, *known)}
    settled = []
    for question in questions:
        named = [
            one if one in known or one in repeats else composed.get(_composed(one), one)
            for one in question.document_ids
        ]
        kept = tuple(dict.fromkeys(repeats.get(document_id, document_id) for document_id in named))
        if missing := [document_id for document_id in kept if document_id not in known]:
            raise InputError(
                f"{where}question '{question.id}' names document '{missing[0]}', which {index} does not hold: "
                "correct its document_ids, or index that document"
            )
        settled.append(replace(question, document_ids=kept))
    return settled


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
