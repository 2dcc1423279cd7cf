"""`raft generate` with a mix of rows: pairs, near misses, distractors that were read, rows that fit."""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from raft.artifacts import Stage, read_jsonl, verified
from raft.audit import audit_file
from raft.errors import InputError, ModelError
from raft.examples import examples_fingerprint, generate_examples
from raft.examples.composing import Reason
from raft.examples.counterfactual import Swap
from raft.examples.export import export_examples
from raft.examples.near_misses import fault_of
from raft.examples.recording import public_settings
from raft.examples.training_rows import read_rows
from raft.models.generator import Decoding, Generation
from raft.models.local import load_model
from raft.models.tokens import load_codec
from raft.outputs import parse_answer
from raft.progress import Advance
from raft.prompts import Prompt, PromptStyle, joined, plain_target
from raft.recipe import DistractorMix, ExampleSettings, NoOracle
from raft.text import contains_answer
from raft.tune.encoding import encode_rows
from raft.types import ExportFormat, Passage, Question, TuningMethod

ASKED = [
    ("At what pressure does the Merrow 45 stop?", "36 bar", ["pumps.md"]),
    ("How many litres a minute does the Merrow 40 move?", "90 litres", ["pumps.md"]),
    ("How much does the Grappel G3 lift?", "1.5 tonnes", ["winches.txt"]),
    ("How much kelp does Sigrun dry in 16 hours?", "1400 kg", ["dryer.md"]),
    ("Who is chief engineer at Dunmarra?", "Teodor Lunt", ["people.txt"]),
    ("Who keeps the lamp at Quillan Light?", "Noor Halvane", ["museum.md"]),
]
TRAIN_ONLY = {"validation_fraction": 0, "test_fraction": 0}
REFUSES = "The passages do not answer this."


NOTES_OF_PEOPLE = "Ilse Tarrant is managing director since 2022. Teodor Lunt is chief engineer at Dunmarra."


class Reader:
    """A reader that says what it was made to say to each prompt, and keeps the prompts."""

    name, style = "reader", PromptStyle.COMPACT

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        self.answers, self.asked = answers or {}, list[Prompt]()

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        self.asked += prompts
        return [Generation(joined(plain_target(self._answer(prompt.text))), 0.0) for prompt in prompts]

    def _answer(self, prompt: str) -> str:
        return next((answer for words, answer in self.answers.items() if words in prompt), REFUSES)


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = [
        {"id": f"q{n}", "question": text, "answers": [answer], "document_ids": documents}
        for n, (text, answer, documents) in enumerate(ASKED)
    ]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "questions.jsonl"


def rows(folder: Path, name: str = "train") -> list[dict]:
    return [row for _, row in read_jsonl(folder / f"{name}.jsonl")]


def test_a_mixed_set_is_whole_balanced_and_clean(notes_index: Path, questions: Path, tmp_path: Path) -> None:
    mix = DistractorMix(hard=1, random=1, same_document=1, counterfactual=2)
    chosen = ExampleSettings.model_validate(
        {"num_distractors": "1-2", "distractors": mix, "paired": True, "unanswerable_fraction": 0.4}
        | {"no_oracle": NoOracle.BOTH, "read_distractors": True, "for_model": "mini"}
        | TRAIN_ONLY
    )
    out = tmp_path / "out"
    manifest = generate_examples(notes_index, out, questions, chosen, 1, generator=Reader())
    made, rejected = rows(out), rows(out, "rejected")
    assert manifest.ledger.kept == len(made) and manifest.ledger.read == len(made) + len(rejected)
    kinds = Counter(row["kind"] for row in made)
    assert kinds["oracle"] == kinds["no_oracle"] > 0
    pairs: dict[str, list[dict]] = {}
    for row in made:
        if row["kind"] != "unanswerable":
            pairs.setdefault(row["question_id"], []).append(row)
    for pair in pairs.values():
        assert [row["kind"] for row in pair] == ["oracle", "no_oracle"]
        assert len(pair[0]["passages"]) == len(pair[1]["passages"])
    taught = Counter(row["answer"] == REFUSES for row in made if row["kind"] == "no_oracle")
    assert abs(taught[True] - taught[False]) <= 1
    near = [row for row in made if row["provenance"]["source"] == "near miss"]
    assert near and all((row["kind"], row["answers"], row["answer"]) == ("unanswerable", [], REFUSES) for row in near)
    shown = [passage for row in made for passage in row["passages"]]
    false = [passage for passage in shown if passage["distractor"] == "counterfactual"]
    assert false and all(passage["made_from"] and not passage["document_id"] for passage in false)
    for row in made:
        assert not any(contains_answer(p["text"], tuple(row["answers"])) for p in row["passages"] if not p["oracle"])
        if not any(passage["oracle"] for passage in row["passages"]):
            assert row["quotes"] == [] and all(p["distractor"] != "counterfactual" for p in row["passages"])
    assert audit_file(out / "train.jsonl", notes_index).findings == ()
    assert examples_fingerprint(verified(notes_index, Stage.INDEX).digest, questions, chosen, 1) == manifest.fingerprint
    again = generate_examples(notes_index, tmp_path / "again", questions, chosen, 1, generator=Reader())
    assert again == manifest
    export_examples(out, tmp_path / "hf", ExportFormat.HF)
    from datasets import load_from_disk

    exported = load_from_disk(str(tmp_path / "hf"))["train"]
    assert [[p["distractor"] for p in r["passages"]] for r in exported] == [
        [p["distractor"] for p in r["passages"]] for r in made
    ]


def test_a_distractor_from_which_the_reader_answers_rightly_is_dropped_and_the_next_is_read(
    notes_index: Path, questions: Path, tmp_path: Path
) -> None:
    plain = ExampleSettings(num_distractors=1, read_distractors=True, **TRAIN_ONLY)
    generate_examples(notes_index, tmp_path / "plain", questions, plain, generator=Reader())
    before = next(row for row in rows(tmp_path / "plain") if row["question_id"] == "q0")
    (tempting,) = (passage["text"] for passage in before["passages"] if not passage["oracle"])
    reader = Reader({tempting: "36 bar"})
    generate_examples(notes_index, tmp_path / "out", questions, plain, generator=reader)
    after = next(row for row in rows(tmp_path / "out") if row["question_id"] == "q0")
    (other,) = (passage["text"] for passage in after["passages"] if not passage["oracle"])
    assert other != tempting
    assert all(len(prompt.passages) == 1 for prompt in reader.asked)
    assert any(ASKED[0][0] in prompt.text and other in prompt.text for prompt in reader.asked)


def holding(tiny: Path, folder: Path, tokens: int) -> Path:
    """A model of the same kind whose context holds so many tokens."""
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": tokens}))
    return folder


def test_rows_that_do_not_fit_the_model_to_be_tuned_are_rejected_and_a_pair_with_one_of_them_whole(
    notes_index: Path, questions: Path, tiny_mini: Path, tmp_path: Path
) -> None:
    paired = ExampleSettings(num_distractors=1, paired=True, **TRAIN_ONLY)
    generate_examples(notes_index, tmp_path / "all", questions, paired)
    codec, _ = load_codec(str(tiny_mini))
    learnt = read_rows(tmp_path / "all" / "train.jsonl", TuningMethod.RAFT, codec.style)
    lengths = [codec.row_length(codec.prompt_ids(row.prompt), codec.target_ids(row.target)) for row in learnt]
    limit = sorted(lengths)[len(lengths) // 2]
    assert max(lengths) > limit
    model = holding(tiny_mini, tmp_path / "small", limit)
    chosen = paired.model_copy(update={"for_model": str(model)})
    manifest = generate_examples(notes_index, tmp_path / "out", questions, chosen)
    fits = [length <= limit for length in lengths]
    pairs = list(zip(fits[::2], fits[1::2], strict=True))
    assert len(rows(tmp_path / "out")) == 2 * sum(all(pair) for pair in pairs)
    assert manifest.ledger.rejected == {
        "longer than the model to be tuned can hold": fits.count(False),
        "the other row of its pair was rejected": sum(any(pair) and not all(pair) for pair in pairs),
    }
    assert manifest.settings["for_model"] == "small"
    # Tuning counts alike: what was kept fits, and all that was made did not.
    loaded = load_model(str(tiny_mini))
    loaded.context_tokens = limit
    assert encode_rows(read_rows(tmp_path / "out" / "train.jsonl", TuningMethod.RAFT, codec.style), loaded)
    with pytest.raises(ModelError, match="generate again with for_model"):
        encode_rows(learnt, loaded)


def test_a_model_to_be_tuned_that_is_not_there_is_an_error_before_any_question_is_written(
    notes_index: Path, tmp_path: Path
) -> None:
    reader = Reader()
    with pytest.raises(ModelError, match=r"'\./nope' cannot be loaded"):
        generate_examples(notes_index, tmp_path / "out", None, ExampleSettings(for_model="./nope"), generator=reader)
    assert reader.asked == []


def test_a_question_with_several_documents_gets_an_oracle_of_each(notes_index: Path, tmp_path: Path) -> None:
    asked = {
        "id": "a",
        "question": "How many litres a minute does the pump that serves the bilge of the Tessaly move at Dunmarra?",
        "answers": ["90 litres"],
    }
    named = asked | {"document_ids": ["pumps.md", "people.txt"]}
    brought = asked | {"id": "b", "question": asked["question"] + " Say!", "contexts": [NOTES_OF_PEOPLE]}
    brought["contexts"].append("It moves 90 litres a minute and serves the bilge of the Tessaly.")
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (named, brought)))
    several = ExampleSettings(num_distractors=1, max_oracles=2, **TRAIN_ONLY)
    generate_examples(notes_index, tmp_path / "out", tmp_path / "q.jsonl", several)
    for row in rows(tmp_path / "out"):
        oracles = {passage["id"]: passage["document_id"] for passage in row["passages"] if passage["oracle"]}
        assert sorted(oracles.values()) == ["people.txt", "pumps.md"] == sorted(row["document_ids"])
        assert [oracles[quote["passage_id"]] for quote in row["quotes"]] == ["people.txt", "pumps.md"]
    assert audit_file(tmp_path / "out" / "train.jsonl", notes_index).findings == ()
    one = several.model_copy(update={"max_oracles": 1})
    generate_examples(notes_index, tmp_path / "one", tmp_path / "q.jsonl", one)
    assert all(sum(p["oracle"] for p in row["passages"]) == 1 for row in rows(tmp_path / "one"))


def test_targets_of_a_model_are_recorded_and_their_rejections_counted(
    notes_index: Path, questions: Path, tmp_path: Path
) -> None:
    oracle = "The Merrow 45 stops at 36 bar."
    chosen = ExampleSettings(num_distractors=0, targets="model", **TRAIN_ONLY)
    writer = Reader({"Merrow 45 stop?": "36 bar"})
    with pytest.raises(InputError, match="5 x the reader gives another answer, 1 x the answer does not follow"):
        generate_examples(notes_index, tmp_path / "none", questions, chosen, generator=writer)

    class Quoting(Reader):
        def _answer(self, prompt: str) -> str:
            return "36 bar" if "Merrow 45 stop?" in prompt else REFUSES

        def generate(
            self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
        ) -> list[Generation]:
            said = super().generate(prompts, decoding, advance)
            quote = f"It is on the sheet: [1] ##begin_quote## {oracle} ##end_quote##."
            return [Generation(f"{quote} {one.text}", 0.0) for one in said]

    generate_examples(notes_index, tmp_path / "out", questions, chosen, generator=Quoting())
    (row,) = rows(tmp_path / "out")
    assert row["reasoning"] == f"It is on the sheet: [1] ##begin_quote## {oracle} ##end_quote##."
    assert audit_file(tmp_path / "out" / "train.jsonl", notes_index).findings == ()
    export_examples(tmp_path / "out", tmp_path / "chat", ExportFormat.MESSAGES)
    (exported,) = rows(tmp_path / "chat")
    assert exported["messages"][-1]["content"] == row["target"]


def test_a_teacher_that_writes_no_target_leaves_no_row_and_its_path_is_recorded_nowhere(
    notes_index: Path, questions: Path, tmp_path: Path, tiny_chat
) -> None:
    asked = questions.read_text().splitlines()[0]
    (tmp_path / "one.jsonl").write_text(asked + "\n")
    teacher = ExampleSettings(num_distractors=0, targets=str(tiny_chat("llama")), **TRAIN_ONLY)
    with pytest.raises(InputError, match=r"of 1 candidates \(1 x not in the form that was asked for"):
        generate_examples(notes_index, tmp_path / "out", tmp_path / "one.jsonl", teacher)
    assert public_settings(teacher)["targets"] == "llama"


def test_near_misses_that_may_have_an_answer_are_turned_away() -> None:
    source = Question("q", "At what pressure does the Merrow 45 stop?", ("36 bar",))
    swap = Swap("At what pressure does the Merrow 40 stop?", "45", "40")
    sheet = Passage("p", "d", "", "The Merrow 45 stops at 36 bar.", 0, 30)
    newer = Passage("n", "d", "", "The Merrow 40 stops at 40 bar.", 0, 30)

    def fault(answer: str, *retrieved: Passage) -> Reason | None:
        return fault_of(source, swap, retrieved, parse_answer(joined(plain_target(answer))))

    assert fault(REFUSES, sheet) is None
    assert fault("36 bar", sheet) is Reason.STILL_READ
    assert fault("blue", sheet, newer) is None
    assert fault("40 bar", sheet, newer) is Reason.MAY_BE_ANSWERED
    both = Passage("b", "d", "", "Both the Merrow 40 and 45 stop at 36 bar.", 0, 41)
    assert fault(REFUSES, both) is Reason.MAY_BE_ANSWERED
