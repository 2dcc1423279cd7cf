"""What lies behind the means: outcomes, kinds of question, labels, confidence and retrieval, for every arm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TypedDict

from raft.evaluate.measures.abstention import RiskCoverage, risk_coverage
from raft.evaluate.measures.label_confusion import confusion, macro_f1
from raft.evaluate.measures.metrics import ALL_METRICS, cluster_of
from raft.evaluate.measures.outcomes import Outcome, outcome_of
from raft.evaluate.measures.retrieval import Rankings, side_by_side
from raft.evaluate.measures.right_passages import Evidence
from raft.evaluate.statistics.means import Interval, Ruler, by_arm
from raft.prompts import ANSWER
from raft.questions.labels import labels_of
from raft.types import Prediction, Question, Score


class Kind(TypedDict):
    """The results on the questions of one kind."""

    questions: int
    arms: dict[str, dict[str, Interval]]


class Labelled(TypedDict):
    """One arm on the questions with one set of labels: how often each accepted label was answered by which."""

    n: int
    macro_f1: float
    confusion: dict[str, dict[str, int]]


class LabelSet(TypedDict):
    """The questions that share their labels, such as yes, no and maybe."""

    labels: list[str]
    arms: dict[str, Labelled]


class Held(TypedDict):
    """Of how many answers to questions with labels decoding allowed a label or a refusal only, and of how many not."""

    held: int
    free: int


class Details(TypedDict):
    """What `summary.json` holds beside the means of the arms and their comparisons."""

    outcomes: dict[str, dict[str, int]]
    kinds: dict[str, Kind]
    labels: list[LabelSet]
    label_constrained: dict[str, Held]
    risk_coverage: dict[str, RiskCoverage]
    rankings: dict[str, dict[str, Interval]]


def outcomes(
    questions: Sequence[Question],
    evidence: Evidence,
    predictions: Sequence[Prediction],
    scores: Sequence[Score],
    unmarked: AbstractSet[str] = frozenset(),
) -> list[tuple[Prediction, Outcome]]:
    """The outcome of every prediction; questions, predictions and scores are joined by id.

    unmarked: the arms that are not asked to mark their answer, which is all that they write.
    """
    by_id = {question.id: question for question in questions}
    metrics = {(score.question_id, score.arm): score.metrics for score in scores}
    told = []
    for prediction in predictions:
        question, found = by_id[prediction.question_id], metrics[prediction.question_id, prediction.arm]
        right = evidence.right_passages(question, prediction.passage_ids)
        read = replace(prediction, text=f"{ANSWER} {prediction.text}") if prediction.arm in unmarked else prediction
        told.append((prediction, outcome_of(question, read, found, right, evidence.passages)))
    return told


def detail(
    questions: Sequence[Question],
    told: Sequence[tuple[Prediction, Outcome]],
    scores: Sequence[Score],
    rankings: Rankings,
    ruler: Ruler,
) -> Details:
    """Everything but the means and comparisons.

    told: every prediction with its outcome. rankings: what each way to search finds, a list a question.
    """
    predictions = [prediction for prediction, _ in told]
    clusters = {question.id: cluster_of(question) for question in questions}
    arms = list(dict.fromkeys(prediction.arm for prediction in predictions))
    counts = Counter((prediction.arm, outcome) for prediction, outcome in told)
    kinds: dict[str, Kind] = {}
    for kind in sorted({question.kind for question in questions} - {""}):
        ids = {question.id for question in questions if question.kind == kind}
        chosen = [score for score in scores if score.question_id in ids]
        kinds[kind] = Kind(questions=len(ids), arms=by_arm(chosen, clusters, ruler))
    curves = {}
    for arm in arms:
        said = [one for one in predictions if one.arm == arm]
        curve = risk_coverage(said, [one for one in scores if one.arm == arm], clusters, ruler)
        if curve is not None:
            curves[arm] = curve
    return Details(
        outcomes={arm: {str(one): counts[arm, one] for one in Outcome} for arm in arms},
        kinds=kinds,
        labels=_label_sets(questions, predictions, arms),
        label_constrained=_held(questions, predictions),
        risk_coverage=curves,
        rankings=side_by_side(questions, rankings, clusters, ruler),
    )


def by_document(scores: Sequence[Score]) -> list[dict[str, str | int | float]]:
    """A row an arm and document: how many questions, and the mean of every metric that applies to any of them.

    Without intervals: one document is one observation.
    """
    grouped: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        if score.document_id:
            grouped.setdefault((score.document_id, score.arm), []).append(score)
    rows: list[dict[str, str | int | float]] = []
    for (document_id, arm), found in sorted(grouped.items()):
        row: dict[str, str | int | float] = {"document_id": document_id, "arm": arm, "questions": len(found)}
        for metric in ALL_METRICS:
            values = [score.metrics[metric.name] for score in found if metric.name in score.metrics]
            if values:
                row[metric.name] = sum(values) / len(values)
        rows.append(row)
    return rows


def _held(questions: Sequence[Question], predictions: Sequence[Prediction]) -> dict[str, Held]:
    """By arm, over the questions with labels; empty where there are none."""
    closed = {question.id for question in questions if labels_of(question)}
    found = Counter((one.arm, bool(one.label_constrained)) for one in predictions if one.question_id in closed)
    arms = dict.fromkeys(arm for arm, _ in found)
    return {arm: Held(held=found[arm, True], free=found[arm, False]) for arm in arms}


def held_words(held: Mapping[str, Held]) -> str:
    """Which arms were held to the labels, in a sentence; empty where nothing has labels."""
    groups: dict[str, list[str]] = {}
    for arm, one in held.items():
        all_ = one["held"] + one["free"]
        said = f"in {one['held']} of {all_}" if one["held"] and one["free"] else "all" if one["held"] else "none"
        groups.setdefault(said, []).append(arm)
    told = "; ".join(f"{said}: {', '.join(arms)}" for said, arms in groups.items())
    return f"Answers that decoding held to the labels or a refusal, by arm: {told}." if told else ""


def _label_sets(
    questions: Sequence[Question], predictions: Sequence[Prediction], arms: Sequence[str]
) -> list[LabelSet]:
    """Those that more than one question has: choices of a single question are no classes to tell apart."""
    by_id = {question.id: question for question in questions}
    shared = Counter(labels_of(question) for question in questions)
    sets = []
    for labels in sorted(labels for labels, count in shared.items() if labels and count > 1):
        measured = {}
        for arm in arms:
            matrix = confusion(by_id, [one for one in predictions if one.arm == arm], labels)
            if matrix:
                n = sum(sum(row.values()) for row in matrix.values())
                measured[arm] = Labelled(n=n, macro_f1=macro_f1(matrix), confusion=matrix)
        sets.append(LabelSet(labels=list(labels), arms=measured))
    return sets
