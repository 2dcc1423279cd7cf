"""Sketches are made once for each text, kept whole, and not taken from another way of making them."""

import random
from pathlib import Path

import numpy as np
import pytest
from datasketch import MinHashLSH
from safetensors.numpy import save_file

from raft.corpus.sketches import PERMUTATIONS, KeptSketches, Sketches, layout, load_sketches, minima_of, save_sketches
from raft.errors import ArtifactError

LONG = " ".join(random.Random(0).choices([f"word{number}" for number in range(400)], k=120))
TEXTS = [LONG, "Close the valve.", "- - -", LONG.upper()]


def kept(texts: list[str] = TEXTS, threshold: float = 0.9, before: KeptSketches | None = None) -> KeptSketches:
    sketches = Sketches(threshold, before)
    for text in texts:
        sketches.of(text)
    return sketches.to_keep()


def test_a_text_without_words_has_no_digest_a_short_one_no_bands_and_case_makes_no_difference() -> None:
    long, short, marks, capitals = kept().sketches.values()
    assert long == capitals and len(long.bands) > 1 and len(set(long.bands)) == len(long.bands)
    assert (len(short.words), short.bands, marks.words, marks.bands) == (32, (), b"", ())


@pytest.mark.parametrize("likeness", [0.0, 0.5, 0.9, 1.0])
def test_the_share_of_equal_minima_is_the_likeness_of_the_sets(likeness: float) -> None:
    rng, size, shares = random.Random(0), 200, []
    for _ in range(50):
        common = {rng.getrandbits(32) for _ in range(round(2 * size * likeness / (1 + likeness)))}
        one, other = (common | {rng.getrandbits(32) for _ in range(size - len(common))} for _ in range(2))
        shares.append(np.mean(minima_of(one) == minima_of(other)))
    # Four standard deviations of a share among 50 times 128 minima.
    assert abs(np.mean(shares) - likeness) <= 4 * np.sqrt(likeness * (1 - likeness) / (50 * PERMUTATIONS)) + 0.003


def test_the_minima_of_a_large_set_are_the_lowest_of_its_parts() -> None:
    numbers = [random.Random(0).getrandbits(32) for _ in range(40_000)]
    assert (minima_of(numbers) == np.minimum(minima_of(numbers[:9]), minima_of(numbers[9:]))).all()
    assert (minima_of([]) == 2**32 - 1).all()


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.8, 0.9])
def test_bands_are_laid_out_as_by_datasketch(threshold: float) -> None:
    theirs = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
    assert layout(threshold) == (theirs.b, theirs.r)


def test_what_is_saved_comes_back_the_same_and_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    for texts, threshold in ((TEXTS, 0.9), (TEXTS, 1.0), (TEXTS[1:3], 0.9), ([], 0.9)):
        save_sketches(tmp_path / "one", kept(texts, threshold))
        assert load_sketches(tmp_path / "one") == kept(texts, threshold)
        save_sketches(tmp_path / "two", load_sketches(tmp_path / "one"))
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_sketch_is_made_once_for_each_text_and_those_of_texts_that_are_gone_go() -> None:
    before = kept([*TEXTS, *TEXTS])
    assert len(before.sketches) == len(TEXTS)
    changed = ["Another.", *TEXTS[1:]]
    after = kept(changed, before=before)
    assert [key in before.sketches for key in after.sketches] == [False, True, True, True]
    assert all(after.sketches[key] is before.sketches[key] for key in list(after.sketches)[1:])
    assert after == kept(changed)


def test_sketches_for_another_threshold_are_made_anew() -> None:
    before = kept(threshold=0.8)
    after = kept(before=before)
    assert after == kept() != before
    assert all(after.sketches[key] is not before.sketches[key] for key in after.sketches)


def rows(height: int, *width: int, kind: type = np.uint8) -> np.ndarray:
    return np.ones((height, *width), kind)


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"texts": rows(2, 32), "words": rows(1, 32), "bands": rows(2, 8)},
        {"texts": rows(2, 31), "words": rows(2, 32), "bands": rows(2, 8)},
        {"texts": rows(2, 32), "words": rows(2, 32), "bands": rows(2, 9)},
        {"texts": rows(2, 32, kind=np.int8), "words": rows(2, 32), "bands": rows(2, 8)},
        {"texts": rows(2, 32), "words": rows(2, 32), "bands": rows(2)},
    ],
)
def test_a_file_that_holds_something_else_is_refused(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    save_file(arrays, tmp_path / "sketches", {"made_by": "somebody"})
    with pytest.raises(ArtifactError, match="holds no sketches"):
        load_sketches(tmp_path / "sketches")


def test_a_file_of_another_kind_or_without_its_maker_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"nothing")
    save_file({"texts": rows(1, 32), "words": rows(1, 32), "bands": rows(1, 8)}, tmp_path / "unsigned")
    for name in ("other", "unsigned", "missing"):
        with pytest.raises(ArtifactError, match="holds no sketches"):
            load_sketches(tmp_path / name)
