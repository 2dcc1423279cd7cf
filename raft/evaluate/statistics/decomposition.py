"""Where a difference between two arms comes from: refusing less, or better answers where both answered.

An arm that refuses an answerable question scores 0 on it. A mean difference in F1 or exact match is therefore the exact
sum of what three classes of questions add to it: both arms answered, only the first refused, only the second refused.
Where both refused, both score 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from raft.evaluate.statistics.intervals import enough_clusters, points
from raft.evaluate.statistics.means import Ruler


class Part(TypedDict):
    """What one class of questions adds to a difference, with the limits of its interval, from -1 to 1.

    mean: the sum over the class, divided by the number of all compared questions. n: the questions of the class alone.
    """

    mean: float
    low: float
    high: float
    n: int


class Parts(TypedDict):
    """The parts of the difference between arms a and b; their means add up to it."""

    both_answered: Part
    only_a_refused: Part
    only_b_refused: Part


def parts_of(
    differences: Mapping[str, float],
    refused_a: Mapping[str, float],
    refused_b: Mapping[str, float],
    clusters: Mapping[str, str],
    ruler: Ruler,
) -> Parts | None:
    """The parts of paired differences by question id; None where it is not recorded who refused which question.

    refused_a, refused_b: 1 where the arm refused. Each part has the interval of a mean over all compared questions,
    with 0 for those outside its class, from the same resampled documents as the difference itself.
    """
    if any(id_ not in refused_a or id_ not in refused_b for id_ in differences):
        return None

    def part(*refused: float) -> Part:
        inside = {id_ for id_ in differences if (refused_a[id_], refused_b[id_]) == refused}
        added = {id_: value if id_ in inside else 0.0 for id_, value in differences.items()}
        measured = ruler.measure(added, clusters, (-1.0, 1.0))
        return Part(mean=measured.mean, low=measured.low, high=measured.high, n=len(inside))

    return Parts(both_answered=part(0, 0), only_a_refused=part(1, 0), only_b_refused=part(0, 1))


# --- rounding --------------------------------------------------------------------------------------------------------


class Account(NamedTuple):
    """A difference and its parts in tenths of a point, rounded so that the parts add up to the total."""

    total: int
    both_answered: int
    only_a_refused: int
    only_b_refused: int

    @property
    def refusals(self) -> int:
        """What refusals add: the questions that only one of the two arms refused."""
        return self.only_a_refused + self.only_b_refused


def account(difference: float, parts: Parts) -> Account:
    """The total is rounded as everywhere else; what refusals add is settled before it is split between the arms."""
    both, only_a, only_b = (parts[name]["mean"] for name in ("both_answered", "only_a_refused", "only_b_refused"))
    total = round(10 * float(points(difference)))
    refusals, answers = _shared_out(total, (only_a + only_b, both))
    return Account(total, answers, *_shared_out(refusals, (only_a, only_b)))


def _shared_out(total: int, shares: Sequence[float]) -> list[int]:
    """Shares in tenths of a point that add up to `total`: rounded down, then the largest remainders up."""
    exact = [1000 * share for share in shares]
    tenths = [math.floor(one) for one in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: tenths[place] - exact[place])
    for place in by_remainder[: total - sum(tenths)]:
        tenths[place] += 1
    return tenths


def in_points(tenths: int, *, signed: bool = False) -> str:
    """Tenths as points with one digit; signed: with a plus before what is gained."""
    return f"{tenths / 10:{'+' if signed and tenths else ''}.1f}"


def limits(comparison: Mapping[str, Any], part: str, confidence: float) -> str:
    """The interval of one part, such as '-0.6 to 1.4'; empty without questions, or with too few documents for one."""
    found: Part = comparison["parts"][part]
    if not found["n"] or not enough_clusters(comparison["documents"], confidence):
        return ""
    return f"{points(found['low'])} to {points(found['high'])}"


# --- words -----------------------------------------------------------------------------------------------------------


def origin(comparison: Mapping[str, Any]) -> str:
    """The parts of a recorded comparison in one line, seen from the arm that its verdict names first.

    For example '5.0 points: 4.6 from refusing less, 0.4 from better answers where both answered'. Empty where the
    parts are not recorded, and where all of them are 0.0.
    """
    if "parts" not in comparison:
        return ""
    parts: Parts = comparison["parts"]
    # A verdict names the winner first, and where nobody wins the first arm.
    sign = -1 if comparison["high"] < 0 else 1
    found = account(comparison["difference"], parts)
    total, refusals, answers = (sign * tenths for tenths in (found.total, found.refusals, found.both_answered))
    if not refusals and not answers:
        return ""
    quality = "better answers" if answers > 0 else "worse answers" if answers < 0 else "answers"
    if not parts["only_a_refused"]["n"] and not parts["only_b_refused"]["n"]:
        return f"{in_points(total)} points, all from {quality} where both answered"
    how = _refusing(parts, sign, refusals)
    if not parts["both_answered"]["n"]:
        return f"{in_points(total)} points, all from {how}"
    signed = refusals * answers < 0
    of_refusals, of_answers = in_points(refusals, signed=signed), in_points(answers, signed=signed)
    return f"{in_points(total)} points: {of_refusals} from {how}, {of_answers} from {quality} where both answered"


def because_of_refusals(difference: float, parts: Parts, *, shown: bool) -> str:
    """How a verdict goes on where more than half of the difference comes from refusals; else nothing.

    shown: whether the verdict says that one arm beats the other, and not only that it is ahead.
    """
    sign = 1 if difference > 0 else -1
    if sign * (parts["only_a_refused"]["mean"] + parts["only_b_refused"]["mean"]) <= sign * difference / 2:
        return ""
    found = account(difference, parts)
    total, refusals, answers = (sign * tenths for tenths in (found.total, found.refusals, found.both_answered))
    how = _refusing(parts, sign, refusals)
    share, detail = "entirely", ""
    if answers > 0:
        share, detail = "mainly", f" ({in_points(refusals)} of the {in_points(total)} points)"
    elif answers < 0:
        detail = f" ({in_points(refusals)} points, against {in_points(answers)} where both answered)"
    return f", {share} by {how}{detail}" if shown else f" and comes {share} from {how}{detail}"


def _refusing(parts: Parts, sign: int, gained: int) -> str:
    """What the arm does that gains or loses these points; sign: 1 for the first arm, -1 for the second.

    Answering more questions cannot lose F1, nor refusing more of them gain any. Where the points say otherwise, it is
    other questions that the arm refuses.
    """
    more = sign * (parts["only_a_refused"]["n"] - parts["only_b_refused"]["n"])
    if more < 0 <= gained:
        return "refusing less"
    if gained <= 0 < more:
        return "refusing more"
    return "refusing other questions"
