"""The sections of the report: each takes its part of what `summary.json` records, and is left out where that is absent.

A new part of the summary is shown by one more function in `SECTIONS`; the renderers know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from raft.evaluate.details import held_words
from raft.evaluate.measures.metrics import ABSTAINED, ALL_METRICS, EXACT_MATCH, F1, LIST_METRICS, REFUSED, Metric
from raft.evaluate.measures.outcomes import MEANINGS
from raft.evaluate.report.asked import prompts
from raft.evaluate.report.blocks import (
    LEAD,
    Bar,
    Bars,
    Block,
    Cell,
    Difference,
    Forest,
    Grid,
    Listing,
    Recorded,
    Section,
    Share,
    Split,
    Splits,
    Words,
    interval_cell,
    level,
    points_of,
)
from raft.evaluate.report.curves import retrieval, risk_coverage, robustness, training
from raft.evaluate.statistics.decomposition import account, in_points, limits
from raft.evaluate.statistics.intervals import points

REGIMES = {
    "seen": "all documents that answer these were chosen to ask training questions about",
    "unseen": "at least one document that answers these was kept out of tuning altogether",
}
_LABELS = {metric.name: metric.label for metric in ALL_METRICS}
_ABOUT = {metric.name: metric.meaning for metric in ALL_METRICS}


def metric_names(recorded: Recorded) -> list[str]:
    """Every metric that some arm has: those that the package knows in their order, then others as recorded."""
    present = dict.fromkeys(name for arm in recorded["arms"].values() for name in arm)
    return [*(name for name in _LABELS if name in present), *(name for name in present if name not in _LABELS)]


def _label(name: str) -> str:
    """How people call what a file calls `name`."""
    return _LABELS.get(name) or name.replace("_", " ").capitalize()


def _arms(recorded: Recorded) -> Section | None:
    sources = [(_label(name), name, recorded["arms"]) for name in (F1.name, EXACT_MATCH.name, "answer_in_text")]
    sources += [
        (f"{F1.label}, {name} documents ({regime['questions']} questions)", F1.name, regime["arms"])
        for name, regime in recorded["regimes"].items()
    ]
    drawn = ((title, _bars(arms, metric, recorded["meanings"])) for title, metric, arms in sources)
    panels = [(title, bars) for title, bars in drawn if bars]
    if not panels:
        return None
    note = (
        f"Points out of 100 over answerable questions, with {level(recorded)} intervals (the thin lines) from "
        "resampling documents; n counts the questions behind a mean."
    )
    blocks: list[Block] = [Bars(panels)]
    if recorded["regimes"]:
        blocks.append(Words({f"{one.capitalize()} documents": f"{REGIMES[one]}." for one in recorded["regimes"]}))
    return Section("arms", "How the arms did", note, blocks)


def _bars(arms: Mapping[str, Recorded], metric: str, meanings: Mapping[str, str]) -> list[Bar]:
    return [
        Bar(arm, *points_of(found[metric]), found[metric]["n"], meanings[arm])
        for arm, found in arms.items()
        if metric in found
    ]


def _comparisons(recorded: Recorded) -> Section | None:
    groups = {"All questions": recorded["comparisons"]}
    groups |= {f"{name.capitalize()} documents": one["comparisons"] for name, one in recorded["regimes"].items()}
    groups = {name: comparisons for name, comparisons in groups.items() if comparisons}
    if not groups:
        return None
    found = {
        (one["metric"], one["a"], one["b"], group): _difference(one)
        for group, comparisons in groups.items()
        for one in comparisons
    }
    metrics: dict[str, list[tuple[str, str, list[Difference | None]]]] = {}
    for metric, a, b in dict.fromkeys(key[:3] for key in found):
        cells = [found.get((metric, a, b, group)) for group in groups]
        metrics.setdefault(_label(metric), []).append((a, b, cells))
    note = (
        "Differences in points between two arms on the same questions. One is shown, and stands out in colour on the "
        "page or in bold in report.md, where its interval leaves zero out and the permutation test over documents, "
        "corrected for all comparisons of its column (Holm), agrees. With the others stand the number of questions "
        "that would settle them, and the smallest difference that these questions show in four of five evaluations."
    )
    blocks: list[Block] = [Forest(list(groups), metrics), _tests(groups), *_splits(groups, recorded["confidence"])]
    return Section("comparisons", "Every comparison", note, blocks)


def _tests(groups: Mapping[str, Sequence[Recorded]]) -> Listing:
    """What every difference rests on."""
    rows = [
        (
            f"{one['a']} less {one['b']}",
            f"{_label(one['metric'])}, {group.lower()}",
            [
                Cell(f"{one['n']:,}"),
                Cell(f"{one['documents']:,}"),
                Cell(f"{one['p']:.2g}"),
                Cell(f"{one['corrected']:.2g}"),
                Cell("" if one["smallest"] is None else points(one["smallest"])),
                Cell(f"{one['needed']:,}", f"{one['documents_needed']:,} documents") if one["needed"] else Cell(""),
            ],
        )
        for group, comparisons in groups.items()
        for one in comparisons
    ]
    columns = ("Questions", "Documents", "p", "Corrected", "Smallest shown", "Needed")
    return Listing("What the differences rest on", Grid("Arms", columns, rows))


def outcome(comparison: Recorded) -> str:
    """Whether the first arm did better ('win'), worse ('loss'), or nothing is shown ('open')."""
    return "open" if not comparison["shown"] else "win" if comparison["difference"] > 0 else "loss"


def _difference(one: Recorded) -> Difference:
    notes = [f"p {one['corrected']:.2g}"]
    if outcome(one) == "open" and one["needed"] is not None:
        notes.append(f"needs {one['needed']:,}")
    if outcome(one) == "open" and one["smallest"] is not None:
        notes.append(f"smallest {points(one['smallest'])}")
    mean, low, high = (round(100 * one[key], 1) + 0.0 for key in ("difference", "low", "high"))  # never -0.0
    return Difference(mean, low, high, outcome(one), one["verdict"], ", ".join(notes))


def _splits(groups: Mapping[str, Sequence[Recorded]], confidence: float) -> Iterator[Splits]:
    """Where the differences come from; open is what the headline is about, F1 over all questions."""
    found: dict[str, dict[str, list[Split]]] = {}
    for group, comparisons in groups.items():
        for one in comparisons:
            if "parts" in one:
                panel = f"{_label(one['metric'])}, {group.lower()}"
                found.setdefault(one["metric"], {}).setdefault(panel, []).append(_split(one, confidence))
    note = (
        "An arm that refuses a question scores 0 on it, so a difference is the sum of what three classes of questions "
        f"add to it; n counts the questions of a class, and {100 * confidence:g} % intervals are in brackets."
    )
    legend = (
        "Each bar has a scale of its own, from losses on the left to gains on the right; the thick line marks the "
        "difference."
    )
    for metric, panels in found.items():
        (_, first), *others = panels.items()
        if metric != F1.name:
            yield Splits(
                f"Where the differences in {_label(metric).lower()} come from", list(panels.items()), folded=True
            )
            continue
        yield Splits(f"Where the differences in {F1.label} come from", [("", first)], note, legend)
        if others:
            yield Splits(f"Where they come from in {F1.label}, by seen and unseen documents", others, folded=True)


def _split(one: Recorded, confidence: float) -> Split:
    a, b = one["a"], one["b"]
    rounded = account(one["difference"], one["parts"])

    def share(label: str, name: str, tenths: int) -> Share:
        part = one["parts"][name]
        text, mean = in_points(tenths, signed=True), 100 * part["mean"]
        return Share(label, part["n"], text, limits(one, name, confidence), mean, name != "both_answered")

    shares = (
        share("both answered", "both_answered", rounded.both_answered),
        share(f"only {a} refused", "only_a_refused", rounded.only_a_refused),
        share(f"only {b} refused", "only_b_refused", rounded.only_b_refused),
    )
    return Split(a, b, in_points(rounded.total, signed=True), 100 * one["difference"], shares)


def _metrics(recorded: Recorded) -> Section:
    arms = recorded["arms"]
    rows = []
    for name in metric_names(recorded):
        n = _behind(arms, name)
        about = f"{_ABOUT[name]}; {n}" if name in _ABOUT else n
        rows.append((_label(name), about, [interval_cell(arms[arm].get(name)) for arm in arms]))
    seconds = [Cell(f"{recorded['seconds'][arm]:.2f}") for arm in arms]
    rows.append(("Seconds", "mean time to answer one question", seconds))
    note = f"Points out of 100, with {level(recorded)} intervals."
    if judge := recorded.get("judge"):
        note += (
            f" {judge['model']} judged {judge['asked']} different answers; on {judge['failed']} of them the judge "
            "failed, and their questions are judged in no arm."
        )
    meanings = Words({arm: f"{recorded['meanings'][arm]}." for arm in arms})
    return Section("metrics", "Every metric", note, [Grid("Metric", list(arms), rows), meanings])


def _behind(arms: Mapping[str, Recorded], metric: str) -> str:
    """How many questions stand behind a metric, and of each arm that differs in it from most, how many there."""
    named: dict[int, list[str]] = {}
    for arm, found in arms.items():
        if metric in found:
            named.setdefault(found[metric]["n"], []).append(arm)
    most, *rest = sorted(named, key=lambda n: -len(named[n]))
    # Where no two arms have as many, each is named.
    first = f"{named[most][0]} " if rest and len(named[most]) == 1 else ""
    return ", ".join([first + _questions(most), *(f"{arm} {n}" for n in rest for arm in named[n])])


def _questions(count: int) -> str:
    return f"{count} question{'s' * (count != 1)}"


def _kinds(recorded: Recorded) -> Section | None:
    groups = {name: one["arms"] for name, one in recorded.get("kinds", {}).items()}
    # A kind may hold nothing but questions that the documents do not answer, which have no F1.
    blocks = _grids("Kind", list(recorded["arms"]), groups, (F1, ABSTAINED))
    if not blocks:
        return None
    return Section("kinds", "By kind of question", f"Points out of 100, with {level(recorded)} intervals.", blocks)


def _grids(
    corner: str, arms: Sequence[str], groups: Mapping[str, Mapping[str, Recorded]], metrics: Sequence[Metric]
) -> list[Block]:
    """A table a metric, with a row for each group of questions to which it applies; `groups` hold results by arm."""
    blocks: list[Block] = []
    for metric in metrics:
        rows = [
            (name, _behind(found, metric.name), [_cell(found, arm, metric.name) for arm in arms])
            for name, found in groups.items()
            if any(metric.name in measured for measured in found.values())
        ]
        if rows:
            blocks.append(Grid(corner, arms, rows, f"{metric.label}: {metric.meaning}"))
    return blocks


def _cell(arms: Mapping[str, Recorded], arm: str, metric: str) -> Cell:
    return interval_cell(arms.get(arm, {}).get(metric), shaded=True)


def _documents(recorded: Recorded) -> Section | None:
    found: dict[str, dict[str, Recorded]] = {}
    for row in recorded.get("documents", ()):
        if F1.name in row:
            found.setdefault(row["document_id"], {})[row["arm"]] = row
    if len(found) < 2:
        return None
    arms = [arm for arm in recorded["arms"] if any(arm in rows for rows in found.values())]
    lead = LEAD if LEAD in arms else arms[-1]

    def weakest_first(document_id: str) -> tuple[float, int, str]:
        row = found[document_id].get(lead)
        return (row[F1.name], -row["questions"], document_id) if row else (2.0, 0, document_id)

    rows = []
    for document_id in sorted(found, key=weakest_first):
        by_arm = found[document_id]
        count = max(row["questions"] for row in by_arm.values())
        means = [_mean(by_arm.get(arm), count) for arm in arms]
        regime = "" if not recorded["seen"] else ", seen" if document_id in recorded["seen"] else ", unseen"
        rows.append((document_id, _questions(count) + regime, means))
    note = (
        f"{F1.label} in points over the questions about each document, a question with several counted for its first. "
        "A document has few questions, so these are single observations without intervals: a place to look, no verdict."
    )
    grid = Grid("Document", arms, rows)
    summary = f"{len(rows)} documents, those with the lowest {F1.label} of {lead} first"
    return Section("documents", "By document", note, [Listing(summary, grid, arms.index(lead))])


def _mean(row: Recorded | None, count: int) -> Cell:
    """F1 of one arm on one document; below it n, where the arm was asked fewer than the `count` questions."""
    if row is None:
        return Cell("")
    share = 100 * row[F1.name]
    return Cell(f"{share:.1f}", "" if row["questions"] == count else f"n {row['questions']}", round(share, 1))


def _outcomes(recorded: Recorded) -> Section | None:
    outcomes = recorded.get("outcomes")
    if not outcomes:
        return None
    totals = {arm: max(1, sum(counts.values())) for arm, counts in outcomes.items()}
    meanings = {str(one): meaning for one, meaning in MEANINGS.items()}
    rows = []
    for name in dict.fromkeys(name for counts in outcomes.values() for name in counts):
        found = {arm: counts.get(name, 0) for arm, counts in outcomes.items()}
        shares = {arm: 100 * count / totals[arm] for arm, count in found.items()}
        if any(found.values()):
            cells = [Cell(f"{shares[arm]:.1f}", f"{found[arm]}", round(shares[arm], 1)) for arm in outcomes]
            rows.append((_label(name), meanings.get(name, ""), cells))
    note = "The outcome of every answer, each of which has exactly one: per cent, and with it the number of answers."
    return Section("outcomes", "Where answers go wrong", note, [Grid("Outcome", list(outcomes), rows)])


def _labels(recorded: Recorded) -> Section | None:
    sets = [one for one in recorded.get("labels", ()) if one["arms"]]
    if not sets:
        return None
    blocks: list[Block] = []
    for one in sets:
        arms = one["arms"]
        row = [Cell(f"{100 * found['macro_f1']:.1f}", f"{found['n']} questions") for found in arms.values()]
        blocks.append(Grid("", list(arms), [("Macro-F1", "", row)], ", ".join(one["labels"])))
        for arm, found in arms.items():
            said = {label for counts in found["confusion"].values() for label in counts}
            answered = [*(one_of for one_of in one["labels"] if one_of in said), *sorted(said - set(one["labels"]))]
            rows = [
                (accepted, "", [Cell(str(counts.get(label, 0))) for label in answered])
                for accepted, counts in found["confusion"].items()
            ]
            blocks.append(Grid("Accepted", answered, rows, f"{arm}: what was answered to each accepted label"))
    note = "Questions that have one of a closed set of answers; F1 of each label, averaged over the labels. "
    note += held_words(recorded.get("label_constrained", {}))
    return Section("labels", "Questions with a choice of answers", note, blocks)


def _lists(recorded: Recorded) -> Section | None:
    groups = {"All": recorded["arms"]}
    groups |= {f"{name.capitalize()} documents": one["arms"] for name, one in recorded["regimes"].items()}
    groups |= {f"Kind {name}": one["arms"] for name, one in recorded.get("kinds", {}).items()}
    blocks = _grids("Questions", list(recorded["arms"]), groups, LIST_METRICS)
    if not blocks:
        return None
    note = "Points out of 100, each answer given matched with one that is wanted."
    return Section("lists", "Questions that want several answers", note, blocks)


def _forgetting(recorded: Recorded) -> Section | None:
    found = recorded.get("forgetting")
    if not found:
        return None
    shown = (F1.name, EXACT_MATCH.name, REFUSED.name)
    rows = [("base", "before", [*(interval_cell(found["before"][name], shaded=True) for name in shown), Cell("")])]
    for model, cost in found["models"].items():
        mean, low, high = (f"{round(100 * cost[key], 1) + 0.0:+.1f}" for key in ("difference", "low", "high"))
        cells = [interval_cell(cost["after"][name], shaded=True) for name in shown]
        smallest = "" if cost["smallest"] is None else f", smallest {points(cost['smallest'])}"
        rows.append((model, "after", [*cells, Cell(mean, f"{low} to {high}, p {cost['corrected']:.2g}{smallest}")]))
    verdicts = [f"{cost['verdict'][:1].upper()}{cost['verdict'][1:]}." for cost in found["models"].values()]
    note = (
        f"{found['questions']} questions ({found['source']}), each shown with the one passage that answers it, to the "
        "model before and after tuning: does it still read as well? Points out of 100, with "
        f"{level(recorded)} intervals from resampling questions; p is that of a permutation test, corrected for all "
        "tuned models (Holm), and smallest the change that these questions show in four of five evaluations."
    )
    grid = Grid("Model", [*map(_label, shown), f"Change of {F1.label}"], rows)
    return Section("forgetting", "What tuning cost elsewhere", note, [Words({"": " ".join(verdicts)}), grid])


# In the order of the page.
SECTIONS: tuple[Callable[[Recorded], Section | None], ...] = (
    _arms,
    _comparisons,
    _metrics,
    _kinds,
    _documents,
    _outcomes,
    _labels,
    _lists,
    robustness,
    _forgetting,
    risk_coverage,
    retrieval,
    prompts,
    training,
)


def sections(recorded: Recorded) -> list[Section]:
    """Every section of which something was recorded, in the order of the page."""
    return [section for build in SECTIONS if (section := build(recorded)) is not None]
