"""Read a file or folder of questions, in whichever of the known formats it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft.errors import InputError
from raft.questions.chats import chat_entries
from raft.questions.columnar import dataset_rows, parquet_rows
from raft.questions.columns import QUESTIONS, Row, Settled, settled
from raft.questions.delimited import DELIMITERS
from raft.questions.fields import Cells, question_fields
from raft.questions.files import bytes_of
from raft.questions.json_files import json_rows
from raft.questions.rows import LeftOut, Omission, question_of
from raft.questions.squad import squad_rows
from raft.questions.text_tables import delimited_rows, sheet_rows
from raft.types import Question

_Entries = Iterable[tuple[str, Question | LeftOut]]


@dataclass(frozen=True, slots=True)
class QuestionFile:
    """What a file gave: its questions in its order, and what was left out of it."""

    questions: tuple[Question, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def omissions(self) -> dict[str, int]:
        """How much was left out, by reason."""
        return dict(Counter(str(item.reason) for item in self.left_out))

    def readable(self, reads: Callable[[Sequence[str]], Sequence[bool]]) -> QuestionFile:
        """Without the questions that are too long to be looked for, which are left out with that reason.

        reads: whether each text can be, such as `Index.reads`.
        """
        fits = reads([question.text for question in self.questions]) if self.questions else []
        told = list(zip(self.questions, fits, strict=True))
        too_long = [LeftOut(f"question '{one.id}'", Omission.TOO_LONG, one.text) for one, fit in told if not fit]
        return QuestionFile(tuple(one for one, fit in told if fit), (*self.left_out, *too_long))

    def __str__(self) -> str:
        lost = ", ".join(f"{count} x {reason}" for reason, count in sorted(self.omissions.items()))
        return f"{len(self.questions)} questions" + (f", {len(self.left_out)} left out ({lost})" if lost else "")


def read_questions(path: Path) -> list[Question]:
    """The questions of a file, in its order: those of `read_question_file`, which also says what was left out."""
    return list(read_question_file(path).questions)


def read_question_file(path: Path) -> QuestionFile:
    """The questions of a file or dataset folder, in its order, and what was left out.

    A folder is a dataset of the library `datasets`; `.csv`, `.tsv`, `.xlsx` and `.parquet` are tables; all else is JSON
    Lines, or JSON of one object or list. The first row tells what JSON holds: `data` is SQuAD, `messages` a chat log,
    and all else questions with `id`, `question` and `answers`, where known `document_ids` and `context`, and
    `"unanswerable": true` in place of answers where the documents do not answer it, or `"all_of": true` where all of
    its answers are wanted. The columns of ragas are read as `raft.questions.columns` says. Other fields are left alone.

    Raises InputError that names the file or the first row that is not like that.
    """
    questions: dict[str, Question] = {}
    places: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for place, entry in _entries(path):
        if isinstance(entry, LeftOut):
            left_out.append(entry)
        elif entry.id in questions:
            raise InputError(
                f"{path}, {place}: id '{entry.id}' is already used in {places[entry.id]}: give each question its own id"
            )
        else:
            questions[entry.id], places[entry.id] = entry, place
    file = QuestionFile(tuple(questions.values()), tuple(left_out))
    if not questions:
        lost = f" ({file})" if left_out else ""
        raise InputError(
            f"{path} holds no questions{lost}: write one JSON object a line with id, question and answers, or give "
            "SQuAD, a table with a column 'question' and rows below it, or a chat log with accepted answers"
        )
    return file


def _entries(path: Path) -> _Entries:
    rows, cells = _rows(path)
    first: Mapping[str, Any] = rows[0][1] if rows else {}
    if "messages" in first and not first.keys() & QUESTIONS:
        return _once(chat_entries(rows, path))
    if cells is Cells.JSON and isinstance(first.get("data"), list):
        if len(rows) > 1:
            raise InputError(f"{path}, {rows[1][0]}: SQuAD is one JSON object, but another follows: remove it")
        return ((place, question_of(row, f"{path}, {place}")) for place, row in squad_rows(first, path))
    table = settled(rows, path, parts_texts=cells is not Cells.JSON)
    # Rows of a table need no id. Rows of ragas have none, in JSON too.
    if cells is Cells.JSON and not table.renamed:
        return _asked(table, path, cells)
    return _once(_asked(table, path, cells, make_ids=True))


def _rows(path: Path) -> tuple[Sequence[Row], Cells]:
    """The rows of a file under known names, and what their values can be."""
    if _is_folder(path):
        return dataset_rows(path), Cells.TYPED
    raw, suffix = bytes_of(path), path.suffix.lower()
    if suffix in DELIMITERS:
        return delimited_rows(raw, path), Cells.TEXT
    if suffix in (".xlsx", ".xlsm"):
        return sheet_rows(raw, path), Cells.TEXT
    if suffix in (".parquet", ".pq"):
        return parquet_rows(raw, path), Cells.TYPED
    return json_rows(raw, path), Cells.JSON


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # reading it will say why


def _asked(table: Settled, path: Path, cells: Cells, *, make_ids: bool = False) -> Iterator[tuple[str, Question]]:
    for place, row in table.rows:
        where = f"{path}, {place}{table.note}"
        yield place, question_of(question_fields(row, where, cells), where, make_id=make_ids)


def _once(entries: _Entries) -> _Entries:
    """Entries of a format whose ids are made: what repeats another, id and all, is left out.

    Logs often hold a conversation anew after every message, and tables the same row twice.
    """
    known: dict[str, Question] = {}
    for place, entry in entries:
        if isinstance(entry, Question) and known.setdefault(entry.id, entry) is not entry and known[entry.id] == entry:
            yield place, LeftOut(place, Omission.REPEATED, entry.text)
        else:
            yield place, entry
