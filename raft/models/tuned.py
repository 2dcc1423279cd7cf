"""What a tuned model says about itself, and the check that it fits the index and the prompts it is about to meet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from raft.artifacts import Stage, verified
from raft.errors import ArtifactError
from raft.prompts import PromptStyle, prompt_fingerprint
from raft.recipe import Targets, TuningMethod
from raft.types import variant_of

TRAINING = "training.json"


@dataclass(frozen=True, slots=True)
class TunedModel:
    """The contents of `training.json`: what was tuned, how, on what, and what it took.

    `document_ids` are those of the training and validation splits; all others are unseen. `kept_step` is the step whose
    weights these are. `losses` are the training and validation losses on the way, each with its step. `attention` is
    how the model attended in training, sdpa or eager, or empty where none was recorded. `start` is the adapter that
    training went on from, or empty. Times are kept elsewhere, so that the same work gives the same bytes.
    """

    method: TuningMethod
    base_model: str
    style: PromptStyle
    prompt_fingerprint: str
    index_digest: str
    document_ids: tuple[str, ...]
    rows: int
    steps: int
    kept_step: int
    target_tokens: int
    losses: tuple[dict[str, float], ...]
    targets: Targets = Targets.OWN
    attention: str = ""
    start: str = ""

    @property
    def variant(self) -> str:
        """Its name among the arms' models: 'dsf', 'dsf-cot', 'raft' or 'raft-no-cot'."""
        return variant_of(self.method, self.targets)


_TRAINING = TypeAdapter(TunedModel)


def read_tuned(folder: Path) -> TunedModel:
    """Read a model folder's description, after all its files were checked against its manifest.

    Raises ArtifactError where the folder is no finished model, or is damaged.
    """
    verified(folder, Stage.MODEL)
    return describe_tuned(folder)


def describe_tuned(folder: Path) -> TunedModel:
    """The same of a folder whose files were checked before. Raises ArtifactError where its description is no such."""
    path = folder / TRAINING
    try:
        return _TRAINING.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise ArtifactError(f"{path} does not describe a tuned model ({reason}): run `raft tune` again") from error


def check_tuned(tuned: TunedModel, index_digest: str, folder: Path) -> None:
    """Refuse a model that was made for another index or other prompts, before it is loaded.

    Raises ArtifactError that names both values.
    """
    if tuned.index_digest != index_digest:
        raise ArtifactError(
            f"{folder} was made for index {tuned.index_digest[:8]}, but this index is {index_digest[:8]}: "
            "give the index that it was made for, or run `raft generate` and `raft tune` again"
        )
    expected = prompt_fingerprint(tuned.style)
    if tuned.prompt_fingerprint != expected:
        raise ArtifactError(
            f"{folder} was trained on prompts {tuned.prompt_fingerprint[:8]}, but this version of raft writes "
            f"{expected[:8]}: run `raft generate` and `raft tune` again"
        )
