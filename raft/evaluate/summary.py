"""From scores to what `summary.json` says: every arm with intervals, every comparison with a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np

from raft.evaluate.asked_prompts import Prompts
from raft.evaluate.details import Details
from raft.evaluate.measures.forgetting import Forgetting
from raft.evaluate.measures.judging import Judge
from raft.evaluate.measures.metrics import ABSTAINED, ALL_METRICS, EXACT_MATCH, F1, REFUSED, cluster_of
from raft.evaluate.plan.arm_models import Training
from raft.evaluate.plan.arms import MEANINGS
from raft.evaluate.statistics.comparison import Comparison
from raft.evaluate.statistics.decomposition import Parts, because_of_refusals, parts_of
from raft.evaluate.statistics.intervals import leaves_zero_out
from raft.evaluate.statistics.means import Interval as Interval
from raft.evaluate.statistics.means import Ruler as Ruler
from raft.evaluate.statistics.means import by_arm, values_of
from raft.types import Prediction, Question, QuestionSource, Score

# What people want to know, the most wanted first; the report opens with the first that could be made.
PAIRS = (("raft", "rag"), ("raft", "dsf"), ("raft", "dsf+rag"), ("rag", "base"), ("dsf+rag", "rag"))
# Of arms that take part where tuning went on from an adapter, or on request; those of the user are each compared with
# raft, or else with rag.
FURTHER_PAIRS = (
    ("raft", "general"),
    ("general", "rag"),
    ("raft", "dsf-cot"),
    ("raft", "raft-no-cot"),
    ("raft", "few-shot"),
    ("few-shot", "rag"),
    ("oracle", "rag"),
)
# Both are 0 where an arm refuses, so that every difference has its parts.
_COMPARED = {F1.name: "F1", EXACT_MATCH.name: "exact-match"}
# The columns of the terminal after F1: whether it is right to the letter, right in substance, or refused.
_TABLED = (EXACT_MATCH.name, "answer_in_text", REFUSED.name, ABSTAINED.name)
CAVEATS = {
    QuestionSource.GIVEN: "",
    QuestionSource.HELD_OUT_WRITTEN: "; this rests on questions that the tool wrote",
    QuestionSource.HELD_OUT_GIVEN: "; this rests on the part of the training questions that was held out",
}


class RecordedComparison(TypedDict):
    """Arm `a` minus arm `b`; `needed` questions would settle it, `smallest` is what these questions can settle.

    p: from a permutation test over documents; corrected: by Holm's method, for all comparisons of the same list. shown:
    whether both that and the interval tell the arms apart. n: questions, the same for both arms. parts: what
    answers and refusals add to the difference; only where two arms, and not two settings of one, are compared.
    """

    a: str
    b: str
    metric: str
    difference: float
    low: float
    high: float
    verdict: str
    needed: int | None
    smallest: float | None
    n: int
    documents: int
    documents_needed: int | None
    p: float
    corrected: float
    shown: bool
    parts: NotRequired[Parts]


class Regime(TypedDict):
    """The results on the questions about documents that tuning saw, or did not see."""

    questions: int
    arms: dict[str, dict[str, Interval]]
    comparisons: list[RecordedComparison]


class Robustness(TypedDict):
    """What `summary.json` holds of it: by arm, probe, value and metric; of `left_out` a prompt did not fit the model.

    questions: how many were sampled. compared: those among them with enough distractors for all probes but the first.
    scarce: those of these with enough of a kind that not every question has; kinds: what it does beside hard ones.
    """

    questions: int
    compared: int
    scarce: dict[str, int]
    kinds: list[RecordedComparison]
    arms: dict[str, dict[str, dict[str, dict[str, Interval]]]]
    left_out: dict[str, list[str]]
    attacks: list[RecordedComparison]


class Overview(TypedDict):
    """The means of the arms and their comparisons; `training` is by the name of the tuned model.

    drawn_from: how many questions there were, where those that were asked are a sample.
    """

    questions: int
    drawn_from: NotRequired[int]
    answerable: int
    unanswerable: int
    source: str
    confidence: float
    arms: dict[str, dict[str, Interval]]
    seconds: dict[str, float]
    regimes: dict[str, Regime]
    retrieval: dict[str, Interval]
    comparisons: list[RecordedComparison]
    robustness: NotRequired[Robustness]
    forgetting: NotRequired[Forgetting]
    training: NotRequired[dict[str, Training]]
    prompts: NotRequired[Prompts]


class Summary(Overview, Details):
    """What `summary.json` holds. top_k: passages retrieved for a question; judge: None where nobody was asked."""

    top_k: int
    judge: Judge | None


def asked(summary: Overview) -> str:
    """How many questions, and of how many they are a sample, in words."""
    of = f" of {summary['drawn_from']} questions (a stratified sample)" if "drawn_from" in summary else " questions"
    return f"{summary['questions']}{of}"


def regime_of(question: Question, seen: AbstractSet[str]) -> str | None:
    """'seen' if all evidence is in documents that tuning saw, else 'unseen'; None where the evidence is not known."""
    if not question.document_ids:
        return None
    return "seen" if seen >= set(question.document_ids) else "unseen"


def summarise(
    questions: Sequence[Question],
    predictions: Sequence[Prediction],
    scores: Sequence[Score],
    retrieval: Mapping[str, Mapping[str, float]],
    seen: AbstractSet[str],
    ruler: Ruler,
    source: QuestionSource,
) -> Overview:
    """What the scores say of the arms and of their differences.

    retrieval: recall and hit by question id. seen: the documents that tuning saw; where it is empty, because nothing
    was tuned, there are no regimes. source: where the questions come from, which every verdict says unless they were
    given.
    """
    clusters = {question.id: cluster_of(question) for question in questions}
    caveat = CAVEATS[source]

    def compare(chosen: Sequence[Score], opening: str) -> list[RecordedComparison]:
        return _compare(chosen, clusters, ruler, lambda sentence: opening + sentence + caveat)

    regimes: dict[str, Regime] = {}
    for name in ("seen", "unseen") if seen else ():
        ids = {question.id for question in questions if regime_of(question, seen) == name}
        chosen = [score for score in scores if score.question_id in ids]
        if ids:
            arms = by_arm(chosen, clusters, ruler)
            regimes[name] = Regime(questions=len(ids), arms=arms, comparisons=compare(chosen, f"on {name} documents, "))
    answerable = sum(not question.unanswerable for question in questions)
    return Overview(
        questions=len(questions),
        answerable=answerable,
        unanswerable=len(questions) - answerable,
        source=str(source),
        confidence=ruler.settings.confidence,
        arms=by_arm(scores, clusters, ruler),
        seconds=_seconds(predictions),
        regimes=regimes,
        retrieval=_retrieval(retrieval, clusters, ruler),
        comparisons=compare(scores, ""),
    )


def _retrieval(
    retrieval: Mapping[str, Mapping[str, float]], clusters: Mapping[str, str], ruler: Ruler
) -> dict[str, Interval]:
    known = {question_id: values for question_id, values in sorted(retrieval.items()) if values}
    if not known:
        return {}
    return {
        name: ruler.interval({one: values[name] for one, values in known.items()}, clusters)
        for name in ("recall", "hit")
    }


def _seconds(predictions: Sequence[Prediction]) -> dict[str, float]:
    """Mean seconds that an arm took to answer a question."""
    times: dict[str, list[float]] = {}
    for prediction in predictions:
        times.setdefault(prediction.arm, []).append(prediction.seconds)
    return {arm: float(np.mean(seconds)) for arm, seconds in times.items()}


def _compare(
    scores: Sequence[Score], clusters: Mapping[str, str], ruler: Ruler, said: Callable[[str], str]
) -> list[RecordedComparison]:
    pairs = []
    arms = dict.fromkeys(score.arm for score in scores)
    rival = "raft" if "raft" in arms else "rag"
    own = [(rival, arm) for arm in arms if arm not in MEANINGS]
    refused = {arm: values_of(scores, arm, REFUSED.name) for arm in arms}
    for metric, label in _COMPARED.items():
        for a, b in (*PAIRS, *FURTHER_PAIRS, *own):
            left, right = values_of(scores, a, metric), values_of(scores, b, metric)
            if not left or not right:
                continue
            # An arm that is shown the oracle answers only where that is known.
            shared = [question_id for question_id in left if question_id in right]
            if len(shared) < min(len(left), len(right)):
                raise RuntimeError(f"{a} and {b} did not answer the same questions")
            differences = {question_id: left[question_id] - right[question_id] for question_id in shared}
            parts = parts_of(differences, refused[a], refused[b], clusters, ruler)
            pairs.append(Pair(a, b, metric, label, differences, parts=parts))
    return compared(pairs, clusters, ruler, said)


class Pair(NamedTuple):
    """Two arms with their differences by question id, and the parts of these where refusals are known.

    opening: what its verdict begins with.
    """

    a: str
    b: str
    metric: str
    label: str
    differences: Mapping[str, float]
    opening: str = ""
    parts: Parts | None = None


def compared(
    pairs: Sequence[Pair], clusters: Mapping[str, str], ruler: Ruler, said: Callable[[str], str] = str
) -> list[RecordedComparison]:
    """The comparisons of one list, corrected for each other. said: the whole sentence of a verdict."""
    found = Comparison.all_of([pair.differences for pair in pairs], clusters, ruler)
    return [recorded(pair, one, said) for pair, one in zip(pairs, found, strict=True)]


def recorded(pair: Pair, found: Comparison, said: Callable[[str], str] = str) -> RecordedComparison:
    """A comparison as `summary.json` holds it."""
    difference = found.difference
    sentence = pair.opening + found.verdict(pair.a, pair.b, pair.label)
    if pair.parts and leaves_zero_out(difference):
        sentence += because_of_refusals(difference.mean, pair.parts, shown=found.shown)
    comparison = RecordedComparison(
        a=pair.a,
        b=pair.b,
        metric=pair.metric,
        difference=difference.mean,
        low=difference.low,
        high=difference.high,
        verdict=said(sentence),
        needed=found.needed,
        smallest=found.smallest,
        n=difference.n,
        documents=difference.clusters,
        documents_needed=found.documents_needed,
        p=found.p,
        corrected=found.corrected,
        shown=found.shown,
    )
    if pair.parts:
        comparison["parts"] = pair.parts
    return comparison


def comparison_table(summary: Summary) -> list[tuple[str, ...]]:
    """The arms as rows of text, the first of them the heading, narrow enough for a terminal of 80 columns.

    Shares are in points; F1 has its interval, `summary.json` and the report have all of them.
    """
    labels = {metric.name: metric.label for metric in ALL_METRICS}
    metrics = [name for name in _TABLED if any(name in arm for arm in summary["arms"].values())]
    regimes = list(summary["regimes"])
    level = f"{100 * summary['confidence']:g} %"
    rows: list[tuple[str, ...]] = [
        (
            "Arm",
            f"F1 ({level} interval)",
            *(f"F1 {regime}" for regime in regimes),
            *(labels[name] for name in metrics),
        )
    ]
    for name, measured in summary["arms"].items():
        by_regime = (summary["regimes"][regime]["arms"].get(name, {}).get(F1.name) for regime in regimes)
        others = (measured.get(name) for name in metrics)
        shares = (f"{100 * interval['mean']:.1f}" if interval else "" for interval in (*by_regime, *others))
        rows.append((name, interval_text(measured.get(F1.name)), *shares))
    return rows


def interval_text(interval: Interval | None) -> str:
    """For example '41.2 (36.0 to 46.1)'; empty where the metric does not apply."""
    if interval is None:
        return ""
    return f"{100 * interval['mean']:.1f} ({100 * interval['low']:.1f} to {100 * interval['high']:.1f})"
