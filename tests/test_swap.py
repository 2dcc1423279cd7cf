"""Folders trade places at once, and what a killed process left is cleared away by the next one."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from raft import swap
from raft.swap import replacing, write_whole


def put(folder: Path, text: str) -> None:
    with replacing(folder) as aside:
        (aside / "sub").mkdir()
        (aside / "sub" / "a.txt").write_text(text)


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.mark.parametrize("exchanges", [True, False])
def test_the_new_folder_stands_alone_in_the_old_ones_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    put(tmp_path / "a", "old")
    put(tmp_path / "a", "new")
    assert (tmp_path / "a" / "sub" / "a.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is Linux's own")
def test_a_reader_never_finds_the_folder_missing(tmp_path: Path) -> None:
    put(tmp_path / "a", "0")
    missing: list[int] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            if not (tmp_path / "a").exists():
                missing.append(1)

    reader = threading.Thread(target=watch)
    reader.start()
    for number in range(50):
        put(tmp_path / "a", str(number))
    done.set()
    reader.join()
    assert missing == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the name of an open file here")
def test_every_file_and_folder_is_synced_before_the_swap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name.partition(".partial")[0])
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    put(tmp_path / "a", "x")
    assert synced == ["a.txt", "sub", ".a", tmp_path.name]


def test_an_old_folder_whose_new_one_never_came_is_put_back(tmp_path: Path, gone: int) -> None:
    put(tmp_path / "a", "old")
    (tmp_path / "a").rename(tmp_path / f".a.old-{gone}-x1")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a"):
        _ = 1 / 0
    assert (tmp_path / "a" / "sub" / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_half_written_folders_go_when_their_process_has_gone(tmp_path: Path, gone: int) -> None:
    left = [f".a.partial-{gone}-x1", f".a.old-{gone}-x2", f".a.partial-{os.getppid()}-x3", f".b.partial-{gone}-x4"]
    for name in left:
        (tmp_path / name).mkdir()
    put(tmp_path / "a", "new")
    # The first .old came home as "a" and was replaced; what runs, or belongs to another folder, stays.
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["a", *left[2:]])


def test_a_failure_unmakes_the_parents_that_it_made(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "n1" / "n2" / "a"):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.json", "old")
    write_whole(tmp_path / "a.json", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.json", "new")]
