"""Small training sets about the six documents."""

import json
from pathlib import Path

import pytest

from raft.examples import generate_examples
from raft.recipe import ExampleSettings

QUESTIONS = [
    ("What pressure ends the Merrow 45?", "36 bar", "pumps.md"),
    ("What pressure ends the Merrow 40?", "40 bar", "pumps.md"),
    ("How much does the Grappel G3 lift?", "1.5 tonnes", "winches.txt"),
    ("How often must someone alone call?", "every 30 minutes", "rules.md"),
    ("How hot does Sigrun get?", "52 degrees", "dryer.md"),
    ("Who keeps the books?", "Hanne Ruud", "people.txt"),
    ("When are the doors of Quillan Light open from?", "10:30", "museum.md"),
]


def make_examples(index: Path, folder: Path, validation_fraction: float) -> Path:
    rows = [
        {"id": str(n), "question": question, "answers": [answer], "document_ids": [document]}
        for n, (question, answer, document) in enumerate(QUESTIONS)
    ] + [{"id": "u", "question": "Who painted the Tessaly?", "answers": [], "unanswerable": True}]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    chosen = ExampleSettings(num_distractors=1, validation_fraction=validation_fraction, test_fraction=0)
    generate_examples(index, folder / "examples", folder / "questions.jsonl", chosen)
    return folder / "examples"


@pytest.fixture(scope="session")
def examples(notes_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_examples(notes_index, tmp_path_factory.mktemp("tune"), 0.2)


@pytest.fixture(scope="session")
def unvalidated(notes_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_examples(notes_index, tmp_path_factory.mktemp("tune"), 0)
