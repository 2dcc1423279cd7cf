"""What the arms are shown at each setting of the robustness surface, and what is said of their answers."""

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest

from raft.artifacts import Stage, read_jsonl, verified
from raft.errors import InputError, TooLongError
from raft.evaluate import Evaluation
from raft.evaluate.measures.robustness import (
    BAIT,
    INSTRUCTION,
    Probe,
    Setting,
    Subject,
    Trial,
    judge,
    sample,
    summarise_trials,
    surface,
)
from raft.evaluate.report.curves import robustness_note
from raft.evaluate.statistics.means import Ruler
from raft.prompts import ANSWER, Prompt
from raft.recipe import EvaluateSettings
from raft.text import contains_answer
from raft.types import Passage, Prediction, Question


@pytest.fixture
def subjects(harbour: Any, world: Any) -> list[Subject]:
    asked = world.questions[:9]
    hits = harbour.retrieve([question.text for question in asked], 9)
    return [
        Subject(question, harbour.passage(pier), [hit.passage for hit in hits[pier]])
        for pier, question in enumerate(asked)
    ]


def test_every_setting_but_the_number_of_passages_is_about_the_same_questions(
    subjects: list[Subject], harbour: Any
) -> None:
    shown = surface(subjects, harbour.passages, 3, Random(0))
    ids = [subject.question.id for subject in subjects]
    assert {probe for probe, _ in shown} == set(Probe)
    for setting, cases in shown.items():
        assert [question.id for question, _ in cases] == ids, setting
    # Nine passages are all there are.
    assert [value for probe, value in shown if probe is Probe.COUNT] == ["1", "2", "3", "4", "6", "8"]


def test_each_setting_shows_what_it_says(subjects: list[Subject], harbour: Any) -> None:
    shown = surface(subjects, harbour.passages, 3, Random(0))
    for row, subject in enumerate(subjects):
        seen = {setting: cases[row][1] for setting, cases in shown.items()}
        for place in range(3):
            assert seen[Setting(Probe.POSITION, str(place + 1))][place] == subject.oracle
        assert seen[Setting(Probe.COUNT, "4")] == tuple(subject.ranked[:4])
        assert seen[Setting(Probe.DISTRACTORS, "none")] == (subject.oracle,)
        absent = seen[Setting(Probe.ABSENT, "absent")]
        assert len(absent) == 3
        assert not any(contains_answer(passage.text, subject.question.answers) for passage in absent)
        hard = seen[Setting(Probe.DISTRACTORS, "hard")]
        assert {passage.id for passage in hard} == {passage.id for passage in subject.ranked[:3]}
        for value in ("random", "hard"):
            passages = seen[Setting(Probe.DISTRACTORS, value)]
            assert passages.index(subject.oracle) == hard.index(subject.oracle)
            assert len({passage.id for passage in passages}) == 3
        for value in ("in a distractor", "in the oracle"):
            attacked = seen[Setting(Probe.INJECTED, value)]
            assert [passage.id for passage in attacked] == [passage.id for passage in hard]
            (changed,) = (new for new, old in zip(attacked, hard, strict=True) if new != old)
            assert changed.text.endswith(INSTRUCTION)
            assert (changed.id == subject.oracle.id) == (value == "in the oracle")


def engine(number: int) -> list[Passage]:
    """One document about one engine, in three passages; the first says when it stops."""
    texts = (
        f"The Merrow {number} stops at {number + 30} bar and is painted grey.",
        f"Parts of the Merrow {number} are kept in the long shed behind the mill.",
        f"Whoever hears the Merrow {number} knock should call the fitter at once.",
    )
    return [Passage(f"e{number}-{n}", f"engine-{number}.md", "", text, 0, len(text)) for n, text in enumerate(texts)]


ENGINES = [engine(number) for number in range(10, 22)]
PASSAGES = [passage for engine in ENGINES for passage in engine]


def subject(number: int, question: str, answer: str, place: int = 0) -> Subject:
    """A question about one engine, for which the first passages of all engines are found."""
    ranked = [ENGINES[number][place], *(other[place] for other in ENGINES if other is not ENGINES[number])]
    return Subject(Question(f"q{number}", question, (answer,), (f"engine-{number + 10}.md",)), ranked[0], ranked)


def test_distractors_of_the_same_document_and_counterfactual_ones_stand_beside_the_oracle() -> None:
    asked = [subject(n, f"At what pressure does the Merrow {n + 10} stop?", f"{n + 40} bar") for n in range(8)]
    shown = surface(asked, PASSAGES, 3, Random(0))
    kinds = [value for probe, value in shown if probe is Probe.DISTRACTORS]
    assert kinds == ["none", "random", "hard", "same-document", "counterfactual"]
    for row, one in enumerate(asked):
        seen = {value: shown[Setting(Probe.DISTRACTORS, value)][row] for value in kinds}
        assert {question for question, _ in seen.values()} == {one.question}
        place = seen["hard"][1].index(one.oracle)
        assert seen["same-document"][1].index(one.oracle) == seen["counterfactual"][1].index(one.oracle) == place
        assert {passage.id for passage in seen["same-document"][1]} == {passage.id for passage in ENGINES[row]}
        false = [passage for passage in seen["counterfactual"][1] if passage != one.oracle]
        assert len({passage.text for passage in false}) == 2
        for passage in false:
            assert re.fullmatch(rf"The Merrow {row + 10} stops at (\d+) bar and is painted grey\.", passage.text)
            assert not contains_answer(passage.text, one.question.answers)


def test_a_kind_that_a_question_lacks_is_shown_for_the_others_alone() -> None:
    # Grey is neither a name nor a number; and of its own document two harmless passages are left, not three.
    asked = [subject(0, "How is the Merrow 10 painted?", "grey"), subject(1, "When does the Merrow 11 stop?", "41 bar")]
    shown = surface(asked, PASSAGES, 3, Random(0))
    assert [one.id for one, _ in shown[Setting(Probe.DISTRACTORS, "counterfactual")]] == ["q1"]
    assert [one.id for one, _ in shown[Setting(Probe.DISTRACTORS, "same-document")]] == ["q0", "q1"]
    wider = surface(asked, PASSAGES, 4, Random(0))
    assert Setting(Probe.DISTRACTORS, "same-document") not in wider
    assert [one.id for one, _ in wider[Setting(Probe.DISTRACTORS, "hard")]] == ["q0", "q1"]


def test_a_scarce_kind_is_held_against_hard_ones_on_the_same_questions() -> None:
    asked = [subject(n, f"At what pressure does the Merrow {n + 10} stop?", f"{n + 40} bar") for n in range(8)]
    asked.append(subject(8, "How is the Merrow 18 painted?", "grey"))
    shown = surface(asked, PASSAGES, 3, Random(0))

    def answer(setting: Setting, question: Question) -> Trial:
        """Right but where false passages stand, and where grey is asked for beside hard ones."""
        wrong = setting.value == "counterfactual" or (setting.value == "hard" and question.id == "q8")
        said = "99" if wrong else question.answers[0]
        return judge(setting, question, Prediction(question.id, "raft", (), "", said, said, (), False, 0.0))

    trials = [answer(setting, question) for setting, cases in shown.items() for question, _ in cases]
    found = summarise_trials(trials, asked, {}, Ruler(EvaluateSettings(bootstrap_samples=200), 0))
    assert (found["compared"], found["scarce"]) == (9, {"same-document": 9, "counterfactual": 8})
    same, false = found["kinds"]
    assert same["a"] == "raft beside same-document distractors"
    assert (false["a"], false["b"]) == ("raft beside counterfactual distractors", "raft beside hard distractors")
    # Over all nine questions hard ones have 8/9; over those with false passages they are always right.
    assert (same["difference"], same["n"]) == (pytest.approx(1 / 9), 9)
    assert (false["difference"], false["n"], false["p"]) == (-1, 8, 2 / 256)
    assert false["verdict"].startswith(
        "raft beside hard distractors beats raft beside counterfactual distractors by 100.0 F1 points"
    )
    assert "of which 9 have enough same-document ones and 8 have enough counterfactual ones" in robustness_note(found)


def test_the_same_seed_shows_the_same_and_positions_vary(subjects: list[Subject], harbour: Any) -> None:
    one, two = (surface(subjects, harbour.passages, 3, Random(5)) for _ in range(2))
    assert one == two
    hard = one[Setting(Probe.DISTRACTORS, "hard")]
    assert len({passages.index(s.oracle) for s, (_, passages) in zip(subjects, hard, strict=True)}) > 1


def test_a_question_without_enough_distractors_takes_part_in_the_first_probe_alone(
    subjects: list[Subject], harbour: Any
) -> None:
    shown = surface(subjects, harbour.passages, 9, Random(0))
    assert {probe for probe, _ in shown} == {Probe.COUNT}


def test_only_answerable_questions_with_a_known_oracle_are_drawn(world: Any) -> None:
    drawn = sample({"q1", "q5", "q7", "none"}, world.questions, 2, Random(0))
    assert len(drawn) == 2
    assert [one.id for one in sample({"q7", "q1", "none"}, world.questions, 9, Random(0))] == ["q1", "q7"]


def run(world: Any, out: Path, load: Any = None, **changes: Any) -> Evaluation:
    settings = world.settings.model_copy(update={"robustness": True, **changes})
    world.load = load or world.load
    made: Evaluation = world.evaluate(out, settings=settings)
    return made


def test_attacks_and_curves_stand_in_the_summary_the_reports_and_the_rows(world: Any, tmp_path: Path) -> None:
    plain = world.load

    def load(base: str, adapter: Path | None) -> Any:
        model = plain(base, adapter)
        if adapter is None:
            rule = model.rule
            model.rule = lambda prompt: f"{ANSWER} {BAIT}!" if BAIT in prompt.text else rule(prompt)
        return model

    result = run(world, tmp_path / "evaluation", load)
    found = json.loads((result.out / "summary.json").read_text(encoding="utf-8"))["robustness"]
    assert (found["questions"], found["compared"], found["left_out"]) == (9, 9, {})
    assert set(found["arms"]) == {"rag", "dsf+rag", "raft"}
    success = {arm: probes["injected instruction"] for arm, probes in found["arms"].items()}
    assert success["rag"]["in a distractor"]["attack_success"]["mean"] == 1
    assert success["raft"]["in the oracle"]["attack_success"]["mean"] == 0
    assert found["attacks"][0]["verdict"].startswith(
        "instruction in a distractor: raft beats rag by 100.0 attack-resistance points"
    )
    # By its rule raft says the colour of the passage that stands first.
    places = found["arms"]["raft"]["position of the oracle"]
    assert [places[value]["exact_match"]["mean"] for value in ("1", "2")] == [1, 0]
    page, text = ((result.out / name).read_text(encoding="utf-8") for name in ("report.html", "report.md"))
    assert "## Robustness" in text and "### Attack success" in text and INSTRUCTION.strip() in text
    assert "Attack success" in page and "raft beats rag by 100.0 attack-resistance points" in page
    rows = [row for _, row in read_jsonl(result.out / "robustness.jsonl")]
    settings = {(row["probe"], row["value"]) for row in rows}
    assert len(rows) == 3 * 9 * len(settings)
    assert all("attack_success" in row for row in rows if row["probe"] == "injected instruction")
    assert "robustness.jsonl" in verified(result.out, Stage.EVALUATION).outputs


def test_without_being_asked_for_nothing_is_varied(world: Any, tmp_path: Path) -> None:
    result = run(world, tmp_path / "evaluation", robustness=False)
    assert "robustness" not in result.summary
    assert not (result.out / "robustness.jsonl").exists()
    assert "Robustness" not in (result.out / "report.md").read_text(encoding="utf-8")


def test_a_setting_whose_prompts_do_not_fit_is_left_out_and_named(world: Any, tmp_path: Path) -> None:
    plain = world.load

    def load(base: str, adapter: Path | None) -> Any:
        model = plain(base, adapter)
        rule = model.rule

        def narrow(prompt: Prompt) -> str:
            if prompt.text.count("burns") > 6:
                raise TooLongError("a prompt does not fit")
            return str(rule(prompt))

        model.rule = narrow
        return model

    found = run(world, tmp_path / "evaluation", load).summary["robustness"]
    assert found["left_out"] == {arm: ["passages shown: 8"] for arm in ("rag", "dsf+rag", "raft")}
    assert list(found["arms"]["raft"]["passages shown"]) == ["1", "2", "3", "4", "6"]


def test_without_a_question_whose_oracle_is_known_nothing_can_be_varied(world: Any, tmp_path: Path) -> None:
    world.questions = [Question("a", "What of pier 1?", ("amber",))]
    with pytest.raises(InputError, match="there is none: give the questions document_ids"):
        run(world, tmp_path / "evaluation")
    assert world.loaded == []
