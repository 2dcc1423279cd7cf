"""One row of a question file as a question, and back: what every format comes down to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from raft.artifacts import hash_json
from raft.errors import InputError
from raft.questions.quoting import names_in_line, quoted
from raft.text import normalise_answer
from raft.types import Question

# Each row with its place in the file ("line 3"), which messages and records name.
Rows = Iterable[tuple[str, Mapping[str, Any]]]

FIELDS = frozenset(
    {"id", "question", "answers", "document_ids", "context", "contexts", "unanswerable", "kind", "choices", "all_of"}
)

_HALF = re.compile("[\ud800-\udfff]")


class Omission(StrEnum):
    """Why something in a question file, though well-formed, is no question."""

    NOT_ACCEPTED = "no accepted answer"
    NO_QUESTION = "no question before the accepted answer"
    NOT_TEXT = "question or accepted answer is not plain text"
    TOO_LONG = "the question is longer than the embedder reads"
    REPEATED = "the same question and answers stand in the file before"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a question file holds and no stage uses: its place in the file, the reason, and its words."""

    place: str
    reason: Omission
    text: str


def question_row(question: Question) -> dict[str, Any]:
    """A question as one line of a file: `read_questions` gives the same question back."""
    row: dict[str, Any] = {"id": question.id, "question": question.text, "answers": list(question.answers)}
    if question.document_ids:
        row["document_ids"] = list(question.document_ids)
    if question.context is not None:
        row["context"] = question.context
    if question.contexts:
        row["contexts"] = list(question.contexts)
    if question.unanswerable:
        row["unanswerable"] = True
    if question.kind:
        row["kind"] = question.kind
    if question.choices:
        row["choices"] = list(question.choices)
    if question.all_of:
        row["all_of"] = True
    return row


def question_of(row: Mapping[str, Any], where: str, *, make_id: bool = False) -> Question:
    """A row as a question. make_id: where it has no id, take one from its content.

    `answers` are texts, or in the form of SQuAD records with a `text`; as SQuAD 2.0 has it, an empty list of those
    means that nothing answers the question. Raises InputError that begins with `where`.
    """
    made = make_id and row.get("id") is None
    number = "" if made else _string(row, "id", where)
    said, row, text = row, _plain(row), _string(row, "question", where)
    unanswerable = _flag(row, "unanswerable", where)
    answers = _strings(row, "answers", where)
    if unanswerable and answers:
        raise InputError(f"{where}: it has answers and is marked unanswerable: remove one of the two")
    if not unanswerable and not answers:
        near = names_in_line(sorted(set(row) - FIELDS)) if "answers" not in row else ""
        found = f" (found besides the known fields: {near})" if near else ""
        raise InputError(f"{where}: 'answers' is missing or empty{found}: add one, or \"unanswerable\": true")
    choices = _strings(row, "choices", where)
    if choices and not set(answers) <= set(choices):
        odd = next(answer for answer in answers if answer not in choices)
        raise InputError(f"{where}: its answer {quoted(odd)} is none of its 'choices': write it as one of them")
    all_of = _flag(row, "all_of", where)
    if all_of:
        _check_list(answers, choices, where)
    question = Question(
        id=number,
        text=text,
        answers=answers,
        document_ids=_strings(row, "document_ids", where),
        context=_string(row, "context", where) if row.get("context") is not None else None,
        unanswerable=unanswerable,
        kind=_string(row, "kind", where) if row.get("kind") else "",
        contexts=_strings(row, "contexts", where),
        choices=choices,
        all_of=all_of,
    )
    return replace(question, id=_content_id(said, question)) if made else question


def check_characters(text: str, name: str, where: str) -> None:
    """Raise InputError for half of a surrogate pair, which can be neither hashed nor written as UTF-8."""
    if half := _HALF.search(text):
        raise InputError(
            f"{where}: {name} contains half a character (\\u{ord(half[0]):04x}), as happens when text is cut inside an "
            "emoji: remove it"
        )


def _check_list(answers: Sequence[str], choices: Sequence[str], where: str) -> None:
    """Whether all of these answers can be wanted of one question."""
    if len(answers) < 2:
        raise InputError(f"{where}: 'all_of' is for two answers or more, and it has {len(answers)}: leave it out")
    if choices:
        raise InputError(f"{where}: 'choices' are for one answer, and 'all_of' asks for several: leave one of them out")
    alike: dict[str, str] = {}
    for answer in answers:
        if (first := alike.setdefault(normalise_answer(answer), answer)) is not answer:
            raise InputError(
                f"{where}: of its answers {quoted(first)} and {quoted(answer)} are the same: with 'all_of' keep one"
            )


def as_text(value: Any) -> Any:
    """An id that is a number as text, as formats of others have it; whatever else it is stays as it is."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _content_id(row: Mapping[str, Any], question: Question) -> str:
    said = {name: row[name] for name in sorted(FIELDS & set(row)) if row[name] is not None}
    try:
        return hash_json(said)[:16]
    except (TypeError, ValueError, RecursionError):
        # Answers in the form of SQuAD may hold anything besides their texts.
        return hash_json(question_row(question))[:16]


def _flag(row: Mapping[str, Any], name: str, where: str) -> bool:
    value = row.get(name)
    if not isinstance(value, bool | None):
        raise InputError(f"{where}: '{name}' must be true or false, not {quoted(value)}: correct it")
    return bool(value)


def _plain(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with answers in the form of SQuAD as texts, each once, since its annotators often agree."""
    answers = row.get("answers")
    if isinstance(answers, Mapping):
        texts = answers.get("text")
        texts = [texts] if isinstance(texts, str) else texts
    elif isinstance(answers, list) and answers and all(isinstance(answer, Mapping) for answer in answers):
        texts = [answer.get("text") for answer in answers]
    else:
        return row
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return row
    nothing = {} if texts or row.get("unanswerable") is not None else {"unanswerable": True}
    return {**row, "answers": list(dict.fromkeys(texts)), **nothing}


def _string(row: Mapping[str, Any], name: str, where: str) -> str:
    if name not in row:
        near = names_in_line(sorted(set(row) - FIELDS)) or "nothing else"
        raise InputError(f"{where}: '{name}' is missing (found besides the known fields: {near}): add it")
    value = row[name]
    if not isinstance(value, str):
        raise InputError(f"{where}: '{name}' must be text, not {quoted(value)}: correct it")
    if not value.strip():
        raise InputError(f"{where}: '{name}' is empty: fill it in")
    check_characters(value, f"'{name}'", where)
    return value


def _strings(row: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    values = row.get(name)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        hint = "correct it"
        if name == "answers" and isinstance(values, str):
            hint = "put it in brackets, or name the field 'answer'"
        raise InputError(f"{where}: '{name}' must be a list of non-empty texts, not {quoted(values)}: {hint}")
    for value in values:
        check_characters(value, f"'{name}'", where)
    return tuple(values)
