"""The child process that parses files: bytes in, documents out, and nothing of it can hurt the process that asked.

`raft.corpus.sandbox` runs it. Each request is a line of JSON (`source`, `size`) and then that many bytes; each reply is
one line of JSON.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import asdict
from typing import Any, BinaryIO

from raft.corpus.parsing import RowError, parse
from raft.types import Document

# What one process may hold: the libraries take about 300 MB of it as reserved addresses.
MEMORY = 3 << 30
# Twice the text of the Bible in every language would fit; what gives more is no document.
LONGEST_REPLY = 200 << 20


def reply_to(source: str, raw: bytes) -> bytes:
    """The reply for one file: what it gave, or the error that stops everything."""
    try:
        results = [["document" if isinstance(one, Document) else "skipped", asdict(one)] for one in parse(raw, source)]
        reply: dict[str, Any] = {"results": results}
    except RowError as error:
        reply = {"error": str(error)}
    said = json.dumps(reply).encode()
    if len(said) > LONGEST_REPLY:
        said = _lost(source, f"it gives more than {LONGEST_REPLY >> 20} MB of text")
    return said


def _lost(source: str, reason: str) -> bytes:
    return json.dumps({"results": [["skipped", {"source": source, "reason": reason}]]}).encode()


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until there are no more."""
    while line := requests.readline():
        request = json.loads(line)
        source, raw = request["source"], requests.read(request["size"])
        try:
            said = reply_to(source, raw)
        except MemoryError:
            said = _lost(source, "it needs more memory than one file may")
        replies.write(said + b"\n")
        replies.flush()


def limit_itself() -> None:
    """Take at most so much memory as one file may, and leave no core dump."""
    # macOS has the name and refuses the limit: there the time limit alone stands between a bad file and the machine.
    if hasattr(resource, "RLIMIT_AS") and sys.platform != "darwin":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    limit_itself()
    # Parsers that print must not garble the replies.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
