"""A model folder is used only with the index and the prompts that it was made for."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from raft.artifacts import Ledger, Stage, writing
from raft.errors import ArtifactError
from raft.models.tuned import TRAINING, TunedModel, check_tuned, read_tuned
from raft.prompts import PromptStyle, prompt_fingerprint
from raft.recipe import TuningMethod

INDEX = "a1" * 32
TUNED = TunedModel(
    method=TuningMethod.RAFT,
    base_model="mini",
    style=PromptStyle.COMPACT,
    prompt_fingerprint=prompt_fingerprint(PromptStyle.COMPACT),
    index_digest=INDEX,
    document_ids=("a.md", "b.md"),
    rows=2,
    steps=1,
    kept_step=10,
    target_tokens=12,
    losses=({"step": 1.0, "eval_loss": 0.25},),
)


def write_model(folder: Path, training: object) -> Path:
    with writing(folder, Stage.MODEL) as draft:
        (draft.path / TRAINING).write_text(json.dumps(training), encoding="utf-8")
        draft.finish(Stage.MODEL, {}, {}, {}, Ledger(0, 0))
    return folder


def test_what_was_written_is_what_is_read(tmp_path: Path) -> None:
    assert read_tuned(write_model(tmp_path / "raft", asdict(TUNED))) == TUNED


def test_a_model_is_accepted_with_its_own_index() -> None:
    check_tuned(TUNED, INDEX, Path("models/raft"))


def test_a_model_for_another_index_is_refused_with_both_digests() -> None:
    with pytest.raises(
        ArtifactError, match=r"models/raft was made for index a1a1a1a1, but this index is b2b2b2b2: give"
    ):
        check_tuned(TUNED, "b2" * 32, Path("models/raft"))


def test_a_model_for_other_prompts_is_refused_with_both_fingerprints() -> None:
    old, new = "0123456789abcdef", prompt_fingerprint(PromptStyle.COMPACT)
    with pytest.raises(
        ArtifactError, match=rf"trained on prompts {old[:8]}, but this version of raft writes {new[:8]}"
    ):
        check_tuned(replace(TUNED, prompt_fingerprint=old), INDEX, Path("models/raft"))


@pytest.mark.parametrize(
    "wrong", [{}, [], {**asdict(TUNED), "method": "magic"}, {**asdict(TUNED), "index_digest": None}]
)
def test_a_description_that_is_none_is_refused_in_one_line(tmp_path: Path, wrong: object) -> None:
    with pytest.raises(ArtifactError, match=re.escape(TRAINING)) as error:
        read_tuned(write_model(tmp_path / "raft", wrong))
    assert "\n" not in str(error.value)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "raft", asdict(TUNED))
    (folder / TRAINING).write_text(json.dumps(asdict(replace(TUNED, index_digest="b2" * 32))), encoding="utf-8")
    with pytest.raises(ArtifactError, match="is damaged"):
        read_tuned(folder)


def test_a_folder_that_raft_did_not_make_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"has no manifest\.json"):
        read_tuned(tmp_path)
