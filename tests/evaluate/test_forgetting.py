"""What tuning cost on questions that are not about the documents: which are asked, of whom, and what is said of it."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raft.artifacts import Stage, read_jsonl, read_manifest, verified, write_jsonl
from raft.display import print_summary
from raft.errors import InputError, RaftError, TooLongError
from raft.evaluate import evaluation_fingerprint
from raft.evaluate.measures.forgetting import forgetting, read_unrelated
from raft.evaluate.statistics.means import Ruler
from raft.prompts import ANSWER, REFUSAL, Prompt
from raft.recipe import EVERYDAY, EvaluateSettings
from raft.text import contains_answer, normalise_answer
from raft.types import Prediction, Question

RULER = Ruler(EvaluateSettings(bootstrap_samples=400), 0)


def test_the_built_in_questions_are_answered_by_their_own_passage_and_no_other() -> None:
    asked = read_unrelated(EVERYDAY)
    assert len(asked) == len({one.id for one in asked}) == len({normalise_answer(one.text) for one in asked}) == 60
    for one in asked:
        assert one.context is not None
        assert contains_answer(one.context, one.answers[:1]), one.id
        assert not contains_answer(one.text, one.answers), one.id
        assert 25 <= len(one.context.split()) <= 60, one.id
        assert not one.document_ids


def test_the_built_in_questions_are_not_about_our_own_corpus() -> None:
    documents = Path(__file__).parents[2] / "corpora" / "skerrivane" / "documents"
    told = " ".join(normalise_answer(path.read_text(encoding="utf-8")) for path in sorted(documents.rglob("*.md")))
    assert told
    assert [one.id for one in read_unrelated(EVERYDAY) if normalise_answer(one.text) in told] == []


def said(model: str, answers: dict[str, str]) -> list[Prediction]:
    return [Prediction(id_, model, (), "", text, text, (), not text, 0.0) for id_, text in answers.items()]


def asked(count: int) -> list[Question]:
    return [Question(f"q{n}", f"What is {n}?", (f"answer{n}",), context=f"{n} is answer{n}.") for n in range(count)]


def right(questions: list[Question]) -> dict[str, str]:
    return {one.id: one.answers[0] for one in questions}


def test_a_loss_a_gain_and_no_change_are_told_apart() -> None:
    questions = asked(20)
    half = {id_: text if place % 2 else "" for place, (id_, text) in enumerate(right(questions).items())}
    tuned = {"dsf": said("dsf", dict.fromkeys(half, "")), "raft": said("raft", right(questions))}
    tuned["dsf-cot"] = said("dsf-cot", half)
    found = forgetting(EVERYDAY, questions, said("base", half), tuned, RULER)
    assert (found["questions"], found["source"], found["before"]["f1"]["mean"]) == (20, "everyday", 0.5)
    lost, gained, same = (found["models"][name] for name in ("dsf", "raft", "dsf-cot"))
    assert (lost["difference"], gained["difference"], same["difference"]) == (-0.5, 0.5, 0)
    assert lost["low"] <= -0.5 <= lost["high"] < 0 < gained["low"]
    assert [one["shown"] for one in (lost, gained, same)] == [True, True, False]
    assert (lost["after"]["f1"]["mean"], lost["after"]["refused"]["mean"]) == (0, 1)
    # The exact interval of twenty of twenty.
    low = pytest.approx(0.025 ** (1 / 20))
    assert gained["after"]["exact_match"] == {"mean": 1, "low": low, "high": 1, "n": 20}
    about = "on 20 questions that have nothing to do with the documents"
    number = r"\d+\.\d"
    loss = rf"tuning dsf cost 50\.0 F1 points {about}, 95 % interval {number} to {number}"
    assert re.fullmatch(loss, lost["verdict"])
    assert gained["verdict"].startswith(f"tuning raft gained 50.0 F1 points {about}, 95 % interval ")
    assert same["verdict"] == f"tuning dsf-cot changed F1 {about.replace('on', 'on none of', 1)}"
    # Nothing varied, so nothing is known of what would show.
    assert same["smallest"] is None


def test_the_interval_is_that_of_paired_differences() -> None:
    questions = asked(40)
    # Every second question is lost by both: unpaired, the difference of one question would drown in that.
    half = {id_: text if place % 2 else "" for place, (id_, text) in enumerate(right(questions).items())}
    changed = half | {"q0": "answer0"}
    cost = forgetting(EVERYDAY, questions, said("base", half), {"dsf": said("dsf", changed)}, RULER)["models"]["dsf"]
    assert cost["difference"] == pytest.approx(1 / 40)
    assert (cost["low"], cost["shown"]) == (0, False)
    assert cost["high"] < 0.15
    assert cost["verdict"].startswith("no cost of tuning dsf is shown on 40 questions that have nothing to do with ")
    assert "F1 changed by 2.5 points, 95 % interval 0.0 to " in cost["verdict"]
    assert cost["smallest"] > 0.025
    # The order of answers is no part of it.
    backwards = dict(reversed(changed.items()))
    again = forgetting(EVERYDAY, questions, said("base", half), {"dsf": said("dsf", backwards)}, RULER)
    assert again["models"]["dsf"] == cost


def test_a_few_questions_of_a_file_show_nothing_and_say_so() -> None:
    questions = asked(3)
    tuned = {"raft": said("raft", dict.fromkeys(right(questions), ""))}
    cost = forgetting("own.jsonl", questions, said("base", right(questions)), tuned, RULER)["models"]["raft"]
    assert not cost["shown"]
    assert cost["verdict"] == (
        "tuning raft changed F1 by -100.0 points on 3 questions of own.jsonl, too few for an interval"
    )


# --- the whole evaluation


def elsewhere(world: Any) -> Callable[[str, Path | None], Any]:
    """Models that read lamps by their rules; of all else the base says the first word, and tuned ones refuse a part."""
    plain = world.load

    def load(base: str, adapter: Path | None) -> Any:
        model = plain(base, adapter)
        rule, name = model.rule, adapter.name if adapter else "base"

        def answer(prompt: Prompt) -> str:
            if "barrel" not in prompt.text:
                return str(rule(prompt))
            number = int(re.findall(r"barrel (\d+)", prompt.text)[0])
            refuses = name == "raft" or (name == "dsf" and number == 0)
            return f"{ANSWER} {REFUSAL if refuses else f'wine{number}'}"

        model.rule = answer
        return model

    return load


def barrels(path: Path, count: int = 12) -> Path:
    rows = [
        {"id": f"b{n}", "question": f"What is in barrel {n}?", "answers": [f"wine{n}"], "context": f"It holds wine{n}."}
        for n in range(count)
    ]
    write_jsonl(path, rows)
    return path


def settings(world: Any, path: Path, **changes: Any) -> EvaluateSettings:
    made: EvaluateSettings = world.settings.model_copy(update={"forgetting": str(path), **changes})
    return made


def test_the_base_and_every_tuned_model_are_asked_once_each_and_all_is_recorded(
    world: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world.load = elsewhere(world)
    chosen = settings(world, barrels(tmp_path / "barrels.jsonl"))
    result = world.evaluate(tmp_path / "evaluation", settings=chosen)
    found = json.loads((result.out / "summary.json").read_text(encoding="utf-8"))["forgetting"]
    assert (found["source"], found["questions"], set(found["models"])) == ("barrels.jsonl", 12, {"dsf", "raft"})
    assert found["before"]["f1"]["mean"] == 1
    assert found["models"]["dsf"]["difference"] == pytest.approx(-1 / 12)
    assert found["models"]["raft"]["after"]["refused"]["mean"] == 1
    verdict = "tuning raft cost 100.0 F1 points on 12 questions of barrels.jsonl, 95 % interval 47.1 to 100.0"
    assert found["models"]["raft"]["verdict"] == verdict
    markdown = (result.out / "report.md").read_text(encoding="utf-8")
    told = markdown.partition("## What tuning cost elsewhere\n")[2].partition("\n## ")[0]
    assert "\nNo cost of tuning dsf is shown" in told
    assert f"T{verdict[1:]}." in told
    assert "| raft | after | 0.0 (0.0 to 26.5) |" in told
    assert f"T{verdict[1:]}." in (result.out / "report.html").read_text(encoding="utf-8")
    print_summary(result.summary, result.out, as_json=False)
    assert f"- {verdict}" in capsys.readouterr().out
    rows = [row for _, row in read_jsonl(result.out / "forgetting.jsonl")]
    assert [row["model"] for row in rows] == ["base"] * 12 + ["dsf"] * 12 + ["raft"] * 12
    assert all("It holds wine" in row["prompt"] for row in rows)
    assert {(row["abstained"], row["f1"]) for row in rows if row["model"] == "raft"} == {(True, 0.0)}
    assert "forgetting.jsonl" in verified(result.out, Stage.EVALUATION).outputs
    # It belongs to no arm, and changes no number of any.
    assert "forgetting" not in world.evaluate(tmp_path / "without", settings=world.settings).summary
    for name in ("scores.jsonl", "predictions.jsonl", "documents.jsonl"):
        assert (tmp_path / "without" / name).read_bytes() == (result.out / name).read_bytes()
    for path in result.out.iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8"), path.name


def test_other_unrelated_questions_are_other_work_and_the_name_of_their_file_is_all_that_is_told_of_it(
    world: Any, tmp_path: Path
) -> None:
    world.load = elsewhere(world)
    path = barrels(tmp_path / "barrels.jsonl")
    spec = world.spec(settings=settings(world, path))
    world.evaluate(tmp_path / "evaluation", settings=spec.settings)
    manifest = read_manifest(tmp_path / "evaluation")
    assert manifest.settings["forgetting"] == "barrels.jsonl"
    assert manifest.fingerprint == evaluation_fingerprint(spec)
    barrels(path, count=13)
    assert manifest.fingerprint != evaluation_fingerprint(spec)


def test_where_nothing_was_tuned_from_the_base_nothing_is_asked(world: Any, tmp_path: Path) -> None:
    chosen = settings(world, barrels(tmp_path / "barrels.jsonl"))
    result = world.evaluate(tmp_path / "evaluation", models={}, settings=chosen)
    assert "forgetting" not in result.summary
    assert not (result.out / "forgetting.jsonl").exists()
    assert "unrelated questions" not in read_manifest(result.out).inputs


def test_a_tuned_model_of_the_users_own_is_called_by_its_arm_and_one_of_another_base_is_left_out(
    world: Any, tmp_path: Path
) -> None:
    world.load = elsewhere(world)
    own = world.tune(tmp_path / "tuned" / "raft")
    other = world.tune(tmp_path / "other" / "raft", base_model="another")
    arms = (f"ours={own},retrieved", f"theirs={other},retrieved")
    chosen = settings(world, barrels(tmp_path / "barrels.jsonl"), arms=arms)
    found = world.evaluate(tmp_path / "evaluation", models={}, base_model="mini", settings=chosen).summary["forgetting"]
    assert list(found["models"]) == ["ours"]
    assert found["models"]["ours"]["difference"] == -1


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (None, "there is no such file: give everyday, a file or"),
        ({"answers": ["x"]}, "question 'a' has no answers or no context"),
        ({"answers": [], "unanswerable": True, "context": "x"}, "question 'a' has no answers or no context"),
    ],
)
def test_a_set_that_cannot_be_read_or_has_no_passages_is_refused_before_a_model_is_loaded(
    world: Any, tmp_path: Path, row: dict[str, Any] | None, complaint: str
) -> None:
    path = tmp_path / "own.jsonl"
    if row is not None:
        write_jsonl(path, [{"id": "a", "question": "A?", **row}])
    with pytest.raises(RaftError, match=complaint):
        world.evaluate(tmp_path / "evaluation", settings=settings(world, path))
    assert world.loaded == []
    assert not (tmp_path / "evaluation").exists()


def test_a_passage_that_does_not_fit_is_told_before_any_arm_is_asked(world: Any, tmp_path: Path) -> None:
    plain = world.load

    def load(base: str, adapter: Path | None) -> Any:
        model = plain(base, adapter)

        def narrow(prompt: Prompt) -> str:
            if "barrel" in prompt.text:
                raise TooLongError("a prompt of 900 tokens does not fit")
            raise AssertionError("an arm was asked first")

        model.rule = narrow
        return model

    world.load = load
    with pytest.raises(InputError, match=r"evaluate\.forgetting does not fit the model.*900 tokens"):
        world.evaluate(tmp_path / "evaluation", settings=settings(world, barrels(tmp_path / "barrels.jsonl")))


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import QUESTIONS, Harbour, RuleModel
from raft.answering import journaled
from raft.evaluate import EvaluationSpec, Loaders, evaluate
from raft.recipe import AnswerSettings, EvaluateSettings

folder = Path(sys.argv[2])
journaled._CHUNK = 5
calls = 0

class Mortal(RuleModel):
    def generate(self, *arguments):
        global calls
        calls += 1
        if calls == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(*arguments)

settings = EvaluateSettings(bootstrap_samples=400, forgetting=str(folder / "barrels.jsonl"))
models = {name: folder / "models" / name for name in ("dsf", "raft")}
load = lambda base, adapter: Mortal(lambda prompt: "<ANSWER>: wine1")
spec = EvaluationSpec(folder / "index", QUESTIONS, models, settings, AnswerSettings(top_k=2))
evaluate(spec, folder / "evaluation", loaders=Loaders(lambda _: Harbour(), load))
"""


def test_answers_that_were_given_before_a_kill_are_not_asked_for_again(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = barrels(tmp_path / "barrels.jsonl")
    here = str(Path(__file__).parent)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, here, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    lines = (tmp_path / ".evaluation.journal").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 5
    monkeypatch.setattr("raft.answering.journaled._CHUNK", 5)
    prompts: list[str] = []
    plain = world.load

    def load(base: str, adapter: Path | None) -> Any:
        model = plain(base, adapter)
        model.rule = lambda prompt: prompts.append(prompt.text) or f"{ANSWER} wine1"
        return model

    world.load = load
    result = world.evaluate(tmp_path / "evaluation", settings=settings(world, path))
    assert sum("barrel" in text for text in prompts) == 3 * 12 - 5
    assert result.summary["forgetting"]["before"]["exact_match"]["mean"] == pytest.approx(1 / 12)
