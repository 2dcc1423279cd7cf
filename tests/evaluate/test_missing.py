"""What nobody saw is missing, not wrong; models are told apart, and nothing is loaded or retrieved twice."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raft.artifacts import read_jsonl, read_manifest
from raft.errors import ModelError
from raft.evaluate import evaluation_fingerprint


def hold_back(world: Any, model: str, named: str) -> None:
    """Has one model's answers to some questions held back by a content filter."""
    usual = world.load

    def load(base: str, adapter: Path | None) -> Any:
        made = usual(base, adapter)
        if (adapter.name if adapter else "base") == model:
            generate = made.generate
            made.generate = lambda prompts, decoding, advance=None: [
                replace(one, text="", held_back=True) if named in prompt.text else one
                for prompt, one in zip(prompts, generate(prompts, decoding, advance), strict=True)
            ]
        return made

    world.load = load


def test_a_question_whose_answer_was_held_back_counts_for_no_arm(world: Any, tmp_path: Path) -> None:
    hold_back(world, "raft", "lamp of pier 4?")
    result = world.evaluate(tmp_path / "evaluation")
    assert result.summary["questions"] == 9
    assert {arm["f1"]["n"] for arm in result.summary["arms"].values()} == {8}
    assert result.summary["arms"]["raft"]["f1"]["mean"] == 1.0
    rows = [row for _, row in read_jsonl(result.out / "scores.jsonl")]
    assert {row["question_id"] for row in rows}.isdisjoint({"q4"})
    ledger = read_manifest(result.out).ledger
    assert (ledger.read, ledger.kept) == (10, 9)
    assert ledger.rejected == {"a content filter held back an answer": 1}


def test_an_evaluation_of_which_nothing_is_left_says_so(world: Any, tmp_path: Path) -> None:
    hold_back(world, "raft", "pier")
    with pytest.raises(ModelError, match="held back answers of raft to every question: ask another model"):
        world.evaluate(tmp_path / "evaluation")
    assert not (tmp_path / "evaluation").exists()


def test_a_model_of_the_users_own_is_not_mistaken_for_one_with_its_folder_name(world: Any, tmp_path: Path) -> None:
    world.tune(tmp_path / "old" / "raft")
    settings = world.settings.model_copy(update={"arms": (f"old={tmp_path / 'old' / 'raft'},retrieved",)})
    before = evaluation_fingerprint(world.spec(settings=settings))
    world.models["raft"] = world.tune(tmp_path / "again" / "raft", rows=13)
    again = evaluation_fingerprint(world.spec(settings=settings))
    assert again != before
    summary = world.evaluate(tmp_path / "evaluation", settings=settings).summary
    assert {name: one["rows"] for name, one in summary["training"].items()} == {"dsf": 12, "raft": 13, "old": 12}
    world.tune(tmp_path / "old" / "raft", rows=14)
    assert evaluation_fingerprint(world.spec(settings=settings)) != again


def test_an_added_arm_does_not_load_a_model_that_takes_part_anyway(world: Any, tmp_path: Path) -> None:
    arms = (f"again={world.models['raft']},retrieved", "plain=mini,none")
    result = world.evaluate(tmp_path / "evaluation", settings=world.settings.model_copy(update={"arms": arms}))
    assert sorted(world.loaded) == ["mini dsf", "mini raft", "mini untuned"]
    scores = result.summary["arms"]
    assert (scores["again"]["f1"], scores["plain"]["f1"]) == (scores["raft"]["f1"], scores["base"]["f1"])


def test_all_arms_are_shown_what_was_retrieved_once(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour, asked = type(world.open_index(world.index)), []
    usual = harbour.retrieve
    monkeypatch.setattr(harbour, "retrieve", lambda self, texts, k: asked.append(k) or usual(self, texts, k))
    result = world.evaluate(tmp_path / "evaluation")
    assert asked == [2]
    shown = {row["arm"]: row["passage_ids"] for _, row in read_jsonl(result.out / "predictions.jsonl")}
    assert shown["rag"] == shown["dsf+rag"] == shown["raft"] != shown["base"]
