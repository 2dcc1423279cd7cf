"""What a section of the report is made of: bars, differences, lines and tables, as places on a scale and as words.

Each block knows the numbers that it shows. Two renderers draw it: `templates/blocks.html.j2` has a macro for each,
under the name in `macro`, and `markdown.py` a function for each type.
All values are as people read them: shares in points out of a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from raft.evaluate.statistics.intervals import points

# What `summary.json` records; under `meanings` what each arm is, under `documents` the rows of `documents.jsonl`, and
# under `seen` the documents that tuning saw.
Recorded: TypeAlias = Mapping[str, Any]
# The arm that this is all about: its bars and lines are the coloured ones.
LEAD = "raft"


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from its first tick to its last."""

    label: str
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Where a value stands, from 0 at the first tick to 100 at the last."""
        first, last = self.ticks[0], self.ticks[-1]
        return round(100 * (value - first) / (last - first), 2)

    @classmethod
    def over(cls, label: str, values: Sequence[float], lowest: float | None = None) -> Scale:
        """Round ticks, about five of them, around all of the values, and from `lowest` on where it is given."""
        low = min(values) if lowest is None else lowest
        high = max(values)
        if high <= low:
            high = low + 1
        rough = (high - low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        return cls(label, tuple(round(step * n, 10) for n in range(first, last + 1)))


@dataclass(frozen=True, slots=True)
class Bar:
    """A mean over `n` questions with the limits of its interval."""

    name: str
    mean: float
    low: float
    high: float
    n: int
    about: str = ""


@dataclass(frozen=True, slots=True)
class Bars:
    """Panels of bars that share one scale, so that a long bar means the same everywhere."""

    macro: ClassVar[str] = "bars"
    panels: Sequence[tuple[str, Sequence[Bar]]]

    @property
    def scale(self) -> Scale:
        """From zero to above the highest limit."""
        return Scale.over("", [bar.high for _, bars in self.panels for bar in bars], 0.0)


@dataclass(frozen=True, slots=True)
class Difference:
    """Arm `a` minus arm `b` with its interval; `sentence` is the verdict, `note` what else is known of it."""

    mean: float
    low: float
    high: float
    outcome: str
    sentence: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Forest:
    """Differences around a common zero line: a row a pair of arms, a column a group of questions.

    metrics: the rows by the label of their metric; a cell is None where that group has no such comparison.
    """

    macro: ClassVar[str] = "forest"
    groups: Sequence[str]
    metrics: Mapping[str, Sequence[tuple[str, str, Sequence[Difference | None]]]]

    @property
    def scale(self) -> Scale:
        """As far to the left of zero as to the right."""
        shown = [one for rows in self.metrics.values() for _, _, cells in rows for one in cells if one]
        reach = Scale.over("", [abs(limit) for one in shown for limit in (one.low, one.high)] or [10.0], 0.0).ticks[-1]
        return Scale("", (-reach, 0.0, reach))


@dataclass(frozen=True, slots=True)
class Share:
    """What the `n` questions of one class add to a difference, as text: rounded to add up, and the interval below it.

    mean: the same as a number. is_refusal: whether one of the arms refused these questions.
    """

    label: str
    n: int
    text: str
    interval: str
    mean: float
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class Split:
    """The difference of arm `a` minus arm `b` as the sum of its shares; `text` is its mean, rounded."""

    a: str
    b: str
    text: str
    mean: float
    shares: Sequence[Share]

    @property
    def segments(self) -> list[tuple[float, float, bool]]:
        """Each share as a piece of a bar, with its two ends: gains to the right of zero, losses to the left."""
        pieces = []
        gained = lost = 0.0
        for share in self.shares:
            if share.mean > 0:
                pieces.append((gained, gained + share.mean, share.is_refusal))
                gained += share.mean
            elif share.mean < 0:
                pieces.append((lost + share.mean, lost, share.is_refusal))
                lost += share.mean
        return pieces

    @property
    def scale(self) -> Scale:
        """From the left end of the bar to its right one, so that it is as wide as can be."""
        ends = [end for left, right, _ in self.segments for end in (left, right)] or [-1.0, 1.0]
        return Scale("", (min(ends), max(ends)))

    @property
    def summary(self) -> str:
        """All of it in one line."""
        shares = ", ".join(f"{share.label} {share.text}" for share in self.shares)
        return f"{self.a} less {self.b} {self.text}: {shares}"


@dataclass(frozen=True, slots=True)
class Splits:
    """Where differences come from: panels of bars, each to its own scale, since small differences matter most.

    legend: how the drawing is read. folded: whether the title alone is shown until it is opened.
    """

    macro: ClassVar[str] = "splits"
    title: str
    panels: Sequence[tuple[str, Sequence[Split]]]
    note: str = ""
    legend: str = ""
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One measured value at `x`, with its interval where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """The value in words, with its interval where it has one."""
        if self.low is None or self.high is None:
            return number_text(self.y)
        return f"{self.y:.1f} ({self.low:.1f} to {self.high:.1f})"


@dataclass(frozen=True, slots=True)
class Lines:
    """A line chart: series by their name; the same numbers stand in a table below it, for whoever cannot see it."""

    macro: ClassVar[str] = "lines"
    title: str
    x: Scale
    y: Scale
    series: Mapping[str, Sequence[Point]]

    @property
    def summary(self) -> str:
        """The chart in one sentence, but for its title: where each series begins and ends."""
        ends = (
            f"{name} from {number_text(drawn[0].y)} at {number_text(drawn[0].x)} to {number_text(drawn[-1].y)} at "
            f"{number_text(drawn[-1].x)}"
            for name, drawn in self.series.items()
            if drawn
        )
        return f"{self.y.label} over {self.x.label}: {'; '.join(ends)}"

    @property
    def columns(self) -> list[float]:
        """Every x of any series, each once."""
        return sorted({point.x for points in self.series.values() for point in points})

    def text(self, name: str, x: float) -> str:
        """The value of one series at x, with its interval where it has one; empty where there is no value."""
        return next((point.text for point in self.series[name] if point.x == x), "")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as text, in small what stands below it, and the share of the cell, 0 to 100, that its bar fills."""

    text: str
    note: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table with a name in each row: label, what it means, and one cell a column."""

    macro: ClassVar[str] = "grid"
    corner: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, str, Sequence[Cell]]]
    title: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A table too long to stand open: folded below its summary.

    ordered_by: the column by which its rows ascend. Such a table is ordered by whichever column is clicked, and a row's
    label leads to the questions that hold it. None: a plain table.
    """

    macro: ClassVar[str] = "listing"
    summary: str
    grid: Grid
    ordered_by: int | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Terms with their meaning, or under an empty term a paragraph."""

    macro: ClassVar[str] = "words"
    entries: Mapping[str, str]


Block: TypeAlias = Bars | Forest | Splits | Lines | Grid | Listing | Words


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report: its anchor, heading and introduction, and what it shows."""

    name: str
    title: str
    note: str
    blocks: Sequence[Block]


def level(recorded: Recorded) -> str:
    """The confidence of the intervals, such as '95 %'."""
    return f"{100 * recorded['confidence']:g} %"


def points_of(interval: Recorded) -> tuple[float, float, float]:
    """Mean and limits of a recorded interval, in points."""
    return 100 * interval["mean"], 100 * interval["low"], 100 * interval["high"]


def interval_cell(interval: Recorded | None, *, shaded: bool = False) -> Cell:
    """A recorded interval as a cell; empty where there is none."""
    if interval is None:
        return Cell("")
    limits = f"{points(interval['low'])} to {points(interval['high'])}"
    return Cell(points(interval["mean"]), limits, round(100 * interval["mean"], 1) if shaded else None)


def number_text(value: float) -> str:
    """A whole number with all of its digits, any other with four."""
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"
