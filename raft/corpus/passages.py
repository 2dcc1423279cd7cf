"""Passages that somebody has cut already: rows of JSON Lines taken as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from raft.errors import InputError
from raft.types import Document, Passage

_BETWEEN = "\n\n"
# Facts about one passage, which say nothing of the document that it belongs to.
_OF_PASSAGE = ("line", "document_id", "section", "page", "start", "end")


@dataclass
class _Home:
    """A document as far as its passages have come."""

    first: Document
    text: str = ""
    passages: list[Passage] = field(default_factory=list)


def as_passages(rows: Sequence[Document]) -> tuple[list[Document], list[Passage]]:
    """Documents put together from rows, and a passage for each row with its id and text, in the order of the rows.

    Rows with the same `document_id` make one document, others one each; a row may bring its section and page along.
    Raises InputError for what is no row of JSON Lines, and for a page that is no number.
    """
    homes: dict[str, _Home] = {}
    for row in rows:
        if "line" not in row.metadata:
            raise InputError(f"{row.source} holds no rows of JSON Lines: leave it out, or index it without --passages")
        id_ = row.metadata.get("document_id", row.id)
        home = homes.setdefault(id_, _Home(row))
        start = len(home.text) + len(_BETWEEN) * bool(home.text)
        home.text = f"{home.text}{_BETWEEN}{row.text}" if home.text else row.text
        where = (row.metadata.get("section", ""), _page(row))
        home.passages.append(Passage(row.id, id_, home.first.title, row.text, start, len(home.text), *where))
    documents = []
    for id_, home in homes.items():
        about = {key: value for key, value in home.first.metadata.items() if key not in _OF_PASSAGE}
        documents.append(Document(id_, home.first.title, home.text, home.first.source, about))
    return documents, [passage for home in homes.values() for passage in home.passages]


def _page(row: Document) -> int | None:
    page = row.metadata.get("page", "")
    if page and not page.isdecimal():
        raise InputError(f"{row.source}, line {row.metadata['line']}: page {page!r} is no number: correct that line")
    return int(page) if page else None
