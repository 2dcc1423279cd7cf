"""Vectors made elsewhere: each reaches its own passage, and what cannot be right is one line of error."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raft.artifacts import hash_file
from raft.errors import InputError
from raft.index import Index, RetrievalMode, build_index
from raft.index.given import GivenVectors
from raft.index.store import unit
from raft.index.vectors import VECTORS, map_rows
from raft.models.embedder import Embedder
from raft.progress import Silent
from raft.recipe import IndexSettings

SETTINGS = IndexSettings(passages=True)
LONG = " ".join(f"word{number}" for number in range(50))
# A repeat, an empty row, a blank line, and rows of one document that do not stand together.
LINES: list[dict[str, str] | None] = [
    {"id": "a", "document_id": "pumps", "text": "The Merrow 45 pump stops at 36 bar."},
    {"id": "b", "document_id": "leave", "text": "Every member has thirty days of leave in a year."},
    {"id": "copy", "text": "Every member has thirty days of leave in a year!"},
    {"id": "nothing", "text": " "},
    None,
    {"id": "c", "document_id": "pumps", "text": "The oil cap of the pump is red."},
    {"id": "d", "text": f"The winch at Hask Landing lifts two tonnes. {LONG}"},
    {"id": "e", "text": "The museum opens at half past ten from May to September."},
]


class Notes(Silent):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f"{'' if line is None else json.dumps(line)}\n" for line in LINES))
    return path


@pytest.fixture
def vectors(minilm: Embedder) -> np.ndarray:
    """A vector for each row, also for the empty one, of no common length."""
    texts = [line["text"] for line in LINES if line is not None]
    return minilm.encode(texts) * np.arange(1, len(texts) + 1, dtype=np.float32)[:, None]


@pytest.fixture
def index(rows: Path, tmp_path: Path, minilm: Embedder) -> Callable[..., Any]:
    def build(array: np.ndarray, settings: IndexSettings = SETTINGS, **options: Any) -> Any:
        np.save(tmp_path / "vectors.npy", array)
        options = {"embedder": minilm} | options
        return build_index([rows], tmp_path / "index", settings, vectors=tmp_path / "vectors.npy", **options)

    return build


@pytest.mark.parametrize("dtype", ["<f2", "<f4", ">f4", "<f8"])
def test_every_passage_keeps_its_own_vector_though_rows_repeat_are_empty_or_change_places(
    dtype: str, index: Callable[..., Any], vectors: np.ndarray, tmp_path: Path, minilm: Embedder
) -> None:
    notes = Notes()
    manifest = index(vectors.astype(dtype), progress=notes)
    opened = Index.open(tmp_path / "index", minilm)
    assert [passage.id for passage in opened.passages] == ["a", "c", "b", "d", "e"]
    wanted = unit(vectors)[[0, 4, 1, 5, 6]]
    found = map_rows(tmp_path / "index" / VECTORS, 5)
    np.testing.assert_allclose(found, wanted, atol=1e-7 if dtype[1:] != "f2" else 1e-3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert manifest.inputs["vectors.npy"] == hash_file(tmp_path / "vectors.npy")
    assert manifest.settings["vectors_given"] is True
    assert notes.notes[-1].startswith("5 passages embedded again: median cosine with their vectors 1.00")
    (hits,) = opened.retrieve(["What does the winch lift?"], 1, RetrievalMode.DENSE)
    assert hits[0].passage.id == "d"


def test_vectors_follow_their_rows_where_the_rows_were_indexed_before(
    rows: Path, index: Callable[..., Any], vectors: np.ndarray, tmp_path: Path, minilm: Embedder
) -> None:
    index(vectors)
    first = np.array(map_rows(tmp_path / "index" / VECTORS, 5))
    # As documents, whose results the next build could take over.
    build_index([rows], tmp_path / "index", IndexSettings(), embedder=minilm)
    index(vectors)
    assert np.array_equal(map_rows(tmp_path / "index" / VECTORS, 5), first)


def test_rows_count_on_from_file_to_file_in_the_order_given(
    vectors: np.ndarray, tmp_path: Path, minilm: Embedder
) -> None:
    rows = [json.dumps(line) for line in LINES if line is not None]
    files = [tmp_path / "z.jsonl", tmp_path / "a.jsonl"]
    for path, part in zip(files, (rows[:4], rows[4:]), strict=True):
        path.write_text("\n".join(part))
    np.save(tmp_path / "vectors.npy", vectors)
    build_index(files, tmp_path / "index", SETTINGS, embedder=minilm, vectors=tmp_path / "vectors.npy")
    assert [passage.id for passage in Index.open(tmp_path / "index", minilm).passages] == ["a", "c", "b", "d", "e"]
    np.testing.assert_allclose(map_rows(tmp_path / "index" / VECTORS, 5), unit(vectors)[[0, 4, 1, 5, 6]], atol=1e-7)


def test_the_same_vectors_change_nothing_others_do_and_none_are_taken_for_the_embedders(
    rows: Path, index: Callable[..., Any], vectors: np.ndarray, tmp_path: Path, minilm: Embedder
) -> None:
    notes = Notes()
    once = index(vectors)
    assert (index(vectors, progress=notes), notes.notes) == (once, ["nothing has changed"])
    other = vectors.copy()
    other[6] += 0.5
    changed = index(other)
    assert changed.fingerprint != once.fingerprint
    embedded = build_index([rows], tmp_path / "index", SETTINGS, embedder=minilm)
    assert embedded == build_index([rows], tmp_path / "fresh", SETTINGS, embedder=minilm)
    assert (embedded.settings["vectors_given"], set(embedded.inputs)) == (False, {"rows.jsonl"})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda v: v[:-1], "holds 6 vectors, but the passages have 7 rows: give one vector for each row"),
        (lambda v: np.vstack([v, v[:1]]), "holds 8 vectors, but the passages have 7 rows"),
        (lambda v: v[:, :100], "100 dimensions, but those of embedder 'minilm' have 384: name the model"),
        (lambda v: np.where(np.arange(7)[:, None] == 4, np.nan, v), "row 5 holds numbers that are not finite"),
        (lambda v: np.where(np.arange(7)[:, None] == 4, np.inf, v), "row 5 holds numbers that are not finite"),
        (lambda v: np.where(np.arange(7)[:, None] == 4, 0, v), "row 5 is all zeros: make that vector again"),
        (lambda v: (100 * v).astype(np.int8), r"holds int8 of shape \(7, 384\), expected float32"),
        (lambda v: v[0], r"holds float32 of shape \(384,\), expected float32 of shape \(passages, dimension\)"),
        (lambda v: v[:, :0], r"holds float32 of shape \(7, 0\)"),
        (lambda v: np.roll(v, 1, 0), "does not fit embedder 'minilm': of 5 passages that were embedded again, 5 have"),
        (lambda v: np.random.default_rng(0).normal(size=v.shape), "does not fit embedder 'minilm'"),
    ],
)
def test_vectors_that_cannot_be_right_are_one_line_and_leave_no_index(
    spoil: Callable[[np.ndarray], np.ndarray], said: str, index: Callable[..., Any], vectors: np.ndarray, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=said) as told:
        index(spoil(vectors))
    assert "vectors.npy" in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "index").exists()


def test_a_row_that_no_passage_needs_may_hold_anything(index: Callable[..., Any], vectors: np.ndarray) -> None:
    vectors[3] = np.nan
    assert index(vectors).counts["passages"] == 5


def test_numbers_whose_squares_overflow_are_scaled_too(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.array([[3e-30, 4e-30], [3e30, 4e30], [3e300, 4e300], [3e-300, 4e-300]]))
    taken = GivenVectors(tmp_path / "vectors.npy").take([1, 0, 3, 2])
    np.testing.assert_allclose(taken, [[0.6, 0.8]] * 4, rtol=1e-6)


@pytest.mark.parametrize("raw", [b"", b"rows", b"\x93NUMPY\x01\x00"])
def test_a_file_that_is_no_array_is_one_line(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "vectors.npy").write_bytes(raw)
    with pytest.raises(InputError, match="is no NumPy array"):
        GivenVectors(tmp_path / "vectors.npy")


def test_a_cut_array_pickles_and_several_arrays_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npy"
    np.save(path, np.ones((3, 4), np.float32))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="is no NumPy array"):
        GivenVectors(path)
    np.save(path, np.array([{}], dtype=object))
    with pytest.raises(InputError, match="is no NumPy array"):
        GivenVectors(path)
    with path.open("wb") as file:
        np.savez(file, np.ones(3))
    with pytest.raises(InputError, match="holds several arrays"):
        GivenVectors(path)


def test_vectors_need_rows_that_are_passages_and_text_that_is_not_masked(
    index: Callable[..., Any], vectors: np.ndarray
) -> None:
    with pytest.raises(InputError, match="documents are split: add --passages"):
        index(vectors, IndexSettings())
    with pytest.raises(InputError, match="made from text that is not masked: leave out --vectors or --redact"):
        index(vectors, IndexSettings(passages=True, redact=True))


def test_passages_that_are_longer_than_the_embedder_reads_are_not_compared(
    index: Callable[..., Any], vectors: np.ndarray, minilm: Embedder
) -> None:
    class Narrow:
        name, fingerprint, window = "narrow", "0" * 64, 40
        count_tokens = minilm.count_tokens

        def encode(self, texts: Sequence[str], advance: Any = None, *, repeatable: bool = False) -> Any:
            assert max(minilm.count_tokens(texts)) <= self.window
            return minilm.encode(texts)

    notes = Notes()
    index(vectors, embedder=Narrow(), progress=notes)
    assert notes.notes[-1].startswith("4 passages embedded again")
    Narrow.window = 3
    notes = Notes()
    index(np.roll(vectors, 1, 0), embedder=Narrow(), progress=notes)
    assert notes.notes[-1].startswith("no passage is short enough for embedder 'narrow'")


def test_the_command_line_takes_them(
    rows: Path, vectors: np.ndarray, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    np.save(tmp_path / "made.npy", vectors)
    given = ("index", rows, "--out", tmp_path / "index", "-q", "--vectors")
    code, out, _ = call(*given, tmp_path / "made.npy", "--passages")
    assert (code, out.splitlines()[0]) == (0, f"4 documents, 5 passages in {tmp_path / 'index'}")
    code, out, err = call(*given, tmp_path / "made.npy")
    assert (code, out, err.count("\n")) == (2, "", 1) and "add --passages" in err
    code, out, err = call(*given, tmp_path / "nowhere.npy", "--passages")
    assert (code, out, err.count("\n")) == (2, "", 1) and "nowhere.npy does not exist" in err
