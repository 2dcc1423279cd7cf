"""Which prompt an untuned model is asked with is found out on the validation split, kept, and told."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from listening import Listener

from raft.answering.prompt_choice import MOST_QUESTIONS
from raft.artifacts import Ledger, Stage, read_jsonl, read_manifest, write_jsonl, writing
from raft.errors import ArtifactError, InputError, TooLongError
from raft.evaluate import Loaders, PromptTrial, choose_prompt, evaluate, evaluation_fingerprint, trial_fingerprint
from raft.models.generator import Generation
from raft.prompts import PromptStyle, PromptVariant
from raft.recipe import AnswerSettings
from raft.types import Question

BEGUN, SHORT, WORKED, QUOTE = PromptVariant


def variant_of(prompt: Any) -> PromptVariant:
    if not prompt.one_line:
        return QUOTE
    return BEGUN if prompt.begun else WORKED if prompt.earlier else SHORT


def colour(prompt: Any) -> str:
    """What the right passage says, which is shown first."""
    shown = "".join(segment.text for segment in prompt.user)
    return re.findall(r"burns (\w+)", shown)[0] if "burns" in shown else "red"


class ChatModel:
    """Answers rightly where its prompt is one of these, and else with two words too many."""

    style, name = PromptStyle.CHAT, "chat"

    def __init__(self, *suits: PromptVariant) -> None:
        self.suits, self.prompts = suits, 0

    def generate(self, prompts: Any, decoding: Any, advance: Any = None) -> list[Generation]:
        self.prompts += len(prompts)
        return [Generation(self.say(prompt), 0.5) for prompt in prompts]

    def say(self, prompt: Any) -> str:
        said = colour(prompt) if variant_of(prompt) in self.suits else f"it is {colour(prompt)}"
        return f"{said}\nAnd more."


@pytest.fixture(scope="module")
def llama(tiny_chat: Callable[[str], Path]) -> Path:
    return tiny_chat("llama")


@pytest.fixture
def trial(world: Any, tmp_path: Path, llama: Path) -> PromptTrial:
    return PromptTrial(world.index, with_examples(world, tmp_path / "examples"), str(llama), AnswerSettings(top_k=2))


def with_examples(world: Any, folder: Path, count: int = 9, **inputs: str) -> Path:
    """A training set of which only the validation split matters: one question a pier, one twice, one without answer."""
    rows = [
        {"question_id": q.id, "question": q.text, "answers": list(q.answers), "document_ids": list(q.document_ids)}
        for q in [*world.questions[:count], *world.questions[:1], world.questions[-1]][: count + 2 if count else 0]
    ]
    with writing(folder, Stage.EXAMPLES) as draft:
        write_jsonl(draft.path / "validation.jsonl", rows)
        draft.finish(Stage.EXAMPLES, {}, {"index": world.index_digest, **inputs}, {}, Ledger(len(rows), len(rows)))
    return folder


def chosen(world: Any, trial: PromptTrial, model: Any, out: Path, progress: Any = None) -> Any:
    return choose_prompt(trial, out, progress or Listener(), Loaders(world.open_index, lambda *_: model))


@pytest.mark.parametrize(
    ("suits", "best"), [((WORKED,), WORKED), ((QUOTE, SHORT), SHORT), ((), BEGUN), (tuple(PromptVariant), BEGUN)]
)
def test_the_prompt_with_the_highest_f1_is_chosen_and_of_equal_ones_the_first(
    world: Any, trial: PromptTrial, tmp_path: Path, suits: tuple[PromptVariant, ...], best: PromptVariant
) -> None:
    listener = Listener()
    choice = chosen(world, trial, ChatModel(*suits), tmp_path / "prompts", listener)
    assert (choice.chosen, choice.questions, list(choice.tried)) == (best, 9, list(PromptVariant))
    for variant, tried in choice.tried.items():
        right = variant in suits and variant is not QUOTE
        # Of the quoting prompt the whole reply is read, of the others a line.
        words = {True: 1, False: 3}[right] if variant is not QUOTE else 3 if variant in suits else 5
        assert (tried.f1, tried.exact_match) == (pytest.approx(2 / (1 + words)), float(right))
    (note,) = listener.notes
    assert note.startswith(f"prompts: '{best}' suits llama best, by F1 on 9 validation questions (begun ")


def test_the_folder_holds_scores_wordings_and_every_answer_without_times_and_paths(
    world: Any, trial: PromptTrial, tmp_path: Path
) -> None:
    out = tmp_path / "prompts"
    chosen(world, trial, ChatModel(SHORT), out)
    kept = json.loads((out / "prompts.json").read_text(encoding="utf-8"))
    assert (kept["base_model"], kept["chosen"], kept["questions"]) == ("llama", "short", 9)
    assert kept["tried"]["short"]["exact_match"] == 1
    assert "PASSAGE" in kept["tried"]["short"]["with_passages"] and kept["tried"]["begun"]["from_memory"].endswith(
        "Answer:"
    )
    rows = [row for _, row in read_jsonl(out / "predictions.jsonl")]
    assert len(rows) == 36 and {row["variant"] for row in rows} == set(PromptVariant)
    assert rows[4]["prompt"].endswith("What colour is the lamp of pier 4?\n\nAnswer:")
    assert not any("seconds" in row for row in rows)
    manifest = read_manifest(out)
    assert manifest.fingerprint == trial_fingerprint(trial)
    assert manifest.ledger == Ledger(11, 9, {"nothing answers it": 1, "another row asks it": 1})
    assert str(tmp_path) not in "".join(path.read_text(encoding="utf-8") for path in out.iterdir())
    # The same work gives the same bytes, and what is set for a prompt is no part of it.
    again = replace(trial, answer=trial.answer.model_copy(update={"prompt": "quote"}))
    chosen(world, again, ChatModel(SHORT), tmp_path / "again")
    assert read_manifest(tmp_path / "again").digest == manifest.digest


def test_of_many_questions_some_are_drawn_by_the_seed(world: Any, trial: PromptTrial, tmp_path: Path) -> None:
    first = world.questions[:9]
    world.questions = [replace(first[n % 9], id=f"q{n}", text=f"{first[n % 9].text} {n}") for n in range(100)]
    many = replace(trial, examples=with_examples(world, tmp_path / "many", 100))
    drawn = []
    for seed in (0, 0, 1):
        out = tmp_path / f"prompts {len(drawn)}"
        assert chosen(world, replace(many, seed=seed), ChatModel(), out).questions == MOST_QUESTIONS
        drawn.append([row["question_id"] for _, row in read_jsonl(out / "predictions.jsonl")][:MOST_QUESTIONS])
    assert drawn[0] == drawn[1] != drawn[2]
    assert drawn[0] == sorted(drawn[0], key=lambda id_: int(id_[1:]))


def test_without_a_question_to_validate_on_the_default_is_used_and_no_model_is_loaded(
    world: Any, trial: PromptTrial, tmp_path: Path
) -> None:
    listener, empty = Listener(), replace(trial, examples=with_examples(world, tmp_path / "none", 0))
    choice = chosen(world, empty, None, tmp_path / "prompts", listener)
    assert (choice.chosen, choice.questions, choice.tried) == (BEGUN, 0, {})
    assert listener.notes == ["prompts: no question to validate on, so the default 'begun' is used"]


def test_a_prompt_that_does_not_fit_the_model_is_left_out_unless_none_does(
    world: Any, trial: PromptTrial, tmp_path: Path
) -> None:
    class Small(ChatModel):
        def __init__(self, *fits: PromptVariant) -> None:
            super().__init__()
            self.fits = fits

        def say(self, prompt: Any) -> str:
            if variant_of(prompt) not in self.fits:
                raise TooLongError("too long")
            return super().say(prompt)

    listener = Listener()
    choice = chosen(world, trial, Small(SHORT, QUOTE), tmp_path / "prompts", listener)
    assert (list(choice.tried), choice.chosen) == ([SHORT, QUOTE], SHORT)
    assert listener.notes[:2] == [f"prompts: '{one}' is left out: too long" for one in (BEGUN, WORKED)]
    with pytest.raises(TooLongError):
        chosen(world, trial, Small(), tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_model_with_one_prompt_and_examples_of_another_index_are_refused(
    world: Any, trial: PromptTrial, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="mini knows one prompt only"):
        chosen(world, replace(trial, base_model="mini"), None, tmp_path / "prompts")
    foreign = with_examples(world, tmp_path / "foreign", index="4" * 64)
    with pytest.raises(ArtifactError, match="was made for index 44444444"):
        chosen(world, replace(trial, examples=foreign), None, tmp_path / "prompts")


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from conftest import Harbour
from test_prompt_trial import SHORT, ChatModel
from raft.answering import journaled
from raft.evaluate import Loaders, PromptTrial, choose_prompt
from raft.evaluate.plan import prompt_trial
from raft.prompts import PromptVariant
from raft.recipe import AnswerSettings

journaled._CHUNK = 3
# To look into the tokenizer takes longer than all the rest.
prompt_trial.variants_of = lambda model: tuple(PromptVariant)
folder = Path(sys.argv[3])

class Mortal(ChatModel):
    def generate(self, prompts, *arguments):
        if self.prompts == 15:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(prompts, *arguments)

trial = PromptTrial(folder / "index", folder / "examples", sys.argv[4], AnswerSettings(top_k=2))
choose_prompt(trial, folder / "killed" / "prompts", loaders=Loaders(lambda _: Harbour(), lambda *_: Mortal(SHORT)))
"""


def test_a_killed_trial_goes_on_and_ends_with_the_same_bytes(
    world: Any, trial: PromptTrial, tmp_path: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Path(__file__).parent
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(here), str(here.parent / "support"), str(tmp_path), str(llama)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert [path.name for path in (tmp_path / "killed").iterdir()] == [".prompts.journal"]
    monkeypatch.setattr("raft.answering.journaled._CHUNK", 3)
    left = ChatModel(SHORT)
    chosen(world, trial, left, tmp_path / "killed" / "prompts")
    chosen(world, trial, ChatModel(SHORT), tmp_path / "whole" / "prompts")
    resumed, whole = (
        {path.name: path.read_bytes() for path in (tmp_path / name / "prompts").iterdir()}
        for name in ("killed", "whole")
    )
    assert resumed == whole
    assert left.prompts == 36 - 15
    assert [path.name for path in (tmp_path / "killed").iterdir()] == ["prompts"]


# --- what the evaluation makes of it


def spec(world: Any, llama: Path, **changes: Any) -> Any:
    """An evaluation of the untuned chat model and of one that was tuned from it."""
    style = {"style": "chat", "prompt_fingerprint": "f40cb9e31c27b330", "base_model": str(llama)}
    models = {"raft": world.tune(world.index.parent / "tuned" / "raft", **style)}
    return world.spec(models=models, **changes)


def run(world: Any, made: Any, out: Path, progress: Any = None) -> Any:
    return evaluate(made, out, progress or Listener(), Loaders(world.open_index, lambda *_: ChatModel(*PromptVariant)))


def prompts_by_arm(out: Path) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for _, row in read_jsonl(out / "predictions.jsonl"):
        found.setdefault(row["arm"], []).append(row["prompt"])
    return found


def test_an_evaluation_asks_as_was_chosen_and_tuned_models_as_they_were_trained(
    world: Any, trial: PromptTrial, tmp_path: Path, llama: Path
) -> None:
    listener = Listener()
    chosen(world, trial, ChatModel(SHORT), tmp_path / "prompts")
    made = run(world, spec(world, llama), tmp_path / "evaluation", listener)
    assert "evaluation: base is asked with the prompt 'short', chosen on 9 validation questions" in listener.notes
    shown = prompts_by_arm(made.out)
    for arm in ("base", "rag"):
        assert all("in as few words as possible" in one and "<ANSWER>" not in one for one in shown[arm])
    assert all("<ANSWER>:" in one for one in shown["raft"])
    manifest = read_manifest(made.out)
    assert manifest.settings["prompts"] == {"base": "short"}
    assert manifest.inputs["prompts"] == read_manifest(tmp_path / "prompts").digest
    assert manifest.fingerprint == evaluation_fingerprint(spec(world, llama))
    told = made.summary["prompts"]
    assert told["used"] == {"base": {"prompt": "short", "why": "chosen on 9 validation questions"}}
    assert (told["chosen"], told["questions"], told["tried"]["short"]["exact_match"]) == ("short", 9, 1)
    assert list(told["tried"]) == list(PromptVariant)
    for name in ("report.md", "report.html"):
        report = (made.out / name).read_text(encoding="utf-8")
        assert "Prompts of the untuned model" in report and "9 questions of the validation split" in report
    # An answer without a mark has no form to miss where none is asked for.
    assert made.summary["outcomes"]["base"]["format"] == 0


def test_another_choice_is_another_evaluation(world: Any, trial: PromptTrial, tmp_path: Path, llama: Path) -> None:
    found = [evaluation_fingerprint(spec(world, llama))]
    for best in (SHORT, WORKED):
        chosen(world, trial, ChatModel(best), tmp_path / "prompts")
        found.append(evaluation_fingerprint(spec(world, llama)))
    quoting = world.answer.model_copy(update={"prompt": "quote"})
    found.append(evaluation_fingerprint(spec(world, llama, answer=quoting)))
    assert len(set(found)) == 4


def test_without_a_choice_the_default_is_used_and_the_report_says_so(world: Any, tmp_path: Path, llama: Path) -> None:
    made = run(world, spec(world, llama), tmp_path / "evaluation")
    assert made.summary["prompts"] == {
        "used": {"base": {"prompt": "begun", "why": "the default"}}, "chosen": None, "questions": 0, "tried": {},
    }  # fmt: skip
    assert "No comparison of prompts" in (made.out / "report.md").read_text(encoding="utf-8")
    assert all(one.endswith("\n\nAnswer:") for one in prompts_by_arm(made.out)["rag"])


def test_what_the_recipe_names_is_used_and_the_scores_are_told_all_the_same(
    world: Any, trial: PromptTrial, tmp_path: Path, llama: Path
) -> None:
    chosen(world, trial, ChatModel(SHORT), tmp_path / "prompts")
    answer = world.answer.model_copy(update={"prompt": "worked"})
    told = run(world, spec(world, llama, answer=answer), tmp_path / "evaluation").summary["prompts"]
    assert told["used"]["base"]["prompt"] == "worked"
    assert (told["chosen"], len(told["tried"])) == ("short", 4)


def test_a_model_beside_the_base_is_asked_by_the_default_of_its_kind(
    world: Any, trial: PromptTrial, tmp_path: Path, llama: Path, tiny_chat: Any
) -> None:
    chosen(world, trial, ChatModel(SHORT), tmp_path / "prompts")
    settings = world.settings.model_copy(update={"arms": (f"plain={tiny_chat('gpt2')},retrieved",)})
    made = run(world, spec(world, llama, settings=settings), tmp_path / "evaluation")
    assert {name: one["prompt"] for name, one in made.summary["prompts"]["used"].items()} == {
        "base": "short", "plain": "worked",
    }  # fmt: skip


def test_prompts_that_were_asked_for_must_fit_before_a_model_is_loaded(
    world: Any, trial: PromptTrial, tmp_path: Path, llama: Path
) -> None:
    chosen(world, trial, ChatModel(SHORT), tmp_path / "prompts")
    with pytest.raises(ArtifactError, match=r"was made for llama \(.*the untuned model is mini"):
        world.evaluate(tmp_path / "evaluation", prompts=tmp_path / "prompts")
    assert world.loaded == []
    # Nobody asked for them here, and they are about another model.
    summary = world.evaluate(tmp_path / "evaluation").summary
    assert "prompts" not in summary and "prompts" not in read_manifest(tmp_path / "evaluation").settings


def test_an_endpoint_that_is_to_begin_a_reply_is_refused_before_a_model_is_loaded(world: Any, tmp_path: Path) -> None:
    answer = world.answer.model_copy(update={"prompt": "begun"})
    asked = [Question("q", "What colour is the lamp of pier 1?", ("amber",))]
    made = world.spec(models={}, base_model="openai:m@http://localhost:1/v1", answer=answer, questions=asked)
    with pytest.raises(InputError, match="cannot be begun behind its endpoint"):
        run(world, made, tmp_path / "evaluation")
