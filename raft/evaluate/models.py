"""The tuned models of an evaluation, checked before any of them is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raft.artifacts import Manifest, read_manifest
from raft.errors import ArtifactError, InputError
from raft.evaluate.arms import ARMS, BASE
from raft.models.tuned import TunedModel, check_tuned, read_tuned
from raft.models.weights import MINI

_NAMES = tuple(dict.fromkeys(arm.model for arm in ARMS if arm.model != BASE))


@dataclass(frozen=True, slots=True)
class Contestant:
    """A tuned model under the name by which the arms know it."""

    name: str
    folder: Path
    model: TunedModel
    manifest: Manifest


def read_contestants(models: Mapping[str, Path], index_digest: str) -> list[Contestant]:
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


def _read(name: str, folder: Path, index_digest: str) -> Contestant:
    model = read_tuned(folder)
    check_tuned(model, index_digest, folder)
    if model.method.value != name:
        raise ArtifactError(
            f"{folder} was tuned with method {model.method}, but is given as {name}: "
            f"give it as --model {model.method}={folder}"
        )
    return Contestant(name, folder, model, read_manifest(folder))


def shared_base(contestants: Sequence[Contestant], base_model: str | None) -> str:
    """The untuned model: the one that was asked for, else the one that was tuned, else the embedded default."""
    if not contestants:
        return base_model or MINI
    first = contestants[0]
    if base_model not in (None, first.model.base_model):
        raise ArtifactError(
            f"{first.folder} was tuned from {first.model.base_model}, but the untuned arms would use {base_model}: "
            f"evaluate with {first.model.base_model}, or run `raft tune` again"
        )
    return first.model.base_model
