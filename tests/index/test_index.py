"""An index from folder to answers: committed whole, checked before use, and retrieving the right passages."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from raft.artifacts import MANIFEST, Ledger, hash_file, read_jsonl, read_manifest
from raft.corpus import searchable_text, sketches
from raft.corpus.sketches import SKETCHES, load_sketches, save_sketches
from raft.errors import ArtifactError, InputError
from raft.index import Index, RetrievalMode, build_index, index_fingerprint
from raft.index.build import PERSONAL
from raft.index.fusion import RANK_CONSTANT
from raft.models.embedder import Embedder, load_embedder
from raft.questions import settle_evidence
from raft.recipe import IndexSettings
from raft.types import Question

SETTINGS = IndexSettings(passage_tokens=32)
TEXTS = {
    "merrow-40.md": "# Merrow 40\n\nThe Merrow 40 plunger pump runs at no more than 40 bar.\n\nIts oil cap is red.",
    "merrow-45.md": "# Merrow 45\n\nThe Merrow 45 plunger pump runs at no more than 45 bar.\n\nIts oil cap is blue.",
    "leave.txt": "Every member has thirty days of leave in a year. Leave is asked for in writing.",
    "winch.txt": "The winch at Hask Landing lifts two tonnes. Nobody stands in the bight of a rope.",
    "notes.xyz": "nothing",
}
QUESTIONS = ["How many vacation days do I get?", "Merrow 45 maximum pressure", "load of the winch"]


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="session")
def folder(documents: Path, tmp_path_factory: pytest.TempPathFactory, minilm: Embedder) -> Path:
    out = tmp_path_factory.mktemp("work") / "index"
    build_index([documents], out, SETTINGS, embedder=minilm)
    return out


@pytest.fixture(scope="session")
def index(folder: Path, minilm: Embedder) -> Index:
    return Index.open(folder, minilm)


@pytest.mark.parametrize("mode", list(RetrievalMode))
def test_each_mode_finds_the_right_document(index: Index, mode: RetrievalMode) -> None:
    found = index.retrieve(QUESTIONS[1:], 2, mode)
    assert [passages[0].passage.document_id for passages in found] == ["merrow-45.md", "winch.txt"]
    for passages in found:
        assert len({scored.passage.id for scored in passages}) == len(passages)
        assert len(passages) == 2 or mode is RetrievalMode.LEXICAL
        assert passages[0].score >= passages[-1].score > 0


def test_all_modes_side_by_side_are_each_mode_alone(index: Index) -> None:
    found = index.rankings(QUESTIONS, 2)
    assert found == {mode: index.retrieve(QUESTIONS, 2, mode) for mode in RetrievalMode}
    with pytest.raises(InputError, match="k is 0"):
        index.rankings(QUESTIONS, 0)


def test_meaning_finds_what_shares_no_word(index: Index) -> None:
    dense, lexical = (
        index.retrieve(QUESTIONS[:1], 1, mode)[0] for mode in (RetrievalMode.DENSE, RetrievalMode.LEXICAL)
    )
    assert dense[0].passage.document_id == "leave.txt"
    assert [scored.passage.document_id for scored in lexical] in ([], ["leave.txt"])


def test_hybrid_scores_are_the_reciprocal_ranks_of_the_other_two(index: Index) -> None:
    everything = len(index.passages)
    expected: dict[str, float] = {}
    for mode in (RetrievalMode.DENSE, RetrievalMode.LEXICAL):
        for rank, scored in enumerate(index.retrieve(QUESTIONS[1:2], everything, mode)[0], 1):
            expected[scored.passage.id] = expected.get(scored.passage.id, 0) + 1 / (RANK_CONSTANT + rank)
    hybrid = index.retrieve(QUESTIONS[1:2], everything)[0]
    assert {scored.passage.id: scored.score for scored in hybrid} == pytest.approx(expected)
    order = [(-scored.score, scored.passage.id) for scored in hybrid]
    assert order == sorted(order)


def test_questions_together_are_answered_as_one_by_one(index: Index) -> None:
    together = index.retrieve(QUESTIONS, 3)
    alone = [index.retrieve([question], 3)[0] for question in QUESTIONS]
    assert [[s.passage.id for s in line] for line in together] == [[s.passage.id for s in line] for line in alone]
    assert index.retrieve([], 3) == []


def test_more_passages_than_there_are_gives_all_of_them(index: Index) -> None:
    assert len(index.retrieve(QUESTIONS, 1000, RetrievalMode.DENSE)[0]) == len(index.passages)
    with pytest.raises(InputError, match="k is 0"):
        index.retrieve(QUESTIONS, 0)


def test_passages_are_slices_of_the_documents_of_the_index(index: Index) -> None:
    assert set(index.documents) == {"leave.txt", "merrow-40.md", "merrow-45.md", "winch.txt"}
    for passage in index.passages:
        assert passage.text == index.documents[passage.document_id].text[passage.start : passage.end]
        assert index.passage(passage.id) is passage
    with pytest.raises(ArtifactError, match="has no passage 0123"):
        index.passage("0123")


def test_the_manifest_says_what_was_read_and_skipped(index: Index, folder: Path, documents: Path) -> None:
    manifest = index.manifest
    assert manifest.ledger == Ledger(5, 4, {"no reader for .xyz files": 1})
    assert manifest.counts == {"files": 4, "documents": 4, "passages": len(index.passages), "skipped": 1} | {
        "duplicates": 0,
        "personal": 0,
    }
    assert manifest.settings["passage_tokens"] == 32
    assert manifest.fingerprint == index_fingerprint([documents], SETTINGS)
    assert json.loads((folder / "skipped.jsonl").read_text()) == {
        "source": "notes.xyz",
        "reason": "no reader for .xyz files",
    }


def test_the_fingerprint_of_the_work_changes_with_documents_and_settings(documents: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(documents, copy)
    before = index_fingerprint([copy], SETTINGS)
    assert before == index_fingerprint([documents], SETTINGS)
    assert before != index_fingerprint([copy], IndexSettings(passage_tokens=33))
    (copy / "winch.txt").write_text("The winch lifts three tonnes.")
    assert before != index_fingerprint([copy], SETTINGS)


def test_the_same_documents_give_the_same_bytes(
    documents: Path, folder: Path, tmp_path: Path, minilm: Embedder
) -> None:
    again = build_index([documents], tmp_path / "index", SETTINGS, seed=3, embedder=minilm)
    assert again == read_manifest(folder)


@pytest.mark.parametrize(
    "name",
    [
        *("documents.jsonl", "passages.jsonl", "skipped.jsonl", "passages.faiss", "sketches.safetensors"),
        *(f"bm25/{part}.csc.index.npy" for part in ("data", "indices", "indptr")),
        *("bm25/vocab.index.json", "bm25/params.index.json"),
    ],
)
def test_a_damaged_byte_in_any_file_is_noticed_before_it_is_used(folder: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "index"
    shutil.copytree(folder, copy)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} >= {name, MANIFEST}
    raw = bytearray((copy / name).read_bytes())
    raw[len(raw) // 2] ^= 1
    (copy / name).write_bytes(raw)
    with pytest.raises(ArtifactError, match=f"{name} is damaged"):
        Index.open(copy)


def test_a_manifest_that_leaves_a_file_out_is_refused(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "index"
    shutil.copytree(folder, copy)
    manifest = read_manifest(copy)
    less = {name: digest for name, digest in manifest.outputs.items() if name != "passages.faiss"}
    without = replace(manifest, outputs=less)
    (copy / MANIFEST).write_text(json.dumps(asdict(without) | {"digest": without.digest}))
    with pytest.raises(ArtifactError, match=r"no passages\.faiss in its manifest"):
        Index.open(copy)


def test_a_folder_that_holds_something_else_is_refused_and_kept(documents: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.md").write_text("precious")
    with pytest.raises(ArtifactError, match="holds something that raft did not make"):
        build_index([documents], tmp_path, SETTINGS)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.md"]


def test_a_failed_build_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        build_index([tmp_path / "nowhere"], tmp_path / "index", SETTINGS)
    assert list(tmp_path.iterdir()) == []


def test_an_embedder_with_other_weights_is_refused(folder: Path, minilm: Embedder) -> None:
    class Other:
        name, fingerprint, window = "other", "0" * 64, minilm.window
        encode, encode_questions, count_tokens = minilm.encode, minilm.encode_questions, minilm.count_tokens

    with pytest.raises(ArtifactError, match="was made with embedder 53aa5117, but 'other' is 00000000"):
        Index.open(folder, Other())


def test_passages_and_questions_meet_under_the_prompts_of_their_model(
    documents: Path, tmp_path: Path, tiny_embedder: Callable[..., Path]
) -> None:
    model = tiny_embedder({"query": "query: ", "passage": "passage: "}, window=64)
    settings = SETTINGS.model_copy(update={"embedder": str(model)})
    build_index([documents], tmp_path / "index", settings)
    index, plain = Index.open(tmp_path / "index"), load_embedder(str(tiny_embedder(window=64)))
    texts = [searchable_text(passage.title, passage.text, passage.section) for passage in index.passages]
    told = plain.encode([f"passage: {text}" for text in texts])
    for question, found in zip(QUESTIONS, index.retrieve(QUESTIONS, len(texts), RetrievalMode.DENSE), strict=True):
        scores = told @ plain.encode([f"query: {question}"])[0]
        cosines = {passage.id: float(score) for passage, score in zip(index.passages, scores, strict=True)}
        assert {hit.passage.id: hit.score for hit in found} == pytest.approx(cosines, abs=1e-4)


def test_an_index_made_with_other_prompts_is_refused_and_made_anew(
    tmp_path: Path, tiny_embedder: Callable[..., Path]
) -> None:
    documents = tmp_path / "notes"
    documents.mkdir()
    # Eight tokens a sentence: four of them are a passage while there is room for 32 tokens.
    (documents / "pump-room.txt").write_text("The third valve opens at 40 bar. " * 8)
    model = tiny_embedder({"query": "query: "}, window=43)
    settings = SETTINGS.model_copy(update={"embedder": str(model)})
    before = build_index([documents], tmp_path / "index", settings)
    longer = "a passage of the documents to find: "
    path = model / "config_sentence_transformers.json"
    path.write_text(path.read_text().replace('"query": "query: "', f'"query": "query: ", "passage": "{longer}"'))
    message = f"index was made with embedder {before.settings['embedder_fingerprint'][:8]}, but '{model}' is"
    with pytest.raises(ArtifactError, match=rf"{message} [0-9a-f]{{8}}: run `raft index` again"):
        Index.open(tmp_path / "index").retrieve(QUESTIONS, 1)
    # The longer prompt leaves passages less room, so they are split again, not only embedded.
    after = build_index([documents], tmp_path / "index", settings)
    assert after == build_index([documents], tmp_path / "fresh", settings)
    assert (before.counts["passages"], after.counts["passages"]) == (2, 3)


def test_the_index_loads_its_own_embedder_when_it_needs_one(folder: Path, index: Index) -> None:
    own = Index.open(folder)
    found = own.retrieve(QUESTIONS, 2, RetrievalMode.DENSE)
    assert found == index.retrieve(QUESTIONS, 2, RetrievalMode.DENSE)


def test_importing_the_packages_loads_nothing_heavy() -> None:
    code = "import sys, raft.corpus, raft.index, raft.models.embedder; "
    code += "print([name for name in ('numpy', 'torch', 'faiss', 'bm25s', 'bs4', 'pypdf') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"


def test_a_file_that_cannot_be_opened_is_skipped_by_the_index_and_by_its_fingerprint(
    tmp_path: Path, minilm: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notes").mkdir()
    for name in ("a.txt", "locked.txt"):
        (tmp_path / "notes" / name).write_text("Words.")
    real = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> Any:
        if str(path).endswith("locked.txt"):  # who runs the tests as root may read everything
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    settings = IndexSettings()
    manifest = build_index([tmp_path / "notes"], tmp_path / "index", settings, embedder=minilm)
    assert dict(manifest.ledger.rejected) == {"it cannot be opened (Permission denied)": 1}
    assert manifest.fingerprint == index_fingerprint([tmp_path / "notes"], settings)


def test_repeated_documents_are_kept_once_and_evidence_follows_them(tmp_path: Path, minilm: Embedder) -> None:
    (tmp_path / "notes").mkdir()
    for name in ("a.txt", "copy.txt"):
        (tmp_path / "notes" / name).write_text("The valve opens at 40 bar.")
    manifest = build_index([tmp_path / "notes"], tmp_path / "index", SETTINGS, embedder=minilm)
    assert manifest.ledger == Ledger(2, 1, {"it says what another file says": 1})
    index = Index.open(tmp_path / "index")
    assert (set(index.documents), index.repeats) == ({"a.txt"}, {"copy.txt": "a.txt"})
    question = Question("q", "At what?", ("40 bar",), ("copy.txt", "a.txt"))
    (settled,) = settle_evidence([question], index.documents, index.repeats, index.folder)
    assert settled.document_ids == ("a.txt",)
    with pytest.raises(InputError, match=r"question 'q' names document 'b\.txt', which .* does not hold"):
        settle_evidence([replace(question, document_ids=("b.txt",))], index.documents, index.repeats, index.folder)


def test_personal_data_is_counted_by_file_and_masked_before_it_is_embedded(tmp_path: Path, minilm: Embedder) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("Write to ida@example.org or jon@example.org.")
    (tmp_path / "notes" / "b.txt").write_text("The valve opens at 40 bar.")
    for redact in (False, True):
        settings = IndexSettings(passage_tokens=32, scan=True, redact=redact)
        manifest = build_index([tmp_path / "notes"], tmp_path / "index", settings, embedder=minilm)
        assert manifest.counts["personal"] == 2
        assert list(read_jsonl(tmp_path / "index" / PERSONAL)) == [(1, {"source": "a.txt", "found": {"email": 2}})]
    words = b"".join(path.read_bytes() for path in (tmp_path / "index").rglob("*") if path.is_file())
    assert b"ida@" not in words
    assert Index.open(tmp_path / "index").documents["a.txt"].text == "Write to [EMAIL] or [EMAIL]."


class Counting:
    """An embedder that notes what it is asked to embed."""

    def __init__(self, embedder: Embedder) -> None:
        self.name, self.fingerprint, self.window = embedder.name, embedder.fingerprint, embedder.window
        self.count_tokens = embedder.count_tokens
        self.embedded: list[str] = []
        self._embedder = embedder

    def encode(self, texts: Sequence[str], advance: Any = None, *, repeatable: bool = False) -> Any:
        self.embedded += texts
        return self._embedder.encode(texts, advance, repeatable=repeatable)

    def encode_questions(self, texts: Sequence[str]) -> Any:
        return self._embedder.encode_questions(texts)


def test_an_index_of_a_changed_folder_embeds_what_is_new_and_equals_a_fresh_one(
    tmp_path: Path, minilm: Embedder
) -> None:
    notes, out = tmp_path / "notes", tmp_path / "index"
    notes.mkdir()
    for number in range(8):
        (notes / f"{number}.md").write_text(f"# Pump {number}\n\n" + f"It holds {number} bar when it is cold. " * 9)
    first = Counting(minilm)
    manifest = build_index([notes], out, SETTINGS, embedder=first)
    again = Counting(minilm)
    assert build_index([notes], out, SETTINGS, embedder=again) == manifest
    assert (len(first.embedded) > 8, again.embedded) == (True, [])

    (notes / "3.md").unlink()
    (notes / "5.md").write_text((notes / "5.md").read_text() + "\n\nThe gauge is on the left.")
    (notes / "new.md").write_text("# Crane\n\nIt lifts two tons.")
    update = Counting(minilm)
    updated = build_index([notes], out, SETTINGS, embedder=update)
    assert 0 < len(update.embedded) <= 3
    fresh = build_index([notes], tmp_path / "fresh", SETTINGS, embedder=minilm)
    assert updated == fresh
    assert not any("Pump 3" in passage.title for passage in Index.open(out).passages)


def pumps(folder: Path, count: int) -> Path:
    """Notes that are long enough to be compared, each unlike the others."""
    folder.mkdir()
    for number in range(count):
        words = random.Random(number).choices([f"word{n}" for n in range(400)], k=60)
        (folder / f"{number}.txt").write_text(f"Pump {number}. {' '.join(words)}")
    return folder


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many runs of words each text had that was sketched."""
    sizes: list[int] = []
    minima_of = sketches.minima_of
    monkeypatch.setattr(sketches, "minima_of", lambda runs: sizes.append(len(runs)) or minima_of(runs))
    return sizes


def test_an_update_sketches_only_what_is_new_and_forgets_what_is_gone(
    tmp_path: Path, minilm: Embedder, sketched: list[int]
) -> None:
    notes, out = pumps(tmp_path / "notes", 5), tmp_path / "index"
    build_index([notes], out, SETTINGS, embedder=minilm)
    assert len(sketched) == 5
    (notes / "1.txt").unlink()
    (notes / "2.txt").write_text((notes / "3.txt").read_text() + " And one more word.")
    updated = build_index([notes], out, SETTINGS, embedder=minilm)
    assert len(sketched) == 6
    assert updated == build_index([notes], tmp_path / "fresh", SETTINGS, embedder=minilm)
    assert (updated.counts["duplicates"], len(load_sketches(out / SKETCHES).sketches)) == (1, 4)


def with_sketches(index: Path, raw: bytes | None) -> None:
    """The same index with other sketches, or none, and a manifest that says so."""
    manifest = read_manifest(index)
    (index / SKETCHES).unlink()
    outputs = {name: digest for name, digest in manifest.outputs.items() if name != SKETCHES}
    if raw is not None:
        (index / SKETCHES).write_bytes(raw)
        outputs[SKETCHES] = hash_file(index / SKETCHES)
    other = replace(manifest, outputs=outputs)
    (index / MANIFEST).write_text(json.dumps(asdict(other) | {"digest": other.digest}))


@pytest.mark.parametrize("kind", ["none, as in earlier versions", "made in another way", "no sketches"])
def test_an_index_without_sketches_of_ours_opens_and_updates_to_what_a_fresh_one_is(
    kind: str, tmp_path: Path, minilm: Embedder, sketched: list[int]
) -> None:
    notes, out, other = pumps(tmp_path / "notes", 3), tmp_path / "index", tmp_path / "other"
    build_index([notes], out, SETTINGS, embedder=minilm)
    save_sketches(other, replace(load_sketches(out / SKETCHES), made_by="another way"))
    with_sketches(out, {"none, as in earlier versions": None, "no sketches": b"?"}.get(kind, other.read_bytes()))
    assert len(Index.open(out).passages) > 3
    (notes / "3.txt").write_text("It is new.")
    sketched.clear()
    updated = build_index([notes], out, SETTINGS, embedder=minilm)
    assert len(sketched) == 3
    assert updated == build_index([notes], tmp_path / "fresh", SETTINGS, embedder=minilm)


def test_other_settings_split_again_and_another_embedder_embeds_again(tmp_path: Path, minilm: Embedder) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("The valve opens at 40 bar. " * 20)
    build_index([tmp_path / "notes"], tmp_path / "index", SETTINGS, embedder=minilm)
    smaller = build_index([tmp_path / "notes"], tmp_path / "index", IndexSettings(passage_tokens=24), embedder=minilm)
    assert smaller == build_index(
        [tmp_path / "notes"], tmp_path / "fresh", IndexSettings(passage_tokens=24), embedder=minilm
    )
    other = Counting(minilm)
    other.fingerprint = "1" * 64
    build_index([tmp_path / "notes"], tmp_path / "index", IndexSettings(passage_tokens=24), embedder=other)
    assert len(set(other.embedded)) > 1


def test_a_damaged_index_is_made_anew(tmp_path: Path, minilm: Embedder) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("The valve opens at 40 bar.")
    manifest = build_index([tmp_path / "notes"], tmp_path / "index", SETTINGS, embedder=minilm)
    with (tmp_path / "index" / "passages.faiss").open("r+b") as vectors:
        vectors.seek(200)
        vectors.write(b"\xff")
    assert build_index([tmp_path / "notes"], tmp_path / "index", SETTINGS, embedder=minilm) == manifest
    assert Index.open(tmp_path / "index").manifest == manifest
