"""Models of sentence-transformers by folder or hub name: found on this machine first, and only in a safe format."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from raft.errors import ModelError
from raft.models.weights import WEIGHT_SUFFIXES, folder_fingerprint


class Kind(NamedTuple):
    """What a model is for, as messages call it, and what to do where there is none of the name that was given."""

    noun: str
    instead: str


@dataclass(frozen=True, slots=True)
class Found:
    """A folder of a model with the hash over every file that can change what it computes."""

    folder: Path
    fingerprint: str


def folder_of(kind: Kind, name: str) -> Found:
    """The folder of a model: a local one, else the local hub cache, else a download from the hub.

    Raises ModelError where there is none, or where it has no weights to trust.
    """
    folder = _find_folder(kind, name)
    if not any(folder.rglob("*.safetensors")):
        raise ModelError(
            f"{kind.noun} '{name}' has no weights in safetensors format: other formats can run code when loaded"
        )
    return Found(folder, folder_fingerprint(folder))


def _find_folder(kind: Kind, name: str) -> Path:
    noun, instead = kind
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file() and not (folder / "modules.json").is_file():
            raise ModelError(f"{name} holds no config.json, so it is no {noun}: give a sentence-transformers folder")
        return folder
    if name.startswith((".", "~", os.sep)) or name.count("/") > 1:
        raise ModelError(f"{noun} folder {name} does not exist: check the path, or {instead}")
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = [f"*{suffix}" for suffix in WEIGHT_SUFFIXES]
    try:
        return Path(snapshot_download(name, local_files_only=True, allow_patterns=patterns))
    except HFValidationError as error:
        raise ModelError(f"'{name}' is the name of no {noun}: {instead}, a folder or a hub name") from error
    except LocalEntryNotFoundError as error:
        if constants.HF_HUB_OFFLINE:
            raise ModelError(
                f"{noun} '{name}' is neither a folder nor in the hub cache, and HF_HUB_OFFLINE is set: {instead}, "
                "or download it first"
            ) from error
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(f"{noun} '{name}' is not on this machine nor on the hub: {instead}, or a folder") from error
