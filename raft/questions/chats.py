"""Chat logs as questions: what a user asked just before an answer that was accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raft.errors import InputError
from raft.questions.messages import ROLES, spoken
from raft.questions.quoting import quoted
from raft.questions.rows import LeftOut, Omission, Rows, as_text, check_characters, question_of
from raft.types import Question

_MARKS = ("accepted", "rating", "score")
CHAT_FIELDS = frozenset({"messages", "conversation_id", *_MARKS})
_GOOD = frozenset({"up", "thumbs_up", "thumbsup", "👍", "good", "positive", "like", "accepted"})
_BAD = frozenset({"down", "thumbs_down", "thumbsdown", "👎", "bad", "negative", "dislike", "rejected"})


def chat_entries(rows: Rows, path: Path) -> Iterator[tuple[str, Question | LeftOut]]:
    """The accepted answers of each conversation as questions, or why it has none.

    A conversation is `messages` of role and content, as OpenAI's chat format has them, and says what was accepted in
    one of two places. On an answer: the first of `accepted`, `rating` and `score` that is given. On the conversation:
    the same for its last answer, or as `accepted` the place of a message (counted from 0), its id, or a list of
    these. Ratings are thumbs up or down, or 1, 0 and -1; other scales are not guessed.

    An id is the conversation's (`id` or `conversation_id`) with the place of the answer, or else made from the
    content. Raises InputError for what cannot be read without guessing.
    """
    for place, row in rows:
        where = f"{path}, {place}"
        messages = _messages(row, where)
        chosen = _accepted(row, messages, where)
        if not chosen:
            yield place, LeftOut(place, Omission.NOT_ACCEPTED, _last_asked(messages))
        for number in chosen:
            yield place, _exchange(row, messages, number, place, where)


def _messages(row: Mapping[str, Any], where: str) -> Sequence[Mapping[str, Any]]:
    messages = row.get("messages")
    if not isinstance(messages, list):
        raise InputError(f"{where}: 'messages' must be a list of role and content, not {quoted(messages)}: correct it")
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise InputError(f"{where}, message {number}: expected role and content, not {quoted(message)}: correct it")
        role = message.get("role")
        if not isinstance(role, str) or role not in ROLES:
            known = ", ".join(sorted(ROLES))
            raise InputError(f"{where}, message {number}: role {quoted(role)} is not one of {known}: name it")
        content = message.get("content")
        if not isinstance(content, str | list | None):
            raise InputError(f"{where}, message {number}: 'content' must be text, not {quoted(content)}: correct it")
        check_characters(spoken(content)[0], "'content'", f"{where}, message {number}")
    return messages


def _accepted(row: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], where: str) -> list[int]:
    """The places of the accepted answers."""
    answers = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
    marks = {number: _judged(messages[number], f"{where}, message {number}") for number in answers}
    on_whole = next((name for name in _MARKS if row.get(name) is not None), None)
    if on_whole is None:
        return [number for number, mark in marks.items() if mark]
    if any(mark is not None for mark in marks.values()):
        raise InputError(f"{where}: '{on_whole}' stands on the conversation and on its messages: keep one of the two")
    if on_whole == "accepted" and not isinstance(row["accepted"], bool):
        return _pointed_at(row["accepted"], messages, where)
    if not _judged(row, where):
        return []
    if not answers:
        raise InputError(f"{where}: it is accepted, but no message is the assistant's: correct it")
    return answers[-1:]


def _pointed_at(pointers: Any, messages: Sequence[Mapping[str, Any]], where: str) -> list[int]:
    """The places of the messages that `accepted` names by place or id."""
    chosen = []
    for pointer in pointers if isinstance(pointers, list) else [pointers]:
        # True is a number too, but here it would name the second message.
        if isinstance(pointer, bool) or not isinstance(pointer, int | str):
            raise InputError(
                f"{where}: 'accepted' must be true, false, a place or an id, not {quoted(pointer)}: correct it"
            )
        found = [number for number, message in enumerate(messages) if pointer in (number, message.get("id"))]
        if len(found) != 1:
            raise InputError(
                f"{where}: 'accepted' is {quoted(pointer)}, the place (from 0) or id of {len(found) or 'no'} messages: "
                "name one answer"
            )
        if messages[found[0]]["role"] != "assistant":
            role = messages[found[0]]["role"]
            raise InputError(f"{where}: 'accepted' names message {found[0]}, which is the {role}'s: name an answer")
        chosen += found
    return list(dict.fromkeys(chosen))


def _judged(marked: Mapping[str, Any], where: str) -> bool | None:
    """Whether a message or conversation is accepted; None where nobody has said."""
    name = next((name for name in _MARKS if marked.get(name) is not None), None)
    if name is None:
        return None
    value = marked[name]
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (1, 0, -1):
        return value == 1
    if isinstance(value, str) and value.strip().lower() in _GOOD | _BAD:
        return value.strip().lower() in _GOOD
    raise InputError(
        f"{where}: '{name}' is {quoted(value)}, which says neither good (true, 1, up) nor bad (false, 0, -1, down): "
        'mark accepted answers with "accepted": true'
    )


def _exchange(
    row: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], number: int, place: str, where: str
) -> Question | LeftOut:
    """The accepted answer `number` with the user's message before it; calls of tools may stand between them."""
    before = [message for message in messages[:number] if message["role"] == "user"]
    if not before:
        return LeftOut(place, Omission.NO_QUESTION, _text(messages[number]) or "")
    asked, answer = _text(before[-1]), _text(messages[number])
    if not asked or not answer:
        return LeftOut(place, Omission.NOT_TEXT, asked or "")
    fields = {name: row[name] for name in ("document_ids", "context", "contexts") if row.get(name) is not None}
    conversation = row.get("id") if row.get("id") is not None else row.get("conversation_id")
    if conversation is not None:
        if not isinstance(named := as_text(conversation), str):
            raise InputError(f"{where}: 'id' must be text or a number, not {quoted(conversation)}: correct it")
        fields["id"] = f"{named}/{number}"
    return question_of({**fields, "question": asked, "answers": [answer]}, where, make_id=True)


def _text(message: Mapping[str, Any]) -> str | None:
    """The words of a message; None where it also holds something else, such as an image."""
    words, whole = spoken(message.get("content"))
    return words.strip() if whole else None


def _last_asked(messages: Sequence[Mapping[str, Any]]) -> str:
    asked = [message for message in messages if message["role"] == "user"]
    return (_text(asked[-1]) or "") if asked else ""
