"""The verb from folders to a folder: what it writes, what it refuses, and that refusing comes before loading."""

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from raft.artifacts import (
    Ledger,
    Stage,
    fingerprint,
    read_jsonl,
    read_manifest,
    verified,
    write_jsonl,
    writing,
)
from raft.errors import ArtifactError, InputError, ModelError, RaftError
from raft.evaluate import Evaluation, comparison_table, evaluation_fingerprint
from raft.models.generator import Generation
from raft.prompts import PromptStyle
from raft.questions import LeftOut, QuestionFile, question_row, stratified
from raft.questions.rows import Omission
from raft.types import Question, QuestionSource

COLOURS = ("red", "amber", "green", "white", "violet", "blue", "orange", "black", "pink")
PASSAGE = {"document_id": "d", "title": "", "oracle": False}


def run(world: Any, out: Path, **changes: Any) -> Evaluation:
    made: Evaluation = world.evaluate(out, **changes)
    return made


def test_an_evaluation_writes_all_its_files_and_a_manifest_that_fits(world: Any, tmp_path: Path) -> None:
    result = run(world, tmp_path / "evaluation")
    manifest = verified(tmp_path / "evaluation", Stage.EVALUATION)
    assert set(manifest.outputs) == {
        "predictions.jsonl", "scores.jsonl", "outcomes.jsonl", "documents.jsonl", "summary.json", "report.html",
        "report.md",
    }  # fmt: skip
    assert manifest.ledger.read == manifest.ledger.kept == 10
    assert manifest.counts == {"questions": 10, "arms": 5, "predictions": 50}
    assert json.loads((result.out / "summary.json").read_text(encoding="utf-8")) == result.summary
    assert result.report.is_file()


def test_what_was_left_out_of_the_question_file_is_recorded_and_names_other_work(world: Any, tmp_path: Path) -> None:
    kept = tuple(world.questions)
    file = QuestionFile(kept, (LeftOut("line 11", Omission.NOT_ACCEPTED, "Why?"),))
    run(world, tmp_path / "evaluation", questions=file)
    manifest = read_manifest(tmp_path / "evaluation")
    assert str(manifest.ledger) == "11 read = 10 kept + 1 rejected (1 no accepted answer)"
    assert manifest.fingerprint == evaluation_fingerprint(world.spec(questions=file))
    assert manifest.fingerprint != evaluation_fingerprint(world.spec(questions=kept))


def test_a_sample_of_the_questions_is_asked_and_said_to_be_one(world: Any, tmp_path: Path) -> None:
    settings = world.settings.model_copy(update={"sample": 4})
    result = run(world, tmp_path / "evaluation", settings=settings)
    drawn = [question.id for question in stratified(world.questions, 4)]
    predictions = [row for _, row in read_jsonl(tmp_path / "evaluation" / "predictions.jsonl")]
    assert sorted({row["question_id"] for row in predictions}) == sorted(drawn)
    assert (result.summary["questions"], result.summary["drawn_from"]) == (4, 10)
    assert str(read_manifest(tmp_path / "evaluation").ledger) == "10 read = 4 kept + 6 rejected (6 not in the sample)"
    assert "4 of 10 questions (a stratified sample)" in (result.out / "report.md").read_text(encoding="utf-8")
    # One that is as large as the file is none.
    whole = run(world, tmp_path / "whole", settings=world.settings.model_copy(update={"sample": 10}))
    assert "drawn_from" not in whole.summary


def test_the_numbers_are_those_of_the_rules(world: Any, tmp_path: Path) -> None:
    summary = run(world, tmp_path / "evaluation").summary
    exact = {arm: metrics["exact_match"]["mean"] for arm, metrics in summary["arms"].items()}
    assert exact == pytest.approx({"base": 1 / 9, "rag": 0, "dsf": 1 / 9, "dsf+rag": 1 / 9, "raft": 1})
    assert summary["arms"]["rag"]["f1"]["mean"] == pytest.approx(2 / 6)  # one of "it is violet I think" is right
    assert summary["arms"]["rag"]["contains_answer"]["mean"] == 1
    assert summary["arms"]["rag"]["quote_verified"]["mean"] == 0
    assert summary["arms"]["raft"]["quote_verified"] == {
        "mean": 1, "low": pytest.approx(0.025 ** (1 / 9)), "high": 1, "n": 9,
    }  # fmt: skip
    assert "quote_verified" not in summary["arms"]["dsf"]
    assert summary["arms"]["raft"]["abstained_correctly"]["n"] == 1
    assert (summary["questions"], summary["answerable"], summary["unanswerable"]) == (10, 9, 1)
    assert summary["retrieval"]["recall"]["mean"] == summary["retrieval"]["hit"]["mean"] == 1
    assert summary["source"] == "given questions"


def test_every_pair_of_arms_is_compared_in_both_metrics(world: Any, tmp_path: Path) -> None:
    summary = run(world, tmp_path / "evaluation").summary
    compared = [(one["metric"], one["a"], one["b"]) for one in summary["comparisons"]]
    pairs = [("raft", "rag"), ("raft", "dsf"), ("raft", "dsf+rag"), ("rag", "base"), ("dsf+rag", "rag")]
    assert compared == [(metric, a, b) for metric in ("f1", "exact_match") for a, b in pairs]
    assert summary["comparisons"][0]["verdict"].startswith(
        "raft beats rag by 66.7 F1 points, 95 % interval 66.7 to 66.7"
    )
    first = summary["comparisons"][0]
    assert (first["n"], first["documents"], first["p"], first["shown"]) == (9, 9, 2 / 512, True)
    assert first["corrected"] == pytest.approx(10 * 2 / 512)


def test_seen_questions_are_those_whose_documents_were_all_trained_on(world: Any, tmp_path: Path) -> None:
    across = Question("both", "Is the lamp of pier 0 that of pier 5?", ("no",), ("0.md", "5.md"))
    regimes = run(world, tmp_path / "evaluation", questions=[*world.questions, across]).summary["regimes"]
    assert {name: regime["questions"] for name, regime in regimes.items()} == {"seen": 3, "unseen": 7}
    assert regimes["seen"]["arms"]["base"]["exact_match"]["mean"] == pytest.approx(1 / 3)
    # Six documents that point the same way are enough for an interval, but not among ten comparisons.
    first = regimes["unseen"]["comparisons"][0]
    assert first["verdict"].startswith("on unseen documents, raft is ahead of rag by ")
    assert first["verdict"].endswith("which may be chance among so many comparisons (Holm's p 0.31)")
    assert (first["p"], first["corrected"], first["shown"]) == (2 / 64, 20 / 64, False)
    assert "3 documents are too few for an interval" in regimes["seen"]["comparisons"][0]["verdict"]


def test_without_tuned_models_there_are_two_arms_and_no_regimes(world: Any, tmp_path: Path) -> None:
    summary = run(world, tmp_path / "evaluation", models={}).summary
    assert list(summary["arms"]) == ["base", "rag"]
    assert summary["regimes"] == {}
    assert world.loaded == ["smollm2 untuned"]


@pytest.mark.parametrize(
    ("source", "caveat"),
    [
        (QuestionSource.HELD_OUT_WRITTEN, "this rests on questions that the tool wrote"),
        (QuestionSource.HELD_OUT_GIVEN, "this rests on the part of the training questions that was held out"),
    ],
)
def test_held_out_questions_are_named_in_every_verdict(
    world: Any, tmp_path: Path, source: QuestionSource, caveat: str
) -> None:
    result = run(world, tmp_path / "evaluation", source=source)
    summary = result.summary
    verdicts = [one["verdict"] for one in summary["comparisons"]]
    verdicts += [one["verdict"] for regime in summary["regimes"].values() for one in regime["comparisons"]]
    assert all(one.endswith(caveat) for one in verdicts)
    assert summary["source"] == str(source)
    assert read_manifest(result.out).settings["source"] == str(source)
    for report in ("report.md", "report.html"):
        text = (result.out / report).read_text(encoding="utf-8")
        assert ("The tool wrote the questions" in text) == (source is QuestionSource.HELD_OUT_WRITTEN)
        assert ("were given for training" in text) == (source is QuestionSource.HELD_OUT_GIVEN)


def test_rows_join_by_id_and_hold_what_the_design_names(world: Any, tmp_path: Path) -> None:
    run(world, tmp_path / "evaluation")
    predictions = [row for _, row in read_jsonl(tmp_path / "evaluation" / "predictions.jsonl")]
    scores = [row for _, row in read_jsonl(tmp_path / "evaluation" / "scores.jsonl")]
    assert set(predictions[0]) == {
        "question_id", "arm", "passage_ids", "prompt", "text", "answer", "quotes", "abstained", "seconds",
        "likelihood",
        "label_constrained",
    }  # fmt: skip
    assert [(row["question_id"], row["arm"]) for row in predictions] == [
        (row["question_id"], row["arm"]) for row in scores
    ]
    assert scores[0] == {
        "question_id": "q0", "document_id": "0.md", "arm": "base",
        "f1": 1.0, "exact_match": 1.0, "squad_f1": 1.0, "squad_exact_match": 1.0, "contains_answer": 1.0,
        "answer_in_text": 1.0, "refused": 0.0, "rouge_l": 1.0,
    }  # fmt: skip


def test_every_answer_has_one_outcome_and_the_summary_counts_them(world: Any, tmp_path: Path) -> None:
    summary = run(world, tmp_path / "evaluation").summary
    rows = [row for _, row in read_jsonl(tmp_path / "evaluation" / "outcomes.jsonl")]
    said = {(row["question_id"], row["arm"]): row["outcome"] for row in rows}
    assert len(rows) == len(said) == 50
    assert {said["q4", arm] for arm in ("base", "dsf")} == {"from_memory"}
    assert (said["q4", "rag"], said["q4", "dsf+rag"], said["q4", "raft"]) == ("wordy", "ignored", "correct")
    # The lamp of pier 0 is red and that of pier 1 amber, which is what the plain model always says.
    assert (said["q0", "base"], said["q0", "dsf+rag"]) == ("correct", "wrong_passage")
    assert (said["none", "rag"], said["none", "raft"]) == ("answered_unanswerable", "correct")
    for arm, counts in summary["outcomes"].items():
        assert sum(counts.values()) == 10
        assert counts == {one: sum(said[id_, a] == one for id_, a in said if a == arm) for one in counts}


def test_quotes_are_measured_against_the_right_passage(world: Any, tmp_path: Path) -> None:
    arms = run(world, tmp_path / "evaluation").summary["arms"]
    everywhere = {"mean": 1, "low": pytest.approx(0.025 ** (1 / 9)), "high": 1, "n": 9}
    assert {arms["raft"][name]["n"] for name in ("citation_precision", "citation_recall", "supported")} == {9}
    assert arms["raft"]["citation_precision"] == arms["raft"]["supported"] == everywhere
    assert "citation_precision" not in arms["rag"]  # none of its quotes stands in a passage
    assert (arms["rag"]["citation_recall"]["mean"], arms["rag"]["supported"]["mean"]) == (0, 0)
    assert not {"citation_recall", "supported"} & set(arms["dsf"])


def test_an_arm_is_refused_its_unsure_answers_where_a_confidence_is_asked_for(world: Any, tmp_path: Path) -> None:
    @dataclass
    class Weighed:
        model: Any
        name: str = "mini"
        style: PromptStyle = PromptStyle.COMPACT

        def generate(self, prompts: Any, decoding: Any, advance: Any = None) -> list[Generation]:
            assert decoding.logprobs
            written = self.model.generate(prompts, decoding, advance)
            return [
                replace(one, likelihood=math.log(0.9 if "pier 4" in prompt.text[:60] else 0.2))
                for one, prompt in zip(written, prompts, strict=True)
            ]

    unweighed = world.load
    world.load = lambda base_model, adapter: Weighed(unweighed(base_model, adapter))
    summary = run(world, tmp_path / "all").summary
    assert summary["risk_coverage"]["raft"]["area"] == 0
    assert summary["risk_coverage"]["base"]["min_confidence"] is None  # nine wrong of ten
    answer = world.answer.model_copy(update={"min_confidence": 0.5})
    strict = run(world, tmp_path / "strict", answer=answer).summary
    assert strict["arms"]["raft"]["refused"]["mean"] == pytest.approx(8 / 9)
    assert strict["arms"]["raft"]["exact_match"]["mean"] == pytest.approx(1 / 9)
    assert read_manifest(tmp_path / "strict").settings["min_confidence"] == 0.5
    with pytest.raises(InputError, match="does not tell how likely"):
        run(world, tmp_path / "never", answer=answer, models={}, base_model="openai:m@http://localhost:1/v1")
    world.load = unweighed
    with pytest.raises(ModelError, match="does not tell how likely"):
        run(world, tmp_path / "never", answer=answer)


def test_results_are_split_by_document(world: Any, tmp_path: Path) -> None:
    again = replace(world.questions[4], id="again", answers=("it is violet I think",))
    run(world, tmp_path / "evaluation", questions=[*world.questions, again])
    rows = [row for _, row in read_jsonl(tmp_path / "evaluation" / "documents.jsonl")]
    assert len(rows) == 9 * 5  # the question that nothing answers has no document
    found = next(row for row in rows if (row["document_id"], row["arm"]) == ("4.md", "rag"))
    assert (found["questions"], found["exact_match"]) == (2, 0.5)
    assert found["f1"] == pytest.approx((1 / 3 + 1) / 2)


def test_results_are_split_by_kind_of_question(world: Any, tmp_path: Path) -> None:
    kinds = ["lamp"] * 9 + ["paint"]
    asked = [replace(question, kind=kind) for question, kind in zip(world.questions, kinds, strict=True)]
    summary = run(world, tmp_path / "evaluation", questions=asked).summary
    assert {kind: found["questions"] for kind, found in summary["kinds"].items()} == {"lamp": 9, "paint": 1}
    assert summary["kinds"]["lamp"]["arms"]["raft"]["f1"] == summary["arms"]["raft"]["f1"]
    assert set(summary["kinds"]["paint"]["arms"]["raft"]) == {"abstained_correctly"}


def test_the_order_of_questions_changes_no_number(world: Any, tmp_path: Path) -> None:
    forth = run(world, tmp_path / "forth").summary
    back = run(world, tmp_path / "back", questions=world.questions[::-1]).summary
    assert forth["arms"] == back["arms"]
    assert forth["comparisons"] == back["comparisons"]


def test_the_fingerprint_is_known_before_the_work(world: Any, tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    write_jsonl(path, map(question_row, world.questions))
    run(world, tmp_path / "evaluation", seed=3)
    manifest = read_manifest(tmp_path / "evaluation")
    assert manifest.fingerprint == fingerprint(Stage.EVALUATION, manifest.settings, manifest.inputs)
    expected = evaluation_fingerprint(world.spec(questions=path, seed=3))
    assert manifest.fingerprint == expected
    assert expected != evaluation_fingerprint(world.spec(questions=path, seed=4))


def test_no_path_of_the_machine_gets_into_any_file(world: Any, tmp_path: Path) -> None:
    base = tmp_path / "some" / "base"
    base.mkdir(parents=True)
    models = {"raft": world.tune(tmp_path / "tuned" / "raft", base_model=str(base))}
    out = run(world, tmp_path / "evaluation", models=models).out
    assert world.loaded == [f"{base} untuned", f"{base} raft"]
    for path in out.iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8"), path.name


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"index_digest": "0" * 64}, "00000000"),
        ({"prompt_fingerprint": "f" * 16}, "ffffffff"),
        ({"base_model": "other"}, "was tuned from mini, but .*other|was tuned from other"),
        ({"method": "dsf"}, "tuned with method dsf, but is given as raft"),
        ({"style": "rhyming"}, "training.json does not describe a tuned model"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_any_is_loaded(
    world: Any, tmp_path: Path, changes: dict[str, str], complaint: str
) -> None:
    world.tune(world.models["raft"], **changes)
    with pytest.raises(ArtifactError, match=complaint) as caught:
        run(world, tmp_path / "evaluation")
    assert "\n" not in str(caught.value)
    assert world.loaded == []
    assert not (tmp_path / "evaluation").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"questions": []}, "no questions"),
        ({"questions": [Question("a", "A?", ("x",)), Question("a", "B?", ("x",))]}, "same id"),
        ({"questions": [Question("a", "pier 1?", ("x",), ("1.md", "gone.md"))]}, "'a' names document 'gone.md'"),
        ({"models": {"best": Path("nowhere")}}, "no arm uses a model called 'best'"),
        ({"models": {"raft": Path("nowhere")}}, "nowhere does not exist"),
        ({"base_model": "other"}, "the untuned arms would use other"),
    ],
)
def test_bad_input_is_refused_before_a_model_is_loaded(
    world: Any, tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(RaftError, match=complaint):
        run(world, tmp_path / "evaluation", **changes)
    assert world.loaded == []
    assert not (tmp_path / "evaluation").exists()


def test_a_folder_of_something_else_is_left_alone(world: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.md").write_text("words", encoding="utf-8")
    with pytest.raises(ArtifactError, match="holds something that raft did not make"):
        run(world, tmp_path / "thesis")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.md"]


def test_a_damaged_index_is_refused(world: Any, tmp_path: Path) -> None:
    (world.index / "documents.jsonl").write_text("changed", encoding="utf-8")
    with pytest.raises(ArtifactError, match="damaged"):
        run(world, tmp_path / "evaluation")
    with pytest.raises(InputError):
        run(world, tmp_path / "evaluation", questions=tmp_path / "missing.jsonl")


def test_the_table_has_a_row_an_arm_under_its_heading(world: Any, tmp_path: Path) -> None:
    heading, *rows = comparison_table(run(world, tmp_path / "evaluation").summary)
    assert heading == (
        "Arm", "F1 (95 % interval)", "F1 seen", "F1 unseen", "Exact match", "Answer in text", "Refused",
        "Refused rightly",
    )  # fmt: skip
    assert [row[0] for row in rows] == ["base", "rag", "dsf", "dsf+rag", "raft"]
    assert rows[-1][1] == "100.0 (66.4 to 100.0)"
    assert {len(row) for row in rows} == {len(heading)}


def test_arms_on_request_stand_after_the_others_with_what_they_are(world: Any, tmp_path: Path) -> None:
    base = tmp_path / "some" / "base"
    base.mkdir(parents=True)
    arms = ("oracle", f"ours={base},retrieved", f"blind={base},none", "wide=raft,oracle")
    settings = world.settings.model_copy(update={"arms": arms})
    result = run(world, tmp_path / "evaluation", settings=settings)
    summary = result.summary
    assert list(summary["arms"]) == ["base", "rag", "dsf", "dsf+rag", "raft", "oracle", "ours", "blind", "wide"]
    # The rule of the untuned models: a sentence where passages are shown. Only nine questions have an oracle.
    assert summary["arms"]["ours"] == summary["arms"]["rag"]
    assert summary["arms"]["blind"] == summary["arms"]["base"]
    assert summary["arms"]["oracle"]["f1"]["n"] == 9 and "abstained_correctly" not in summary["arms"]["oracle"]
    assert world.loaded == ["mini untuned", "mini dsf", "mini raft", f"{base} untuned"]
    compared = {(one["a"], one["b"]) for one in summary["comparisons"]}
    assert {("oracle", "rag"), ("raft", "ours"), ("raft", "blind"), ("raft", "wide")} < compared
    settings_said = read_manifest(result.out).settings
    assert settings_said["arms"] == ["oracle", "ours=base,retrieved", "blind=base,none", "wide=raft,oracle"]
    assert "| ours | base, with passages |" in (result.out / "report.md").read_text(encoding="utf-8")
    for path in result.out.iterdir():
        assert str(tmp_path) not in path.read_text(encoding="utf-8"), path.name


def test_the_adapter_that_tuning_went_on_from_has_an_arm(world: Any, tmp_path: Path) -> None:
    start = tmp_path / "private" / "reader"
    start.mkdir(parents=True)
    (start / "adapter_config.json").write_text('{"base_model_name_or_path": "mini"}')
    warm = {name: world.tune(tmp_path / "warm" / name, start=str(start)) for name in ("dsf", "raft")}
    summary = world.evaluate(tmp_path / "evaluation", models=warm).summary
    assert list(summary["arms"]) == ["base", "rag", "general", "dsf", "dsf+rag", "raft"]
    assert f"{start} untuned" in world.loaded
    assert {("raft", "general"), ("general", "rag")} <= {(one["a"], one["b"]) for one in summary["comparisons"]}
    assert "private" not in (tmp_path / "evaluation" / "report.md").read_text()
    # Other matrices are another start.
    before = evaluation_fingerprint(world.spec(models=warm))
    (start / "adapter_model.safetensors").write_bytes(b"1")
    assert evaluation_fingerprint(world.spec(models=warm)) != before
    mixed = {"dsf": world.models["dsf"], "raft": warm["raft"]}
    with pytest.raises(
        ArtifactError, match=r"was tuned from the adapter .*, but .* from no adapter: arms are compared"
    ):
        world.evaluate(tmp_path / "mixed", models=mixed)


def test_a_tuned_model_of_the_users_own_is_checked_like_the_others(world: Any, tmp_path: Path) -> None:
    other = world.tune(tmp_path / "tuned" / "raft", index_digest="0" * 64)
    with pytest.raises(ArtifactError, match="was made for index 00000000"):
        run(world, tmp_path / "e", settings=world.settings.model_copy(update={"arms": (f"ours={other},retrieved",)}))
    fits = world.tune(tmp_path / "tuned" / "raft")
    settings = world.settings.model_copy(update={"arms": (f"ours={fits},retrieved",)})
    summary = run(world, tmp_path / "e", models={}, settings=settings).summary
    assert summary["arms"]["ours"]["exact_match"]["mean"] == 1
    assert set(summary["regimes"]) == {"seen", "unseen"}


def with_examples(world: Any, folder: Path, **inputs: str) -> Path:
    texts = [world.open_index(folder).passage(n) for n in (6, 7, 8)]
    rows = [
        {
            "id": passage.id, "question": f"Which colour burns on pier {n}?", "answers": [COLOURS[n]], "kind": "oracle",
            "passages": [{**PASSAGE, "id": passage.id, "text": passage.text, "oracle": True}],
            "quotes": [], "answer": COLOURS[n], "target": f"<ANSWER>: {COLOURS[n]}",
        }
        for n, passage in zip((6, 7, 8), texts, strict=True)
    ]  # fmt: skip
    with writing(folder, Stage.EXAMPLES) as draft:
        write_jsonl(draft.path / "train.jsonl", rows)
        draft.finish(Stage.EXAMPLES, {}, {"index": world.index_digest, **inputs}, {}, Ledger(3, 3))
    return folder


def test_few_shot_shows_worked_examples_of_the_training_set(world: Any, tmp_path: Path) -> None:
    examples = with_examples(world, tmp_path / "examples")
    settings = world.settings.model_copy(update={"arms": ("few-shot",), "shots": 2})
    summary = run(world, tmp_path / "evaluation", settings=settings, examples=examples).summary
    pairs = {(one["a"], one["b"]) for one in summary["comparisons"]}
    assert {("raft", "few-shot"), ("few-shot", "rag")} < pairs
    manifest = read_manifest(tmp_path / "evaluation")
    rows = [row for _, row in read_jsonl(tmp_path / "evaluation" / "predictions.jsonl") if row["arm"] == "few-shot"]
    assert len(rows) == 10
    assert all(row["prompt"].count("Which colour burns on pier") == 2 for row in rows)
    assert all(len(row["passage_ids"]) == 2 for row in rows)
    assert manifest.inputs["examples"] == read_manifest(examples).digest
    assert manifest.fingerprint == evaluation_fingerprint(world.spec(settings=settings, examples=examples))


@pytest.mark.parametrize(
    ("inputs", "shots", "complaint"),
    [
        (None, 2, "few-shot.*give --examples"),
        ({"index": "0" * 64}, 2, "was made for index 00000000"),
        ({}, 4, "has 3 rows to work through before a question, not 4"),
    ],
)
def test_few_shot_without_fitting_examples_is_refused_before_a_model_is_loaded(
    world: Any, tmp_path: Path, inputs: dict[str, str] | None, shots: int, complaint: str
) -> None:
    examples = None if inputs is None else with_examples(world, tmp_path / "examples", **inputs)
    settings = world.settings.model_copy(update={"arms": ("few-shot",), "shots": shots})
    with pytest.raises(RaftError, match=complaint):
        run(world, tmp_path / "evaluation", settings=settings, examples=examples)
    assert world.loaded == []


@pytest.mark.parametrize(
    ("arm", "complaint"),
    [("ours=dsf-cot,none", "add --model dsf-cot=DIR"), ("ours=openai:x,none", "names no endpoint")],
)
def test_an_arm_without_its_model_is_refused_before_a_model_is_loaded(
    world: Any, tmp_path: Path, arm: str, complaint: str
) -> None:
    with pytest.raises(RaftError, match=complaint):
        run(world, tmp_path / "evaluation", settings=world.settings.model_copy(update={"arms": (arm,)}))
    assert world.loaded == []
