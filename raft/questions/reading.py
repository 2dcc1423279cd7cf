"""Read a file or folder of questions, in whichever of the known formats it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft.artifacts import read_jsonl
from raft.errors import InputError
from raft.questions.chats import chat_entries
from raft.questions.rows import LeftOut, Omission, Rows, question_of
from raft.questions.squad import squad_rows
from raft.questions.tables import DELIMITERS, dataset_rows, delimited_rows
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

    A folder is a dataset of the library `datasets`; `.csv` and `.tsv` are tables; all else is JSON Lines, or in
    `.json` one object or list. The first row tells what JSON holds: `data` is SQuAD, `messages` a chat log, and all
    else questions with `id`, `question` and `answers`, where known `document_ids` and `context`, and `"unanswerable":
    true` in place of answers where the documents do not answer it, or `"all_of": true` where all of its answers are
    wanted. Other fields are left alone.

    Raises InputError that names the first row that is not like that.
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
            "SQuAD, a table with a column 'question', or a chat log with accepted answers"
        )
    return file


def _entries(path: Path) -> _Entries:
    rows, is_table = _rows(path)
    # The whole file in memory: its first row tells what the others must be.
    rows = list(rows)
    first: Mapping[str, Any] = rows[0][1] if rows else {}
    if "messages" in first and "question" not in first:
        return _once(chat_entries(rows, path))
    if isinstance(first.get("data"), list):
        if len(rows) > 1:
            raise InputError(f"{path}, {rows[1][0]}: SQuAD is one JSON object, but another follows: remove it")
        return _asked(squad_rows(first, path), path)
    return _once(_asked(rows, path, make_ids=True)) if is_table else _asked(rows, path)


def _rows(path: Path) -> tuple[Rows, bool]:
    """The rows of a file, and whether it is a table, whose rows need no id."""
    if path.is_dir():
        return dataset_rows(path), True
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return delimited_rows(path), True
    return _json_rows(path) if suffix == ".json" else _lines(path), False


def _asked(rows: Rows, path: Path, *, make_ids: bool = False) -> Iterator[tuple[str, Question]]:
    for place, row in rows:
        yield place, question_of(row, f"{path}, {place}", make_id=make_ids)


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


def _lines(path: Path) -> Rows:
    return ((f"line {number}", row) for number, row in read_jsonl(path))


def _json_rows(path: Path) -> Rows:
    """The rows of a file that is one JSON value, or JSON Lines in spite of its name."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: check the path") from error
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return _lines(path)
        raise InputError(f"{path}, line {error.lineno}: not valid JSON ({error.msg}): correct that line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text ({error}): check the file") from error
    rows = [(f"item {number}", row) for number, row in enumerate(whole if isinstance(whole, list) else [whole], 1)]
    for place, row in rows:
        if not isinstance(row, dict):
            raise InputError(f"{path}, {place}: expected a JSON object: correct it")
    return rows
