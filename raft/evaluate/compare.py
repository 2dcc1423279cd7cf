"""`raft compare`: two evaluations of the same questions, question by question, for regressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from raft.artifacts import Manifest, Stage, of_one_generation, read_jsonl, verified
from raft.errors import InputError
from raft.evaluate.measures.metrics import ALL_METRICS, REFUSED
from raft.evaluate.statistics.comparison import Comparison, interval_words
from raft.evaluate.statistics.intervals import leaves_zero_out, points
from raft.evaluate.statistics.means import Ruler
from raft.recipe import EvaluateSettings

_LABELS = {metric.name: metric.label for metric in ALL_METRICS}
# Of these less is better.
_COSTS = frozenset({REFUSED.name})


class _Scores(NamedTuple):
    """The scores of one evaluation: by arm and metric the value of each question, and the document of each question."""

    manifest: Manifest
    values: Mapping[tuple[str, str], Mapping[str, float]]
    documents: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one arm by one metric: the second evaluation less the first, over the questions of both."""

    arm: str
    metric: str
    comparison: Comparison

    @property
    def worsening(self) -> float:
        """By how much the second is worse, from -1 to 1."""
        mean = self.comparison.difference.mean
        return mean if self.metric in _COSTS else -mean

    @property
    def verdict(self) -> str:
        """One sentence; the evaluations are called first and second."""
        label = _LABELS.get(self.metric, self.metric)
        if self.metric not in _COSTS:
            return self.comparison.verdict(f"{self.arm} of the second", f"{self.arm} of the first", label)
        difference, who = self.comparison.difference, f"{self.arm} of the second"
        if not leaves_zero_out(difference):
            interval = interval_words(difference) if difference.is_bounded else "too few documents for an interval"
            return f"{who}: no difference shown in {label!r} ({points(difference.mean)} points, {interval})"
        sign = 1 if difference.mean > 0 else -1
        often = f"{points(abs(difference.mean))} points {'more' if sign > 0 else 'less'} often"
        return f"{who}: {label} {often}, {interval_words(difference, sign)}{self.comparison.doubt()}"


@dataclass(frozen=True, slots=True)
class Bound:
    """How much worse the second evaluation may be: `points` of `metric`, out of a hundred."""

    metric: str
    points: float

    @classmethod
    def from_text(cls, text: str) -> Bound:
        """From METRIC:POINTS, such as f1:2. Raises InputError where it is not that."""
        metric, _, number = text.partition(":")
        try:
            bound = cls(metric, float(number))
        except ValueError:
            bound = None
        if bound is None or not metric or not 0 <= bound.points <= 100:
            raise InputError(f"--fail-if-worse {text!r} is not METRIC:POINTS: write it as --fail-if-worse f1:2")
        return bound


@dataclass(frozen=True, slots=True)
class Changes:
    """What two evaluations have in common, and what the second lost.

    shared: every arm and metric that both have. gone: arms with the metrics that only the first has of them.
    """

    shared: list[Change]
    gone: list[tuple[str, str]]

    def arms_gone(self) -> list[str]:
        """Arms of which the second evaluation has nothing."""
        left = {change.arm for change in self.shared}
        return [arm for arm in dict.fromkeys(arm for arm, _ in self.gone) if arm not in left]

    def broken(self, bounds: Sequence[Bound]) -> list[str]:
        """A sentence for each arm that is worse than a bound allows, or of which nothing shows that it is not.

        Raises InputError for a metric that nobody scored.
        """
        sentences = []
        for bound in bounds:
            of_metric = [change for change in self.shared if change.metric == bound.metric]
            arms_gone = [arm for arm, metric in self.gone if metric == bound.metric]
            if not of_metric and not arms_gone:
                known = ", ".join(sorted({change.metric for change in self.shared}))
                raise InputError(f"--fail-if-worse {bound.metric}: both evaluations have no such metric, only {known}")
            for change in of_metric:
                if 100 * change.worsening > bound.points:
                    worse, allowed = points(change.worsening), f"{bound.points:g}"
                    sentences.append(f"{change.arm} is worse by {worse} points of {bound.metric}, allowed {allowed}")
            sentences += [f"{arm} has no {bound.metric} in the second evaluation" for arm in arms_gone]
        return sentences


def compare(first: Path, second: Path, settings: EvaluateSettings = EvaluateSettings(), seed: int = 0) -> Changes:
    """Every arm and metric that both evaluations have, paired by question, intervals clustered by document.

    Raises ArtifactError where a folder is no evaluation, InputError where they did not ask the same questions or have
    no arm in common.
    """
    before, after = (of_one_generation(folder, _read) for folder in (first, second))
    if before.manifest.inputs["questions"] != after.manifest.inputs["questions"]:
        ours, theirs = set(before.documents), set(after.documents)
        raise InputError(
            f"{second} asked other questions than {first} ({len(ours & theirs)} ids in common of {len(ours)} and "
            f"{len(theirs)}): evaluate both on the same file"
        )
    paired: dict[tuple[str, str], dict[str, float]] = {}
    for key, values in before.values.items():
        others = after.values.get(key, {})
        if differences := {id_: others[id_] - value for id_, value in values.items() if id_ in others}:
            paired[key] = differences
    if not paired:
        raise InputError(f"{first} and {second} have no arm in common: evaluate the same arms")
    compared = Comparison.all_of(list(paired.values()), before.documents, Ruler(settings, seed))
    return Changes(
        shared=[Change(*key, one) for key, one in zip(paired, compared, strict=True)],
        gone=[one for one in before.values if one not in after.values],
    )


def _read(folder: Path) -> _Scores:
    manifest = verified(folder, Stage.EVALUATION)
    values: dict[tuple[str, str], dict[str, float]] = {}
    documents: dict[str, str] = {}
    for _, row in read_jsonl(folder / "scores.jsonl"):
        id_, document, arm = row.pop("question_id"), row.pop("document_id"), row.pop("arm")
        # A question that no document answers stands for itself.
        documents[id_] = document or id_
        for metric, value in row.items():
            values.setdefault((arm, metric), {})[id_] = value
    return _Scores(manifest, values, documents)
