"""Take what a model wrote apart: its quotes, its answer or refusal, a question, a judgement. All are claims so far."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, QUESTION, REFUSAL, CitedQuote
from raft.text import normalise_answer, typed

_QUOTE = re.compile(rf"\[(\d+)\]\s*{BEGIN_QUOTE}(.*?)(?:{END_QUOTE}|$)", re.DOTALL)


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


# The mark in either case, with any colon or none; where there is none, a line that begins with "Answer:".
_ANSWER_MARK = re.compile(r"[*_]*<\s*ANSWER\s*(?:>\s*[*_]*\s*[:\uff1a]?|[:\uff1a]\s*>?)[*_]*", re.IGNORECASE)
_ANSWER_LINE = re.compile(r"^[ \t#*_]*(?:final )?answer[ \t*_]*[:\uff1a][*_]*", re.IGNORECASE | re.MULTILINE)
_ANSWER_END = re.compile(r"<\s*/\s*ANSWER\s*>.*", re.IGNORECASE | re.DOTALL)


def parse_answer(text: str) -> ParsedAnswer:
    """Take a model's output apart; without an answer mark all that is no quote counts as the answer.

    Marks that are nearly in form are read as meant: see docs/evaluation.md. The last one counts.
    """
    marks = list(_ANSWER_MARK.finditer(text)) or list(_ANSWER_LINE.finditer(text))
    if marks:
        reasoning, answer = text[: marks[-1].start()], _ANSWER_END.sub("", text[marks[-1].end() :])
    else:
        reasoning, answer = text, _QUOTE.sub(" ", text)
    quotes = tuple(quote for _, quote in parse_quotes(reasoning) if quote is not None)
    answer = " ".join(answer.split())
    # An output without an answer, or one that was cut off, is a failure of form and no refusal.
    return ParsedAnswer(reasoning.strip(), quotes, answer, reads_as_refusal(answer), bool(marks))


# A longer answer that also says what is not stated answers all the same.
_LONGEST_REFUSAL = 20
_SHOWN = r"(?:passages?|contexts?|documents?|texts?|excerpts?|sources?|information|articles?)"
_TELLS = r"(?:answer|mention|state|specify|contain|say|provide|give|include|address|discuss|tell|have|cover)\w*"
_TOLD = r"(?:answered|mentioned|stated|specified|contained|provided|given|included|addressed|found|available|covered)"
_REFUSES = re.compile(
    rf"(?:[\w' -]+ )?{_SHOWN} (?:[\w\[\]]+ ){{0,3}}?(?:(?:do|does|did) not|(?:do|does|did)n't|cannot|can't) "
    rf"(?:\w+ ){{0,2}}?{_TELLS}\b.*"
    r"|(?:(?:i am |i'm )?sorry,? (?:but )?|unfortunately,? )?(?:i|we) (?:do not|don't|cannot|can't|can not|could not|"
    r"couldn't|am unable to|am not able to|are unable to) (?:know|answer|find|tell|determine|say|provide)\b.*"
    rf"|(?:(?:it|this|that|the answer) is )?(?:not|nowhere) (?:explicitly |directly )?{_TOLD}"
    rf"(?: (?:in|by|from) (?:the |this |these |any )?(?:\w+ )?{_SHOWN})?"
    rf"|(?:there is )?(?:no|not enough|insufficient) (?:answer|information|mention|context)"
    rf"(?: (?:\w+ ){{0,4}}?(?:the |this |these |any )?(?:\w+ )?{_SHOWN}| (?:given|provided|available|found))?"
    rf"|(?:this|it|the question) cannot be (?:answered|determined)\b.*|unanswerable",
    re.IGNORECASE,
)


def reads_as_refusal(answer: str) -> bool:
    """Whether an answer says that there is none: in the words asked for, or that what was shown does not tell it.

    The rule is one of form, in English: see docs/evaluation.md.
    """
    if normalise_answer(answer) == normalise_answer(REFUSAL):
        return True
    plain = typed(answer).strip(" .!*\"'")
    return len(plain.split()) <= _LONGEST_REFUSAL and _REFUSES.fullmatch(plain) is not None


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
