"""Look among some passages only: those whose fields, or whose document's metadata, match patterns."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np

from raft.errors import InputError
from raft.index.store import Rows
from raft.types import Document, Passage

_FIELDS = ("document_id", "title", "source", "section", "page")


def matching(passages: Sequence[Passage], documents: Mapping[str, Document], where: Mapping[str, str]) -> Rows:
    """The rows of the passages that match all of `where`, in order, shape (number of them,).

    where: patterns by field, with `*`, `?` and `[...]` as in a shell, upper and lower case alike. Fields are
    document_id, title, source, section, page and the keys of the documents' own metadata. Raises InputError for a field
    that no passage has.
    """
    wanted = {field: _plain(pattern) for field, pattern in where.items()}
    known = {*_FIELDS, *(key for document in documents.values() for key in document.metadata)}
    for field in wanted:
        if field not in known:
            raise InputError(f"no document has a field '{field}': filter by one of {', '.join(sorted(known))}")
    rows = [
        row
        for row, passage in enumerate(passages)
        if all(
            fnmatchcase(_plain(_value(passage, documents[passage.document_id], field)), pattern)
            for field, pattern in wanted.items()
        )
    ]
    return np.array(rows, np.int64)


def _plain(text: str) -> str:
    """Without case, and in one Unicode form: macOS decomposes the names of files."""
    return unicodedata.normalize("NFC", text).casefold()


def _value(passage: Passage, document: Document, field: str) -> str:
    if field == "source":
        return document.source
    value = getattr(passage, field) if field in _FIELDS else document.metadata.get(field)
    return "" if value is None else str(value)
