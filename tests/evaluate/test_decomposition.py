"""Where a difference comes from: its parts add up, and what is said of them does too."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.display import print_summary
from raft.evaluate.measures.metrics import METRICS
from raft.evaluate.statistics.comparison import Comparison
from raft.evaluate.statistics.decomposition import Account, Parts, account, because_of_refusals, origin, parts_of
from raft.evaluate.statistics.intervals import Estimate, points
from raft.evaluate.statistics.means import Ruler
from raft.evaluate.summary import CAVEATS, Pair, comparison_table, recorded
from raft.prompts import ANSWER, RECALL, REFUSAL, Prompt
from raft.recipe import EvaluateSettings
from raft.types import QuestionSource

RULER = Ruler(EvaluateSettings(bootstrap_samples=200), 0)
CLASSES = ("both_answered", "only_a_refused", "only_b_refused")
SHARES = st.floats(0, 1, allow_nan=False)


def made(both: float, only_a: float, only_b: float, counts: tuple[int, int, int] = (60, 10, 30)) -> Parts:
    """Parts by their points, and by how many questions each class has."""
    values = zip((both, only_a, only_b), counts, strict=True)
    found = ({"mean": mean / 100, "low": mean / 100 - 0.02, "high": mean / 100 + 0.02, "n": n} for mean, n in values)
    return dict(zip(CLASSES, found, strict=True))  # type: ignore[return-value]


def said(parts: Parts, high: float = 0.2) -> str:
    return origin({"difference": sum(parts[name]["mean"] for name in CLASSES), "high": high, "parts": parts})


@given(
    st.lists(
        st.tuples(SHARES, SHARES, st.booleans(), st.booleans(), st.integers(0, 9)),
        min_size=1,
        max_size=40,
    )
)
def test_the_parts_add_up_to_the_difference_and_their_questions_to_those_that_an_arm_answered(rows: Any) -> None:
    refused_a = {str(n): float(row[2]) for n, row in enumerate(rows)}
    refused_b = {str(n): float(row[3]) for n, row in enumerate(rows)}
    differences = {str(n): (0 if no_a else a) - (0 if no_b else b) for n, (a, b, no_a, no_b, _) in enumerate(rows)}
    clusters = {str(n): str(row[4]) for n, row in enumerate(rows)}
    parts = parts_of(differences, refused_a, refused_b, clusters, RULER)
    assert parts is not None
    whole = RULER.measure(differences, clusters, (-1.0, 1.0))
    assert sum(parts[name]["mean"] for name in CLASSES) == pytest.approx(whole.mean, abs=1e-12)
    assert sum(parts[name]["n"] for name in CLASSES) == sum(not (no_a and no_b) for _, _, no_a, no_b, _ in rows)
    assert parts["only_a_refused"]["mean"] <= 0 <= parts["only_b_refused"]["mean"]
    for name in CLASSES:
        assert parts[name]["low"] - 1e-12 <= parts[name]["mean"] <= parts[name]["high"] + 1e-12


def test_each_part_is_worked_out_by_hand() -> None:
    # Eight documents alike: one question that both answered, one of each refusal, and one that both refused.
    differences, refused_a, refused_b, clusters = {}, {}, {}, {}
    for document in range(8):
        for place, (value, no_a, no_b) in enumerate([(0.5, 0, 0), (-0.25, 1, 0), (1.0, 0, 1), (0.0, 1, 1)]):
            id_ = f"{document} {place}"
            differences[id_], refused_a[id_], refused_b[id_], clusters[id_] = value, no_a, no_b, str(document)
    assert parts_of(differences, refused_a, refused_b, clusters, RULER) == {
        "both_answered": {"mean": 0.125, "low": 0.125, "high": 0.125, "n": 8},
        "only_a_refused": {"mean": -0.0625, "low": -0.0625, "high": -0.0625, "n": 8},
        "only_b_refused": {"mean": 0.25, "low": 0.25, "high": 0.25, "n": 8},
    }


def test_the_interval_of_a_part_is_that_of_its_questions_among_all_of_the_compared_ones() -> None:
    values = [0.4, -0.2, 1.0, 0.0, -0.5, 0.8, 0.3, 1.0, 0.1, -0.1]
    b_refused = {str(n): float(n in (2, 5, 7)) for n in range(10)}
    differences = {str(n): value for n, value in enumerate(values)}
    clusters = {str(n): f"document {n // 2 if n < 4 else n}" for n in range(10)}
    parts = parts_of(differences, dict.fromkeys(differences, 0.0), b_refused, clusters, RULER)
    assert parts is not None
    alone = {id_: value * b_refused[id_] for id_, value in differences.items()}
    expected = RULER.measure(alone, clusters, (-1.0, 1.0))
    found = parts["only_b_refused"]
    assert (found["mean"], found["n"]) == (pytest.approx(0.28), 3)
    assert (found["low"], found["high"]) == (expected.low, expected.high)
    assert 0 <= found["low"] < 0.28 < found["high"] < 0.7
    assert parts["only_a_refused"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "n": 0}


def test_one_document_has_parts_but_no_interval_for_them() -> None:
    parts = parts_of({"1": 0.5, "2": 1.0}, {"1": 0, "2": 0}, {"1": 0, "2": 1}, {"1": "a", "2": "a"}, RULER)
    assert parts is not None
    assert [parts[name]["mean"] for name in CLASSES] == [0.25, 0.0, 0.5]
    assert {(part["low"], part["high"]) for part in parts.values()} == {(-1.0, 1.0)}  # type: ignore[index]


def test_without_the_refusals_of_every_question_there_are_no_parts() -> None:
    assert parts_of({"1": 0.5, "2": 1.0}, {"1": 0, "2": 0}, {"1": 0}, {"1": "a", "2": "b"}, RULER) is None
    assert origin({"difference": 0.5, "high": 1.0}) == ""


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (made(0.4, -0.9, 5.5), "5.0 points: 4.6 from refusing less, 0.4 from better answers where both answered"),
        (made(-1.4, 0, 6.1), "4.7 points: +6.1 from refusing less, -1.4 from worse answers where both answered"),
        (
            made(-0.5, -2.0, 0.5, (60, 30, 10)),
            "-2.0 points: -1.5 from refusing more, -0.5 from worse answers where both answered",
        ),
        (
            made(1.0, -3.0, 0, (60, 30, 0)),
            "-2.0 points: -3.0 from refusing more, +1.0 from better answers where both answered",
        ),
        # It refuses more, but what the other knows; or less, but then answers wrongly; or as many, but others.
        (
            made(0.5, -1.0, 2.5, (60, 30, 10)),
            "2.0 points: 1.5 from refusing other questions, 0.5 from better answers where both answered",
        ),
        (
            made(0.5, -2.0, 0.5, (60, 10, 30)),
            "-1.0 points: -1.5 from refusing other questions, +0.5 from better answers where both answered",
        ),
        (
            made(0.5, -2.0, 3.0, (60, 20, 20)),
            "1.5 points: 1.0 from refusing other questions, 0.5 from better answers where both answered",
        ),
        (made(0, 0, 3.0, (60, 0, 20)), "3.0 points: 3.0 from refusing less, 0.0 from answers where both answered"),
        (
            made(3.0, 0, 0, (60, 5, 20)),
            "3.0 points: 0.0 from refusing less, 3.0 from better answers where both answered",
        ),
        (made(3.0, 0, 0, (60, 0, 0)), "3.0 points, all from better answers where both answered"),
        (made(-3.0, 0, 0, (60, 0, 0)), "-3.0 points, all from worse answers where both answered"),
        (made(0, -1.0, 4.0, (0, 5, 20)), "3.0 points, all from refusing less"),
        (
            made(2.0, -2.0, 0, (60, 5, 0)),
            "0.0 points: -2.0 from refusing more, +2.0 from better answers where both answered",
        ),
        (made(0, 0, 0, (60, 0, 0)), ""),
        (made(0.01, -0.01, 0.01), ""),
    ],
)  # fmt: skip
def test_a_line_says_what_refusing_and_answering_add(parts: Parts, sentence: str) -> None:
    assert said(parts) == sentence


def test_where_the_second_arm_wins_the_line_is_about_it_as_the_verdict_is() -> None:
    parts = made(1.4, -7.0, 0.9, (60, 30, 10))
    assert said(parts, high=-0.01) == (
        "4.7 points: +6.1 from refusing less, -1.4 from worse answers where both answered"
    )
    assert said(parts, high=0.01).startswith("-4.7 points: -6.1 from refusing more, +1.4 ")


@given(st.floats(-0.5, 0.5), st.floats(-0.3, 0), st.floats(0, 0.3))
def test_rounded_parts_add_up_to_the_rounded_difference(both: float, only_a: float, only_b: float) -> None:
    parts = made(100 * both, 100 * only_a, 100 * only_b)
    difference = sum(parts[name]["mean"] for name in CLASSES)
    found = account(difference, parts)
    assert f"{found.total / 10:.1f}" == points(difference)
    assert found.both_answered + found.only_a_refused + found.only_b_refused == found.total
    for tenths, exact in zip(found[1:], (both, only_a, only_b), strict=True):
        assert abs(tenths - 1000 * exact) < 1 + 1e-6
    assert abs(found.refusals - 1000 * (only_a + only_b)) < 1 + 1e-6
    line = origin({"difference": difference, "high": 0.0, "parts": parts})
    if line:
        total, *added = (round(10 * float(number)) for number in re.findall(r"[+-]?\d+\.\d", line))
        assert total == sum(added)


def test_what_rounding_leaves_goes_to_the_part_that_lost_most_by_it() -> None:
    # Rounded by themselves these would be 4.6 and 0.3, beside a total of 5.0.
    parts = made(0.33, 0.0, 4.64)
    assert account(0.0497, parts) == Account(50, 3, 0, 47)
    assert said(parts) == "5.0 points: 4.7 from refusing less, 0.3 from better answers where both answered"


@pytest.mark.parametrize(
    ("difference", "parts", "shown", "end"),
    [
        (0.047, made(0.5, -0.3, 4.5), True, ", mainly by refusing less (4.2 of the 4.7 points)"),
        (0.047, made(0.5, -0.3, 4.5), False, " and comes mainly from refusing less (4.2 of the 4.7 points)"),
        (0.047, made(-1.4, 0, 6.1), True, ", entirely by refusing less (6.1 points, against -1.4 where both answered)"),
        (0.047, made(0, -0.3, 5.0), True, ", entirely by refusing less"),
        (0.047, made(1, 0, 3.7, (60, 9, 9)), True, ", mainly by refusing other questions (3.7 of the 4.7 points)"),
        (-0.047, made(-0.5, -4.5, 0.3, (60, 30, 10)), True, ", mainly by refusing less (4.2 of the 4.7 points)"),
        (0.047, made(2.35, 0, 2.35), True, ""),
        (0.047, made(4.7, 0, 0, (60, 0, 0)), True, ""),
        (-0.047, made(-5.7, 0, 1.0), True, ""),
    ],
)  # fmt: skip
def test_a_verdict_goes_on_where_most_of_it_comes_from_refusals(
    difference: float, parts: Parts, shown: bool, end: str
) -> None:
    assert because_of_refusals(difference, parts, shown=shown) == end


def test_a_caveat_stays_the_end_of_the_sentence() -> None:
    difference = Estimate(0.047, 0.019, 0.078, 385, 60, 0.015, 0.95)
    caveat = CAVEATS[QuestionSource.HELD_OUT_WRITTEN]
    pair = Pair("raft", "rag", "f1", "F1", {}, parts=made(0.5, -0.3, 4.5))
    comparison = recorded(pair, Comparison(difference, 0.001, 0.001), lambda sentence: sentence + caveat)
    assert comparison["verdict"] == (
        "raft beats rag by 4.7 F1 points, 95 % interval 1.9 to 7.8, mainly by refusing less (4.2 of the 4.7 points); "
        "this rests on questions that the tool wrote"
    )
    assert comparison["parts"] == pair.parts
    chance = recorded(pair, Comparison(difference, 0.08, 0.08))
    assert chance["verdict"].endswith(
        "which may be chance among so many comparisons (Holm's p 0.08) and comes mainly from refusing less "
        "(4.2 of the 4.7 points)"
    )
    plain = recorded(pair._replace(parts=None), Comparison(difference, 0.001, 0.001))
    assert (plain["verdict"], "parts" in plain) == ("raft beats rag by 4.7 F1 points, 95 % interval 1.9 to 7.8", False)


def test_where_no_difference_is_shown_the_verdict_blames_nothing() -> None:
    difference = Estimate(0.047, -0.019, 0.118, 385, 60, 0.03, 0.95)
    pair = Pair("raft", "rag", "f1", "F1", {}, parts=made(0, 0, 4.7))
    comparison = recorded(pair, Comparison(difference, 0.2, 0.2))
    assert comparison["verdict"].startswith("no difference shown between raft and rag (4.7 F1 points, ")
    assert "refusing" not in comparison["verdict"]


# --- a whole evaluation ----------------------------------------------------------------------------------------------


def careful(prompt: Prompt) -> str:
    """Says red from memory; with passages answers of pier 0, is wrong of pier 8 and refuses the rest."""
    if prompt.user[0].text == RECALL:
        return f"{ANSWER} red"
    pier = re.findall(r"pier (\d)", prompt.text)[0]
    return f"{ANSWER} {({'0': 'red', '8': 'amber'}).get(pier, REFUSAL)}"


@pytest.fixture
def refusing(world: Any, rule_models: Any, tmp_path: Path) -> Any:
    """An evaluation whose rag refuses seven of nine questions that raft gets right, and answers one of them wrongly."""
    tuned = world.load

    def load(base_model: str, adapter: Path | None) -> Any:
        model = tuned(base_model, adapter)
        if adapter is None:
            model.rule = careful
        return model

    world.load = load
    return world.evaluate(tmp_path / "evaluation", models={"raft": world.models["raft"]})


WON = re.compile(
    r"raft beats rag by 88\.9 F1 points, 95 % interval \d+\.\d to \d+\.\d, "
    r"mainly by refusing less \(77\.8 of the 88\.9 points\)"
)
WHERE = "88.9 points: 77.8 from refusing less, 11.1 from better answers where both answered"


def test_a_win_by_refusing_less_is_called_that_in_the_same_sentence_everywhere(refusing: Any) -> None:
    first = refusing.summary["comparisons"][0]
    assert WON.fullmatch(first["verdict"])
    assert [first["parts"][name]["n"] for name in CLASSES] == [2, 0, 7]
    assert [first["parts"][name]["mean"] for name in CLASSES] == pytest.approx([1 / 9, 0, 7 / 9])
    page = (refusing.out / "report.html").read_text(encoding="utf-8")
    heading = page[page.index("<h1>") + len("<h1>Over 9 questions, ") : page.index(".</h1>")]
    assert heading == first["verdict"]
    assert f'<p class="lead">{WHERE}.</p>' in page
    markdown = (refusing.out / "report.md").read_text(encoding="utf-8")
    assert markdown.startswith(f"# Evaluation\n\n- {first['verdict']}\n  - {WHERE}\n- ")


def test_the_parts_are_in_the_summary_file_for_all_questions_and_for_each_regime(refusing: Any) -> None:
    summary = json.loads((refusing.out / "summary.json").read_text(encoding="utf-8"))
    regimes = [regime["comparisons"] for regime in summary["regimes"].values()]
    assert len(regimes) == 2
    for one in (one for comparisons in (summary["comparisons"], *regimes) for one in comparisons):
        assert set(one["parts"]) == set(CLASSES)
        assert all(set(part) == {"mean", "low", "high", "n"} for part in one["parts"].values())
        assert sum(part["mean"] for part in one["parts"].values()) == pytest.approx(one["difference"], abs=1e-12)
    assert {one["metric"] for one in summary["comparisons"]} == {"f1", "exact_match"}


def test_refusing_what_the_other_answers_wrongly_costs_nothing(refusing: Any) -> None:
    # Both know what burns red; of the others rag refuses seven, and base is wrong of each.
    compared = next(one for one in refusing.summary["comparisons"] if (one["a"], one["b"]) == ("rag", "base"))
    assert [compared["parts"][name]["n"] for name in CLASSES] == [2, 7, 0]
    assert [compared["parts"][name]["mean"] for name in CLASSES] == [0, 0, 0]
    assert origin(compared) == ""


def test_the_terminal_tells_the_parts_below_each_verdict_in_f1(
    refusing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    print_summary(refusing.summary, refusing.out, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    (place,) = (place for place, line in enumerate(lines) if WON.fullmatch(line.removeprefix("- ")))
    assert lines[place + 1] == f"  {WHERE}"
    exact = next(place for place, line in enumerate(lines) if "exact-match points" in line)
    assert lines[exact + 1].startswith("- ")


def test_the_markdown_report_lists_the_parts(refusing: Any) -> None:
    text = (refusing.out / "report.md").read_text(encoding="utf-8")
    told, rest = text.partition("### Where the differences in F1 come from\n")[2].split("\n### ", 2)[:2]
    first = next(line for line in told.splitlines() if line.startswith("- raft less rag"))
    assert re.fullmatch(
        r"- raft less rag \+88\.9: both answered \+11\.1 \(0\.0 to \d+\.\d\), n 2; only raft refused 0\.0, n 0; "
        r"only rag refused \+77\.8 \(\d+\.\d to \d+\.\d\), n 7",
        first,
    )
    # Three documents were seen by tuning, which are too few for an interval.
    seen = rest.partition("F1, seen documents:\n")[2].partition("F1, unseen documents:\n")[0]
    line = "- raft less rag +66.7: both answered 0.0, n 1; only raft refused 0.0, n 0; only rag refused +66.7, n 2"
    assert line in seen.splitlines()


def test_the_page_draws_the_parts_of_every_comparison(refusing: Any) -> None:
    page = (refusing.out / "report.html").read_text(encoding="utf-8")
    section = page.partition('<section id="comparisons"')[2].partition("</section>")[0]
    names = re.findall(r'aria-label="(\w+ less \w+ [+-]?\d+\.\d: both answered [^"]+)"', section)
    assert names[0] == "raft less rag +88.9: both answered +11.1, only raft refused 0.0, only rag refused +77.8"
    assert len(names) == 2 * 2 * 3  # two pairs in two metrics over all, seen and unseen questions
    assert re.findall("<h3>([^<]+)</h3>", section) == [
        "Where the differences in F1 come from",
        *("F1, seen documents", "F1, unseen documents"),
        *("Exact match, all questions", "Exact match, seen documents", "Exact match, unseen documents"),
    ]
    assert re.findall(r"<summary>(Where[^<]+)</summary>", section) == [
        "Where they come from in F1, by seen and unseen documents",
        "Where the differences in exact match come from",
    ]


def test_arms_that_answer_alike_leave_nothing_to_tell(world: Any, tmp_path: Path) -> None:
    settings = world.settings.model_copy(update={"arms": (f"ours={tmp_path / 'base'},retrieved",)})
    (tmp_path / "base").mkdir()
    summary = world.evaluate(tmp_path / "evaluation", models={}, settings=settings).summary
    (tie,) = (one for one in summary["comparisons"] if (one["b"], one["metric"]) == ("ours", "f1"))
    assert (tie["a"], tie["difference"], origin(tie)) == ("rag", 0, "")
    assert [tie["parts"][name] for name in CLASSES[1:]] == [{"mean": 0.0, "low": 0.0, "high": 0.0, "n": 0}] * 2


def test_one_question_has_an_evaluation_with_parts(world: Any, tmp_path: Path) -> None:
    made = world.evaluate(tmp_path / "evaluation", questions=world.questions[4:5])
    first = made.summary["comparisons"][0]
    assert (first["documents"], first["parts"]["both_answered"]["n"]) == (1, 1)
    assert "1 document is too few" in first["verdict"]
    assert "(-100.0 to 100.0), n" not in (made.out / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("known", [True, False])
def test_the_table_shows_answer_in_text_where_it_was_measured_and_stays_within_80_columns(
    known: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if known and not any(metric.name == "answer_in_text" for metric in METRICS):
        pytest.skip("there is no such metric")
    names = ["f1", "exact_match", *(["answer_in_text"] if known else []), "refused", "abstained_correctly"]
    arms = {
        arm: {name: {"mean": 1.0, "low": 1.0, "high": 1.0, "n": 9} for name in names}
        for arm in ("base", "rag", "dsf", "dsf+rag", "raft")
    }
    summary: Any = {
        "questions": 100,
        "confidence": 0.95,
        "arms": arms,
        "regimes": {name: {"arms": arms} for name in ("seen", "unseen")},
        "comparisons": [],
    }
    assert ("Answer in text" in comparison_table(summary)[0]) is known
    print_summary(summary, Path("out"), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for arm in arms:
        (line,) = (line for line in lines if line.split()[:1] == [arm])
        assert line.split() == [arm, "100.0", "(100.0", "to", "100.0)", *["100.0"] * (6 if known else 5)]
