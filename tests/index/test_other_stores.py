"""`raft export --index`: what FAISS, LangChain and LlamaIndex find in an exported index is what raft finds."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import faiss
import numpy as np
import pytest

from raft.artifacts import Stage, read_jsonl, verified
from raft.errors import ArtifactError
from raft.index import Index, RetrievalMode, build_index
from raft.index.other_stores import export_index
from raft.models.embedder import Embedder, load_embedder
from raft.recipe import IndexSettings, VectorSearch
from raft.types import StoreFormat

QUESTIONS = ["How hot does Sigrun get?", "Who keeps the accounts?", "At what pressure does the Merrow 45 stop?"]
NEEDS = {StoreFormat.LANGCHAIN: "langchain_community", StoreFormat.LLAMAINDEX: "llama_index"}


@pytest.fixture(scope="module")
def index(notes_index: Path, minilm: Embedder) -> Index:
    return Index.open(notes_index, minilm)


@pytest.fixture(scope="module")
def exported(notes_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[StoreFormat], Path]:
    folder = tmp_path_factory.mktemp("exported")

    def make(layout: StoreFormat) -> Path:
        export_index(notes_index, folder / layout, layout)
        return folder / layout

    return make


def loader(folder: Path) -> ModuleType:
    """`load.py` of an exported index, imported anew."""
    spec = importlib.util.spec_from_file_location("load", folder / "load.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def needs(layout: StoreFormat) -> None:
    pytest.importorskip(NEEDS[layout], reason=f"{layout} comes with raft-tuning[dev]")


def test_the_faiss_file_ranks_as_the_dense_search_and_its_rows_are_the_passages_in_order(
    exported: Callable[[StoreFormat], Path], index: Index, minilm: Embedder
) -> None:
    folder = exported(StoreFormat.LANGCHAIN)
    vectors, rows = (
        faiss.read_index(str(folder / "index.faiss")),
        [row for _, row in read_jsonl(folder / "passages.jsonl")],
    )
    assert [(row["id"], row["text"]) for row in rows] == [(passage.id, passage.text) for passage in index.passages]
    np.testing.assert_array_equal(vectors.reconstruct_n(0, vectors.ntotal), index.vectors())
    scores, places = vectors.search(minilm.encode_questions(QUESTIONS), vectors.ntotal)
    dense = index.retrieve(QUESTIONS, vectors.ntotal, RetrievalMode.DENSE)
    for found, score, place in zip(dense, scores, places, strict=True):
        assert [rows[row]["id"] for row in place] == [hit.passage.id for hit in found]
        assert score == pytest.approx([hit.score for hit in found], abs=1e-5)


def test_metadata_says_where_a_passage_comes_from(tmp_path: Path, minilm: Embedder) -> None:
    row = '{"id": "p1", "document_id": "manual", "title": "Pump", "text": "Stops at 36 bar.", "section": "Safety"%s}\n'
    text = row % ', "page": "3", "maker": "Merrow"' + row.replace("p1", "p2").replace("36", "40") % ""
    (tmp_path / "rows.jsonl").write_text(text)
    build_index([tmp_path / "rows.jsonl"], tmp_path / "index", IndexSettings(passages=True), embedder=minilm)
    export_index(tmp_path / "index", tmp_path / "store", StoreFormat.LANGCHAIN)
    first, second = (row["metadata"] for _, row in read_jsonl(tmp_path / "store" / "passages.jsonl"))
    assert first == {
        "document_id": "manual",
        "title": "Pump",
        "section": "Safety",
        "source": "rows.jsonl",
        "maker": "Merrow",
        "page": 3,
        "start": 0,
        "end": 16,
        "place": "manual, page 3, characters 0 to 16",
    }
    assert "page" not in second and second["place"] == "manual, characters 18 to 34"


@pytest.mark.parametrize("layout", list(StoreFormat))
def test_the_loader_finds_what_raft_finds(
    layout: StoreFormat, exported: Callable[[StoreFormat], Path], index: Index
) -> None:
    needs(layout)
    folder = exported(layout)
    run = subprocess.run(
        [sys.executable, folder / "load.py", QUESTIONS[0]], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    (dense,) = index.retrieve(QUESTIONS[:1], 4, RetrievalMode.DENSE)
    shown = [f"{hit.score:.4f}  {hit.passage.place}\n{hit.passage.text}\n\n" for hit in dense]
    assert run.stdout == "".join(shown)
    assert dense[0].passage.document_id == "dryer.md"


def test_langchain_ranks_by_relevance_and_filters_by_metadata(exported: Callable[[StoreFormat], Path]) -> None:
    needs(StoreFormat.LANGCHAIN)
    store = loader(exported(StoreFormat.LANGCHAIN)).open_store()
    found = store.similarity_search_with_relevance_scores(QUESTIONS[0], k=3)
    scored = store.similarity_search_with_score(QUESTIONS[0], k=3)
    assert [(document.id, pytest.approx(score)) for document, score in found] == [(d.id, s) for d, s in scored]
    assert found[0][1] > found[1][1] > 0
    (winch,) = store.similarity_search(QUESTIONS[0], k=1, filter={"document_id": "winches.txt"})
    assert winch.metadata["document_id"] == "winches.txt" and "Grappel G5" in winch.page_content


@pytest.mark.parametrize("layout", list(StoreFormat))
def test_a_loader_embeds_with_the_prompts_of_the_index_and_refuses_others(
    layout: StoreFormat, notes: Path, tmp_path: Path, tiny_embedder: Callable[..., Path]
) -> None:
    needs(layout)
    model = tiny_embedder({"query": "query: ", "passage": "passage: "}, window=128)
    build_index([notes], tmp_path / "index", IndexSettings(passage_tokens=32, embedder=str(model)))
    export_index(tmp_path / "index", tmp_path / "store", layout)
    loaded, plain = loader(tmp_path / "store"), load_embedder(str(tiny_embedder(window=128)))
    if layout is StoreFormat.LANGCHAIN:
        embeddings = loaded.RaftEmbeddings()
        question, passage = embeddings.embed_query("a pump"), embeddings.embed_documents(["a pump"])[0]
    else:
        embeddings = loaded.RaftEmbedding()
        question, passage = embeddings.get_query_embedding("a pump"), embeddings.get_text_embedding("a pump")
    np.testing.assert_allclose([question, passage], plain.encode(["query: a pump", "passage: a pump"]), atol=1e-6)
    settings = model / "config_sentence_transformers.json"
    settings.write_text(settings.read_text().replace('"query: "', '"question: "'))
    with pytest.raises(ValueError, match=r"has changed since .* was made: index and export again"):
        type(embeddings)()


@pytest.mark.parametrize("search", [VectorSearch.EXACT, VectorSearch.HNSW])
def test_whatever_search_an_index_is_made_for_the_export_holds_every_vector(
    search: VectorSearch, notes: Path, tmp_path: Path, minilm: Embedder, index: Index
) -> None:
    build_index([notes], tmp_path / "index", IndexSettings(passage_tokens=32, vector_search=search), embedder=minilm)
    manifest = export_index(tmp_path / "index", tmp_path / "store", StoreFormat.LLAMAINDEX)
    vectors = faiss.read_index(str(tmp_path / "store" / "index.faiss"))
    assert isinstance(vectors, faiss.IndexFlatIP)
    np.testing.assert_array_equal(vectors.reconstruct_n(0, vectors.ntotal), index.vectors())
    assert manifest.counts == {"passages": vectors.ntotal}
    assert manifest.inputs == {"index": verified(tmp_path / "index", Stage.INDEX).digest}


def test_an_export_is_replaced_by_the_same_bytes_also_after_its_loader_was_imported(
    notes_index: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    out = tmp_path / "store"
    arguments = ("export", "--index", notes_index, "--format", "langchain", "--out", out)
    code, said, _ = call(*arguments)
    assert (code, said) == (0, f'10 passages in {out}; search them with `python {out / "load.py"} "QUESTION"`\n')
    before = verified(out, Stage.EXPORT)
    assert set(before.outputs) == {"index.faiss", "passages.jsonl", "load.py"}
    (out / "__pycache__").mkdir()
    (out / "__pycache__" / "load.cpython-311.pyc").write_bytes(b"")
    assert call(*arguments)[0] == 0
    assert verified(out, Stage.EXPORT) == before
    assert not (out / "__pycache__").exists()


def test_a_folder_of_somebody_else_is_refused_and_kept(notes_index: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.md").write_text("precious")
    with pytest.raises(ArtifactError, match="holds something that raft did not make"):
        export_index(notes_index, tmp_path, StoreFormat.LANGCHAIN)
    with pytest.raises(ArtifactError, match="holds an artefact of stage 'index', not 'export'"):
        export_index(notes_index, notes_index, StoreFormat.LANGCHAIN)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.md"]
