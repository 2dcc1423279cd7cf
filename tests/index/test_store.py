"""The searchers: vectors are found as exact search finds them, BM25 finds words, and fusion is what a hand computes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.index.fusion import reciprocal_rank_fusion
from raft.index.store import VectorStore, WordStore, unit, words


@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(1, 12), st.sampled_from([5, 25]))
def test_it_finds_what_exact_search_of_unnormalised_vectors_finds(seed: int, size: int, count: int, asked: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = (rng.normal(size=(size, 24)) * rng.uniform(0.01, 100, (size, 1))).astype(np.float32)
    queries = (rng.normal(size=(asked, 24)) * 7).astype(np.float32)
    lengths = np.linalg.norm(queries, axis=1)[:, None] * np.linalg.norm(vectors, axis=1)
    cosines = queries.astype(np.float64) @ vectors.T / lengths
    found = VectorStore(unit(vectors)).search(queries, count)
    for line, expected in zip(found, cosines, strict=True):
        best = np.sort(expected)[::-1][:count]
        rows = [row for row, _ in line]
        assert len(set(rows)) == len(best)
        # Two rows may change places only where float32 cannot tell their scores apart.
        np.testing.assert_allclose(expected[rows], best, atol=2e-6)
        np.testing.assert_allclose([score for _, score in line], best, atol=1e-5)


def test_equal_vectors_come_in_the_order_of_their_rows() -> None:
    # Few, and so many that most are passed over.
    for count in (90, 5000):
        vectors = np.tile(np.array([[3, 4]], np.float32), (count, 1))
        assert VectorStore(unit(vectors)).search(vectors[:1], 4) == [[(row, 1.0) for row in range(4)]]


@pytest.mark.parametrize("asked", [1, 40])
def test_among_many_vectors_the_best_are_found_too(asked: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(7000, 16)).astype(np.float32)
    exact = vectors[:asked].astype(np.float64) @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
    for line, found in zip(exact, VectorStore(unit(vectors)).search(vectors[:asked], 9), strict=True):
        assert [row for row, _ in found] == np.argsort(-line)[:9].tolist()


def test_a_zero_vector_matches_nothing_and_harms_nothing() -> None:
    store = VectorStore(unit(np.array([[0, 0], [2, 0]], np.float32)))
    assert store.search(np.array([[1, 0]], np.float32), 2) == [[(1, 1.0), (0, 0.0)]]


def test_words_are_folded_stemmed_and_freed_of_stop_words() -> None:
    assert words("The Pumps were RÖNTGENED in D6, 40 bar") == ["pump", "were", "rontgen", "d6", "40", "bar"]


def test_bm25_ranks_rare_shared_words_first_and_leaves_out_rows_without_any() -> None:
    texts = ["pump at forty bar", "pump at the pier", "winch at the pier", "the"]
    (found,) = WordStore.build(texts).search(["Which pumps are on a pier?"], 3)
    assert [row for row, _ in found] == [1, 2, 0]
    assert found[0][1] > found[1][1] > found[2][1] > 0
    assert WordStore.build(texts).search(["", "the", "zebra"], 3) == [[], [], []]


def test_bm25_scores_are_those_of_the_formula() -> None:
    (found,) = WordStore.build(["oil oil pump", "oil"]).search(["pump"], 2)
    idf, length_norm = np.log(1 + (2 - 1 + 0.5) / (1 + 0.5)), 1.5 * (1 - 0.75 + 0.75 * 3 / 2)
    assert found == [(0, pytest.approx(idf * 1 / (1 + length_norm), abs=1e-5))]


def test_texts_of_stop_words_alone_can_be_indexed() -> None:
    assert WordStore.build(["the", "and"]).search(["the pump"], 2) == [[]]


def test_words_survive_saving(tmp_path: Path) -> None:
    store = WordStore.build(["pump at forty bar", "pump at the pier"])
    store.save(tmp_path / "bm25")
    assert WordStore.load(tmp_path / "bm25").search(["pier pump"], 2) == store.search(["pier pump"], 2)


def test_word_files_are_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    code = "import sys, pathlib; from raft.index.store import WordStore; "
    code += "WordStore.build(['pump at forty bar', 'winch at the pier']).save(pathlib.Path(sys.argv[1]))"
    for seed in ("1", "2"):
        command = [sys.executable, "-c", code, str(tmp_path / seed)]
        subprocess.run(command, check=True, env={"PYTHONHASHSEED": seed}, cwd=Path(__file__).parents[2])
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_ranks_fuse_as_by_hand() -> None:
    fused = reciprocal_rank_fusion([["a", "b", "c"], ["c", "a"]])
    assert fused == {
        "a": pytest.approx(1 / 61 + 1 / 62),
        "b": pytest.approx(1 / 62),
        "c": pytest.approx(1 / 63 + 1 / 61),
    }
