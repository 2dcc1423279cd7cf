"""The real language model, once: it learns from a dozen rows, answers from its documents and quotes them."""

import json
from pathlib import Path

import pytest

from raft.answering import Answerer
from raft.errors import ModelError
from raft.examples import generate_examples
from raft.models.smollm2 import smollm2_folder
from raft.recipe import AnswerSettings, ExampleSettings, TuneSettings, TuningMethod
from raft.tune import tune

ASKED = [
    ("At what pressure does the Merrow 45 stop?", "36 bar", "pumps.md"),
    ("At what pressure does the Merrow 40 stop?", "40 bar", "pumps.md"),
    ("How much does the Grappel G3 lift?", "1.5 tonnes", "winches.txt"),
    ("How much does the Grappel G5 lift?", "2.2 tonnes", "winches.txt"),
    ("Who greases the winches?", "Jory Mabb", "winches.txt"),
    ("How often must someone alone call the harbour office?", "every 30 minutes", "rules.md"),
    ("How hot does Sigrun get?", "52 degrees", "dryer.md"),
    ("Who washes the filters of Sigrun?", "Ilse Torrand", "dryer.md"),
    ("Who is chief engineer?", "Teodor Lunt", "people.txt"),
    ("Who keeps the accounts?", "Hanne Ruud", "people.txt"),
    ("When does the museum open?", "10:30", "museum.md"),
    ("Who keeps the lamp?", "Noor Halvane", "museum.md"),
]
EPOCHS = 3


def fetched() -> bool:
    try:
        return smollm2_folder().is_dir()
    except ModelError:
        return False


# One test and not several: they would share a tuned model, and two workers would each tune their own.
@pytest.mark.timeout(600)
@pytest.mark.skipif(not fetched(), reason="smollm2 is not on this machine: run `raft fetch smollm2`")
def test_smollm2_learns_from_a_dozen_rows_to_answer_and_to_cite(notes: Path, notes_index: Path, tmp_path: Path) -> None:
    rows = [
        {"id": str(n), "question": question, "answers": [answer], "document_ids": [document]}
        for n, (question, answer, document) in enumerate(ASKED)
    ]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = ExampleSettings(num_distractors=1, validation_fraction=0, test_fraction=0)
    generate_examples(notes_index, tmp_path / "examples", tmp_path / "questions.jsonl", chosen)
    settings = TuneSettings(
        model="smollm2",
        start="",
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=2,
        learning_rate=1e-3,
        warmup_steps=0,
    )
    manifest = tune(tmp_path / "examples", tmp_path / "tuned", TuningMethod.RAFT, settings)
    assert manifest.counts["rows"] == len(ASKED)
    told = json.loads((tmp_path / "tuned" / "training.json").read_text())["losses"]
    losses = [one["loss"] for one in told if "loss" in one]
    assert len(losses) == EPOCHS
    assert losses[-1] < losses[0] / 2

    answerer = Answerer.open(notes_index, tmp_path / "tuned", AnswerSettings(top_k=2))
    right = 0
    for question, answer, document in ASKED[::4]:
        reply = answerer.answer(question)
        right += reply.answer == answer and document in {quote.document_id for quote in reply.quotes}
        for quote in reply.quotes:
            assert (notes / quote.document_id).read_text()[quote.start : quote.end] == quote.text
    # What it says in the end depends on how a machine rounds; that it can say it does not.
    assert right >= 1
