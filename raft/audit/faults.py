"""What can be wrong with a training file: one name a fault, and what it means for whoever trains on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Each was seen in files that public tools write; the order is that of the report."""

    UNREADABLE = "unreadable"
    NOT_AS_MADE = "not-as-made"
    ROW_COUNT = "row-count"
    ID_TWICE = "id-twice"
    EMPTY = "empty-field"
    TRUNCATED = "truncated"
    QUESTION_TWICE = "question-twice"
    QUESTION_FORM = "question-form"
    QUESTION_REFERS = "question-refers"
    QUESTION_LEANS = "question-leans"
    NO_PASSAGES = "no-passages"
    PASSAGE_COUNT = "passage-count"
    PASSAGE_TWICE = "passage-twice"
    NOT_IN_INDEX = "not-in-index"
    ORACLE_MISSING = "oracle-missing"
    ORACLE_POSITION = "oracle-position"
    ORACLE_FRACTION = "oracle-fraction"
    DISTRACTOR_ANSWERS = "distractor-answers"
    DISTRACTOR_NEAR_ORACLE = "distractor-near-oracle"
    QUOTE_MARKS = "quote-marks"
    QUOTE_NOT_VERBATIM = "quote-not-verbatim"
    QUOTE_ELSEWHERE = "quote-elsewhere"
    NO_QUOTE = "no-quote"
    ANSWER_MISSING = "answer-missing"
    ANSWER_KIND = "answer-kind"
    ANSWER_UNSUPPORTED = "answer-unsupported"
    ANSWER_NOT_ACCEPTED = "answer-not-accepted"
    REFUSAL = "refusal"
    PLACEHOLDER = "placeholder"
    MODEL_TALK = "model-talk"
    ERROR_TEXT = "error-text"
    TEMPLATE_TOKEN = "template-token"


ABOUT: Mapping[Fault, str] = {
    Fault.UNREADABLE: "is no JSON object",
    Fault.NOT_AS_MADE: "the file is not as the manifest beside it says",
    Fault.ROW_COUNT: "the number of rows is off",
    Fault.ID_TWICE: "has the id of an earlier row",
    Fault.EMPTY: "a field that should hold text is empty",
    Fault.TRUNCATED: "a text was cut off",
    Fault.QUESTION_TWICE: "asks what an earlier row asks",
    Fault.QUESTION_FORM: "the question is a heading, a list number or a fragment, or its sentence is broken",
    Fault.QUESTION_REFERS: "the question speaks of the passage, which nobody who asks has seen",
    Fault.QUESTION_LEANS: "a pronoun in the question or its answer stands for what only the passage names",
    Fault.NO_PASSAGES: "shows no passage",
    Fault.PASSAGE_COUNT: "shows more or fewer passages than it should",
    Fault.PASSAGE_TWICE: "shows a passage twice",
    Fault.NOT_IN_INDEX: "a passage stands in no document of the index",
    Fault.ORACLE_MISSING: "does not show the oracle that it is said to show or quotes from",
    Fault.ORACLE_POSITION: "the place of the oracle gives it away",
    Fault.ORACLE_FRACTION: "the share of rows that show their oracle is off",
    Fault.DISTRACTOR_ANSWERS: "a distractor holds the answer",
    Fault.DISTRACTOR_NEAR_ORACLE: "a distractor says what the oracle says",
    Fault.QUOTE_MARKS: "quote marks are unclosed, misspelt or around nothing",
    Fault.QUOTE_NOT_VERBATIM: "quotes words that stand in no passage that it shows",
    Fault.QUOTE_ELSEWHERE: "quotes words of another passage than the one it names",
    Fault.NO_QUOTE: "quotes nothing for its answer",
    Fault.ANSWER_MISSING: "the target has no answer",
    Fault.ANSWER_KIND: "the answer is not what the question word asks for",
    Fault.ANSWER_UNSUPPORTED: "the answer does not follow from what is quoted or shown",
    Fault.ANSWER_NOT_ACCEPTED: "the answer is none of the accepted ones",
    Fault.REFUSAL: "refuses although the passages can answer",
    Fault.PLACEHOLDER: "a placeholder stands for a text",
    Fault.MODEL_TALK: "the writer's own talk was kept as text",
    Fault.ERROR_TEXT: "an error page or message was kept as text",
    Fault.TEMPLATE_TOKEN: "marks of a chat template or of a target stand in the content",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault with its row (the line of JSON Lines, else counted from 1); None where it is one of the whole file."""

    fault: Fault
    row: int | None
    detail: str
