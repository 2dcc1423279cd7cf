"""The main job through the command line, with the shipped model: a folder of documents in, a verdict out."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from raft.answering import Answerer
from raft.evaluate import EvaluationSpec, evaluate
from raft.recipe import AnswerSettings, EvaluateSettings
from raft.types import Question

SETTINGS = {
    "index.passage_tokens": 32,
    "generate.num_distractors": 1,
    "generate.questions_per_passage": 6,
    "generate.round_trip_depth": 8,
    "generate.unseen_fraction": 0.2,
    "tune.model": "mini",
    "tune.num_train_epochs": 1,
    "answer.top_k": 2,
    "evaluate.bootstrap_samples": 200,
}
FLAGS = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
ASKED = [
    ("a", "At what pressure does the Merrow 45 stop?", "36 bar", "pumps.md"),
    ("b", "How much can the Grappel G5 lift?", "2.2 tonnes", "winches.txt"),
    ("c", "Who keeps the lamp at Quillan Light?", "Noor Halvane", "museum.md"),
]
QUESTIONS = [
    *({"id": i, "question": q, "answers": [answer], "document_ids": [document]} for i, q, answer, document in ASKED),
    {"id": "d", "question": "Who painted the Tessaly?", "answers": [], "unanswerable": True},
]


def raft(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "raft.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def run(notes: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[object], str]:
    """The folder of one whole run, its command and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "questions.jsonl").write_text("".join(json.dumps(question) + "\n" for question in QUESTIONS))
    command = ["run", notes, "--questions", folder / "questions.jsonl", "--out", folder / "out", *FLAGS]
    done = raft(*command)
    assert done.returncode == 0, done.stderr
    return folder / "out", command, done.stdout


def test_it_ends_with_the_table_of_the_five_arms_a_verdict_and_the_report(run: tuple[Path, list[object], str]) -> None:
    out, _, printed = run
    for arm in ("base", "rag", "dsf", "dsf+rag", "raft"):
        assert f" {arm} " in printed
    assert "raft and rag" in printed or "raft beats rag" in printed or "rag beats raft" in printed
    assert printed.rstrip().endswith(str(out / "evaluation" / "report.html"))
    assert (out / "evaluation" / "report.html").is_file()


def test_every_arm_answered_the_same_questions_from_the_same_passages(run: tuple[Path, list[object], str]) -> None:
    rows = [json.loads(line) for line in (run[0] / "evaluation" / "predictions.jsonl").read_text().splitlines()]
    by_arm = {arm: {r["question_id"]: r for r in rows if r["arm"] == arm} for arm in {r["arm"] for r in rows}}
    assert set(by_arm) == {"base", "rag", "dsf", "dsf+rag", "raft"}
    for answers in by_arm.values():
        assert sorted(answers) == ["a", "b", "c", "d"]
    shown = [{q: r["passage_ids"] for q, r in by_arm[arm].items()} for arm in ("rag", "dsf+rag", "raft")]
    assert shown[0] == shown[1] == shown[2]
    assert all(r["passage_ids"] == [] for arm in ("base", "dsf") for r in by_arm[arm].values())


def test_a_shown_quote_is_always_a_slice_of_a_shown_passage(run: tuple[Path, list[object], str]) -> None:
    passages = {
        row["id"]: row["text"]
        for row in map(json.loads, (run[0] / "index" / "passages.jsonl").read_text().splitlines())
    }
    for line in (run[0] / "evaluation" / "predictions.jsonl").read_text().splitlines():
        row = json.loads(line)
        for quote in row["quotes"]:
            assert quote["passage_id"] in row["passage_ids"]
            assert passages[quote["passage_id"]][quote["start"] : quote["end"]] == quote["text"]


def test_a_second_run_skips_every_stage_and_prints_the_same(run: tuple[Path, list[object], str]) -> None:
    # As where a kill came between the finished model and the end of its checkpoints.
    left = run[0] / "models" / ".raft.checkpoints"
    (left / "step-8").mkdir(parents=True)
    again = raft(*run[1])
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("unchanged, skipped") == 5
    assert not left.exists()
    assert again.stdout == run[2]


def test_verbs_by_hand_with_the_same_recipe_leave_nothing_to_do_for_a_run(
    run: tuple[Path, list[object], str], notes: Path, tmp_path: Path, call: Any
) -> None:
    out, questions, recipe = tmp_path / "out", run[0].parent / "questions.jsonl", tmp_path / "recipe.yaml"
    sections: dict[str, dict[str, object]] = {}
    for key, value in SETTINGS.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = value
    recipe.write_text(json.dumps(sections))
    index, examples, models = out / "index", out / "examples", {name: out / "models" / name for name in ("dsf", "raft")}
    given = [part for name, folder in models.items() for part in ("--model", f"{name}={folder}")]
    for verb in (
        ("index", notes, "--out", index),
        ("generate", "--index", index, "--out", examples),
        *(("tune", "--examples", examples, "--method", name, "--out", folder) for name, folder in models.items()),
        ("evaluate", "--index", index, "--questions", questions, *given, "--out", out / "evaluation"),
    ):
        code, _, err = call(*verb, "--recipe", recipe)
        assert code == 0, err
    code, printed, err = call("run", notes, "--questions", questions, "--out", out, "--recipe", recipe)
    assert code == 0, err
    assert err.count("unchanged, skipped") == 5
    assert printed.replace(str(out), str(run[0])) == run[2]


def test_ablations_redo_only_the_evaluation_beside_their_two_tunings(run: tuple[Path, list[object], str]) -> None:
    again = raft(*run[1], "--ablations", "--set", "evaluate.bootstrap_samples=300")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("unchanged, skipped") == 4
    assert "evaluation: unchanged" not in again.stderr
    summary = json.loads((run[0] / "evaluation" / "summary.json").read_text())
    assert list(summary["arms"]) == ["base", "rag", "dsf", "dsf+rag", "dsf-cot", "raft-no-cot", "raft"]
    assert ("raft", "dsf-cot") in {(one["a"], one["b"]) for one in summary["comparisons"]}


def test_the_tuned_model_answers_with_quotes_and_offsets(run: tuple[Path, list[object], str], notes: Path) -> None:
    out = run[0]
    arguments = ("query", ASKED[0][1], "--index", out / "index", "--model", out / "models" / "raft")
    answered = raft(*arguments, "--json")
    assert answered.returncode == 0, answered.stderr
    reply = json.loads(answered.stdout)
    for quote in reply["quotes"]:
        document = (notes / quote["document_id"]).read_text()
        assert document[quote["start"] : quote["end"]] == quote["text"]
    assert "passages used:" in raft(*arguments).stdout


@pytest.mark.parametrize("base", ["mini", "llama"])
def test_serving_answers_as_the_evaluation_does_in_every_arm(
    run: tuple[Path, list[object], str], base: str, tiny_chat: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32: `scripts/bench_evaluate` says how often a batch in bfloat16 rounds an answer into another."""
    monkeypatch.setattr("raft.models.hardware.has_fast_bfloat16", lambda device: False)
    index, settings = run[0] / "index", AnswerSettings(top_k=2, max_new_tokens=24)
    models = {name: run[0] / "models" / name for name in ("dsf", "raft")} if base == "mini" else {}
    name = base if base == "mini" else str(tiny_chat(base))
    told = ((one["id"], one["question"], tuple(one["answers"])) for one in QUESTIONS)
    asked = [Question(*one, unanswerable=not one[2]) for one in told]
    measured = EvaluateSettings(bootstrap_samples=10, forgetting="")
    evaluate(EvaluationSpec(index, asked, models, measured, settings, base_model=name), tmp_path / "evaluation")
    rows = [json.loads(line) for line in (tmp_path / "evaluation" / "predictions.jsonl").read_text().splitlines()]
    assert {row["arm"] for row in rows} == {"base", "rag", *(("dsf", "dsf+rag", "raft") if models else ())}
    questions = {question.id: question.text for question in asked}
    answerers: dict[str, Answerer] = {}
    for row in rows:
        tuned = models.get(row["arm"].removesuffix("+rag"))
        answerer = answerers.setdefault(str(tuned), Answerer.open(index, tuned, settings, name))
        served = answerer.answer(questions[row["question_id"]], retrieve=row["arm"] not in ("base", "dsf"))
        quotes = [(quote.passage_id, quote.text) for quote in served.quotes]
        assert (served.answer, served.abstained) == (row["answer"], row["abstained"])
        assert [one.passage.id for one in served.passages] == row["passage_ids"]
        assert quotes == list(dict.fromkeys((quote["passage_id"], quote["text"]) for quote in row["quotes"]))


def test_a_model_made_for_another_index_is_refused_in_one_line(
    run: tuple[Path, list[object], str], notes: Path, tmp_path: Path
) -> None:
    assert raft("index", notes, "--out", tmp_path / "other", "--set", "index.passage_tokens=48").returncode == 0
    done = raft("query", "Why?", "--index", tmp_path / "other", "--model", run[0] / "models" / "raft")
    assert done.returncode == 2
    assert "was made for index" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_manifest_holds_a_path_of_this_machine(run: tuple[Path, list[object], str], notes: Path) -> None:
    out = run[0]
    for manifest in out.rglob("manifest.json"):
        text = manifest.read_text()
        assert str(out) not in text and str(notes) not in text and str(Path.home()) not in text
