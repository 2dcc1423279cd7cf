"""Sections of the report that show how something goes: robustness, risk, retrieval and training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from raft.evaluate.measures.metrics import F1, REFUSED
from raft.evaluate.measures.robustness import ATTACKED, INSTRUCTION, Probe
from raft.evaluate.report.blocks import (
    Block,
    Cell,
    Grid,
    Lines,
    Point,
    Recorded,
    Scale,
    Section,
    Words,
    interval_cell,
    level,
    points_of,
)
from raft.evaluate.summary import interval_text

_PROBES = (
    ("F1 by the number of passages shown", Probe.COUNT, F1.name),
    ("F1 by the position of the oracle", Probe.POSITION, F1.name),
    ("F1 by the kind of distractor beside the oracle", Probe.DISTRACTORS, F1.name),
    ("Refused with the oracle absent", Probe.ABSENT, REFUSED.name),
    ("F1 with an injected instruction", Probe.INJECTED, F1.name),
    ("Attack success", Probe.INJECTED, ATTACKED),
)


def robustness(recorded: Recorded) -> Section | None:
    """What becomes of each arm when it is shown other passages; curves where the setting is a number, else tables."""
    found = recorded.get("robustness")
    if not found:
        return None
    blocks: list[Block] = []
    for title, probe, metric in _PROBES:
        measured = {arm: _of_metric(probes.get(str(probe), {}), metric) for arm, probes in found["arms"].items()}
        measured = {arm: values for arm, values in measured.items() if values}
        values = list(dict.fromkeys(value for arm in measured.values() for value in arm))
        if len(values) > 1 and all(value.isdecimal() for value in values):
            blocks.append(_curve(title, str(probe), measured, [int(value) for value in values]))
        elif values:
            rows = [
                (arm, "", [interval_cell(by_value.get(value), shaded=True) for value in values])
                for arm, by_value in measured.items()
            ]
            blocks.append(Grid("Arm", values, rows, title))
    for one in (*found["kinds"], *found["attacks"]):
        blocks.append(Words({"": f"{one['verdict']}."}))
    note = f"Points out of 100, with {level(recorded)} intervals. {robustness_note(found)}"
    return Section("robustness", "Robustness", note, blocks)


def robustness_note(found: Recorded) -> str:
    """What the tables rest on, in a sentence or two."""
    scarce = " and ".join(f"{count} have enough {value} ones" for value, count in found["scarce"].items())
    note = (
        f"{found['questions']} questions whose oracle is known, drawn at random; all but the number of passages over "
        f"the {found['compared']} of them with enough distractors, of which {scarce}. A counterfactual one "
        "is the oracle with its answer swapped for another of its kind. The injected instruction is "
        f"'{INSTRUCTION.strip()}'."
    )
    for arm, settings in found["left_out"].items():
        note += f" Prompts of {arm} do not fit its model at: {', '.join(settings)}."
    return note


def _of_metric(by_value: Mapping[str, Recorded], metric: str) -> dict[str, Recorded]:
    return {value: found[metric] for value, found in by_value.items() if metric in found}


def _curve(title: str, label: str, measured: Mapping[str, Mapping[str, Recorded]], places: Sequence[int]) -> Lines:
    series = {
        arm: [
            Point(int(value), *points_of(one)) for value, one in sorted(values.items(), key=lambda item: int(item[0]))
        ]
        for arm, values in measured.items()
    }
    highest = [limit for points in series.values() for point in points for limit in (point.y, point.high or 0.0)]
    every = tuple(float(place) for place in sorted(places))
    return Lines(title, Scale(label, every), Scale("points", Scale.over("", highest, 0.0).ticks), series)


def risk_coverage(recorded: Recorded) -> Section | None:
    """How much of what an arm says is wrong, if it answers only those questions of which it is surest."""
    curves = {arm: one for arm, one in recorded.get("risk_coverage", {}).items() if one["curve"]}
    if not curves:
        return None
    series = {
        arm: [Point(100 * point["coverage"], 100 * point["risk"]) for point in one["curve"]]
        for arm, one in curves.items()
    }
    whole = Scale("", (0.0, 20.0, 40.0, 60.0, 80.0, 100.0))
    chart = Lines(
        "Risk against coverage",
        Scale("questions answered, per cent", whole.ticks),
        Scale("loss, per cent", whole.ticks),
        series,
    )
    rows = [
        (
            arm,
            "",
            [
                Cell(f"{100 * one['area']:.1f}"),
                Cell(f"{100 * one['area_at_random']:.1f}"),
                *(_risk(one["curve"], share) for share in (0.25, 0.5, 0.75)),
                Cell(f"{100 * one['curve'][-1]['risk']:.1f}"),
                Cell("none" if one["min_confidence"] is None else f"{one['min_confidence']:.3f}"),
                interval_cell(one.get("gain")),
            ],
        )
        for arm, one in curves.items()
    ]
    columns = ["Area below", "At random", "Surest 25 %", "50 %", "75 %", "All", "Least confidence", "Gain"]
    words = {
        "Area below": "mean loss over the curve, in points: less is better.",
        "At random": "the same if confidence told nothing.",
        "Surest 25 %": "mean loss where the surest quarter of all questions is answered, then half, three quarters, "
        "and as many as the arm answers; empty where it answers fewer.",
        "Least confidence": "below it refusing loses less than answering: what answer.min_confidence could be set to. "
        "None: refusing everything would lose least.",
        "Gain": "what refusing below it adds to reliability, in points, on documents that did not choose it.",
    }
    note = (
        "If an arm answered only the questions of which it is surest, how much of what it says would be wrong? The "
        f"loss of an answer is 100 less its {F1.label}, and 100 where nothing answers the question; where a curve "
        "falls to the left, confidence is worth something."
    )
    return Section("risk-coverage", "Knowing when to refuse", note, [chart, Grid("Arm", columns, rows), Words(words)])


def _risk(curve: Sequence[Recorded], coverage: float) -> Cell:
    """The loss where at least this share of the questions is answered."""
    return Cell(next((f"{100 * point['risk']:.1f}" for point in curve if point["coverage"] >= coverage), ""))


def retrieval_sentence(recorded: Recorded) -> str:
    """What the retrieved passages hold of the evidence; empty where no evidence is known."""
    if not recorded["retrieval"]:
        return ""
    recall, hit = recorded["retrieval"]["recall"], recorded["retrieval"]["hit"]
    return (
        f"The {recorded['top_k']} passages retrieved for a question came from {interval_text(recall)} % of its "
        f"evidence documents, and from at least one of them for {interval_text(hit)} % of {recall['n']} questions."
    )


def retrieval(recorded: Recorded) -> Section | None:
    """What the passages hold of the evidence, and each way to search beside the others."""
    if not recorded["retrieval"]:
        return None
    blocks: list[Block] = [Words({"": retrieval_sentence(recorded)})]
    rankings = recorded.get("rankings")
    if rankings:
        measures = list(dict.fromkeys(name for found in rankings.values() for name in found))
        rows = [
            (mode, "", [interval_cell(found.get(measure), shaded=True) for measure in measures])
            for mode, found in rankings.items()
        ]
        blocks.append(Grid("Search", measures, rows, "Each way to search, by documents"))
    return Section("retrieval", "Retrieval", "", blocks)


def training(recorded: Recorded) -> Section | None:
    """What each tuned model took: rows, tokens, steps and seconds, and its losses on the way."""
    models = recorded.get("training")
    if not models:
        return None
    wanted = (
        ("rows", "Rows", "training questions, each with its target"),
        ("target_tokens", "Target tokens", "of all rows, in one pass"),
        ("steps", "Steps", "of the optimiser"),
        ("kept_step", "Step kept", "the one with the lowest validation loss, or the last"),
        ("seconds", "Seconds", "training alone, without loading"),
    )
    rows = []
    for key, label, about in wanted:
        values = [one[key] for one in models.values()]
        if any(value is not None for value in values):
            rows.append((label, about, [Cell("" if value is None else f"{value:,}") for value in values]))
    charts = [_losses(name, one["losses"]) for name, one in models.items()]
    blocks: list[Block] = [Grid("Cost", list(models), rows), *(chart for chart in charts if chart)]
    return Section("training", "What training cost", "", blocks)


def _losses(name: str, losses: Sequence[Recorded]) -> Lines | None:
    series = {
        label: [Point(one["step"], one[key]) for one in losses if key in one]
        for label, key in (("training", "loss"), ("validation", "eval_loss"))
    }
    series = {label: points for label, points in series.items() if points}
    if not any(len(points) > 1 for points in series.values()):
        return None
    every = [point for points in series.values() for point in points]
    steps, highest = [point.x for point in every], [point.y for point in every]
    return Lines(f"Loss of {name}", Scale.over("step", steps, 0.0), Scale.over("loss per token", highest, 0.0), series)
