"""The details of an evaluation as tables of text, for `report.md` and `report.html` alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from raft.evaluate.details import held_words
from raft.evaluate.measures.metrics import ABSTAINED, EXACT_MATCH, F1, LIST_F1, LIST_METRICS, MORE_METRICS, REFUSED
from raft.evaluate.measures.outcomes import MEANINGS, Outcome
from raft.evaluate.statistics.decomposition import account, in_points, limits
from raft.evaluate.statistics.intervals import points
from raft.evaluate.statistics.means import Interval
from raft.evaluate.summary import RecordedComparison, Summary, interval_text

# A row of one arm and document, as `by_document` makes it.
DocumentRow: TypeAlias = Mapping[str, str | int | float]
# As many as are read through in a terminal; a corpus may have thousands.
_DOCUMENTS = 20


@dataclass(frozen=True, slots=True)
class Table:
    """A title, one paragraph that says how to read the rows, and the rows; the first is the heading."""

    title: str
    note: str
    rows: Sequence[Sequence[str]]


def detail_tables(summary: Summary, documents: Sequence[DocumentRow] = ()) -> list[Table]:
    """Every table for which there is something to show. documents: rows of answerable questions alone."""
    tables = [
        _outcomes(summary),
        _more(summary),
        _parts(summary),
        _tests(summary),
        _kinds(summary),
        *_documents(summary, documents),
        *_labels(summary),
        _lists(summary),
        *_forgetting(summary),
        _confidence(summary),
        _rankings(summary),
    ]
    return [table for table in tables if len(table.rows) > 1]


def _outcomes(summary: Summary) -> Table:
    found = [one for one in Outcome if any(counts[one] for counts in summary["outcomes"].values())]
    rows = [(arm, *(str(counts[one]) for one in found)) for arm, counts in summary["outcomes"].items()]
    note = "; ".join(f"{_words(one)}: {MEANINGS[one]}" for one in found)
    return Table(
        "What became of each question",
        f"Every question has one outcome in every arm ({summary['questions']} questions). {_sentence(note)}.",
        [("Arm", *(_sentence(_words(one)) for one in found)), *rows],
    )


def _more(summary: Summary) -> Table:
    arms = summary["arms"]
    metrics = [
        metric
        for metric in MORE_METRICS
        if metric not in LIST_METRICS and any(metric.name in values for values in arms.values())
    ]
    rows = [(arm, *(_with_n(values.get(metric.name)) for metric in metrics)) for arm, values in arms.items()]
    note = "; ".join(f"{metric.label}: {metric.meaning}" for metric in metrics)
    judge = summary["judge"]
    judged = (
        f" {judge['model']} judged {judge['asked']} different answers; on {judge['failed']} of them the judge failed, "
        "and their questions are judged in no arm."
        if judge
        else ""
    )
    return Table(
        "More measures",
        "In points out of 100 with intervals, and the number of questions or answers that each is about. "
        f"{note}.{judged}",
        [("Arm", *(metric.label for metric in metrics)), *rows],
    )


def _compared(summary: Summary) -> list[tuple[str, RecordedComparison]]:
    """Every comparison with the questions that it is over."""
    groups = {"all questions": summary["comparisons"]}
    groups |= {f"{name} documents": regime["comparisons"] for name, regime in summary["regimes"].items()}
    return [(group, one) for group, comparisons in groups.items() for one in comparisons]


def _parts(summary: Summary) -> Table:
    rows = [(group, *_part(one, summary["confidence"])) for group, one in _compared(summary) if "parts" in one]
    return Table(
        "Where the differences come from",
        "An arm that refuses a question scores 0 on it. So a difference is the sum of what three classes of questions "
        "add to it, here in points out of 100 with intervals, and the number of questions in each class.",
        [
            (
                "Questions",
                "Arms",
                "Metric",
                "Difference",
                "Both answered",
                "Only the first refused",
                "Only the second refused",
            ),
            *rows,
        ],
    )


def _part(one: RecordedComparison, confidence: float) -> tuple[str, ...]:
    rounded = account(one["difference"], one["parts"])

    def cell(name: str, tenths: int, n: int) -> str:
        interval = limits(one, name, confidence)
        return in_points(tenths) + (f" ({interval})" if interval else "") + f", n {n}"

    return (
        f"{one['a']} less {one['b']}",
        one["metric"],
        in_points(rounded.total),
        cell("both_answered", rounded.both_answered, one["parts"]["both_answered"]["n"]),
        cell("only_a_refused", rounded.only_a_refused, one["parts"]["only_a_refused"]["n"]),
        cell("only_b_refused", rounded.only_b_refused, one["parts"]["only_b_refused"]["n"]),
    )


def _tests(summary: Summary) -> Table:
    rows = [_test(group, one) for group, one in _compared(summary)]
    return Table(
        "What the differences rest on",
        "p is that of a permutation test over documents; corrected is p after Holm's correction for all comparisons of "
        "the same group. Smallest shown: the difference that as many questions show in four of five evaluations. "
        "Needed: questions and documents that would show the difference seen.",
        [
            (
                "Questions",
                "Arms",
                "Metric",
                "n",
                "Documents",
                "Difference",
                "p",
                "Corrected",
                "Smallest shown",
                "Needed",
            ),
            *rows,
        ],
    )


def _test(group: str, one: RecordedComparison) -> tuple[str, ...]:
    needed = f"{one['needed']:,}, {one['documents_needed']:,} documents" if one["needed"] else ""
    return (
        group,
        f"{one['a']} less {one['b']}",
        one["metric"],
        str(one["n"]),
        str(one["documents"]),
        f"{points(one['difference'])} ({points(one['low'])} to {points(one['high'])})",
        f"{one['p']:.4f}",
        f"{one['corrected']:.4f}",
        "" if one["smallest"] is None else points(one["smallest"]),
        needed,
    )


def _kinds(summary: Summary) -> Table:
    metrics = (F1, EXACT_MATCH, ABSTAINED)
    rows = [
        (kind, str(found["questions"]), arm, *(_with_n(values.get(metric.name)) for metric in metrics))
        for kind, found in summary["kinds"].items()
        for arm, values in found["arms"].items()
    ]
    return Table(
        "By kind of question",
        "In points out of 100, with intervals over documents and the questions behind each; these are not tested "
        "against each other.",
        [("Kind", "Questions", "Arm", *(metric.label for metric in metrics)), *rows],
    )


def _documents(summary: Summary, documents: Sequence[DocumentRow]) -> Iterator[Table]:
    found: dict[str, dict[str, DocumentRow]] = {}
    for row in documents:
        found.setdefault(str(row["document_id"]), {})[str(row["arm"])] = row
    if len(found) < 2:
        return
    asked = {id_: max(int(row["questions"]) for row in by_arm.values()) for id_, by_arm in found.items()}

    def furthest_apart(document_id: str) -> tuple[float, str]:
        # An arm that was asked fewer questions may differ by these alone.
        alike = [row for row in found[document_id].values() if row["questions"] == asked[document_id]]
        shares = [float(row[F1.name]) for row in alike]
        return min(shares) - max(shares), document_id

    def mean(row: DocumentRow | None, document_id: str) -> str:
        if row is None:
            return ""
        return points(float(row[F1.name])) + (
            "" if row["questions"] == asked[document_id] else f", n {row['questions']}"
        )

    arms = [arm for arm in summary["arms"] if any(arm in by_arm for by_arm in found.values())]
    shown = sorted(found, key=furthest_apart)[:_DOCUMENTS]
    rows = [(id_, str(asked[id_]), *(mean(found[id_].get(arm), id_) for arm in arms)) for id_ in shown]
    which = (
        f"The {len(shown)} of {len(found)} documents where the arms differ most; documents.jsonl has all."
        if len(shown) < len(found)
        else "Those first where the arms differ most."
    )
    yield Table(
        "By document",
        f"{which} {F1.label} in points out of 100 over the answerable questions about each document, a question with "
        "several counted for its first; n, where an arm was asked fewer of them. A document has few questions, so "
        "these are single observations without intervals: a place to look, no verdict.",
        [("Document", "Questions", *arms), *rows],
    )


def _labels(summary: Summary) -> Iterator[Table]:
    for found in summary["labels"]:
        said = list(
            dict.fromkeys(one for arm in found["arms"].values() for row in arm["confusion"].values() for one in row)
        )
        columns = [*(label for label in found["labels"] if label in said), *sorted(set(said) - set(found["labels"]))]
        rows = [
            (arm, str(measured["n"]), points(measured["macro_f1"]), gold, *(str(row.get(one, 0)) for one in columns))
            for arm, measured in found["arms"].items()
            for gold, row in measured["confusion"].items()
        ]
        yield Table(
            f"Labels: {', '.join(found['labels'])}",
            "How often each accepted label was answered by which. Macro-F1 is the mean over the accepted labels. "
            f"{held_words(summary['label_constrained'])}",
            [("Arm", "n", "Macro-F1", "Accepted", *columns), *rows],
        )


def _lists(summary: Summary) -> Table:
    groups = {"all": summary["arms"]}
    groups |= {f"{name} documents": regime["arms"] for name, regime in summary["regimes"].items()}
    groups |= {f"kind {name}": kind["arms"] for name, kind in summary["kinds"].items()}
    rows = [
        (group, arm, str(found[LIST_F1.name]["n"]), *(interval_text(found.get(metric.name)) for metric in LIST_METRICS))
        for group, arms in groups.items()
        for arm, found in arms.items()
        if LIST_F1.name in found
    ]
    note = "; ".join(f"{metric.label}: {metric.meaning}" for metric in LIST_METRICS)
    return Table(
        "Questions that want several answers",
        f"In points out of 100, with intervals. {note}. Exact match and F1 elsewhere are these for such questions.",
        [("Questions", "Arm", "n", *(metric.label for metric in LIST_METRICS)), *rows],
    )


def _forgetting(summary: Summary) -> Iterator[Table]:
    found = summary.get("forgetting")
    if not found:
        return
    names = [metric.name for metric in (F1, EXACT_MATCH, REFUSED)]
    rows = [("base", *(interval_text(found["before"][name]) for name in names), "", "", "")]
    for model, cost in found["models"].items():
        change = f"{points(cost['difference'])} ({points(cost['low'])} to {points(cost['high'])})"
        smallest = "" if cost["smallest"] is None else points(cost["smallest"])
        measured = (interval_text(cost["after"][name]) for name in names)
        rows.append((model, *measured, change, f"{cost['corrected']:.4f}", smallest))
    verdicts = ". ".join(_sentence(cost["verdict"]) for cost in found["models"].values())
    yield Table(
        "What tuning cost elsewhere",
        f"{verdicts}. Each question is shown with the one passage that answers it ({found['source']}, "
        f"{found['questions']} questions); change is F1 less that of the base on the same questions, and corrected its "
        "p by a permutation test after Holm's correction. Smallest shown: the change that as many questions show in "
        "four of five evaluations.",
        [("Model", F1.label, EXACT_MATCH.label, REFUSED.label, "Change of F1", "Corrected", "Smallest shown"), *rows],
    )


def _confidence(summary: Summary) -> Table:
    rows = []
    for arm, found in summary["risk_coverage"].items():
        risks = (
            next((p["risk"] for p in found["curve"] if p["coverage"] >= share), None) for share in (0.25, 0.5, 0.75)
        )
        limit = found["min_confidence"]
        rows.append(
            (
                arm,
                points(found["area"]),
                points(found["area_at_random"]),
                *("" if risk is None else points(risk) for risk in risks),
                points(found["curve"][-1]["risk"]),
                "none" if limit is None else f"{limit:.3f}",
                interval_text(found["gain"]),
            )
        )
    return Table(
        "Answering only when confident",
        "Confidence is the mean probability of the words of an answer, risk the mean loss (1 less F1, and 1 where "
        "nothing answers the question) of the answers given at or above it. The area under risk by coverage is to be "
        "compared with that of random confidence. Below min_confidence refusing loses less than answering "
        "(answer.min_confidence in the recipe); its gain is measured on documents that did not choose it.",
        [
            (
                "Arm", "Area", "At random", "Risk of the surest 25 %", "50 %", "75 %", "All", "min_confidence", "Gain",
            ),
            *rows,
        ],
    )  # fmt: skip


def _rankings(summary: Summary) -> Table:
    names = list(next(iter(summary["rankings"].values()), {}))
    rows = [(mode, *(interval_text(values[name]) for name in names)) for mode, values in summary["rankings"].items()]
    return Table(
        "Ways to search",
        "By evidence documents, without reranking: the share found in the first k passages, the reciprocal rank of the "
        "first, and the normalised discounted gain.",
        [("Mode", *names), *rows],
    )


def _words(outcome: Outcome) -> str:
    return outcome.value.replace("_", " ")


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _with_n(interval: Interval | None) -> str:
    return f"{interval_text(interval)}, n {interval['n']}" if interval else ""
