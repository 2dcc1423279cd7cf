"""Read anyone's RAFT file: JSON or JSON Lines in the layouts that the known tools write, as one kind of row."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from raft.audit.faults import Fault, Finding
from raft.errors import InputError
from raft.prompts import read_passages_prompt
from raft.questions.messages import spoken
from raft.types import DistractorKind, ExampleKind, Quote

Raw = Mapping[str, Any]


class Layout(StrEnum):
    """Whose rows they are, as the report calls them."""

    RAFT = "examples of `raft generate`"
    GORILLA_HF = "gorilla raft.py, hf"
    GORILLA_CHAT = "gorilla raft.py, chat"
    GORILLA_COMPLETION = "gorilla raft.py, completion"
    PACK = "LlamaIndex RAFT pack"
    MESSAGES = "messages"
    PROMPT_COMPLETION = "prompt and completion"
    ALPACA = "alpaca"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A row of any layout, with None where its layout does not say.

    passages: the texts in the order shown. oracles: which of them, from 0, are oracles. oracle: the text of the oracle
    where the row keeps it apart. says_shown: whether the row claims to show its oracle. quotes: as recorded beside the
    target. unclosed: its prompt ends within a passage. unanswerable: the row says that nothing shown answers it.
    counterfactual: which passages are said to be made up, with a wrong answer in them.
    """

    number: int
    id: str
    question: str
    passages: tuple[str, ...]
    target: str
    oracles: tuple[int, ...] | None = None
    oracle: str | None = None
    says_shown: bool | None = None
    answers: tuple[str, ...] = ()
    passage_ids: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
    unclosed: bool = False
    unanswerable: bool = False
    counterfactual: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class AuditFile:
    """All rows that could be read, and those that could not."""

    layout: Layout
    rows: tuple[AuditRow, ...]
    unreadable: tuple[Finding, ...]


def read_file(path: Path) -> AuditFile:
    """The rows of a file. Raises InputError where it is no JSON, holds no rows, or has fields of no known layout."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text ({error}): check the file") from error
    raws, unreadable = _objects(text, path)
    if not raws:
        raise InputError(f"{path} holds no rows: name a file of JSON or JSON Lines")
    layout = _recognise([raw for _, raw in raws], path)
    return AuditFile(layout, tuple(_READERS[layout](number, raw) for number, raw in raws), tuple(unreadable))


def _objects(text: str, path: Path) -> tuple[list[tuple[int, Raw]], list[Finding]]:
    """Rows with their numbers, and what is no row: of JSON Lines by line, of JSON by place."""
    # Not splitlines(): a text may contain U+2028, which ends no line of a file.
    lines = [(number, line) for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1) if line.strip()]
    # A file of one value, over several lines or on one, is JSON; the first line of JSON Lines is an object of its own.
    if lines and (len(lines) == 1 or not isinstance(_parsed(lines[0][1]), dict)):
        whole = _parsed(text)
        if whole is not None:
            return _sorted_out(list(enumerate(_listed(whole), 1)))
        if text.lstrip().startswith("["):
            raise InputError(f"{path} is no whole JSON list: it was cut off, or is not JSON")
    return _sorted_out([(number, _parsed(line)) for number, line in lines])


def _parsed(text: str) -> Any:
    """The JSON value of a text; None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # not JSON, a number with thousands of digits, or nested too deeply


def _listed(value: Any) -> list[Any]:
    """The rows of a JSON file: a list, one list a column, a list under some name, or a single row."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return [value]
    columns = [column for column in value.values() if isinstance(column, list)]
    lengths = {len(column) for column in columns}
    # A prompt and a completion may each be a list of messages: then they are one row.
    chat = any(isinstance(cell, dict) and "role" in cell for column in columns for cell in column)
    if len(columns) == len(value) > 1 and len(lengths) == 1 and not chat:
        return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
    if _layout_of(value) is None and len(columns) == 1 and all(isinstance(row, dict) for row in columns[0]):
        return columns[0]
    return [value]


def _sorted_out(values: Sequence[tuple[int, Any]]) -> tuple[list[tuple[int, Raw]], list[Finding]]:
    rows: list[tuple[int, Raw]] = [(number, value) for number, value in values if isinstance(value, dict)]
    broken = [
        Finding(Fault.UNREADABLE, number, "it is not valid JSON, or no object")
        for number, value in values
        if not isinstance(value, dict)
    ]
    return rows, broken


def _recognise(raws: Sequence[Raw], path: Path) -> Layout:
    """The layout of most rows."""
    votes = Counter(layout for raw in raws if (layout := _layout_of(raw)) is not None)
    if not votes:
        raise InputError(
            f"{path} has fields of no layout that is known ({', '.join(sorted(raws[0])) or 'none'}): known are the "
            f"{', '.join(Layout)}"
        )
    layout = votes.most_common(1)[0][0]
    # The pack writes the columns of raft.py; only the prefix that it leaves in its answers tells one from the other.
    return Layout.PACK if layout is Layout.GORILLA_HF and votes[Layout.PACK] else layout


def _layout_of(raw: Raw) -> Layout | None:
    fields = set(raw)
    if {"passages", "target"} <= fields:
        return Layout.RAFT
    if "cot_answer" in fields and fields & {"context", "instruction", "oracle_context"}:
        return Layout.PACK if _text(raw, "cot_answer").startswith(_SPEAKER) else Layout.GORILLA_HF
    if fields & {"messages", "conversations"}:
        return Layout.GORILLA_CHAT if _OPEN in _prompt_and_target(raw)[0] else Layout.MESSAGES
    if {"prompt", "completion"} <= fields:
        return Layout.GORILLA_COMPLETION if _OPEN in _prompt_and_target(raw)[0] else Layout.PROMPT_COMPLETION
    return Layout.ALPACA if {"instruction", "output"} <= fields else None


_SPEAKER = "assistant:"
_OPEN, _CLOSE = "<DOCUMENT>", "</DOCUMENT>"
_STOP = "<STOP>"
_DOCUMENT = re.compile(rf"{_OPEN}(.*?)(?:{_CLOSE}|(?={_OPEN})|$)", re.DOTALL)
_LABEL = re.compile(
    r"(?:^|\n)[ \t#*]*(question|query|contexts?|documents?|passages?|sources?)[ \t]*(?:#?\d+|\[\d+\])?[ \t*]*:[ \t*]*",
    re.I,
)
# Passages without a heading, each behind its number.
_NUMBER = re.compile(r"^[ \t]*(?:\[(\d+)\]|\((\d+)\)):?[ \t]+", re.MULTILINE)


def _text(raw: Raw, name: str) -> str:
    """A field that should be text; what is missing or something else counts as empty, which is a fault of its own."""
    value = raw.get(name)
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> Iterator[str]:
    """The texts in nested lists, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _name(raw: Raw) -> str:
    value = raw.get("id")
    return str(value) if isinstance(value, str | int) else ""


def _ours(number: int, raw: Raw) -> AuditRow:
    shown, quotes = (_records(raw.get(name)) for name in ("passages", "quotes"))
    kind = _text(raw, "kind")
    return AuditRow(
        number,
        _name(raw),
        _text(raw, "question"),
        tuple(_text(passage, "text") for passage in shown),
        _text(raw, "target"),
        oracles=tuple(place for place, passage in enumerate(shown) if passage.get("oracle") is True),
        says_shown=kind == ExampleKind.ORACLE if kind in set(ExampleKind) else None,
        unanswerable=kind == ExampleKind.UNANSWERABLE,
        counterfactual=tuple(
            place for place, passage in enumerate(shown) if passage.get("distractor") == DistractorKind.COUNTERFACTUAL
        ),
        answers=tuple(_texts(raw.get("answers"))),
        passage_ids=tuple(_text(passage, "id") for passage in shown),
        quotes=tuple(
            Quote(_text(quote, "passage_id"), _offset(quote, "start"), _offset(quote, "end"), _text(quote, "text"))
            for quote in quotes
        ),
    )


def _records(value: Any) -> list[Raw]:
    return [record for record in value if isinstance(record, dict)] if isinstance(value, list) else []


def _offset(quote: Raw, name: str) -> int:
    value = quote.get(name)
    return value if isinstance(value, int) else -1


def _with_oracle(number: int, raw: Raw) -> AuditRow:
    """A row with the oracle beside the passages: the columns of raft.py, which the pack of LlamaIndex writes too."""
    context = raw.get("context")
    sentences = context.get("sentences") if isinstance(context, dict) else context
    passages = tuple(_texts(sentences))
    shown = _shown(number, _text(raw, "instruction"))
    oracle = _text(raw, "oracle_context")
    passages = passages or shown.passages
    same = tuple(place for place, text in enumerate(passages) if oracle and text.split() == oracle.split())
    return replace(
        shown,
        id=_name(raw),
        question=_text(raw, "question"),
        passages=passages,
        target=_text(raw, "cot_answer"),
        oracles=same if oracle else None,
        oracle=oracle or None,
    )


def _in_prompt(number: int, raw: Raw) -> AuditRow:
    prompt, target = _prompt_and_target(raw)
    return replace(_shown(number, prompt), id=_name(raw), target=target.removesuffix(_STOP).rstrip())


def _prompt_and_target(raw: Raw) -> tuple[str, str]:
    """All that a row shows, and what is learnt: its last message, completion or output."""
    turns = raw.get("messages") or raw.get("conversations")
    if isinstance(turns, list):
        return _dialogue(turns)
    prompt, completion = raw.get("prompt"), raw.get("completion")
    if isinstance(prompt, list) or isinstance(completion, list):
        return _dialogue([*_records(prompt), *_records(completion)])
    if "completion" in raw:
        return _text(raw, "prompt"), _text(raw, "completion")
    return "\n\n".join(filter(None, (_text(raw, "instruction"), _text(raw, "input")))), _text(raw, "output")


def _dialogue(turns: Sequence[Any]) -> tuple[str, str]:
    """What the others say, in order, and the last reply of the assistant, not counting mere tool calls."""
    said = [(turn.get("role", turn.get("from")), _said(turn), turn) for turn in turns if isinstance(turn, dict)]
    replies = [text for role, text, turn in said if role in _REPLYING and (text or not _only_calls(turn))]
    shown = [text for role, text, _ in said if role not in _REPLYING]
    return "\n\n".join(filter(None, shown)), replies[-1] if replies else ""


_REPLYING = ("assistant", "gpt")


def _said(turn: Raw) -> str:
    words, _ = spoken(turn.get("content"))
    return words or _text(turn, "value")


def _only_calls(turn: Raw) -> bool:
    return bool(turn.get("tool_calls") or turn.get("function_call"))


def _shown(number: int, prompt: str) -> AuditRow:
    """Question and passages of a prompt: in <DOCUMENT> marks, under labels or behind numbers; else no passage."""
    ours = read_passages_prompt(prompt)
    if ours is not None:
        return AuditRow(number, "", ours[0], ours[1], "")
    if _OPEN in prompt:
        passages = tuple(text.strip() for text in _DOCUMENT.findall(prompt))
        unclosed = prompt.count(_OPEN) > prompt.count(_CLOSE)
        return AuditRow(number, "", prompt.rpartition(_CLOSE)[2].strip(), passages, "", unclosed=unclosed)
    before, *labelled = _LABEL.split(prompt)
    said = list(zip(labelled[::2], labelled[1::2], strict=True))
    asked = [text.strip() for label, text in said if label[0] in "qQ"]
    shown = [text.strip() for label, text in said if label[0] not in "qQ"]
    told = [passage for text in shown for passage in _numbered(text) or [text]] or _numbered(before)
    question = asked[-1] if asked else "" if labelled or told else before.strip()
    if told and not asked and "\n\n" in told[-1]:
        # Without a label of its own the question is the last paragraph.
        told[-1], _, question = told[-1].rpartition("\n\n")
    return AuditRow(number, "", question.strip(), tuple(filter(None, told)), "")


def _numbered(text: str) -> list[str]:
    """The texts behind [1], [2] and so on, each at the start of a line; none where the numbers do not run like that."""
    marks: list[re.Match[str]] = []
    for mark in _NUMBER.finditer(text):
        # A number that is not the next one belongs to the text, such as that of a footnote.
        if int(mark[1] or mark[2]) == len(marks) + 1:
            marks.append(mark)
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    return [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=False)]


_READERS: Mapping[Layout, Callable[[int, Raw], AuditRow]] = {
    Layout.RAFT: _ours,
    Layout.GORILLA_HF: _with_oracle,
    Layout.PACK: _with_oracle,
    Layout.GORILLA_CHAT: _in_prompt,
    Layout.GORILLA_COMPLETION: _in_prompt,
    Layout.MESSAGES: _in_prompt,
    Layout.PROMPT_COMPLETION: _in_prompt,
    Layout.ALPACA: _in_prompt,
}
