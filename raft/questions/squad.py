"""Files in the form of SQuAD 1.1 and 2.0 (Rajpurkar et al. 2016, 2018): articles, their paragraphs, and questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raft.errors import InputError
from raft.questions.quoting import quoted
from raft.questions.rows import Rows, as_text


def squad_rows(whole: Mapping[str, Any], path: Path) -> Rows:
    """The questions of a SQuAD file as rows: the paragraph is the context, `is_impossible` means unanswerable.

    Each place is written as the way to it, `data[0].paragraphs[2].qas[1]`. Raises InputError for other structures.
    """
    for article_place, article in _objects(whole, "data", path, ""):
        for paragraph_place, paragraph in _objects(article, "paragraphs", path, article_place):
            for place, asked in _objects(paragraph, "qas", path, paragraph_place):
                yield place, _row(asked, paragraph.get("context"), f"{path}, {place}")


def _objects(parent: Mapping[str, Any], name: str, path: Path, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    where = f"{path}, {place}" if place else str(path)
    children = parent.get(name)
    if not isinstance(children, list):
        raise InputError(f"{where}: '{name}' is no list, as it is in SQuAD (data, paragraphs, qas): correct it")
    for number, child in enumerate(children):
        below = f"{place}.{name}[{number}]" if place else f"{name}[{number}]"
        if not isinstance(child, Mapping):
            raise InputError(f"{path}, {below}: expected a JSON object: correct it")
        yield below, child


def _row(asked: Mapping[str, Any], context: Any, where: str) -> dict[str, Any]:
    if not isinstance(context, str):
        raise InputError(f"{where}: its paragraph has no text as 'context': add it")
    impossible = asked.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise InputError(f"{where}: 'is_impossible' must be true or false, not {quoted(impossible)}: correct it")
    row = {name: asked[name] for name in ("question", "answers") if name in asked}
    number = {"id": as_text(asked["id"])} if "id" in asked else {}
    return {**number, **row, "context": context, "unanswerable": impossible}
