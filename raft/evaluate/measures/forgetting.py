"""What tuning cost outside the corpus: each tuned model and its base on questions that are not about the documents.

Each question is shown with the one passage that answers it, so that what is measured is whether a model still reads as
well as it did. Learning and forgetting belong side by side (Biderman et al. 2024, "LoRA Learns Less and Forgets Less").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from raft.answering.cases import Case
from raft.errors import InputError
from raft.evaluate.measures.metrics import EXACT_MATCH, F1, REFUSED, score
from raft.evaluate.statistics.comparison import Comparison, interval_words
from raft.evaluate.statistics.intervals import leaves_zero_out, points
from raft.evaluate.statistics.means import Interval, Ruler
from raft.questions import read_questions
from raft.recipe import EVERYDAY
from raft.types import Passage, Prediction, Question

# Made-up facts in our own words, so that no model knows them and no licence binds them.
_EVERYDAY = Path(__file__).with_name("everyday.jsonl")
_METRICS = (F1, EXACT_MATCH, REFUSED)


class Cost(TypedDict):
    """One tuned model: its metrics, and its F1 less that of its base with the interval of the paired difference.

    p: from a permutation test over questions; corrected: by Holm's method, for all tuned models; shown: whether both
    that and the interval tell a difference. smallest: the one that these questions show in four of five evaluations.
    """

    after: dict[str, Interval]
    difference: float
    low: float
    high: float
    p: float
    corrected: float
    shown: bool
    smallest: float | None
    verdict: str


class Forgetting(TypedDict):
    """What `summary.json` holds of it. source: 'everyday' or the name of a file; before: the metrics of the base."""

    source: str
    questions: int
    before: dict[str, Interval]
    models: dict[str, Cost]


def read_unrelated(named: str) -> list[Question]:
    """The questions that a setting names: none, the built-in ones, or those of a file, each with its passage.

    Raises InputError for a file that cannot be read, and for a question without answers or `context`.
    """
    if not named:
        return []
    if named == EVERYDAY:
        return read_questions(_EVERYDAY)
    path = Path(named)
    if not path.exists():
        raise InputError(f"evaluate.forgetting is {named!r}, but there is no such file: give {EVERYDAY}, a file or ''")
    questions = read_questions(path)
    for question in questions:
        if question.unanswerable or not question.context:
            raise InputError(
                f"{named}: question '{question.id}' has no answers or no context, the passage to read them in: every "
                "question of evaluate.forgetting needs both"
            )
    return questions


def unrelated_cases(questions: Sequence[Question]) -> list[Case]:
    """Each question with its own passage, as a tuned model is asked it."""
    cases = []
    for question in questions:
        text = question.context or ""
        cases.append(Case(question, (Passage(question.id, "", "", text, 0, len(text)),)))
    return cases


def forgetting(
    source: str, questions: Sequence[Question], base: Sequence[Prediction], tuned: Mapping[str, Sequence[Prediction]],
    ruler: Ruler,
) -> Forgetting:  # fmt: skip
    """What each tuned model lost or gained against its base.

    base and tuned, by the name of the model: one answer a question. Questions are resampled one by one: each has a
    passage of its own.
    """
    clusters = {question.id: question.id for question in questions}
    by_id = {question.id: question for question in questions}

    def values(said: Sequence[Prediction], metric: str) -> dict[str, float]:
        found = {one.question_id: score(by_id[one.question_id], one)[metric] for one in said}
        return dict(sorted(found.items()))

    def intervals(said: Sequence[Prediction]) -> dict[str, Interval]:
        return {metric.name: ruler.interval(values(said, metric.name), clusters) for metric in _METRICS}

    before = values(base, F1.name)
    changes = [{id_: value - before[id_] for id_, value in values(said, F1.name).items()} for said in tuned.values()]
    models = {}
    for (name, said), compared in zip(tuned.items(), Comparison.all_of(changes, clusters, ruler), strict=True):
        models[name] = Cost(
            after=intervals(said),
            difference=compared.difference.mean,
            low=compared.difference.low,
            high=compared.difference.high,
            p=compared.p,
            corrected=compared.corrected,
            shown=compared.shown,
            smallest=compared.smallest,
            verdict=_verdict(name, source, compared),
        )
    return Forgetting(source=source, questions=len(questions), before=intervals(base), models=models)


def _verdict(name: str, source: str, compared: Comparison) -> str:
    change = compared.difference
    about = "questions that have nothing to do with the documents" if source == EVERYDAY else f"questions of {source}"
    about = f"{change.n} {about}"
    if change.mean == change.standard_error == 0:
        return f"tuning {name} changed F1 on none of {about}"
    if not change.is_bounded:
        return f"tuning {name} changed F1 by {points(change.mean)} points on {about}, too few for an interval"
    if not leaves_zero_out(change):
        spread = interval_words(change)
        return f"no cost of tuning {name} is shown on {about}: F1 changed by {points(change.mean)} points, {spread}"
    sign = 1 if change.mean > 0 else -1
    did = f"{'gained' if sign > 0 else 'cost'} {points(abs(change.mean))} F1 points on {about}"
    return f"tuning {name} {did}, {interval_words(change, sign)}{compared.doubt('several models')}"


def answer_rows(questions: Sequence[Question], said: Mapping[str, Sequence[Prediction]]) -> Iterator[dict[str, Any]]:
    """The lines of `forgetting.jsonl`: every answer with its prompt and metrics. said: by the name of the model."""
    by_id = {question.id: question for question in questions}
    for model, predictions in said.items():
        for one in predictions:
            metrics = score(by_id[one.question_id], one)
            yield {
                "question_id": one.question_id,
                "model": model,
                "prompt": one.prompt,
                "text": one.text,
                "answer": one.answer,
                "abstained": one.abstained,
                "seconds": one.seconds,
                **{metric.name: metrics[metric.name] for metric in _METRICS},
            }
