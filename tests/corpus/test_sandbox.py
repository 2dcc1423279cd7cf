"""A reader that hangs, crashes or eats the memory costs its own file; the next one is read as if nothing had been."""

import sys
from pathlib import Path

import pytest

from raft.corpus import Skipped, sandbox
from raft.corpus.sandbox import Sandbox
from raft.types import Document

# Stands in the place of raft.corpus.worker and does to its process what a file can do to a parser.
WORKER = """
import os, sys, time
from raft.corpus import parsing, worker
from raft.corpus.formats import Content
def bad(raw):
    if raw == b"hang": time.sleep(60)
    if raw == b"crash": os.abort()
    if raw == b"eat": return Content("x" * (8 << 30))
    if raw == b"print": print("noise", flush=True)
    return Content(raw.decode())
parsing.READERS[".txt"] = bad
worker.main()
"""


@pytest.fixture
def bad_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    monkeypatch.setattr(sandbox, "COMMAND", (sys.executable, str(script)))


@pytest.mark.usefixtures("bad_readers")
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"hang", "its reader took longer than 2 s"),
        (b"crash", "its reader crashed"),
        (b"eat", "it needs more memory than one file may"),
    ],
)
def test_a_bad_file_costs_itself_and_nothing_else(raw: bytes, reason: str) -> None:
    files = [("a.txt", b"before"), ("b.txt", raw), ("c.txt", b"after")]
    with Sandbox(1, patience=2) as box:
        first, bad, last = (box.parse(*file) for file in files)
    assert bad == [Skipped("b.txt", reason)]
    assert [one.text for (one,) in (first, last) if isinstance(one, Document)] == ["before", "after"]


@pytest.mark.usefixtures("bad_readers")
def test_what_a_reader_prints_is_no_reply() -> None:
    with Sandbox(1) as box:
        (document,) = box.parse("a.txt", b"print")
    assert isinstance(document, Document) and document.text == "print"


def test_results_come_in_the_order_of_the_files_whatever_worker_reads_them() -> None:
    files = [(f"{n}.txt", b"word " * (1 + 5000 * (n % 3))) for n in range(20)]
    with Sandbox(2) as box:
        results = list(box.in_order(lambda file: box.parse(*file), files))
    assert [document.id for (document,) in results if isinstance(document, Document)] == [name for name, _ in files]


def test_a_text_longer_than_a_reply_may_be_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    from raft.corpus import worker

    monkeypatch.setattr(worker, "LONGEST_REPLY", 3 << 20)
    reply = worker.reply_to("a.txt", b"word " * (1 << 20))
    assert b"it gives more than 3 MB of text" in reply and len(reply) < 200
