"""Score one prediction against its question; every metric lies between 0 and 1."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from raft.evaluate.measures.lists import list_scores
from raft.evaluate.measures.values import has_value, same_value
from raft.outputs import parse_answer
from raft.questions.labels import gold_label, labels_of, read_label
from raft.text import contains_answer, exact_match, length, squad_exact_match, squad_f1, token_f1, words
from raft.types import Prediction, Question, Score, ScoredPassage

# An answer that says more than this is no answer any more, even if the right one stands in it.
_LONGEST_ANSWER = 30


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is called in files (`name`) and by people (`label`), and what it says."""

    name: str
    label: str
    meaning: str


EXACT_MATCH = Metric(
    "exact_match", "Exact match", "the answer says just what an accepted one says, with number, unit and sign"
)
F1 = Metric("f1", "F1", "overlap in words with the closest accepted answer, numbers with their units and signs")
SQUAD_EXACT = Metric("squad_exact_match", "SQuAD exact match", "exact match by SQuAD's official rules")
SQUAD_F1 = Metric("squad_f1", "SQuAD F1", "F1 by SQuAD's official rules, which drop every sign")
IN_TEXT = Metric(
    "answer_in_text", "Answer in text", f"an accepted answer stands in an answer of at most {_LONGEST_ANSWER} words"
)
CONTAINS = Metric(
    "contains_answer", "Contains answer", "an accepted answer stands somewhere in the answer: lenient on style"
)
REFUSED = Metric("refused", "Refused", "answerable questions that the arm refused to answer; each also scores 0 above")
ABSTAINED = Metric("abstained_correctly", "Refused rightly", "unanswerable questions that the arm refused to answer")
QUOTES = Metric(
    "quote_verified", "Quotes verified", "share of an answer's quotes that stand word for word in their passage"
)
METRICS = (F1, EXACT_MATCH, IN_TEXT, SQUAD_F1, SQUAD_EXACT, REFUSED, ABSTAINED, QUOTES)
ROUGE_L = Metric("rouge_l", "ROUGE-L", "longest run of words, with gaps, shared with the closest accepted answer")
SAME_VALUE = Metric("same_value", "Same value", "of numbers and dates the value of an accepted answer, however written")
ACCURACY = Metric("label_accuracy", "Label accuracy", "questions for yes or no, or with choices: the accepted label")
REFUSED_WITHOUT = Metric(
    "refused_without_passage", "Refused without passage", "answerable questions without their passage that were refused"
)
CITATION_PRECISION = Metric("citation_precision", "Citation precision", "share of the quoted passages that are right")
CITATION_RECALL = Metric(
    "citation_recall", "Citation recall", "share of the documents with a right passage that an answer quotes"
)
SUPPORTED = Metric("supported", "Supported", "answers with quotes of which one holds the answer itself")
JUDGED = Metric("judged_correct", "Judged correct", "answers that the judging model calls right")
LIST_EXACT = Metric("list_exact_match", "List exact", "of several answers that are wanted all, and nothing else")
LIST_F1 = Metric("list_f1", "List F1", "of precision and recall of lists")
LIST_PRECISION = Metric(
    "list_precision", "List precision", "share of the answers given that are wanted, by their words"
)
LIST_RECALL = Metric("list_recall", "List recall", "share of the answers wanted that are given, by their words")
LIST_METRICS = (LIST_F1, LIST_EXACT, LIST_PRECISION, LIST_RECALL)
MORE_METRICS = (
    CONTAINS,
    ROUGE_L,
    SAME_VALUE,
    ACCURACY,
    JUDGED,
    REFUSED_WITHOUT,
    CITATION_PRECISION,
    CITATION_RECALL,
    SUPPORTED,
    *LIST_METRICS,
)
ALL_METRICS = (*METRICS, *MORE_METRICS)


def score(question: Question, prediction: Prediction) -> dict[str, float]:
    """The metrics that apply to this prediction; one that does not is absent, never zero.

    Only answerable questions have exact match, F1 and the like, and refusing one scores 0. Where all of the answers are
    wanted these are over the list, which has no ROUGE-L and none of SQuAD's scores. Value and label apply where an
    accepted answer is a number or date, or one of a closed set; two values are the same by what they come to alone.
    Quotes count as the model wrote them, so that a quote of words that are nowhere lowers `quote_verified`.
    """
    metrics: dict[str, float] = {}
    if question.unanswerable:
        metrics[ABSTAINED.name] = float(prediction.abstained)
    else:
        given = not prediction.abstained
        if question.all_of:
            metrics |= _list_score(question, prediction.answer if given else "")
            return metrics | {REFUSED.name: float(prediction.abstained), **_quotes(prediction)}
        metrics[F1.name] = token_f1(prediction.answer, question.answers) if given else 0.0
        metrics[EXACT_MATCH.name] = exact_match(prediction.answer, question.answers) if given else 0.0
        metrics[SQUAD_F1.name] = squad_f1(prediction.answer, question.answers) if given else 0.0
        metrics[SQUAD_EXACT.name] = squad_exact_match(prediction.answer, question.answers) if given else 0.0
        metrics |= _contained(prediction.answer, given and contains_answer(prediction.answer, question.answers))
        metrics[REFUSED.name] = float(prediction.abstained)
        metrics[ROUGE_L.name] = rouge_l(prediction.answer, question.answers) if given else 0.0
        if has_value(question.answers):
            metrics[SAME_VALUE.name] = float(given and same_value(prediction.answer, question.answers))
        if (gold := gold_label(question)) is not None:
            metrics[ACCURACY.name] = float(given and read_label(prediction.answer, labels_of(question)) == gold)
    return metrics | _quotes(prediction)


def _quotes(prediction: Prediction) -> dict[str, float]:
    # A refusal is no answer, and may be one for want of confidence.
    claimed = 0 if prediction.abstained else len(parse_answer(prediction.text).quotes)
    return {QUOTES.name: len(prediction.quotes) / claimed} if claimed else {}


def _list_score(question: Question, answer: str) -> dict[str, float]:
    """Exact match and F1 stand under their common names too, by which arms are compared."""
    exact, precision, recall, f1 = list_scores(answer, question.answers)
    return {
        F1.name: f1,
        EXACT_MATCH.name: exact,
        **_contained(answer, all(contains_answer(answer, (one,)) for one in question.answers)),
        LIST_F1.name: f1,
        LIST_EXACT.name: exact,
        LIST_PRECISION.name: precision,
        LIST_RECALL.name: recall,
    }


def _contained(answer: str, stands_in_it: bool) -> dict[str, float]:
    return {
        CONTAINS.name: float(stands_in_it),
        IN_TEXT.name: float(stands_in_it and length(answer) <= _LONGEST_ANSWER),
    }


def rouge_l(answer: str, accepted: Sequence[str]) -> float:
    """Best ROUGE-L F-measure, 0 to 1, of the answer and an accepted one (Lin 2004, section 3.2, with beta 1).

    Words are compared without case and not stemmed, as the package rouge-score does it by default; letters are those of
    any script, of which the package knows a to z alone, and a word of a script without spaces is a character.
    """
    ours = words(answer.lower())
    return max((_subsequence_f(ours, words(other.lower())) for other in accepted), default=0.0)


def _subsequence_f(ours: Sequence[str], theirs: Sequence[str]) -> float:
    if not ours or not theirs:
        return 0.0
    longest = [0] * (len(theirs) + 1)
    for word in ours:
        before = longest.copy()
        for place, other in enumerate(theirs, 1):
            longest[place] = before[place - 1] + 1 if word == other else max(before[place], longest[place - 1])
    return 2 * longest[-1] / (len(ours) + len(theirs))


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


def score_all(
    questions: Mapping[str, Question],
    predictions: Iterable[Prediction],
    also: Callable[[Question, Prediction], Mapping[str, float]] = lambda question, prediction: {},
) -> list[Score]:
    """One score a prediction, joined to its question by id; `also`: what else is measured of each."""
    scores = []
    for prediction in predictions:
        question = questions[prediction.question_id]
        document_id = question.document_ids[0] if question.document_ids else ""
        metrics = {**score(question, prediction), **also(question, prediction)}
        scores.append(Score(question.id, document_id, prediction.arm, metrics))
    return scores
