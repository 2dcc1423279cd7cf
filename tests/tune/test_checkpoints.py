"""Checkpoints are whole or not there, belong to one piece of work and one process, and tell what becomes of them."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from listening import Listener

from raft.errors import ArtifactError
from raft.tune import checkpoints
from raft.tune.checkpoints import Checkpoints


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def taken_up(tmp_path: Path, listener: Listener) -> Callable[[], Checkpoints]:
    return lambda: Checkpoints(tmp_path / "raft", listener.note)


def filling(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "weights").write_text(text)
        (folder / "moments").write_text(text * 2)

    return fill


def full_disk(folder: Path) -> None:
    (folder / "weights").write_text("half")
    raise OSError(errno.ENOSPC, "No space left on device")


def test_nothing_is_there_before_the_first(taken_up: Callable[[], Checkpoints], tmp_path: Path) -> None:
    with taken_up() as new:
        assert new.newest("work") is None
        new.finish()
    assert list(tmp_path.iterdir()) == []


def test_the_last_and_one_that_needs_no_other_are_kept(taken_up: Callable[[], Checkpoints]) -> None:
    kept = []
    with taken_up() as new:
        new.newest("work")
        # The first epoch ends at 3 and is outdone at 9, after the second was not.
        for step, best in ((1, 0), (2, 0), (3, 3), (4, 3), (6, 3), (7, 3), (9, 9), (10, 9)):
            new.write(step, best, {"seconds": step / 3}, filling(str(step)))
            kept.append(sorted(int(path.name.removeprefix("step-")) for path in new.folder.iterdir()))
    assert kept == [[1], [1, 2], [2, 3], [3, 4], [3, 6], [3, 7], [3, 9], [9, 10]]
    with taken_up() as again:
        found = again.newest("work")
    assert found is not None
    assert (found.step, found.state, (found.folder / "weights").read_text()) == (10, {"seconds": 10 / 3}, "10")


def test_whatever_byte_is_damaged_an_older_one_or_none_is_found(
    taken_up: Callable[[], Checkpoints], listener: Listener
) -> None:
    with taken_up() as new:
        new.newest("work")
        for step, best in ((2, 2), (3, 2)):
            new.write(step, best, {"ended": False}, filling(str(step)))
        # The last needs the weights of the best, which needs no other.
        for step, left in ((3, 2), (2, None)):
            for path in sorted(new.folder_of(step).iterdir()):
                sound = {one: one.read_bytes() for one in new.folder.glob("*/*")}
                for place in range(0, len(sound[path]), 13):
                    path.write_bytes(sound[path][:place] + bytes([sound[path][place] ^ 1]) + sound[path][place + 1 :])
                    found = new.newest("work")
                    assert (found and found.step) == left, (path, place)
                    for one, content in sound.items():
                        one.parent.mkdir(exist_ok=True)
                        one.write_bytes(content)
                assert "it is damaged" in listener.notes[-1]


def test_one_of_other_work_is_removed_with_one_line(taken_up: Callable[[], Checkpoints], listener: Listener) -> None:
    with taken_up() as new:
        new.newest("work")
        for step in (1, 2):
            new.write(step, 0, {}, filling("x"))
    with taken_up() as other:
        assert other.newest("other work") is None
        assert listener.notes == [f"removed {other.folder}: its checkpoints are of other settings, data or versions"]
        assert list(other.folder.iterdir()) == []


def test_another_process_is_refused_while_one_writes(taken_up: Callable[[], Checkpoints]) -> None:
    with taken_up() as new, taken_up() as other:
        new.newest("work"), other.newest("work")
        new.write(1, 0, {}, filling("x"))
        with pytest.raises(ArtifactError, match="in use by another tuning"):
            other.write(1, 0, {}, filling("y"))
        with pytest.raises(ArtifactError, match="in use by another tuning"):
            other.newest("work")
        other.finish()
    with taken_up() as later:
        assert later.newest("work") is not None
        later.finish()
        assert not later.folder.exists()


def test_on_a_full_disk_training_continues_and_says_what_a_kill_would_cost(
    taken_up: Callable[[], Checkpoints], listener: Listener
) -> None:
    with taken_up() as new:
        new.newest("work")
        new.write(5, 0, {}, full_disk)
        new.write(6, 0, {}, full_disk)
        assert listener.notes == [
            f"the checkpoint of step 5 cannot be written to {new.folder} (No space left on device): training "
            "continues, but after a kill it would go on from the start"
        ]
        new.write(7, 0, {}, filling("x"))
        new.write(8, 0, {}, full_disk)
        assert listener.notes[1].endswith("after a kill it would go on from step 7")
        assert [path.name for path in new.folder.iterdir()] == ["step-7"]


def test_without_room_for_the_best_weights_the_error_says_what_to_do(taken_up: Callable[[], Checkpoints]) -> None:
    with taken_up() as new:
        new.newest("work")
        new.write(7, 0, {}, filling("x"))
        with pytest.raises(
            ArtifactError, match="put that right and run the same command again; it goes on from step 7"
        ):
            new.write(8, 8, {}, full_disk)


def test_a_file_in_their_place_is_an_error_of_one_line(taken_up: Callable[[], Checkpoints]) -> None:
    new = taken_up()
    new.folder.write_text("mine")
    with pytest.raises(
        ArtifactError, match=r"\.raft\.checkpoints is to hold checkpoints and cannot be used \(File exists"
    ):
        new.newest("work")
    assert new.folder.read_text() == "mine"


def test_one_is_due_after_a_minute_or_twenty_times_what_it_took(
    taken_up: Callable[[], Checkpoints], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now)

    def write(step: int, took: float) -> None:
        def fill(folder: Path) -> None:
            nonlocal now
            now += took

        new.write(step, 0, {}, fill)

    def wait(seconds: float) -> bool:
        nonlocal now
        now += seconds
        return new.is_due

    with taken_up() as new:
        new.newest("work")
        assert (wait(59), wait(1)) == (False, True)
        write(1, 2.0)
        assert (wait(59), wait(1)) == (False, True)
        write(2, 5.0)
        assert (wait(99), wait(1)) == (False, True)
