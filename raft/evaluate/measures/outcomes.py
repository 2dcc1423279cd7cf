"""Why an answer is wrong: one outcome for every answer of every arm."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from raft.evaluate.measures.lists import named
from raft.evaluate.measures.metrics import ACCURACY, CONTAINS, EXACT_MATCH, SAME_VALUE
from raft.outputs import parse_answer
from raft.text import contains_answer, locate
from raft.types import Passage, Prediction, Question


class Outcome(StrEnum):
    """In the order in which they are told; each answer has exactly one."""

    CORRECT = "correct"
    WORDY = "wordy"
    NOT_RETRIEVED = "not_retrieved"
    IGNORED = "ignored"
    MISREAD = "misread"
    WRONG_PASSAGE = "wrong_passage"
    INCOMPLETE = "incomplete"
    FORMAT = "format"
    REFUSED_WRONGLY = "refused_wrongly"
    ANSWERED_UNANSWERABLE = "answered_unanswerable"
    FROM_MEMORY = "from_memory"


MEANINGS = {
    Outcome.CORRECT: "an accepted answer, word for word or by value; or a refusal of what cannot be answered",
    Outcome.WORDY: "an accepted answer among other words",
    Outcome.NOT_RETRIEVED: "wrong or refused, and the right passage was not retrieved",
    Outcome.IGNORED: "the right passage was shown, and the answer comes from no passage",
    Outcome.MISREAD: "the right passage was read, and something else in it answered",
    Outcome.WRONG_PASSAGE: "the right passage was shown, and the answer comes from another",
    Outcome.INCOMPLETE: "some of the several answers that are wanted",
    Outcome.FORMAT: "no answer in the form that was asked for",
    Outcome.REFUSED_WRONGLY: "refused although the right passage was shown, or from memory",
    Outcome.ANSWERED_UNANSWERABLE: "an answer to what the documents do not answer",
    Outcome.FROM_MEMORY: "wrong, by an arm that is shown no passages",
}


def outcome_of(
    question: Question,
    prediction: Prediction,
    metrics: Mapping[str, float],
    right: Mapping[str, str] | None,
    passages: Mapping[str, Passage],
) -> Outcome:
    """What became of one question in one arm.

    right: the right passages among those shown, None where they are not known (see `Evidence`). passages: those shown,
    by id. A missing passage is laid to retrieval, whatever the model then did; where the right one was shown, an answer
    comes from the passages that it quotes, or else from those that hold its words.
    """
    formless = not prediction.answer or not parse_answer(prediction.text).marked
    if question.unanswerable:
        if prediction.abstained:
            return Outcome.CORRECT
        return Outcome.FORMAT if formless else Outcome.ANSWERED_UNANSWERABLE
    shown, missing = set(prediction.passage_ids), right is not None and not right
    if prediction.abstained:
        return Outcome.NOT_RETRIEVED if shown and missing else Outcome.REFUSED_WRONGLY
    if metrics.get(EXACT_MATCH.name) or metrics.get(SAME_VALUE.name) or metrics.get(ACCURACY.name):
        return Outcome.CORRECT
    # Of a label the words around it are part of the answer: "no idea" is not no.
    if metrics.get(CONTAINS.name) and ACCURACY.name not in metrics:
        return Outcome.WORDY
    if formless:
        return Outcome.FORMAT
    if not shown:
        return Outcome.FROM_MEMORY
    if missing:
        return Outcome.NOT_RETRIEVED
    if question.all_of and contains_answer(prediction.answer, question.answers):
        return Outcome.INCOMPLETE
    said = named(prediction.answer, question.answers) if question.all_of else [prediction.answer]
    sources = {quote.passage_id for quote in prediction.quotes} or {
        passage_id for passage_id in shown if any(locate(one, passages[passage_id].text) is not None for one in said)
    }
    if not sources:
        return Outcome.IGNORED
    return Outcome.MISREAD if right and sources & right.keys() else Outcome.WRONG_PASSAGE
