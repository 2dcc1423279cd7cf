"""The report of an evaluation, as `report.md` to read in a terminal and as one self-contained `report.html`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from raft.artifacts import versions
from raft.evaluate.details import by_document
from raft.evaluate.measures.metrics import F1
from raft.evaluate.plan.arm_models import TunedArmModel
from raft.evaluate.report.blocks import LEAD, Recorded, number_text
from raft.evaluate.report.browse import Record, browsable
from raft.evaluate.report.markdown import section_markdown, table_markdown
from raft.evaluate.report.sections import outcome, sections
from raft.evaluate.statistics.decomposition import origin
from raft.evaluate.summary import RecordedComparison, Summary, asked
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
    parts = [
        "# Evaluation",
        "\n".join(_with_origin(one) for one in _headlines(summary)) or "There is nothing to compare.",
        f"{_counts(summary)} {_origin(summary)}",
        *map(section_markdown, sections(_recorded(summary, provenance, record))),
        "## Made from",
        table_markdown([("Setting", "Value"), *provenance.rows()]),
    ]
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
    environment.globals["number"] = number_text
    headlines = _headlines(summary)
    return environment.get_template("report.html.j2").render(
        headline=headline(summary),
        origin_of_headline=origin(headlines[0]) if headlines else "",
        verdicts=[(outcome(one), one["verdict"], origin(one)) for one in headlines[1:]],
        counts=_counts(summary),
        origin=_origin(summary),
        gloss=f"{F1.label}: {F1.meaning}, out of 100.",
        sections=sections(_recorded(summary, provenance, record)),
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


def _recorded(summary: Summary, provenance: Provenance, record: Record) -> Recorded:
    """All that the sections are made from. Results by document are over answerable questions alone."""
    documents = by_document([one for one in record.scores if F1.name in one.metrics])
    return {**summary, "meanings": provenance.meanings, "documents": documents, "seen": record.seen}


def _embedded(value: Any) -> Markup:
    """JSON that can stand in a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # every '<' is gone
