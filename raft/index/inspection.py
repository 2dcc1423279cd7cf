"""What a person wants to know of an index: what is in it, and why a passage was found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from raft.artifacts import Stage, read_jsonl, verified
from raft.index.reuse import DOCUMENTS, PASSAGES, SKIPPED

_WORD = re.compile(r"\w+")


def statistics(folder: Path) -> dict[str, Any]:
    """Counts and sizes of a verified index; characters of documents and passages as smallest, median and largest.

    Raises ArtifactError where the folder is no index or is damaged.
    """
    manifest = verified(folder, Stage.INDEX)
    documents = [row for _, row in read_jsonl(folder / DOCUMENTS)]
    passages = [row for _, row in read_jsonl(folder / PASSAGES)]
    skipped = Counter(row["reason"] for _, row in read_jsonl(folder / SKIPPED))
    return {
        **manifest.counts,
        "document_characters": _spread([len(row["text"]) for row in documents]),
        "passage_characters": _spread([len(row["text"]) for row in passages]),
        "passages_per_document": _spread(list(Counter(row["document_id"] for row in passages).values())),
        "embedder": manifest.settings["embedder"],
        "passage_tokens": manifest.settings["passage_tokens"],
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "skipped_because": dict(skipped.most_common()),
        "digest": manifest.digest,
    }


def _spread(values: list[int]) -> Mapping[str, float]:
    return {"least": min(values), "median": median(values), "most": max(values)} if values else {}


def highlighted(text: str, query: str, begin: str, end: str) -> str:
    """`text` with `begin` and `end` around every word that the search by words takes for one of the query's."""
    from raft.index.store import words

    wanted = set(words(query))

    def mark(match: re.Match[str]) -> str:
        return f"{begin}{match[0]}{end}" if wanted.intersection(words(match[0])) else match[0]

    return _WORD.sub(mark, text)
