"""Score one prediction against its question; every metric lies between 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from raft.prompts import parse_answer
from raft.text import contains_answer, exact_match, token_f1
from raft.types import Prediction, Question, Score, ScoredPassage


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is called in files (`name`) and by people (`label`), and what it says."""

    name: str
    label: str
    meaning: str


EXACT_MATCH = Metric("exact_match", "Exact match", "the answer is word for word one of the accepted ones (SQuAD rules)")
F1 = Metric("f1", "F1", "overlap in words with the closest accepted answer (SQuAD rules)")
CONTAINS = Metric(
    "contains_answer", "Contains answer", "an accepted answer stands somewhere in the answer: lenient on style"
)
REFUSED = Metric("refused", "Refused", "answerable questions that the arm refused to answer; each also scores 0 above")
ABSTAINED = Metric("abstained_correctly", "Refused rightly", "unanswerable questions that the arm refused to answer")
QUOTES = Metric(
    "quote_verified", "Quotes verified", "share of an answer's quotes that stand word for word in their passage"
)
METRICS = (F1, EXACT_MATCH, CONTAINS, REFUSED, ABSTAINED, QUOTES)


def score(question: Question, prediction: Prediction) -> dict[str, float]:
    """The metrics that apply to this prediction; one that does not is absent, never zero.

    Only answerable questions have exact match, F1 and the like, and refusing one scores 0. Quotes count as the model
    wrote them, so that a quote of words that are nowhere lowers `quote_verified`.
    """
    metrics: dict[str, float] = {}
    if question.unanswerable:
        metrics[ABSTAINED.name] = float(prediction.abstained)
    else:
        given = not prediction.abstained
        metrics[F1.name] = token_f1(prediction.answer, question.answers) if given else 0.0
        metrics[EXACT_MATCH.name] = exact_match(prediction.answer, question.answers) if given else 0.0
        metrics[CONTAINS.name] = float(given and contains_answer(prediction.answer, question.answers))
        metrics[REFUSED.name] = float(prediction.abstained)
    claimed = len(parse_answer(prediction.text).quotes)
    if claimed:
        metrics[QUOTES.name] = len(prediction.quotes) / claimed
    return metrics


def retrieval_score(question: Question, retrieved: Sequence[ScoredPassage]) -> dict[str, float]:
    """`recall`: share of the evidence documents of which a passage was retrieved; `hit`: 1 if any was.

    Empty for a question whose evidence is not known.
    """
    evidence = set(question.document_ids)
    if not evidence:
        return {}
    found = evidence & {scored.passage.document_id for scored in retrieved}
    return {"recall": len(found) / len(evidence), "hit": float(bool(found))}


def cluster_of(question: Question) -> str:
    """What the question shares with others: its first evidence document, or nothing but itself."""
    return question.document_ids[0] if question.document_ids else f"question {question.id}"


def score_all(questions: Mapping[str, Question], predictions: Iterable[Prediction]) -> list[Score]:
    """One score a prediction, joined to its question by id."""
    scores = []
    for prediction in predictions:
        question = questions[prediction.question_id]
        document_id = question.document_ids[0] if question.document_ids else ""
        scores.append(Score(question.id, document_id, prediction.arm, score(question, prediction)))
    return scores
