"""GGUF files as models: each is converted once, into plain safetensors in the user's cache, and loaded from there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raft.artifacts import hash_file
from raft.errors import ModelError
from raft.swap import locked, replacing

# Says that a folder is whole: the size of every file in it.
_COMPLETE = "converted.json"
# Weights of 16 bits, from fewer: a file of four bits grows about fourfold.
_GROWTH = 5


def cache_folder() -> Path:
    """Where converted models are kept: `raft` in the user's cache (XDG_CACHE_HOME, or ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").expanduser() / "raft"


def converted_folder(digest: str) -> Path:
    """The folder of the model that a GGUF file with this sha256 is converted into, whether it is there or not."""
    return cache_folder() / f"gguf-{digest[:16]}"


def is_converted(folder: Path) -> bool:
    """Whether a folder holds a whole converted model."""
    try:
        sizes = json.loads((folder / _COMPLETE).read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def convert(gguf: Path, digest: str | None = None) -> Path:
    """The folder that a GGUF file is converted into; made at the first call, and by one process at a time.

    digest: sha256 of the file, if it is known. Raises ModelError where the file is damaged, its architecture unknown,
    or there is no room for the result; nothing half-written stays.
    """
    folder = converted_folder(digest or _digest(gguf))
    if is_converted(folder):
        return folder
    with _room(gguf, folder), locked(folder.parent, "convert.lock"):
        # Another process may have converted it meanwhile.
        if not is_converted(folder):
            with replacing(folder) as aside:
                _convert(gguf, aside)
                sizes = {path.name: path.stat().st_size for path in sorted(aside.iterdir())}
                (aside / _COMPLETE).write_text(json.dumps(sizes), encoding="utf-8")
    return folder


def _digest(gguf: Path) -> str:
    try:
        return hash_file(gguf)
    except OSError as error:
        raise ModelError(f"{gguf} cannot be read ({error.strerror}): check the path") from error


@contextmanager
def _room(gguf: Path, folder: Path) -> Iterator[None]:
    """Says in one line where the cache cannot be written to, before and while the model is converted."""
    needed = _GROWTH * gguf.stat().st_size
    advice = "free some, or set XDG_CACHE_HOME to a folder elsewhere"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder.parent).free
        if free < needed:
            raise ModelError(
                f"{folder.parent} has {free >> 20} MB free, and converting {gguf.name} needs {needed >> 20} MB: "
                f"{advice}"
            )
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(f"{folder} cannot be written ({reason}): {advice}") from error


def _convert(gguf: Path, out: Path) -> None:
    """Write plain weights in bfloat16 and the tokenizer.

    What transformers loads from GGUF carries a quantisation that it refuses to save, so the weights go into a model of
    the same configuration without one.
    """
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    level = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        loaded = transformers.AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16
        )
        config = loaded.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        with torch.device("meta"):
            plain: Any = type(loaded)(config)
        plain = plain.to(torch.bfloat16)
        plain.load_state_dict(loaded.state_dict(), assign=True)
        plain.tie_weights()
        plain.save_pretrained(out)
        tokenizer.save_pretrained(out)
    except (MemoryError, KeyboardInterrupt):
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise _unreadable(gguf, error) from error
    except Exception as error:  # the reader of the format documents no errors for damaged files
        raise _unreadable(gguf, error) from error
    finally:
        transformers.utils.logging.set_verbosity(level)


def _unreadable(gguf: Path, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return ModelError(
        f"{gguf} cannot be converted ({reason}): check that it is a whole GGUF file of an architecture that "
        "transformers knows"
    )
