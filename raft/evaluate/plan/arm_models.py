"""The tuned models of an evaluation, checked before any of them is loaded."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from raft.artifacts import TIMING, Manifest, hash_json, read_manifest, stage_of
from raft.errors import ArtifactError, InputError
from raft.evaluate.plan.arms import ARMS
from raft.models.endpoint import parse_endpoint
from raft.models.tuned import TunedModel, check_tuned, read_tuned
from raft.models.weights import weights_fingerprint
from raft.recipe import TuneSettings
from raft.types import VARIANTS, Arm

_NAMES = tuple(dict.fromkeys(arm.model for arm in ARMS if arm.model in VARIANTS))


class Training(TypedDict):
    """What it took to tune a model; seconds is None where nobody noted the time."""

    rows: int
    target_tokens: int
    steps: int
    kept_step: int
    seconds: float | None
    losses: list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class ArmModel:
    """A model under the name by which the arms know it, as it is loaded; identity: sha256 of what decides its words."""

    name: str
    base: str
    folder: Path | None
    identity: str


@dataclass(frozen=True, slots=True)
class TunedArmModel:
    """A tuned model under the name by which the arms know it."""

    name: str
    folder: Path
    model: TunedModel
    manifest: Manifest

    @property
    def arm_model(self) -> ArmModel:
        """The same as it is loaded."""
        identity = hash_json([weights_fingerprint(self.model.base_model), self.manifest.digest])
        return ArmModel(self.name, self.model.base_model, self.folder, identity)

    @property
    def training(self) -> Training:
        """What its tuning took, as its folder tells it."""
        model = self.model
        return Training(
            rows=model.rows,
            target_tokens=model.target_tokens,
            steps=model.steps,
            kept_step=model.kept_step,
            seconds=_seconds(self.folder),
            losses=list(model.losses),
        )


def read_tuned_models(models: Mapping[str, Path], index_digest: str) -> list[TunedArmModel]:
    """The models by their arm's name, each made for this index and for today's prompts, all from one base.

    Raises InputError for a name that no arm has, and ArtifactError for a folder that does not fit.
    """
    unknown = sorted(set(models) - set(_NAMES))
    if unknown:
        raise InputError(f"no arm uses a model called '{unknown[0]}': name it one of {', '.join(_NAMES)}")
    found = [_read(name, models[name], index_digest) for name in _NAMES if name in models]
    for one in found[1:]:
        if one.model.base_model != found[0].model.base_model:
            raise ArtifactError(
                f"{one.folder} was tuned from {one.model.base_model}, but {found[0].folder} from "
                f"{found[0].model.base_model}: arms are compared on one base, so run `raft tune` again for one of them"
            )
    return found


def read_added(arms: Sequence[Arm], given: Collection[str], index_digest: str) -> list[TunedArmModel | ArmModel]:
    """The models of arms that the user added, each once: folders that `raft tune` made, or any other model by its name.

    given: the names of models that are at hand anyway. Raises ArtifactError for a tuned model that does not fit the
    index or the prompts, InputError for the name of a tuned model that was not given.
    """
    added: list[TunedArmModel | ArmModel] = []
    for name in dict.fromkeys(arm.model for arm in arms if arm.model not in given):
        if name in VARIANTS:
            raise InputError(f"an arm uses the model '{name}', but no such model was given: add --model {name}=DIR")
        folder = Path(name)
        if folder.is_dir() and stage_of(folder) is not None:
            model = read_tuned(folder)
            check_tuned(model, index_digest, folder)
            added.append(TunedArmModel(name, folder, model, read_manifest(folder)))
        else:
            if name.startswith("openai:"):
                parse_endpoint(name)
            added.append(ArmModel(name, name, None, weights_fingerprint(name)))
    return added


def _read(name: str, folder: Path, index_digest: str) -> TunedArmModel:
    model = read_tuned(folder)
    check_tuned(model, index_digest, folder)
    if model.variant != name:
        raise ArtifactError(
            f"{folder} was tuned with method {model.variant}, but is given as {name}: "
            f"give it as --model {model.variant}={folder}"
        )
    return TunedArmModel(name, folder, model, read_manifest(folder))


def shared_base(tuned_models: Sequence[TunedArmModel], base_model: str | None) -> str:
    """The untuned model: the one that was asked for, else the one that was tuned, else the default."""
    if not tuned_models:
        return base_model or TuneSettings().model
    first = tuned_models[0]
    if base_model not in (None, first.model.base_model):
        raise ArtifactError(
            f"{first.folder} was tuned from {first.model.base_model}, but the untuned arms would use {base_model}: "
            f"evaluate with {first.model.base_model}, or run `raft tune` again"
        )
    return first.model.base_model


def shared_start(tuned_models: Sequence[TunedArmModel]) -> str:
    """The adapter that tuning went on from, or nothing. Raises ArtifactError where the models differ in that."""
    if not tuned_models:
        return ""
    first = tuned_models[0]
    for one in tuned_models[1:]:
        if one.model.start != first.model.start:
            raise ArtifactError(
                f"{one.folder} was tuned from {_started(one)}, but {first.folder} from {_started(first)}: "
                "arms are compared from one start, so run `raft tune` again for one of them"
            )
    return first.model.start


def _started(tuned_model: TunedArmModel) -> str:
    return f"the adapter {tuned_model.model.start}" if tuned_model.model.start else "no adapter"


def _seconds(folder: Path) -> float | None:
    """How long tuning took; that file stands in no manifest, and may be missing from a copied model."""
    path = folder / TIMING
    if not path.exists():
        return None
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} does not say how many seconds tuning took: delete that file") from error
