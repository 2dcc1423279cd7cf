"""The notebook runs from top to bottom, with few documents and the small model."""

import json
from pathlib import Path
from typing import Any

import pytest

from raft.artifacts import write_jsonl

NOTEBOOK = Path(__file__).parents[1] / "docs" / "walkthrough.ipynb"
ASKED = [
    ("Which make of pump stops at 36 bar?", "Merrow 45", "pumps.md"),
    ("What load can the Grappel G5 take?", "2.2 tonnes", "winches.txt"),
    ("Who looks after the lamp at Quillan Light?", "Noor Halvane", "museum.md"),
]


def rows(prefix: str) -> list[dict[str, Any]]:
    return [
        {"id": f"{prefix}{number}", "question": question, "answers": [answer], "document_ids": [document]}
        for number, (question, answer, document) in enumerate(ASKED)
    ]


def test_the_notebook_runs_from_top_to_bottom(
    notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "training.jsonl", rows("t"))
    write_jsonl(tmp_path / "questions.jsonl", [{**row, "question": f"Tell me: {row['question']}"} for row in rows("q")])
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert "parameters" in cells[0]["metadata"]["tags"]
    names: dict[str, Any] = {}
    for cell in cells:
        exec("".join(cell["source"]), names)
        if cell is cells[0]:
            names |= {
                "DOCUMENTS": notes,
                "QUESTIONS": tmp_path / "questions.jsonl",
                "TRAINING_QUESTIONS": tmp_path / "training.jsonl",
                "OUT": tmp_path / "out",
                "MODEL": "mini",
                "SAMPLE": 0,
            }
    printed = capsys.readouterr().out
    assert "raft" in printed and "dsf+rag" in printed
    assert (tmp_path / "out" / "evaluation" / "report.html").is_file()
    assert names["answer"].answer
