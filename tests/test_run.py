"""The whole run refuses what would spoil it before the work that it spoils, and reads no result as a document."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from listening import Listener

from raft.artifacts import Stage, read_jsonl, verified, write_jsonl
from raft.errors import InputError, ModelError, RaftError
from raft.recipe import (
    AnswerSettings,
    EvaluateSettings,
    ExampleSettings,
    IndexSettings,
    Recipe,
    Targets,
    TuneSettings,
)
from raft.run import _held_out, run
from raft.types import Question

PUMP = {"id": "a", "question": "At what pressure does the Merrow 45 stop?", "answers": ["36 bar"]}
WINCH = {"id": "b", "question": "How much can the Grappel G5 lift?", "answers": ["2.2 tonnes"]}
LAMP = {"id": "c", "question": "Who keeps the lamp at Quillan Light?", "answers": ["Noor Halvane"]}
LONG = "Why " + "very " * 400 + "long?"
SMALL = Recipe(
    index=IndexSettings(passage_tokens=32),
    generate=ExampleSettings(num_distractors=1),
    tune=TuneSettings(model="mini"),
)


def write(path: Path, *rows: dict[str, Any]) -> Path:
    write_jsonl(path, rows)
    return path


def test_a_model_behind_an_endpoint_cannot_be_tuned(notes: Path, tmp_path: Path) -> None:
    recipe = Recipe(tune=TuneSettings(model="openai:m@http://localhost:1/v1"))
    with pytest.raises(InputError, match=r"tune\.model is 'openai:m@http://localhost:1/v1'.*cannot be tuned"):
        run([notes], tmp_path / "out", recipe=recipe)
    assert list(tmp_path.iterdir()) == []


def test_targets_of_its_own_are_refused_because_the_run_has_both(notes: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tune\.targets is 'plain'.*--ablations"):
        run([notes], tmp_path / "out", recipe=Recipe(tune=TuneSettings(targets=Targets.PLAIN)))
    assert list(tmp_path.iterdir()) == []


def test_what_tuning_needs_and_is_not_there_is_told_before_any_work(
    notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Recipe(tune=TuneSettings(model="mini", start=str(tmp_path / "gone")))
    with pytest.raises(ModelError, match=r"gone', which is no folder with a LoRA adapter: check its path"):
        run([notes], tmp_path / "out", recipe=gone)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match="run `raft fetch smollm2` once"):
        run([notes], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_question_to_evaluate_on_is_not_trained_on_however_it_is_spelt(notes: Path, tmp_path: Path) -> None:
    asked = write(tmp_path / "q.jsonl", LAMP, PUMP)
    trained = write(
        tmp_path / "t.jsonl", WINCH, PUMP | {"id": "z", "question": "at what pressure, does a MERROW 45 stop"}
    )
    with pytest.raises(InputError, match=r"question 'a' of .*q\.jsonl is also question 'z' of .*t\.jsonl"):
        run([notes], tmp_path / "out", asked, trained, SMALL)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    ("row", "message"),
    [
        (PUMP | {"document_ids": ["pumps.md", "gone.md"]}, "question 'a' names document 'gone.md'"),
        (
            PUMP | {"question": LONG},
            r"holds no question that can be used \(0 questions, 1 left out \(1 x the question is longer than",
        ),
    ],
)
def test_a_question_that_does_not_fit_the_index_is_refused_directly_after_it(
    notes: Path, tmp_path: Path, row: dict[str, Any], message: str, training: bool
) -> None:
    path = write(tmp_path / "q.jsonl", row)
    with pytest.raises(InputError, match=message) as caught:
        run([notes], tmp_path / "out", *((None, path) if training else (path, None)), SMALL)
    assert "q.jsonl" in str(caught.value)
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == [".raft-stage", "index", "recipe.json"]


def test_a_question_that_is_longer_than_the_embedder_reads_is_left_out_with_its_reason(
    notes: Path, tmp_path: Path
) -> None:
    listener = Listener()
    path = write(tmp_path / "t.jsonl", PUMP, WINCH | {"question": LONG}, LAMP)
    settings = ExampleSettings(num_distractors=1, test_fraction=0, validation_fraction=0)
    # Stops before anything is tuned.
    with pytest.raises(InputError, match=r"test\.jsonl is empty"):
        run([notes], tmp_path / "out", None, path, SMALL.model_copy(update={"generate": settings}), listener)
    assert f"{path}: question 'b' is left out: the question is longer than the embedder reads" in listener.notes
    (rejected,) = [row for _, row in read_jsonl(tmp_path / "out" / "examples" / "rejected.jsonl")]
    assert (rejected["place"], rejected["text"]) == ("question 'b'", LONG)
    assert verified(tmp_path / "out" / "examples", Stage.EXAMPLES).ledger.rejected == {rejected["reason"]: 1}


def test_without_anything_to_evaluate_on_nothing_is_tuned(notes: Path, tmp_path: Path) -> None:
    trained = write(tmp_path / "t.jsonl", PUMP, WINCH, LAMP)
    settings = ExampleSettings(num_distractors=1, test_fraction=0, validation_fraction=0)
    with pytest.raises(InputError, match=r"test\.jsonl is empty"):
        run([notes], tmp_path / "out", None, trained, SMALL.model_copy(update={"generate": settings}))
    assert (tmp_path / "out" / "examples").is_dir()
    assert not (tmp_path / "out" / "models").exists()


def test_a_question_with_two_rows_is_held_out_once_and_one_that_nothing_answers_has_no_evidence(tmp_path: Path) -> None:
    row = {"question_id": "a", "question": "Why?", "answers": ["x"], "document_ids": ["d"]}
    path = write(tmp_path / "test.jsonl", row, row, row | {"question_id": "b", "answers": []})
    assert _held_out(path) == [
        Question("a", "Why?", ("x",), ("d",)),
        Question("b", "Why?", unanswerable=True),
    ]


def test_a_folder_of_unreadable_files_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.json").write_text("{")
    (tmp_path / "notes" / "b.txt").write_text(" ")
    with pytest.raises(InputError, match="no readable document"):
        run([tmp_path / "notes"], tmp_path / "n1" / "out", recipe=SMALL)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes"]


def test_results_among_the_documents_are_never_read_as_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pumps.md").write_text("# Pumps\n\nThe Merrow 45 stops at 36 bar.\n")
    # Stops after the index stage, which is all that reads documents; the second run finds what the first one left.
    path = write(tmp_path / "q.txt", PUMP | {"document_ids": ["gone.md"]})
    for _ in range(2):
        with pytest.raises(InputError, match=r"gone\.md"):
            run([Path()], Path("out"), path, None, SMALL)
        assert json.loads((tmp_path / "out" / "recipe.json").read_text()) == SMALL.model_dump(mode="json")
        (tmp_path / "out" / "index" / "manifest.json").write_text("{")  # so that the index is made again
    # A run of an older version has no marker.
    (tmp_path / "out" / ".raft-stage").unlink()
    with pytest.raises(InputError, match=r"gone\.md"):
        run([Path()], Path("out"), path, None, SMALL)
    rows = [row for _, row in read_jsonl(tmp_path / "out" / "index" / "documents.jsonl")]
    assert [row["id"] for row in rows] == ["pumps.md", "q.txt"]


def test_documents_below_the_results_are_refused(tmp_path: Path) -> None:
    documents = tmp_path / "out" / "examples"
    documents.mkdir(parents=True)
    with pytest.raises(RaftError, match="where the results go"):
        run([documents], tmp_path / "out", recipe=SMALL)


# --- the prompt of an untuned chat model

ASKED = [
    PUMP | {"document_ids": ["pumps.md"]},
    WINCH | {"document_ids": ["winches.txt"]},
    {
        "id": "d",
        "question": "Who washes the filters of Sigrun?",
        "answers": ["Ilse Torrand"],
        "document_ids": ["dryer.md"],
    },
    {"id": "e", "question": "Who keeps the accounts?", "answers": ["Hanne Ruud"], "document_ids": ["people.txt"]},
    {"id": "f", "question": "Which channel is the office on?", "answers": ["channel 8"], "document_ids": ["rules.md"]},
]


def chat_recipe(model: Path, **answer: Any) -> Recipe:
    return SMALL.model_copy(
        update={
            "generate": ExampleSettings(
                num_distractors=1, unseen_fraction=0, validation_fraction=0.4, test_fraction=0, round_trip_depth=8
            ),
            "tune": TuneSettings(model=str(model), num_train_epochs=1),
            "answer": AnswerSettings(top_k=1, max_new_tokens=3, **answer),
            "evaluate": EvaluateSettings(bootstrap_samples=50, forgetting=""),
        }
    )


def test_the_prompt_of_an_untuned_chat_model_is_chosen_once_and_read_by_all_that_ask_it(
    notes: Path, tmp_path: Path, tiny_chat: Callable[[str], Path], call: Any
) -> None:
    model, out = tiny_chat("llama"), tmp_path / "out"
    asked, trained = write(tmp_path / "q.jsonl", LAMP), write(tmp_path / "t.jsonl", *ASKED)

    def again(**answer: Any) -> tuple[Any, list[str]]:
        listener = Listener()
        return run([notes], out, asked, trained, chat_recipe(model, **answer), listener), listener.notes

    summary, said = again()
    choice = json.loads((out / "prompts" / "prompts.json").read_text(encoding="utf-8"))
    assert verified(out / "prompts", Stage.PROMPTS).counts == {"questions": choice["questions"], "prompts": 4}
    assert choice["questions"] > 0 and len(choice["tried"]) == 4
    used = {"prompt": choice["chosen"], "why": f"chosen on {choice['questions']} validation questions"}
    used["why"] = used["why"].removesuffix("s") if choice["questions"] == 1 else used["why"]
    assert summary["prompts"]["used"] == {"base": used}
    assert any(note.startswith(f"prompts: '{choice['chosen']}' suits llama best") for note in said)
    for arm in ("rag", "raft"):
        rows = [row for _, row in read_jsonl(out / "evaluation" / "predictions.jsonl") if row["arm"] == arm]
        assert ["<ANSWER>:" in row["prompt"] for row in rows] == [arm == "raft" or choice["chosen"] == "quote"]

    unchanged = [
        f"{name}: unchanged, skipped" for name in ("index", "examples", "prompts", "models/dsf", "models/raft")
    ]
    assert again()[1] == [*unchanged, "evaluation: unchanged, skipped"]

    sets = ("--set", f"tune.model={model}", "--set", "answer.max_new_tokens=2")
    code, _, err = call("query", "Who?", "--index", out / "index", *sets)
    assert (code, err.splitlines()[-1]) == (0, f"prompt '{used['prompt']}', {used['why']}")
    code, _, err = call("query", "Who?", "--index", out / "index", *sets, "--prompts", out / "examples")
    assert code == 2 and "is an artefact of stage 'examples', not 'prompts'" in err

    # A prompt that the recipe names is tried on nothing, and the choice that was made stays as it is.
    summary, said = again(prompt="worked")
    assert summary["prompts"]["used"]["base"]["prompt"] == "worked"
    assert [note for note in said if note.endswith("skipped")] == [one for one in unchanged if "prompts" not in one]
