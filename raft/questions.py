"""Read and write files of questions: JSON Lines, one question a line."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from raft.artifacts import read_jsonl
from raft.errors import InputError
from raft.types import Question

_FIELDS = frozenset({"id", "question", "answers", "document_ids", "context", "unanswerable", "kind"})


def read_questions(path: Path) -> list[Question]:
    """The questions of a file, in its order.

    Each line holds `id`, `question` and `answers`; where known `document_ids` and `context`; `"unanswerable": true` in
    place of answers where the documents do not answer it. Other fields are left alone. Raises InputError that names
    the first line that is not like that.
    """
    questions: list[Question] = []
    lines: dict[str, int] = {}
    for number, row in read_jsonl(path):
        question = _question(row, f"{path}, line {number}")
        if question.id in lines:
            raise InputError(
                f"{path}, line {number}: id '{question.id}' is already used in line {lines[question.id]}: "
                "give each question its own id"
            )
        lines[question.id] = number
        questions.append(question)
    if not questions:
        raise InputError(f"{path} holds no questions: write one JSON object a line with id, question and answers")
    return questions


def question_row(question: Question) -> dict[str, Any]:
    """A question as one line of a file: `read_questions` gives the same question back."""
    row: dict[str, Any] = {"id": question.id, "question": question.text, "answers": list(question.answers)}
    if question.document_ids:
        row["document_ids"] = list(question.document_ids)
    if question.context is not None:
        row["context"] = question.context
    if question.unanswerable:
        row["unanswerable"] = True
    if question.kind:
        row["kind"] = question.kind
    return row


def settle_evidence(
    questions: Iterable[Question],
    known: Container[str],
    repeats: Mapping[str, str],
    index: Path,
    file: Path | None = None,
) -> list[Question]:
    """The questions with evidence that the index holds: in the place of a repeated document, the one that was kept.

    known: the ids of its documents. repeats: the id of the kept document by the id of the one that repeats it. file:
    where the questions come from, for the message. Raises InputError for the first question whose evidence names a
    document that the index does not know.
    """
    where = f"{file}: " if file is not None else ""
    settled = []
    for question in questions:
        kept = tuple(dict.fromkeys(repeats.get(document_id, document_id) for document_id in question.document_ids))
        if missing := [document_id for document_id in kept if document_id not in known]:
            raise InputError(
                f"{where}question '{question.id}' names document '{missing[0]}', which {index} does not hold: "
                "correct its document_ids, or index that document"
            )
        settled.append(replace(question, document_ids=kept))
    return settled


def _question(row: Mapping[str, Any], where: str) -> Question:
    unanswerable = row.get("unanswerable", False)
    if not isinstance(unanswerable, bool):
        raise InputError(f"{where}: 'unanswerable' must be true or false, not {unanswerable!r}: correct that line")
    answers = _strings(row, "answers", where)
    if unanswerable and answers:
        raise InputError(f"{where}: it has answers and is marked unanswerable: remove one of the two")
    if not unanswerable and not answers:
        raise InputError(f"{where}: 'answers' is missing or empty: add one, or \"unanswerable\": true")
    return Question(
        id=_string(row, "id", where),
        text=_string(row, "question", where),
        answers=answers,
        document_ids=_strings(row, "document_ids", where),
        context=_string(row, "context", where) if row.get("context") is not None else None,
        unanswerable=unanswerable,
        kind=_string(row, "kind", where) if row.get("kind") else "",
    )


def _string(row: Mapping[str, Any], name: str, where: str) -> str:
    if name not in row:
        near = ", ".join(sorted(set(row) - _FIELDS)) or "nothing else"
        raise InputError(f"{where}: '{name}' is missing (found besides the known fields: {near}): add it")
    value = row[name]
    if not isinstance(value, str):
        raise InputError(f"{where}: '{name}' must be text, not {value!r}: correct that line")
    if not value.strip():
        raise InputError(f"{where}: '{name}' is empty: fill it in")
    return value


def _strings(row: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    values = row.get(name)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        raise InputError(f"{where}: '{name}' must be a list of non-empty texts, not {values!r}: correct that line")
    return tuple(values)
