"""Whatever fails, the old index stands or the new one, whole; the long form of all this is scripts/prove_index."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raft.artifacts import MARKER
from raft.errors import ArtifactError
from raft.index import Index

FAULTS = Path(__file__).with_name("faults.py")


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(FAULTS), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments: object) -> object:
    process = start(*arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err[-2000:]
    return json.loads(out)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"Pump {number} holds {number} bar. " * 8)
    return folder


def test_a_failing_file_operation_leaves_the_old_index_or_the_new_one(notes: Path, tmp_path: Path) -> None:
    assert run("fail", notes, tmp_path / "work" / "index", 17) >= 12


def test_a_full_disk_leaves_the_old_index_or_the_new_one(notes: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    assert run("full", notes, tmp_path / "work" / "index", 1500) == 8


def test_a_killed_build_needs_no_cleaning_up(notes: Path, tmp_path: Path) -> None:
    rng, out = random.Random(0), tmp_path / "work" / "index"
    for _ in range(4):
        process = start("build", notes, out)
        time.sleep(rng.uniform(0.4, 1.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    run("build", notes, out)
    assert [path.name for path in out.parent.iterdir()] == ["index"]


def test_readers_find_one_generation_while_writers_replace_it(notes: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "work" / "index", tmp_path / "other"
    other.mkdir()
    (other / "0.txt").write_text("Another pump, another place. " * 8)
    run("build", notes, out)
    readers = [start("read", out, 4) for _ in range(2)]
    for turn in range(2):
        writers = [start("build", folder, out) for folder in ((notes, other) if turn % 2 else (other, notes))]
        for writer in writers:
            _, err = writer.communicate()
            assert writer.returncode == 0, err[-2000:]
    for reader in readers:
        times, err = reader.communicate()
        assert reader.returncode == 0, err[-2000:]
        assert int(times) > 1


def test_a_flipped_bit_or_a_lost_end_is_found_before_an_answer(notes: Path, tmp_path: Path) -> None:
    rng, out = random.Random(0), tmp_path / "work" / "index"
    run("build", notes, out)
    files = [path for path in out.rglob("*") if path.is_file() and path.name != MARKER and path.stat().st_size]
    for path in files:
        whole = path.read_bytes()
        at = rng.randrange(len(whole))
        # White space of the manifest carries nothing.
        while path.name == "manifest.json" and whole[at : at + 1].isspace():
            at = rng.randrange(len(whole))
        flipped = bytearray(whole)
        flipped[at] ^= 1 << rng.randrange(8)
        for damaged in (bytes(flipped), whole[:at]):
            path.write_bytes(damaged)
            with pytest.raises(ArtifactError):
                Index.open(out)
        path.write_bytes(whole)
    Index.open(out)
