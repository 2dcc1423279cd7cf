"""The command line: bad input is one line, exit code 2, and leaves nothing; help and errors come at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from raft import __version__, cli
from raft.display import print_summary

VERBS = ("index", "search", "generate", "tune", "evaluate", "query", "serve", "run")
VERBS += ("init", "fetch", "export", "audit", "compare", "env")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_help_that_names_its_options(verb: str, call) -> None:
    code, out, _ = call(verb, "--help")
    assert code == 0
    assert out.startswith("Usage: raft")
    assert len(out.splitlines()) > 5


def test_without_arguments_the_help_lists_every_verb(call) -> None:
    _, out, err = call()
    assert all(verb in out + err for verb in VERBS)


def test_the_version_is_told_and_nothing_else(call) -> None:
    assert call("--version") == (0, f"raft {__version__}\n", "")


def write(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


GOOD = {"id": "a", "question": "Why?", "answers": ["x"]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([GOOD, GOOD], "line 2"),
        ([GOOD, {"id": "b", "answers": ["x"]}], "line 2"),
        ([{"id": "a", "question": "Why?", "answers": []}], "line 1"),
        ([{"id": "a", "question": "Why?", "answers": "x"}], "line 1"),
    ],
)
def test_bad_questions_are_named_by_their_line_before_any_work(
    rows: list[dict], message: str, notes: Path, tmp_path: Path, call
) -> None:
    path = write(tmp_path / "questions.jsonl", *rows)
    code, out, err = call("run", notes, "--questions", path, "--out", tmp_path / "out", "--set", "tune.model=mini")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "questions.jsonl" in err and message in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["questions.jsonl"]


def test_a_missing_and_an_empty_folder_are_one_line(tmp_path: Path, call) -> None:
    (tmp_path / "empty").mkdir()
    for folder in ("missing", "empty"):
        for verb in ("index", "run"):
            code, _, err = call(verb, tmp_path / folder, "--out", tmp_path / "out")
            assert code == 2
            assert err.count("\n") == 1
            assert folder in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["empty"]


def test_an_output_folder_that_holds_something_else_is_left_alone(notes: Path, tmp_path: Path, call) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for verb in ("index", "run"):
        code, _, err = call(verb, notes, "--out", tmp_path)
        assert code == 2
        assert "raft did not make" in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "tune.epochs=3"), "there is no setting 'tune.epochs'"),
        (("--set", "tune.num_train_epochs=many"), "tune.num_train_epochs"),
        (("--set", "nonsense"), "is not A.B=C"),
        (("--recipe", "gone.yaml"), "gone.yaml does not exist"),
    ],
)
def test_wrong_settings_are_one_line(
    arguments: tuple[str, ...], message: str, notes: Path, tmp_path: Path, call
) -> None:
    code, _, err = call("index", notes, "--out", tmp_path / "out", *arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_settings_are_taken_from_recipe_then_set_then_flag(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("seed: 1\ntune:\n  num_train_epochs: 7\n  r: 4\n")
    chosen = cli._recipe(recipe, ["tune.r=9", "index.embedder=other", "tune.full=false"], 5)
    assert (chosen.seed, chosen.tune.num_train_epochs, chosen.tune.r, chosen.tune.full) == (5, 7, 9, False)
    assert chosen.index.embedder == "other"


def test_models_are_named_once_and_with_a_folder(notes_index: Path, tmp_path: Path, call) -> None:
    path = write(tmp_path / "q.jsonl", GOOD)
    for model in ("raft", "raft=", "=x"):
        code, _, err = call(
            "evaluate", "--index", notes_index, "--questions", path, "--model", model, "--out", tmp_path / "out"
        )
        assert code == 2
        assert "NAME=DIR" in err


def test_a_model_of_another_index_is_refused_before_it_is_loaded(notes_index: Path, tmp_path: Path, call) -> None:
    code, _, err = call("query", "Why?", "--index", notes_index, "--model", tmp_path)
    assert code == 2
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("index nope --out n1/n2/idx", "nope does not exist"),
        ("run nope --out n1/n2/out", "nope does not exist"),
        ("run . --questions nope.jsonl --out n1/out", "nope.jsonl does not exist"),
        ("run . --train-questions nope.jsonl --out n1/out", "nope.jsonl does not exist"),
        ("generate --index nope --out n1/out", "nope does not exist"),
        ("tune --examples nope --method raft --out n1/out", "nope does not exist"),
        ("tune --examples . --method best --out n1/out", "give raft or dsf"),
        ("evaluate --index . --questions nope.jsonl --model foo --out n1/out", "NAME=DIR"),
        ("evaluate --index . --questions nope.jsonl --model raft=nope --out n1/out", "has no manifest.json"),
        ("evaluate --index . --questions nope.jsonl --arm oracle --robustness --out n1/out", "has no manifest.json"),
        ("query Why? --index nope", "nope does not exist"),
        ("serve --index nope", "nope does not exist"),
        ("export --examples nope --format alpaca --out n1/out", "nope does not exist"),
        ("export --examples . --format csv --out n1/out", "'csv' does not go with --examples: give openai-chat, mess"),
        ("export --examples . --format langchain --out n1/out", "'langchain' does not go with --examples"),
        ("export --index . --format hf --out n1/out", "'hf' does not go with --index: give langchain or llamaindex"),
        ("export --index nope --format langchain --out n1/out", "nope does not exist"),
        ("export --index . --format langchain --max-tokens 9 --out n1/out", "an index has none: leave it out"),
        ("export --format langchain --out n1/out", "give either --examples (a training set) or --index"),
        (
            "export --index . --examples . --format hf --out n1/out",
            "give either --examples (a training set) or --index",
        ),
        ("audit nope.jsonl", "nope.jsonl is not there"),
        ("audit .", ". is a folder"),
    ],
)
def test_what_is_not_there_is_said_before_anything_heavy_is_imported_and_nothing_is_made(
    line: str, message: str, tmp_path: Path
) -> None:
    heavy = ("torch", "transformers", "faiss", "scipy", "raft.recipe", "raft.run", "raft.index", "raft.evaluate")
    code = (
        "import sys, raft.cli\n"
        "try: raft.cli.main()\n"
        f"finally: print(*(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *line.split()], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (2, [])
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_another_stage_is_no_model(notes_index: Path, call) -> None:
    for verb in (("query", "Why?"), ("serve",)):
        code, _, err = call(*verb, "--index", notes_index, "--model", notes_index)
        assert code == 2
        assert "is an artefact of stage 'index', not 'model'" in err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        # Nobody may write there: Linux has no such folder in /proc, and macOS no /proc.
        ("index notes --out /proc/foo/idx", "/proc"),
        ("index notes --out a.md/sub", "a.md is a file"),
        ("run notes --out a.md/sub", "a.md is a file"),
        ("init nodir/r.yaml", "nodir/r.yaml: No such file"),
    ],
)
def test_a_place_that_cannot_be_written_to_is_one_line(
    line: str, message: str, notes: Path, tmp_path: Path, call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.md").write_text("words")
    code, _, err = call(*line.replace("notes", str(notes)).split(), *([] if "init" in line else ["--quiet"]))
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


def test_the_table_of_arms_fits_eighty_columns_without_breaking_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    def interval(mean: float, low: float, high: float) -> dict[str, float]:
        return {"mean": mean, "low": low, "high": high, "n": 9}

    names = ("f1", "exact_match", "refused", "abstained_correctly")
    arms = {arm: {name: interval(1, 1, 1) for name in names} for arm in ("base", "rag", "dsf", "dsf+rag", "raft")}
    summary = {
        "questions": 100,
        "confidence": 0.95,
        "arms": arms,
        "regimes": {name: {"arms": arms} for name in ("seen", "unseen")},
        "comparisons": [],
    }
    print_summary(summary, Path("out"), as_json=False)  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    headings = " ".join(lines[: next(place for place, line in enumerate(lines) if "base" in line)])
    assert all(
        word in headings for word in ("Arm", "F1 (95 % interval)", "seen", "unseen", "Exact", "Refused", "rightly")
    )
    for arm in arms:
        (line,) = [line for line in lines if line.split()[:1] == [arm]]
        assert line.split() == [arm, "100.0", "(100.0", "to", "100.0)", *["100.0"] * 5]


def test_the_recipe_that_init_writes_is_taken_back(tmp_path: Path, call) -> None:
    code, out, _ = call("init", tmp_path / "recipe.yaml")
    assert code == 0
    assert "recipe.yaml" in out
    code, _, err = call("init", tmp_path / "recipe.yaml")
    assert code == 2
    assert "exists" in err


def test_generate_says_where_leaks_are_listed_and_drops_a_surplus_on_request(
    call, notes_index: Path, tmp_path: Path
) -> None:
    asked = [("At what pressure does the Merrow 45 stop, asks worker {}?", "36 bar", range(9))]
    asked += [("Who is the apprentice for the Grappel winches, asks worker {}?", "Jory Mabb", range(9, 11))]
    rows = [{"id": f"q{n}", "question": text.format(n), "answers": [answer]} for text, answer, ns in asked for n in ns]
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    sets = [f"--set=generate.{name}" for name in ("num_distractors=1", "validation_fraction=0", "test_fraction=0")]
    given = ("generate", "--index", notes_index, "--questions", path, *sets)
    code, said, noted = call(*given, "--out", tmp_path / "all")
    assert code == 0 and "11 train" in said and "0 leaks between the splits" in said
    assert "9 of 11 training rows have the question kind 'what'" in noted
    code, said, noted = call(*given, "--out", tmp_path / "even", "--rebalance")
    assert code == 0 and "4 train" in said and "training rows have" not in noted
