"""The report of an evaluation, as `report.md` to read in a terminal and as one self-contained `report.html`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from raft.artifacts import versions
from raft.evaluate.asked_prompts import prompts_note, prompts_table
from raft.evaluate.details import by_document
from raft.evaluate.measures.metrics import EXACT_MATCH, F1, METRICS
from raft.evaluate.measures.robustness import robustness_note, robustness_tables
from raft.evaluate.plan.arm_models import TunedArmModel
from raft.evaluate.report.blocks import LEAD, level
from raft.evaluate.report.browse import Record, browsable
from raft.evaluate.report.curves import retrieval_sentence
from raft.evaluate.report.sections import REGIMES, outcome, sections
from raft.evaluate.report.tables import detail_tables
from raft.evaluate.statistics.decomposition import origin
from raft.evaluate.summary import Interval, RecordedComparison, Summary, asked, interval_text
from raft.models.names import public_name
from raft.types import QuestionSource

_ORIGINS = {
    QuestionSource.GIVEN: "The questions were given; the tool did not write them.",
    QuestionSource.HELD_OUT_WRITTEN: "The tool wrote the questions from the documents and kept them out of training; "
    "nobody checked them.",
    QuestionSource.HELD_OUT_GIVEN: "The questions were given for training; these are the ones that were held out from "
    "it, with the documents that answer them.",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """What an evaluation was made from: settings, hashes of the inputs, how each model was tuned, what each arm is."""

    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    tuned_models: Sequence[TunedArmModel]
    meanings: Mapping[str, str]

    def rows(self) -> list[tuple[str, str]]:
        """All of it as lines of a name and a value."""
        settings = [(name.replace("_", " "), str(value)) for name, value in self.settings.items()]
        tuning = [
            (f"{public_name(one.name)}: {key.replace('_', ' ')}", str(value))
            for one in self.tuned_models
            for key, value in (*one.manifest.counts.items(), *one.manifest.settings.items())
            if key not in {"model", "method"}  # said by the base model and the name
        ]
        packages = [(f"version of {name}", version) for name, version in versions().items()]
        hashes = [(f"sha256 of {name}", digest) for name, digest in self.inputs.items()]
        return settings + tuning + packages + hashes


def report_markdown(summary: Summary, provenance: Provenance, record: Record) -> str:
    """The report without the questions."""
    metrics = [metric for metric in METRICS if any(metric.name in arm for arm in summary["arms"].values())]
    arms = [
        (name, provenance.meanings[name], _n(values), *(interval_text(values.get(metric.name)) for metric in metrics))
        for name, values in summary["arms"].items()
    ]
    parts = [
        "# Evaluation",
        "\n".join(_with_origin(one) for one in _headlines(summary)) or "There is nothing to compare.",
        f"{_counts(summary)} {_origin(summary)}",
        "## Arms",
        f"In points out of 100, with {level(summary)} intervals over documents; n counts the answerable questions that "
        "an arm was asked.",
        _table([("Arm", "What it is", "n", *(metric.label for metric in metrics)), *arms]),
    ]
    for name, regime in summary["regimes"].items():
        rows = [
            (arm, _n(values), interval_text(values.get(F1.name)), interval_text(values.get(EXACT_MATCH.name)))
            for arm, values in regime["arms"].items()
        ]
        parts += [
            f"## {name.capitalize()} documents",
            f"{regime['questions']} questions: {REGIMES[name]}.",
            _table([("Arm", "n", F1.label, EXACT_MATCH.label), *rows]),
            "\n".join(f"- {comparison['verdict']}" for comparison in regime["comparisons"]),
        ]
    parts += ["## All comparisons", "\n".join(f"- {comparison['verdict']}" for comparison in summary["comparisons"])]
    if summary["retrieval"]:
        parts += ["## Retrieval", retrieval_sentence(summary)]
    if robustness := summary.get("robustness"):
        parts += ["## Robustness", robustness_note(robustness)]
        parts += [part for title, rows in robustness_tables(robustness) for part in (f"### {title}", _table(rows))]
        told = [f"- {one['verdict']}" for one in (*robustness["kinds"], *robustness["attacks"])]
        parts += ["\n".join(told)] if told else []
    for table in detail_tables(summary, _documents(record)):
        parts += [f"## {table.title}", table.note, _table(table.rows)]
    if found := summary.get("prompts"):
        parts += ["## Prompts of the untuned model", prompts_note(found)]
        parts += [_table(prompts_table(found))] if found["tried"] else []
    if summary.get("training"):
        parts += ["## Training", _table(_training(summary))]
    parts += ["## Made from", _table([("Setting", "Value"), *provenance.rows()])]
    return "\n\n".join(parts) + "\n"


def report_html(summary: Summary, provenance: Provenance, record: Record) -> str:
    """The whole report as one page that needs no network."""
    environment = Environment(
        loader=PackageLoader("raft.evaluate.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    headlines = _headlines(summary)
    further = {"meanings": provenance.meanings, "documents": _documents(record), "seen": record.seen}
    return environment.get_template("report.html.j2").render(
        headline=headline(summary),
        origin_of_headline=origin(headlines[0]) if headlines else "",
        verdicts=[(outcome(one), one["verdict"], origin(one)) for one in headlines[1:]],
        counts=_counts(summary),
        origin=_origin(summary),
        gloss=f"{F1.label}: {F1.meaning}, out of 100.",
        sections=sections({**summary, **further}),
        lead=LEAD,
        provenance=provenance.rows(),
        data=_embedded(browsable(list(summary["arms"]), record)),
    )


# --- words -----------------------------------------------------------------------------------------------------------


def headline(summary: Summary) -> str:
    """The verdict in one sentence: of which arms, how large, how sure, and over how many questions."""
    found = _headlines(summary)
    if not found:
        return "There is nothing to compare"
    first = found[0]
    shared = min(summary["arms"][arm][first["metric"]]["n"] for arm in (first["a"], first["b"]))
    return f"Over {shared:,} questions, {first['verdict']}"


def _headlines(summary: Summary) -> list[RecordedComparison]:
    """The verdicts in F1: the first of all, then what happens on unseen documents, then the others."""
    overall = [one for one in summary["comparisons"] if one["metric"] == F1.name]
    unseen = summary["regimes"].get("unseen")
    first = [one for one in unseen["comparisons"] if one["metric"] == F1.name][:1] if unseen else []
    return overall[:1] + first + overall[1:]


def _with_origin(comparison: RecordedComparison) -> str:
    """A verdict as a line of a Markdown list, and below it where the difference comes from."""
    where = origin(comparison)
    return f"- {comparison['verdict']}" + (f"\n  - {where}" if where else "")


def _counts(summary: Summary) -> str:
    refuse = f", {summary['unanswerable']} that the documents do not answer" if summary["unanswerable"] else ""
    regimes = summary["regimes"].items()
    split = ": " + ", ".join(f"{one['questions']} on {name} documents" for name, one in regimes) if regimes else ""
    return f"{asked(summary)}{refuse}{split}."


def _origin(summary: Summary) -> str:
    return _ORIGINS[QuestionSource(summary["source"])]


def _n(metrics: Mapping[str, Interval]) -> str:
    return str(metrics[F1.name]["n"]) if F1.name in metrics else ""


def _documents(record: Record) -> list[dict[str, str | int | float]]:
    """The results by document over answerable questions alone, so that `questions` are those behind F1."""
    return by_document([one for one in record.scores if F1.name in one.metrics])


def _training(summary: Summary) -> list[tuple[str, ...]]:
    """What tuning each model took, as rows of text."""
    rows: list[tuple[str, ...]] = [("Model", "Rows", "Target tokens", "Steps", "Step kept", "Seconds")]
    for name, one in summary["training"].items():
        seconds = "" if one["seconds"] is None else f"{one['seconds']:g}"
        counts = (f"{one[key]:,}" for key in ("rows", "target_tokens", "steps", "kept_step"))
        rows.append((name, *counts, seconds))
    return rows


def _table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first row is the heading."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "| --- " * len(rows[0]) + "|", *lines[1:]])


def _embedded(value: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # every '<' is gone
