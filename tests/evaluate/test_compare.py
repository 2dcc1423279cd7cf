"""Two evaluations held against each other: paired by question, and a bound that a pipeline can rest on."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from raft.cli import app
from raft.errors import ArtifactError, InputError
from raft.evaluate.compare import Bound, Change, compare
from raft.evaluate.statistics.comparison import Comparison
from raft.evaluate.statistics.intervals import Estimate
from raft.evaluate.statistics.significance import holm


def run(world: Any, out: Path, **changes: Any) -> Path:
    world.evaluate(out, **changes)
    return out


@pytest.fixture
def first(world: Any, tmp_path: Path) -> Path:
    return run(world, tmp_path / "first")


@pytest.fixture
def second(world: Any, tmp_path: Path, first: Path) -> Path:
    """The same questions; the tuned model called raft now answers as the other one does."""
    worse = world.load
    world.load = lambda name, adapter: worse(
        name, adapter.with_name("dsf") if adapter and adapter.name == "raft" else adapter
    )
    return run(world, tmp_path / "second")


def test_an_evaluation_is_no_worse_than_itself(first: Path) -> None:
    changes = compare(first, first)
    assert {change.arm for change in changes.shared} == {"base", "rag", "dsf", "dsf+rag", "raft"}
    assert all(change.comparison.difference.mean == change.worsening == 0 for change in changes.shared)
    assert changes.broken([Bound("f1", 0), Bound("refused", 0)]) == changes.gone == []


def test_a_worse_model_is_named_with_its_points_and_better_refusing_does_not_hide_it(first: Path, second: Path) -> None:
    found = compare(first, second)
    changes = {(change.arm, change.metric): change for change in found.shared}
    lost = changes["raft", "exact_match"]
    assert lost.comparison.difference.mean == pytest.approx(1 / 9 - 1)
    assert lost.comparison.difference.n == 9
    # Eight of nine documents that all lost are enough for one comparison, but not among so many.
    assert lost.comparison.p == 2 / 256
    compared = [change.comparison for change in changes.values()]
    assert [one.corrected for one in compared] == holm([one.p for one in compared])
    assert {one.among for one in compared} == {len(changes)}
    assert lost.comparison.corrected > 0.05
    assert lost.verdict.startswith("raft of the first is ahead of raft of the second by 88.9 Exact match points")
    assert changes["rag", "f1"].comparison.difference.mean == 0
    assert found.broken([Bound("exact_match", 5)]) == ["raft is worse by 88.9 points of exact_match, allowed 5"]
    assert found.broken([Bound("exact_match", 89)]) == []
    gained = {(change.arm, change.metric): change for change in compare(second, first).shared}
    assert gained["raft", "exact_match"].worsening == -lost.worsening


def test_the_verb_fails_where_a_bound_is_broken_and_says_which(first: Path, second: Path) -> None:
    runner = CliRunner()
    fine = runner.invoke(app, ["compare", str(first), str(first), "--fail-if-worse", "f1:1"])
    assert (fine.exit_code, "nothing is worse than allowed" in fine.output) == (0, True)
    worse = runner.invoke(app, ["compare", str(first), str(second), "--fail-if-worse", "exact_match:2", "--json"])
    assert worse.exit_code == 1
    said = json.loads(worse.output)
    assert said["worse"] == ["raft is worse by 88.9 points of exact_match, allowed 2"]
    assert {"arm", "metric", "difference", "low", "high", "n", "p", "corrected", "shown", "verdict"} == set(
        said["changes"][0]
    )


def test_an_arm_that_is_gone_is_told_and_breaks_a_bound(world: Any, first: Path, tmp_path: Path) -> None:
    fewer = run(world, tmp_path / "fewer", models={"dsf": world.models["dsf"]})
    changes = compare(first, fewer)
    assert changes.arms_gone() == ["raft"]
    assert changes.broken([Bound("f1", 100)]) == ["raft has no f1 in the second evaluation"]
    assert compare(fewer, first).gone == []
    result = CliRunner().invoke(app, ["compare", str(first), str(fewer), "--fail-if-worse", "f1:100"])
    assert (result.exit_code, "raft is not in the second" in result.output) == (1, True)


def test_more_refusals_that_may_be_chance_are_called_that() -> None:
    more = Estimate(0.2, 0.1, 0.3, 40, 20, 0.05, 0.95)
    assert "may be chance" in Change("raft", "refused", Comparison(more, 0.02, 0.2)).verdict
    assert "may be chance" not in Change("raft", "refused", Comparison(more, 0.001, 0.01)).verdict


def test_fewer_refusals_are_said_the_right_way_round_and_no_difference_is_called_that() -> None:
    def verdict(difference: Estimate) -> str:
        return Change("raft", "refused", Comparison(difference, 0.001, 0.01)).verdict

    less = verdict(Estimate(-0.2, -0.3, -0.1, 40, 20, 0.05, 0.95))
    assert less == "raft of the second: Refused 20.0 points less often, 95 % interval 10.0 to 30.0"
    open_ = verdict(Estimate(0.05, -0.1, 0.2, 40, 20, 0.05, 0.95))
    assert open_ == "raft of the second: no difference shown in 'Refused' (5.0 points, 95 % interval -10.0 to 20.0)"
    few = verdict(Estimate(0.0, -1.0, 1.0, 4, 2, float("inf"), 0.95))
    assert few == "raft of the second: no difference shown in 'Refused' (0.0 points, too few documents for an interval)"


def test_other_questions_other_arms_and_wrong_bounds_are_refused(world: Any, first: Path, tmp_path: Path) -> None:
    fewer = run(world, tmp_path / "fewer", questions=world.questions[:7])
    with pytest.raises(InputError, match=r"asked other questions than .*first \(7 ids in common of 10 and 7\)"):
        compare(first, fewer)
    with pytest.raises(ArtifactError):
        compare(first, world.index)
    with pytest.raises(InputError, match=r"have no such metric, only .*exact_match"):
        compare(first, first).broken([Bound("beauty", 1)])
    for text in ("f1", "f1:", ":2", "f1:-1", "f1:nan", "f1:much"):
        with pytest.raises(InputError, match="is not METRIC:POINTS"):
            Bound.from_text(text)
