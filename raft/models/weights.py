"""What names a model's bytes: a name alone does not change when the weights behind it do."""

from __future__ import annotations

from pathlib import Path

from raft.artifacts import hash_file, hash_json

MINI = "mini"
MINI_FOLDER = Path(__file__).parent / "mini" / "weights"
# Everything that can change what a model computes; code is never run from such folders.
WEIGHT_SUFFIXES = (".json", ".txt", ".model", ".safetensors", ".jinja")


def is_endpoint(name: str) -> bool:
    """Whether a name is of the form `openai:MODEL@URL`, which `raft.models.endpoint` takes apart."""
    return name.startswith("openai:")


def folder_fingerprint(folder: Path) -> str:
    """Hash over every file of a model folder that can change a result."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix in WEIGHT_SUFFIXES and path.is_file())
    return hash_json({path.relative_to(folder).as_posix(): hash_file(path) for path in paths})


def weights_fingerprint(name: str) -> str:
    """The bytes behind a generative model's name: of its folder, its cached hub revision, or else the name itself.

    An endpoint shows no weights, so its name has to do.
    """
    folder = MINI_FOLDER if name == MINI else Path(name)
    if folder.is_dir():
        return folder_fingerprint(folder)
    if not is_endpoint(name):
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(name, "config.json")
        if isinstance(cached, str):
            # The folder of a cached file is named after the commit it was taken from.
            return hash_json([name, Path(cached).parent.name])
    return hash_json(name)


def public_name(name: str) -> str:
    """How a model is called in what is shared: of a local folder only its own name, since paths are private."""
    return Path(name).name if Path(name).is_dir() else name
