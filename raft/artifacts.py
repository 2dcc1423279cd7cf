"""Artefact folders: written aside and swapped in whole, each with a manifest that says what it was made from.

A folder is an artefact only if it holds a finished `manifest.json`. The manifest is written last, after every other
file; readers check each file against it before they use one. A hidden marker says which stage made the folder, so that
it can be replaced even when its manifest is damaged.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from raft.errors import ArtifactError, InputError
from raft.swap import replacing

T = TypeVar("T")

MANIFEST = "manifest.json"
# Names the stage in one word; neither hashed nor listed.
MARKER = ".raft-stage"
# How long the work took differs from run to run, so no hash covers it.
TIMING = "timing.json"
_LEFT_BY_BROWSERS = (".DS_Store", "Thumbs.db", "desktop.ini")
_LEFT_BY_PYTHON = "__pycache__"
_PACKAGES = ("torch", "transformers", "sentence-transformers", "faiss-cpu", "peft", "langchain-text-splitters")
_CHUNK = 1 << 20
# By which rules text is split, compared and scored; counted up when a change of them makes other artefacts.
RULES = 3


class Stage(StrEnum):
    """Which verb made a folder."""

    INDEX = "index"
    EXAMPLES = "examples"
    PROMPTS = "prompts"
    MODEL = "model"
    EVALUATION = "evaluation"
    EXPORT = "export"
    RUN = "run"


_VERBS = {
    Stage.INDEX: "index",
    Stage.EXAMPLES: "generate",
    Stage.PROMPTS: "run",
    Stage.MODEL: "tune",
    Stage.EVALUATION: "evaluate",
    Stage.EXPORT: "export",
    Stage.RUN: "run",
}


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of every row that was read: read = kept + all rejected, with each reason named."""

    read: int
    kept: int
    rejected: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.read != self.kept + sum(self.rejected.values()):
            raise ValueError(f"the ledger does not add up: {self}")

    def __str__(self) -> str:
        lost = ", ".join(f"{count} {reason}" for reason, count in sorted(self.rejected.items()))
        return f"{self.read} read = {self.kept} kept + {sum(self.rejected.values())} rejected" + (
            f" ({lost})" if lost else ""
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a folder is: how it was made, from what, and what is in it. Holds no paths, no times, no environment."""

    stage: Stage
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    counts: Mapping[str, int]
    ledger: Ledger
    fingerprint: str
    versions: Mapping[str, str]
    # What was made before the rules were counted does not say.
    rules: int = 1

    @property
    def digest(self) -> str:
        """Hash of everything the manifest says: two folders with the same digest hold the same files."""
        return hash_json({name: value for name, value in asdict(self).items() if (name, value) != ("rules", 1)})


def hash_json(value: Any) -> str:
    """sha256 of a value as canonical JSON."""
    said = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(said.encode(errors="backslashreplace")).hexdigest()


def hash_file(path: Path) -> str:
    """sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def hash_path(path: Path) -> str:
    """sha256 of a file's bytes, or of the names and bytes of all files in a folder."""
    if path.is_dir():
        return hash_json({name: hash_file(path / name) for name in _files(path)})
    return hash_file(path)


def fingerprint(stage: Stage, settings: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Names a piece of work before it is done: a finished folder with the same one need not be made again."""
    from importlib import metadata

    return hash_json([stage, metadata.version("raft-tuning"), RULES, dict(settings), dict(inputs)])


def versions() -> dict[str, str]:
    """Installed versions of what can change results."""
    from importlib import metadata

    return {name: metadata.version(name) for name in ("raft-tuning", *_PACKAGES)}


def stage_of(folder: Path) -> Stage | None:
    """Which verb made a folder, by its marker or else its manifest; None where raft did not make it."""
    try:
        return Stage((folder / MARKER).read_text(encoding="utf-8").strip())
    except (FileNotFoundError, ValueError):
        pass  # not marked, or not by raft: the manifest may tell
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return Stage(manifest["stage"]) if "fingerprint" in manifest else None
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None


def mark(folder: Path, stage: Stage) -> None:
    """Say that `stage` made the folder."""
    (folder / MARKER).write_text(f"{stage}\n", encoding="utf-8")


def check_output(folder: Path, stage: Stage) -> None:
    """Refuse, before any work, to write over something that is not an artefact of this stage. Changes nothing."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ArtifactError(f"{folder} is not a folder: give --out another path")
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not above.is_dir():
        raise ArtifactError(f"{folder} cannot be made, because {above} is a file: give --out another path")
    if not os.access(above, os.W_OK | os.X_OK):
        raise ArtifactError(f"{folder} cannot be made, because {above} may not be written to: give --out another path")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    found = stage_of(folder)
    if found is None:
        raise ArtifactError(f"{folder} holds something that raft did not make: give --out a new or empty folder")
    if found is not stage:
        raise ArtifactError(f"{folder} holds an artefact of stage '{found}', not '{stage}': give --out another path")
    try:
        listed = read_manifest(folder).outputs
    except ArtifactError:
        return  # the marker says that it is ours, and it is to be replaced because it is damaged
    foreign = [name for name in _files(folder) if name not in listed]
    if foreign:
        raise ArtifactError(
            f"{folder} holds {foreign[0]!r}, which raft did not make and would delete: move it, or give --out another "
            "path"
        )


class Draft:
    """A folder in the making; `finish` says what it is, and only then can it become an artefact."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest | None = None

    def finish(
        self,
        stage: Stage,
        settings: Mapping[str, Any],
        inputs: Mapping[str, str],
        counts: Mapping[str, int],
        ledger: Ledger,
    ) -> None:
        """Hash every file that was written and put the manifest beside them."""
        outputs = {name: hash_file(self.path / name) for name in _files(self.path)}
        work = fingerprint(stage, settings, inputs)
        self.manifest = Manifest(stage, settings, inputs, outputs, counts, ledger, work, versions(), RULES)


@contextmanager
def writing(folder: Path, stage: Stage) -> Iterator[Draft]:
    """Write an artefact aside, then swap it in whole; on any error the old folder stays as it was."""
    check_output(folder, stage)
    with replacing(folder) as aside:
        mark(aside, stage)
        draft = Draft(aside)
        yield draft
        if draft.manifest is None:
            raise RuntimeError("the stage ended without finishing its manifest")
        said = asdict(draft.manifest) | {"digest": draft.manifest.digest}
        text = json.dumps(said, indent=2, sort_keys=True, ensure_ascii=False)
        (aside / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _files(folder: Path) -> list[str]:
    """What the manifest of a folder lists: every file below it as a sorted relative path, but raft's own three.

    What a file browser leaves in a folder that somebody looked into is nobody's work, and is not listed either; nor is
    what Python leaves where somebody ran a `load.py`.
    """
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file() or path.is_symlink())
    return sorted(
        name.as_posix()
        for name in found
        if name.as_posix() not in (MANIFEST, MARKER, TIMING)
        and name.name not in _LEFT_BY_BROWSERS
        and _LEFT_BY_PYTHON not in name.parts
    )


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an artefact folder. Raises ArtifactError where there is none or it cannot be read."""
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ArtifactError(f"{folder} does not exist: make it first, or check the path")
    if not path.exists():
        raise ArtifactError(
            f"{folder} has no {MANIFEST}, so it is no finished artefact: run the stage that makes it again"
        )
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        digest = raw.pop("digest")
        raw["stage"], raw["ledger"] = Stage(raw["stage"]), Ledger(**raw["ledger"])
        manifest = Manifest(**raw)
        if manifest.digest != digest:
            raise ValueError(f"its digest is {manifest.digest[:8]}, not {digest[:8]}")
        return manifest
    except (ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} is damaged ({error}): run the stage that makes it again") from error


def check_stage(folder: Path, stage: Stage) -> Manifest:
    """The manifest of a folder that `stage` made by the rules of today; its files are not looked at.

    Raises ArtifactError for any other.
    """
    manifest = read_manifest(folder)
    if manifest.stage is not stage:
        raise ArtifactError(f"{folder} is an artefact of stage '{manifest.stage}', not '{stage}': check the path")
    if manifest.rules != RULES:
        other = "older" if manifest.rules < RULES else "newer"
        mend = f"make it again with `raft {_VERBS[stage]}`" if manifest.rules < RULES else "update raft"
        raise ArtifactError(f"{folder} was made by {other} rules for splitting and comparing text: {mend}")
    return manifest


def verified(folder: Path, stage: Stage) -> Manifest:
    """The manifest, after every file was checked against it. Raises ArtifactError at the first that differs."""
    manifest = check_stage(folder, stage)
    for name, expected in manifest.outputs.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing: run the stage that makes {folder} again")
        found = hash_file(path)
        if found != expected:
            raise ArtifactError(f"{path} is damaged (sha256 {found[:8]}, expected {expected[:8]}): make {folder} again")
    return manifest


def of_one_generation(folder: Path, read: Callable[[Path], T]) -> T:
    """What `read` makes of an artefact folder, all of it from before or all from after another process replaces it.

    An open folder keeps its files while its name goes to the next one; if they are gone before they are read, the next
    one is read.
    """
    if not Path("/proc/self/fd").is_dir():
        return read(folder)
    while folder.is_dir():
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return read(Path(f"/proc/self/fd/{descriptor}"))
        except (ArtifactError, InputError, OSError):
            if folder.is_dir() and os.path.samestat(os.fstat(descriptor), folder.stat()):
                # Nobody replaced it: the error is its own, and is told with its real name.
                break
        finally:
            os.close(descriptor)
    return read(folder)


def is_current(folder: Path, stage: Stage, work: str) -> bool:
    """Whether the folder already holds, undamaged, the result of exactly this piece of work."""
    try:
        return verified(folder, stage).fingerprint == work
    except ArtifactError:
        return False


def write_jsonl(path: Path, rows: Iterable[Any]) -> int:
    """Write one JSON object a line, in UTF-8, and return how many there were. rows: mappings or dataclasses.

    Half of a surrogate pair, which UTF-8 does not have, is written as its escape and reads back as it was.
    """
    encoder, count = json.JSONEncoder(ensure_ascii=False, default=_as_mapping), 0
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for row in rows:
            file.write(encoder.encode(row) + "\n")
            count += 1
    return count


def _as_mapping(record: Any) -> Mapping[str, Any]:
    """Half of the time that `asdict` takes, which copies all that is in the record."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number, from 1, and object of every non-empty line. Raises InputError that names the first bad line."""
    try:
        # What some editors write begins with a byte order mark.
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    raise InputError(
                        f"{path}, line {number}: not valid JSON ({error.msg}): correct that line"
                    ) from error
                if not isinstance(row, dict):
                    raise InputError(f"{path}, line {number}: expected a JSON object: correct that line")
                yield number, row
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as UTF-8 text ({error}): check the file") from error
