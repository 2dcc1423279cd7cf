"""What names a model's bytes: a name alone does not change when the weights behind it do."""

from __future__ import annotations

from pathlib import Path

from raft.artifacts import hash_file, hash_json
from raft.errors import ModelError
from raft.models.gguf import convert
from raft.models.names import (
    MINI,
    MINI_FOLDER,
    SMOLLM2,
    SMOLLM2_SHA256,
    adapter_base,
    adapter_folder,
    is_endpoint,
    is_gguf,
)
from raft.models.smollm2 import smollm2_folder

# Everything that can change what a model computes; code is never run from such folders.
WEIGHT_SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".gguf", ".jinja")


def source_of(name: str) -> str:
    """The folder, or else the hub name, that transformers loads a model from.

    A GGUF file is converted at the first call. Raises ModelError where `smollm2` has not been fetched, a GGUF file
    cannot be converted, or a folder holds weights in no format that is read.
    """
    if name == MINI:
        return str(MINI_FOLDER)
    if base := adapter_base(name):
        return source_of(base)
    if name == SMOLLM2:
        return str(smollm2_folder())
    if is_gguf(name):
        return str(convert(Path(name)))
    folder = Path(name)
    if (folder / "pytorch_model.bin").is_file() and not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"{name} holds its weights as pytorch_model.bin, which can run code when loaded: save them as safetensors"
        )
    return name


def folder_fingerprint(folder: Path) -> str:
    """Hash over every file of a model folder that can change a result."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in WEIGHT_SUFFIXES and path.is_file())
    return hash_json({path.relative_to(folder).as_posix(): hash_file(path) for path in paths})


def weights_fingerprint(name: str) -> str:
    """The bytes behind a generative model's name: of its folder, its cached hub revision, or else the name itself.

    An endpoint shows no weights, so its name has to do. Raises ModelError where `smollm2` has not been fetched, or a
    file or folder is not there.
    """
    folder = MINI_FOLDER if name == MINI else Path(name)
    if (adapter := adapter_folder(name)) and (base := adapter_base(name)):
        return hash_json([weights_fingerprint(base), folder_fingerprint(adapter)])
    if folder.is_dir():
        return folder_fingerprint(folder)
    if name == SMOLLM2:
        # Whoever asks for it is about to load it, and would find out much later.
        source_of(name)
        return SMOLLM2_SHA256
    if is_gguf(name):
        if not folder.is_file():
            raise ModelError(f"{name} does not exist: check the path of the GGUF file")
        return hash_file(folder)
    if not is_endpoint(name):
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

        try:
            cached = try_to_load_from_cache(name, "config.json")
        except HFValidationError as error:
            raise ModelError(f"model {name!r} is no folder, and no hub name either: check its path") from error
        if isinstance(cached, str):
            # The folder of a cached file is named after the commit it was taken from.
            return hash_json([name, Path(cached).parent.name])
    return hash_json(name)
