"""Rows taken as passages: whole, with their ids, and put together by document."""

import json
from pathlib import Path

import pytest

from raft.artifacts import read_manifest
from raft.errors import InputError, ModelError
from raft.index import Index, build_index
from raft.models.embedder import Embedder
from raft.recipe import IndexSettings

SETTINGS = IndexSettings(passages=True, passage_tokens=16)
ROWS = [
    {
        "id": "a1",
        "document_id": "a",
        "title": "Pumps",
        "text": "The pump runs at 45 bar.",
        "section": "Limits",
        "page": 2,
    },
    {
        "id": "b1",
        "text": " A second text, longer than sixteen tokens, which nobody may cut: it is taken as it is, whole. ",
    },
    {"id": "a2", "document_id": "a", "title": "Pumps", "text": "It is greased every morning."},
]


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_become_passages_as_they_are(tmp_path: Path, minilm: Embedder) -> None:
    manifest = build_index([write(tmp_path / "rows.jsonl", ROWS)], tmp_path / "index", SETTINGS, embedder=minilm)
    index = Index.open(tmp_path / "index", minilm)
    assert {passage.id: passage.text for passage in index.passages} == {row["id"]: row["text"] for row in ROWS}
    for passage in index.passages:
        assert index.documents[passage.document_id].text[passage.start : passage.end] == passage.text
    assert set(index.documents) == {"a", "b1"}
    first = index.passage("a1")
    assert (first.document_id, first.section, first.page, first.title) == ("a", "Limits", 2, "Pumps")
    assert manifest.ledger.read == manifest.ledger.kept == 1


def test_an_update_keeps_the_vectors_of_rows_that_stay(
    tmp_path: Path, minilm: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "rows.jsonl", ROWS)
    build_index([path], tmp_path / "index", SETTINGS, embedder=minilm)
    write(path, [*ROWS, {"id": "c1", "text": "A new row."}])
    embedded: list[str] = []
    encode = minilm.encode

    def counting(texts: list[str], *arguments: object, **named: object) -> object:
        embedded.extend(texts)
        return encode(texts, *arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(minilm, "encode", counting)
    build_index([path], tmp_path / "index", SETTINGS, embedder=minilm)
    assert embedded == ["A new row.\nA new row."] or embedded == ["c1\nA new row."]
    build_index([path], tmp_path / "fresh", SETTINGS, embedder=minilm)
    assert read_manifest(tmp_path / "index").outputs == read_manifest(tmp_path / "fresh").outputs


def test_what_is_no_row_or_too_long_is_refused(tmp_path: Path, minilm: Embedder) -> None:
    (tmp_path / "page.md").write_text("# A page\n\nNo rows.")
    with pytest.raises(InputError, match=r"page\.md holds no rows of JSON Lines: leave it out"):
        build_index([tmp_path / "page.md"], tmp_path / "index", SETTINGS, embedder=minilm)
    wrong = write(tmp_path / "wrong.jsonl", [{"id": "x", "text": "Words.", "page": "ii"}])
    with pytest.raises(InputError, match=r"wrong\.jsonl, line 1: page 'ii' is no number"):
        build_index([wrong], tmp_path / "index", SETTINGS, embedder=minilm)
    long = write(tmp_path / "long.jsonl", [{"id": "x", "text": "word " * 300}])
    with pytest.raises(ModelError, match="reads at most 254"):
        build_index([long], tmp_path / "index", SETTINGS, embedder=minilm)
    assert not (tmp_path / "index").exists()
