"""The report of an evaluation, as `report.md` to read in a terminal and as one self-contained `report.html`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from raft.evaluate.metrics import CONTAINS, EXACT_MATCH, F1, METRICS, retrieval_score
from raft.evaluate.models import Contestant
from raft.evaluate.robustness import robustness_note, robustness_tables
from raft.evaluate.summary import Comparison, Interval, Summary, interval_text, regime_of
from raft.prompts import parse_answer
from raft.text import Source, contains_answer
from raft.types import Passage, Prediction, Question, QuestionSource, Score, ScoredPassage

_ORIGINS = {
    QuestionSource.GIVEN: "The questions were given; the tool did not write them.",
    QuestionSource.HELD_OUT_WRITTEN: "The tool wrote the questions from the documents and kept them out of training; "
    "nobody checked them.",
    QuestionSource.HELD_OUT_GIVEN: "The questions were given for training; these are the ones that were held out from "
    "it, with the documents that answer them.",
}
_REGIMES = {
    "seen": "all documents that answer these were chosen to ask training questions about",
    "unseen": "at least one document that answers these was kept out of tuning altogether",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """What an evaluation was made from: settings, hashes of the inputs, how each model was tuned, what each arm is."""

    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    contestants: Sequence[Contestant]
    meanings: Mapping[str, str]

    def rows(self) -> list[tuple[str, str]]:
        """All of it as lines of a name and a value."""
        settings = [(name.replace("_", " "), str(value)) for name, value in self.settings.items()]
        tuning = [
            (f"{one.name}: {key.replace('_', ' ')}", str(value))
            for one in self.contestants
            for key, value in (*one.manifest.counts.items(), *one.manifest.settings.items())
            if key not in {"model", "method"}  # said by the base model and the name
        ]
        return settings + tuning + [(f"sha256 of {name}", digest) for name, digest in self.inputs.items()]


def report_markdown(summary: Summary, provenance: Provenance) -> str:
    """The report without the questions."""
    metrics = [metric for metric in METRICS if any(metric.name in arm for arm in summary["arms"].values())]
    arms = [
        (name, provenance.meanings[name], *(interval_text(values.get(metric.name)) for metric in metrics))
        for name, values in summary["arms"].items()
    ]
    parts = [
        "# Evaluation",
        "\n".join(f"- {comparison['verdict']}" for comparison in _headlines(summary)) or "There is nothing to compare.",
        f"{_counts(summary)} {_origin(summary)}",
        "## Arms",
        f"In points out of 100, with {_level(summary)} intervals over documents.",
        _table([("Arm", "What it is", *(metric.label for metric in metrics)), *arms]),
    ]
    for name, regime in summary["regimes"].items():
        rows = [
            (arm, interval_text(values.get(F1.name)), interval_text(values.get(EXACT_MATCH.name)))
            for arm, values in regime["arms"].items()
        ]
        parts += [
            f"## {name.capitalize()} documents",
            f"{regime['questions']} questions: {_REGIMES[name]}.",
            _table([("Arm", F1.label, EXACT_MATCH.label), *rows]),
            "\n".join(f"- {comparison['verdict']}" for comparison in regime["comparisons"]),
        ]
    parts += ["## All comparisons", "\n".join(f"- {comparison['verdict']}" for comparison in summary["comparisons"])]
    if summary["retrieval"]:
        parts += ["## Retrieval", _retrieval(summary)]
    if robustness := summary.get("robustness"):
        parts += ["## Robustness", robustness_note(robustness)]
        parts += [part for title, rows in robustness_tables(robustness) for part in (f"### {title}", _table(rows))]
        parts += ["\n".join(f"- {one['verdict']}" for one in robustness["attacks"])] if robustness["attacks"] else []
    parts += ["## Made from", _table([("Setting", "Value"), *provenance.rows()])]
    return "\n\n".join(parts) + "\n"


def report_html(
    summary: Summary,
    provenance: Provenance,
    questions: Sequence[Question],
    retrieved: Sequence[Sequence[ScoredPassage]],
    predictions: Sequence[Prediction],
    scores: Sequence[Score],
    seen: frozenset[str],
    oracles: Iterable[Passage] = (),
) -> str:
    """The whole report as one page that needs no network.

    retrieved: one list of passages a question. oracles: what an arm was shown that may not have been retrieved.
    """
    environment = Environment(
        loader=PackageLoader("raft.evaluate"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    headlines, panels = _headlines(summary), _panels(summary)
    groups = {"All questions": summary["comparisons"]}
    groups |= {f"{name.capitalize()} documents": one["comparisons"] for name, one in summary["regimes"].items()}
    return environment.get_template("report.html.j2").render(
        headline=headlines[0]["verdict"] if headlines else "There is nothing to compare.",
        verdicts=[(_outcome(one), one["verdict"]) for one in headlines[1:]],
        counts=_counts(summary),
        origin=_origin(summary),
        level=_level(summary),
        panels=panels,
        ticks=_axis(panels),
        metrics=[metric for metric in METRICS if any(metric.name in arm for arm in summary["arms"].values())],
        arms=summary["arms"],
        meanings=provenance.meanings,
        forest=_forest(groups),
        retrieval=_retrieval(summary),
        robustness=_robustness(summary),
        regimes={name: _REGIMES[name] for name in summary["regimes"]},
        provenance=provenance.rows(),
        seconds=summary["seconds"],
        data=_embedded(browsable(list(summary["arms"]), questions, retrieved, predictions, scores, seen, oracles)),
        percent=_percent,
        limits=_limits,
    )


def _robustness(summary: Summary) -> dict[str, Any] | None:
    """The note, tables and verdicts of the surface, where it was measured."""
    if "robustness" not in summary:
        return None
    found = summary["robustness"]
    verdicts = [one["verdict"] for one in found["attacks"]]
    return {"note": robustness_note(found), "tables": robustness_tables(found), "verdicts": verdicts}


# --- words -----------------------------------------------------------------------------------------------------------


def _headlines(summary: Summary) -> list[Comparison]:
    """The verdicts in F1: the first of all, then what happens on unseen documents, then the others."""
    overall = [one for one in summary["comparisons"] if one["metric"] == F1.name]
    unseen = summary["regimes"].get("unseen")
    first = [one for one in unseen["comparisons"] if one["metric"] == F1.name][:1] if unseen else []
    return overall[:1] + first + overall[1:]


def _counts(summary: Summary) -> str:
    refuse = f", {summary['unanswerable']} that the documents do not answer" if summary["unanswerable"] else ""
    regimes = summary["regimes"].items()
    split = ": " + ", ".join(f"{one['questions']} on {name} documents" for name, one in regimes) if regimes else ""
    return f"{summary['questions']} questions{refuse}{split}."


def _origin(summary: Summary) -> str:
    return _ORIGINS[QuestionSource(summary["source"])]


def _level(summary: Summary) -> str:
    return f"{100 * summary['confidence']:g} %"


def _retrieval(summary: Summary) -> str:
    if not summary["retrieval"]:
        return ""
    recall, hit = summary["retrieval"]["recall"], summary["retrieval"]["hit"]
    return (
        f"The {summary['top_k']} passages retrieved for a question came from {interval_text(recall)} % of its evidence "
        f"documents, and from at least one of them for {interval_text(hit)} % of {recall['n']} questions."
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first row is the heading."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- " * len(rows[0]) + "|", *lines[1:]])


# --- pictures --------------------------------------------------------------------------------------------------------


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _limits(interval: Interval) -> str:
    return f"{_percent(interval['low'])} – {_percent(interval['high'])}"  # noqa: RUF001 (an en dash between numbers)


@dataclass(frozen=True, slots=True)
class Panel:
    """One bar chart: a row an arm, with its interval."""

    title: str
    rows: Sequence[tuple[str, Interval]]


def _panels(summary: Summary) -> list[Panel]:
    sources = [(F1.label, F1.name, summary["arms"]), (EXACT_MATCH.label, EXACT_MATCH.name, summary["arms"])]
    sources += [
        (f"{F1.label}, {name} documents ({regime['questions']} questions)", F1.name, regime["arms"])
        for name, regime in summary["regimes"].items()
    ]
    panels = [
        Panel(title, [(arm, values[metric]) for arm, values in arms.items() if metric in values])
        for title, metric, arms in sources
    ]
    return [panel for panel in panels if panel.rows]


def _axis(panels: Sequence[Panel]) -> range:
    """The ticks of the one scale that all panels share, so that a long bar means the same everywhere."""
    highest = max((100 * interval["high"] for panel in panels for _, interval in panel.rows), default=100.0)
    step = 20 if highest > 50 else 10 if highest > 20 else 5
    return range(0, max(step, step * math.ceil(highest / step)) + 1, step)


def _outcome(comparison: Comparison) -> str:
    return "win" if comparison["low"] > 0 else "loss" if comparison["high"] < 0 else "open"


def _forest(groups: Mapping[str, Sequence[Comparison]]) -> dict[str, Any]:
    """Differences with their intervals around a common zero line; positions run from 0 to 100.

    One row a pair of arms and metric, one cell a group of questions; None where that group has no such comparison.
    """
    every = [one for comparisons in groups.values() for one in comparisons]
    widest = max((100 * abs(limit) for one in every for limit in (one["low"], one["high"])), default=10.0)
    step = 10 if widest <= 40 else 20 if widest <= 60 else 50
    reach = max(step, step * math.ceil(widest / step))

    def cell(one: Comparison) -> dict[str, Any]:
        at, low, high = (round(50 + 50 * 100 * one[key] / reach, 2) for key in ("difference", "low", "high"))
        return {**one, "outcome": _outcome(one), "at": at, "from": low, "to": high}

    found = {(group, one["metric"], one["a"], one["b"]): cell(one) for group in groups for one in groups[group]}
    rows: dict[str, list[dict[str, Any]]] = {}
    for label, metric, a, b in dict.fromkeys(
        (one.label, one.name, a, b) for one in METRICS for _, name, a, b in found if name == one.name
    ):
        cells = [found.get((group, metric, a, b)) for group in groups]
        rows.setdefault(label, []).append({"a": a, "b": b, "cells": cells})
    return {"reach": reach, "groups": list(groups), "metrics": rows}


# --- the questions to browse -----------------------------------------------------------------------------------------


def browsable(
    arms: Sequence[str],
    questions: Sequence[Question],
    retrieved: Sequence[Sequence[ScoredPassage]],
    predictions: Sequence[Prediction],
    scores: Iterable[Score],
    seen: frozenset[str],
    oracles: Iterable[Passage] = (),
) -> dict[str, Any]:
    """Every question with its passages and what each arm said, as the page embeds it: each passage once.

    The passages of a question are those retrieved, then what an arm was shown besides.
    """
    shown = {
        question.id: [hit.passage.id for hit in found] for question, found in zip(questions, retrieved, strict=True)
    }
    for prediction in predictions:
        known = shown[prediction.question_id]
        known += [passage_id for passage_id in prediction.passage_ids if passage_id not in known]
    used = {passage_id for ids in shown.values() for passage_id in ids}
    every = {passage.id: passage for passage in (*(hit.passage for found in retrieved for hit in found), *oracles)}
    passages = {
        passage.id: {"document": passage.document_id, "title": passage.title, "text": passage.text}
        for passage in every.values()
        if passage.id in used
    }
    metrics = {(one.question_id, one.arm): one.metrics for one in scores}
    said: dict[str, dict[str, Any]] = {question.id: {} for question in questions}
    for prediction in predictions:
        said[prediction.question_id][prediction.arm] = _answer(
            prediction, metrics[prediction.question_id, prediction.arm], passages, shown[prediction.question_id]
        )
    cases = []
    for question, found in zip(questions, retrieved, strict=True):
        recall = retrieval_score(question, found).get("recall")
        cases.append(
            {
                "id": question.id,
                "question": question.text,
                "answers": question.answers,
                "documents": question.document_ids,
                "kind": question.kind,
                "unanswerable": question.unanswerable,
                "regime": regime_of(question, seen) if seen else None,
                "recall": recall,
                "passages": shown[question.id],
                "oracles": [passage_id for passage_id in shown[question.id] if _is_oracle(every[passage_id], question)],
                "arms": said[question.id],
            }
        )
    return {"arms": list(arms), "passages": passages, "questions": cases}


def _is_oracle(passage: Passage, question: Question) -> bool:
    """Whether the passage comes from an evidence document and itself holds an accepted answer."""
    return passage.document_id in question.document_ids and contains_answer(passage.text, question.answers)


def _answer(
    prediction: Prediction,
    metrics: Mapping[str, float],
    passages: Mapping[str, Mapping[str, str]],
    shown: Sequence[str],
) -> dict[str, Any]:
    """One arm's answer; a quote is [number of its passage from 1, start, end] and an unverified one [number, words].

    shown: the ids of the question's passages, in the order in which the page numbers them.
    """
    number = {passage_id: place for place, passage_id in enumerate(shown, 1)}
    unverified = []
    for cited in parse_answer(prediction.text).quotes:
        named = prediction.passage_ids[cited.number - 1] if 1 <= cited.number <= len(prediction.passage_ids) else None
        if named is None or Source(passages[named]["text"]).locate(cited.text) is None:
            unverified.append([cited.number, cited.text])
    return {
        "mark": _mark(prediction, metrics),
        "answer": prediction.answer,
        "text": prediction.text,
        "f1": metrics.get(F1.name),
        "quotes": [[number[quote.passage_id], quote.start, quote.end] for quote in prediction.quotes],
        "unverified": unverified,
    }


def _mark(prediction: Prediction, metrics: Mapping[str, float]) -> str:
    """How well it did, in one word; `partly` has a word of an accepted answer, or holds it among others."""
    if F1.name not in metrics:
        return "right" if prediction.abstained else "wrong"
    if prediction.abstained:
        return "refused"
    if metrics[EXACT_MATCH.name]:
        return "right"
    return "partly" if metrics[F1.name] or metrics[CONTAINS.name] else "wrong"


def _embedded(value: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # every '<' is gone
