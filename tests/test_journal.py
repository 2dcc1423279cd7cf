"""A journal keeps what was noted before a kill, drops what was cut off, and belongs to one process at a time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from raft.errors import ArtifactError
from raft.journal import Journal


def test_what_was_noted_is_there_when_the_work_is_taken_up_again(tmp_path: Path) -> None:
    path = tmp_path / "n1" / "work.jsonl"
    with Journal(path, durable=True) as journal:
        assert not path.parent.exists()
        journal.add({"a": 1, "b": {"text": "naïve\nline"}})
        journal.add({"c": None})
    with Journal(path) as journal:
        assert (len(journal), journal["a"], journal["b"], journal["c"]) == (3, 1, {"text": "naïve\nline"}, None)
        assert "d" not in journal


def test_a_value_with_half_a_character_is_kept_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    value = {"text": "three \ud83d \x00 \U0001f6df \u2028"}
    with Journal(path) as journal:
        journal.add({"a": value, "b \udead": 1})
    Journal(path).keep(lambda key: key == "a")
    with Journal(path) as journal:
        assert journal["a"] == value
    path.read_text(encoding="utf-8")


def test_wherever_a_kill_cuts_the_file_whole_lines_are_kept_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    with Journal(path) as journal:
        for n in range(3):
            journal.add({str(n): f"välue {n}"})
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with Journal(path) as journal:
            kept = whole[:cut].count(b"\n")
            assert len(journal) == kept
            journal.add({"new": cut})
        with Journal(path) as journal:
            assert [n in journal for n in ("0", "1", "2", "new")] == [n < kept for n in range(3)] + [True]


def test_a_line_that_is_no_result_is_work_to_be_done_again(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    good = json.dumps({"key": "a", "value": 1})
    path.write_bytes(b"\x00\x00\x00\n" + good.encode() + b'\n[1]\n{"key": "b"}\n')
    with Journal(path) as journal:
        assert len(journal) == 1 and journal["a"] == 1


def test_another_process_is_refused_while_one_holds_it_and_let_in_after(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    first = Journal(path)
    first.add({"a": 1})
    with pytest.raises(ArtifactError, match="in use by another process"):
        Journal(path)
    first.finish()
    assert not path.exists()
    with Journal(path) as journal:
        assert len(journal) == 0


def test_only_what_lasts_is_kept_when_the_work_is_done(tmp_path: Path) -> None:
    path = tmp_path / "work.jsonl"
    for lasting, left in ((("a", "b"), ["a", "b"]), (("b",), ["b"]), ((), None)):
        with Journal(path) as journal:
            journal.add({"a": 1, "b": 2})
        journal.keep(lambda key, lasting=lasting: key in lasting)
        assert ([json.loads(line)["key"] for line in path.read_text().splitlines()[:2]] if left else None) == left
        assert path.exists() == bool(left)
    Journal(path).keep(lambda key: True)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_does_not_fit_the_disk_leaves_the_others_whole(tmp_path: Path) -> None:
    # Without buffers between, the kernel cuts at the limit what the file may hold.
    path = tmp_path / "work.jsonl"
    code = (
        "import resource, signal, sys; from pathlib import Path; from raft.journal import Journal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal(Path(sys.argv[1])); journal.add({'a': 1})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: journal.add({'b': 'x' * 200})\n"
        "except OSError as error: print(error.strerror)\n"
        "journal.add({'c': 2})"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "File too large\n"), done.stderr
    with Journal(path) as journal:
        assert list(journal) == ["a", "c"]
