"""What sets two arms apart: a paired difference, whether chance alone could make it, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from scipy import special

from raft.evaluate.statistics.intervals import Estimate, enough_clusters, leaves_zero_out, points
from raft.evaluate.statistics.means import Ruler
from raft.evaluate.statistics.significance import holm

_POWER = 0.8


@dataclass(frozen=True, slots=True)
class Comparison:
    """The mean paired difference of two arms, from -1 to 1, and how sure it is.

    p: from a permutation test over documents, for this difference alone. corrected: by Holm's method for all that were
    compared together, of which there are `among`.
    """

    difference: Estimate
    p: float
    corrected: float
    among: int = 1

    @classmethod
    def all_of(cls, paired: Sequence[Mapping[str, float]], clusters: Mapping[str, str], ruler: Ruler) -> list[Self]:
        """A comparison for each set of differences by question id, all of them corrected for each other.

        clusters: the document of each id.
        """
        chances = [ruler.chance(differences, clusters) for differences in paired]
        return [
            cls(ruler.measure(differences, clusters, (-1.0, 1.0)), p, corrected, len(paired))
            for differences, p, corrected in zip(paired, chances, holm(chances), strict=True)
        ]

    @property
    def passes_correction(self) -> bool:
        """Whether the corrected p-value tells the arms apart."""
        return self.corrected <= 1 - self.difference.confidence

    @property
    def shown(self) -> bool:
        """Whether both the interval and the corrected p-value tell the arms apart."""
        return leaves_zero_out(self.difference) and self.passes_correction

    @property
    def smallest(self) -> float | None:
        """The smallest true difference that as many questions show in four of five such evaluations; None if none.

        The first that Holm's method calls shown has to pass the level divided by the number of comparisons, and that
        is asked here of each, so that what is promised holds for any of them. None as well where all documents
        differ by the same amount, which says nothing of their spread.
        """
        if not self.difference.standard_error or not enough_clusters(self.difference.clusters, self._level):
            return None
        return self._detectable

    @property
    def needed(self) -> int | None:
        """How many questions, over as many more documents, would show the observed difference with 80 % power.

        None where the arms did not differ at all or there are too few documents to know how much they vary.
        """
        times = self._times_needed
        return None if times is None else max(1, math.ceil(self.difference.n * times))

    @property
    def documents_needed(self) -> int | None:
        """How many documents, with as many questions each, would show it; None as for `needed`."""
        times = self._times_needed
        return None if times is None else max(1, math.ceil(self.difference.clusters * times))

    @property
    def _times_needed(self) -> float | None:
        """How many times as many documents would do, and never fewer than can show anything (see `enough_clusters`)."""
        if not self.difference.is_bounded or self.difference.mean == 0:
            return None
        fewest = 1 - math.log2(1 - self._level)
        return max((self._detectable / self.difference.mean) ** 2, fewest / self.difference.clusters)

    @property
    def _detectable(self) -> float:
        freedom = self.difference.clusters - 1
        two_sided = float(special.stdtrit(freedom, (1 + self._level) / 2))
        return (two_sided + float(special.stdtrit(freedom, _POWER))) * self.difference.standard_error

    @property
    def _level(self) -> float:
        return 1 - (1 - self.difference.confidence) / self.among

    def verdict(self, a: str, b: str, label: str) -> str:
        """One sentence that says whether arm `a` or arm `b` did better, in points of the metric called `label`.

        An arm beats another where both the interval and the corrected p-value show it; where only the interval does,
        the sentence says that it may be chance.
        """
        difference = self.difference
        if leaves_zero_out(difference):
            sign = 1 if difference.low > 0 else -1
            winner, loser = (a, b) if sign > 0 else (b, a)
            by = f"{loser} by {points(sign * difference.mean)} {label} points, {interval_words(difference, sign)}"
            if self.passes_correction:
                return f"{winner} beats {by}"
            return f"{winner} is ahead of {by}{self.doubt()}"
        opening = f"no difference shown between {a} and {b} ({points(difference.mean)} {label} points"
        if not difference.is_bounded:
            documents = "document is" if difference.clusters == 1 else "documents are"
            return f"{opening}; {difference.clusters} {documents} too few for an interval)"
        opening = f"{opening}, {interval_words(difference)})"
        needed = self.needed
        return f"{opening}; about {_rounded(needed)} questions would be needed" if needed else opening

    def doubt(self, among: str = "so many comparisons") -> str:
        """What a sentence goes on with where the correction takes back what the interval shows; else nothing."""
        doubtful = leaves_zero_out(self.difference) and not self.passes_correction
        return f", which may be chance among {among} (Holm's p {self.corrected:.2g})" if doubtful else ""


def interval_words(difference: Estimate, sign: int = 1) -> str:
    """The interval in words, such as '95 % interval 1.2 to 3.4'. sign: -1 for the difference the other way round."""
    low, high = sorted((sign * difference.low, sign * difference.high))
    return f"{100 * difference.confidence:g} % interval {points(low)} to {points(high)}"


def _rounded(count: int) -> str:
    """Two leading digits: a needed number of questions is known no better."""
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"
