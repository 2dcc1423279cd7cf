"""An evaluation that is killed goes on where it stopped and ends with the same bytes."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raft.answering import journaled
from raft.answering.journaled import Models
from raft.errors import ArtifactError
from raft.evaluate import Loaders, evaluate
from raft.journal import Journal
from raft.models.generator import Decoding
from raft.models.local import LocalGenerator
from raft.prompts import PromptStyle, closed_book_prompt

# Three prompts a chunk: twenty chunks for the ten questions of the harbour, and many places to die.
CHUNK = 3
CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import QUESTIONS, RULES, Harbour, RuleModel
from raft.answering import journaled
from raft.evaluate import EvaluationSpec, Loaders, evaluate, evaluation
from raft.recipe import AnswerSettings, EvaluateSettings

folder, moment = Path(sys.argv[2]), int(sys.argv[3])
journaled._CHUNK = %d
calls = 0

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

class Mortal(RuleModel):
    def generate(self, *arguments):
        global calls
        calls += 1
        if calls == moment:
            die()
        return super().generate(*arguments)

if moment == 0:
    evaluation.report_html = die
models = {name: folder / "models" / name for name in ("dsf", "raft")}
settings = EvaluateSettings(bootstrap_samples=400, forgetting="")
load = lambda base, adapter: Mortal(RULES[adapter.name if adapter else "base"])
spec = EvaluationSpec(folder / "index", QUESTIONS, models, settings, AnswerSettings(top_k=2))
evaluate(spec, folder / "out" / "evaluation", loaders=Loaders(lambda _: Harbour(), load))
"""


class Counting:
    """Counts the prompts that a model really has to answer."""

    def __init__(self, world: Any) -> None:
        self.world, self.prompts = world, 0

    def load(self, base: str, adapter: Path | None) -> Any:
        model = self.world.load(base, adapter)
        generate = model.generate

        def counted(prompts: Any, *arguments: Any) -> Any:
            self.prompts += len(prompts)
            return generate(prompts, *arguments)

        model.generate = counted
        return model


@pytest.fixture
def finish(world: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], tuple[dict[str, bytes], int]]:
    """Runs to the end in this process: the bytes of every file, and how many prompts had to be answered for it."""
    monkeypatch.setattr(journaled, "_CHUNK", CHUNK)

    def run(out: Path) -> tuple[dict[str, bytes], int]:
        counting = Counting(world)
        evaluate(world.spec(), out, loaders=Loaders(world.open_index, counting.load))
        return {path.name: path.read_bytes() for path in sorted(out.iterdir())}, counting.prompts

    return run


def killed(tmp_path: Path, moment: int) -> Path:
    """What a child leaves that kills itself at its n-th chunk, or at 0 while it writes the report."""
    here = str(Path(__file__).parent)
    child = subprocess.run(
        [sys.executable, "-c", CHILD % CHUNK, here, str(tmp_path), str(moment)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr
    out = tmp_path / "out" / "evaluation"
    assert not out.exists()
    return out


@pytest.mark.parametrize(("moment", "left"), [(1, 50), (2, 47), (11, 24), (20, 1), (0, 0)])
def test_a_killed_evaluation_goes_on_and_ends_with_the_same_bytes(
    world: Any, tmp_path: Path, finish: Any, moment: int, left: int
) -> None:
    whole, asked = finish(tmp_path / "whole" / "evaluation")
    assert asked == 50
    resumed, asked = finish(killed(tmp_path, moment))
    assert resumed == whole
    assert asked == left
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["evaluation"]


def test_wherever_the_journal_is_cut_the_bytes_are_the_same(world: Any, tmp_path: Path, finish: Any) -> None:
    whole, _ = finish(tmp_path / "whole" / "evaluation")
    out = killed(tmp_path, 0)
    journal = out.with_name(".evaluation.journal")
    said = journal.read_bytes()
    for cut in range(0, len(said), len(said) // 7):
        journal.write_bytes(said[:cut])
        resumed, asked = finish(out)
        assert resumed == whole
        # A chunk of which a line is missing is written anew, so that its answers are those of a run without a kill.
        kept = said[:cut].count(b"\n")
        assert 50 - kept <= asked < 50 - kept + CHUNK


def test_answers_to_other_prompts_or_by_other_weights_are_not_taken(
    world: Any, tmp_path: Path, finish: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = killed(tmp_path, 0)
    world.tune(world.models["raft"], rows=99)
    world.questions = [*world.questions[:-1]]
    _, asked = finish(out)
    assert asked == 9  # of the model that was tuned anew


def test_two_evaluations_at_once_into_one_folder_are_refused(world: Any, tmp_path: Path, finish: Any) -> None:
    with Journal(tmp_path / ".evaluation.journal") as journal:
        journal.add({"k": 1})
        with pytest.raises(ArtifactError, match="in use by another process"):
            finish(tmp_path / "evaluation")
    finish(tmp_path / "evaluation")


def test_a_model_on_this_machine_keeps_its_answers_as_in_generation(
    tiny_chat: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [closed_book_prompt(f"Who lit lamp {n}?", PromptStyle.CHAT) for n in range(3)]
    name = str(tiny_chat("llama"))

    def answers() -> Any:
        with Journal(tmp_path / "journal") as journal:
            return Models(journal).open(name, None, "id", Decoding(8)).write(prompts)

    # The evaluation knows what the weights are: they are not read for that once more.
    monkeypatch.setattr("raft.models.local.weights_fingerprint", lambda _: pytest.fail("weights read again"))
    first = answers()
    monkeypatch.setattr(LocalGenerator, "_paid", lambda *_: pytest.fail("written anew"))
    assert answers() == first and len(first) == 3
