"""Take what a model wrote apart: its quotes, its answer or refusal, a question, a judgement. All are claims so far."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from raft.prompts import (
    ANSWER,
    BEGIN_QUOTE,
    END_QUOTE,
    LISTED_ANSWER,
    LISTED_QUESTION,
    QUESTION,
    REFUSAL,
    CitedQuote,
)
from raft.text import normalise_answer, typed

_QUOTE = re.compile(rf"\[(\d{{1,4}})\]\s*{BEGIN_QUOTE}(.*?)(?:{END_QUOTE}|$)", re.DOTALL)


def parse_quotes(reasoning: str) -> Iterator[tuple[str, CitedQuote | None]]:
    """Each quote of a reasoning with the words before it; then the words after the last one, with None."""
    at = 0
    for found in _QUOTE.finditer(reasoning):
        yield reasoning[at : found.start()], CitedQuote(int(found[1]), found[2].strip())
        at = found.end()
    yield reasoning[at:], None


class ParsedAnswer(NamedTuple):
    """A model's output taken apart; the quotes are claims that nobody has checked yet. marked: whether it marks its
    answer as one."""

    reasoning: str
    quotes: tuple[CitedQuote, ...]
    answer: str
    abstained: bool
    marked: bool


# The mark in either case, in any brackets of its kind, with any colon or none; where there is none of it, a line that
# begins with "Answer:".
_OPEN, _CLOSE = r"(?:\\?[<\u2039\uff1c]|&lt;)", r"(?:\\?[>\u203a\uff1e]|&gt;)"
_COLON = "[:\uff1a\ufe55]"
_ANSWER_MARK = re.compile(
    rf"(?<![*_`])[*_`]*(?:{_OPEN}\s*ANSWER\s*/?\s*(?:{_CLOSE}[*_`]*\s*{_COLON}?|{_COLON}\s*{_CLOSE}?)"
    rf"|{_OPEN}\s*/\s*ANSWER\s*{_CLOSE}\s*{_COLON}|\[ANSWER\]\s*{_COLON}|(?<!\w)ANSWER\s*{_CLOSE}\s*{_COLON})[*_`]*",
    re.IGNORECASE,
)
_ANSWER_LINE = re.compile(rf"^[ \t#*_>-]*(?:final )?answer[ \t*_]*{_COLON}[*_]*", re.IGNORECASE | re.MULTILINE)
_ANSWER_END = re.compile(rf"{_OPEN}\s*/\s*ANSWER\s*{_CLOSE}(?!\s*{_COLON}).*", re.IGNORECASE | re.DOTALL)
_BLANK_LINE = re.compile(r"\n\s*\n")


def parse_answer(text: str) -> ParsedAnswer:
    """Take a model's output apart; without an answer mark all that is no quote counts as the answer.

    Marks that are nearly in form are read as meant: see docs/scoring.md. The last one that something follows counts.
    Quotes may stand before the answer or behind it, and the answer ends where they begin.
    """
    mark, end = _mark(text)
    behind = ""
    if mark is not None:
        reasoning, answer = text[: mark.start()], text[mark.end() : end].strip()
        if (quoted := _QUOTE.search(answer)) and quoted.start():
            answer, behind = answer[: quoted.start()], answer[quoted.start() :]
        # What stands below a blank line explains the answer.
        answer = _BLANK_LINE.split(answer, maxsplit=1)[0]
    else:
        reasoning, answer = text, _QUOTE.sub(" ", text)
    quotes = tuple(quote for part in (reasoning, behind) for _, quote in parse_quotes(part) if quote is not None)
    answer = " ".join(_ANSWER_END.sub("", answer).split())
    # An output without an answer, or one that was cut off, is a failure of form and no refusal.
    return ParsedAnswer(reasoning.strip(), quotes, answer, reads_as_refusal(answer), mark is not None)


# "Answer:" alone, in bold or not, announces the answer.
_ANNOUNCES = re.compile(r"[\W_]*(?:(?:(?:the )?(?:final |short )?answer)(?: is)?[\W_]*)?", re.IGNORECASE)


def first_line(text: str) -> str:
    """The first line that says anything: where no mark tells the answer from what a model adds to it."""
    return next(_telling_lines(text), "")


def holds_whole_line(text: str) -> bool:
    """Whether a text under way holds a line that says anything, and the next one has begun."""
    whole, broken, _ = text.rpartition("\n")
    return bool(broken) and next(_telling_lines(whole), "") != ""


def _telling_lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.split("\n") if not _ANNOUNCES.fullmatch(line))


def _mark(text: str) -> tuple[re.Match[str] | None, int]:
    """The last mark behind which something is said, or the last of all, and where what is said ends."""
    found = list(_ANSWER_MARK.finditer(text)) or list(_ANSWER_LINE.finditer(text))
    # Without its colon it is a mark only where it comes first, or begins a line: an answer may speak of such tags.
    marks = [
        mark
        for place, mark in enumerate(found)
        if not place or re.search(_COLON, mark[0]) or text[: mark.start()].endswith("\n")
    ]
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    spans = list(zip(marks, ends, strict=False))
    said = [(mark, end) for mark, end in spans if _ANSWER_END.sub("", text[mark.end() : end]).strip()]
    return said[-1] if said else spans[-1] if spans else (None, len(text))


# A longer answer that also says what is not stated answers all the same.
_LONGEST_REFUSAL, _MOST_CHARACTERS = 20, 200
_THE = r"(?:the|these|this|those|any|provided|given|retrieved|above|available|numbered|supplied)"
_PLACE = r"(?:passages?|contexts?|documents?|texts?|excerpts?|sources?|information)"
_SHOWN = rf"(?:(?:{_THE} )*{_PLACE}(?: \[?\d{{1,2}}\]?)?)"
_IN_SHOWN = rf"(?: (?:in|by|from|within|based on|with|on) {_SHOWN})"
# Some words without a number and without a second clause, in which an answer could hide.
_WORDS = r"[^,;.\d]{1,60}?"
_ABOUT = rf"(?: (?:about|on|of|for|regarding|to|needed) {_WORDS})"
_SORT = r"(?:any|enough|sufficient|the|this|that|an?|no|relevant|specific|explicit)"
_THAT = (
    rf"(?:it|this|that|so|one|(?:the|this|that|your) question|(?:{_SORT} )*(?:information|details?|answer|mention|data)"
    rf"{_ABOUT}?|(?:how|what|when|where|who|whom|why|which|whether|if)\b[^,;.\d]{{0,60}})"
)
_NOT = r"(?:(?:do|does|did|is|are|was|were|could)(?: not|n't)|cannot|can't|can not|never)"
_HOW = r"(?:(?:explicitly|directly|clearly|actually|specifically) )?"
_BEFORE = rf"(?:(?:based on|according to|from) {_SHOWN},? )?(?:(?:i am |i'm )?sorry,? (?:but )?|unfortunately,? )?"
_WAYS = (
    # The passages do not answer this; none of them states the price.
    rf"{_SHOWN} {_NOT} {_HOW}(?:answer|address)(?: {_THAT})?",
    rf"{_SHOWN} {_NOT} {_HOW}(?:mention|state|specify|say|discuss|indicate)(?: {_WORDS})?",
    rf"{_SHOWN} {_NOT} {_HOW}(?:contain|provide|give|include|have|tell(?: me| us)?) {_THAT}",
    rf"(?:none of {_SHOWN}|no passages?|nothing{_IN_SHOWN}) (?:answer|mention|state|say|address)\w*(?: {_THAT})?",
    rf"{_SHOWN} (?:contain|provide|give|offer|include|have|hold)s? no (?:\w+ )?(?:answer|information|mention){_ABOUT}?",
    # I do not know; unable to answer.
    rf"(?:i|we) {_NOT} (?:know|answer|find|tell|determine|say)(?: {_THAT})?{_IN_SHOWN}?",
    rf"(?:(?:i am|i'm) )?(?:unable|not able) to (?:answer|find|tell|determine|say)(?: {_THAT})?{_IN_SHOWN}?",
    # It is not mentioned; the answer is not available in the passages.
    rf"(?:{_WORDS} {_NOT} |not |it is not ){_HOW}(?:mentioned|stated|specified|answered){_IN_SHOWN}?",
    rf"(?:{_WORDS} {_NOT} (?:be )?|not |it is not ){_HOW}(?:given|provided|found|available|included|in){_IN_SHOWN}",
    rf"(?:the answer|the information|it) {_NOT} (?:be )?{_HOW}(?:given|provided|found|available|known)",
    rf"the answer {_NOT} (?:in|within) {_SHOWN}",
    # There is no information on this; it cannot be answered from the passages.
    rf"(?:there is |there's )?(?:no|not enough|insufficient) (?:{_SORT} )?(?:answer|information|mention|context)"
    rf"(?: (?:was |is )?(?:found|given|provided|available|mentioned))?{_ABOUT}?{_IN_SHOWN}?",
    rf"(?:(?:this|it|the question|that) )?{_NOT} be (?:answered|determined){_IN_SHOWN}?",
    r"unanswerable",
)
_REFUSES = re.compile(rf"{_BEFORE}(?:{'|'.join(_WAYS)})", re.IGNORECASE)


def reads_as_refusal(answer: str) -> bool:
    """Whether an answer says that there is none: in the words asked for, or that what was shown does not tell it.

    The rule is one of form, in English: see docs/scoring.md.
    """
    if normalise_answer(answer) == normalise_answer(REFUSAL):
        return True
    if len(answer) > _MOST_CHARACTERS or len(answer.split()) > _LONGEST_REFUSAL:
        return False
    return _REFUSES.fullmatch(typed(answer).strip(" .!*_\"'")) is not None


class ParsedQuestion(NamedTuple):
    """A written question with the answer that its writer had in mind."""

    question: str
    answer: str


def parse_question(text: str) -> ParsedQuestion | None:
    """Take a question writer's output apart; None where it has not the form that was asked for."""
    before, mark, question = text.partition(QUESTION)
    answer_mark, answer = before.partition(ANSWER)[1:]
    question, answer = " ".join(question.split()), " ".join(answer.split())
    if not (mark and answer_mark and question and answer):
        return None
    return ParsedQuestion(question, answer)


def parse_listed(text: str) -> list[tuple[int, ParsedQuestion]]:
    """The questions of a reply to `list_prompt`, each with the number of its line, from 0; others are left out.

    text: as the model wrote it behind the first mark of an answer.
    """
    lines = (LISTED_ANSWER + " " + text).split("\n")
    found = []
    for number, (answer, question) in enumerate(pairwise(lines)):
        if answer.startswith(LISTED_ANSWER) and question.startswith(LISTED_QUESTION.strip()):
            said = " ".join(question.removeprefix(LISTED_QUESTION.strip()).split())
            meant = " ".join(answer.removeprefix(LISTED_ANSWER).split())
            if said and meant:
                found.append((number + 1, ParsedQuestion(said, meant)))
    return found


def parse_json_question(text: str, answer: str | None = None) -> ParsedQuestion | None:
    """Take a reply to `ask_kind_prompt` apart, or one to `paraphrase_prompt` where the answer is known already.

    A model that is not held to JSON may write something around it, or fall back to the form of `ask_prompt`.
    """
    try:
        said = json.loads(text[text.find("{") : text.rfind("}") + 1])
    except ValueError:
        return parse_question(text)
    if not isinstance(said, dict):
        return None
    parts = [said.get("question"), said.get("answer") if answer is None else answer]
    question, found = (" ".join(part.split()) if isinstance(part, str) else "" for part in parts)
    return ParsedQuestion(question, found) if question and found else None


def parse_judgement(text: str) -> bool | None:
    """What a judge said; None where it said neither word first."""
    first = normalise_answer(text).partition(" ")[0]
    return {"correct": True, "incorrect": False}.get(first)
