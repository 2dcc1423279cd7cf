"""How values by question id become means with intervals: one ruler for all numbers of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from raft.evaluate.measures.metrics import ALL_METRICS
from raft.evaluate.statistics.intervals import Estimate, estimate
from raft.evaluate.statistics.significance import permutation_p
from raft.recipe import EvaluateSettings
from raft.types import Score


class Interval(TypedDict):
    """A mean over `n` questions with the limits of its interval, all from 0 to 1."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Ruler:
    """How every interval of one evaluation is measured."""

    settings: EvaluateSettings
    seed: int

    def measure(
        self, values: Mapping[str, float], clusters: Mapping[str, str], bounds: tuple[float, float]
    ) -> Estimate:
        """The mean of values by question id; `clusters` names the document of each id."""
        return estimate(
            np.array(list(values.values()), dtype=np.float64),
            [clusters[question_id] for question_id in values],
            self.settings.bootstrap_samples,
            self.settings.confidence,
            self.seed,
            bounds,
        )

    def interval(
        self, values: Mapping[str, float], clusters: Mapping[str, str], bounds: tuple[float, float] = (0.0, 1.0)
    ) -> Interval:
        """The same as plain values, for files."""
        measured = self.measure(values, clusters, bounds)
        return Interval(mean=measured.mean, low=measured.low, high=measured.high, n=measured.n)

    def chance(self, differences: Mapping[str, float], clusters: Mapping[str, str]) -> float:
        """The p-value of paired differences by question id (see `permutation_p`)."""
        return permutation_p(
            np.array(list(differences.values()), dtype=np.float64),
            [clusters[question_id] for question_id in differences],
            self.settings.bootstrap_samples,
            self.seed,
        )


def values_of(scores: Sequence[Score], arm: str, metric: str) -> dict[str, float]:
    """One metric of one arm by question id, in order of ids, so that the order of rows never changes a result."""
    found = {
        score.question_id: score.metrics[metric] for score in scores if score.arm == arm and metric in score.metrics
    }
    return dict(sorted(found.items()))


def by_arm(scores: Sequence[Score], clusters: Mapping[str, str], ruler: Ruler) -> dict[str, dict[str, Interval]]:
    """Every metric of every arm over these scores; one that applies to none of them is absent."""
    return {
        arm: {
            metric.name: ruler.interval(values, clusters)
            for metric in ALL_METRICS
            if (values := values_of(scores, arm, metric.name))
        }
        for arm in dict.fromkeys(score.arm for score in scores)
    }
