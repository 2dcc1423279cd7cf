"""Split documents into passages: measured in the embedder's tokens, cut where the text pauses, with exact offsets."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from raft.corpus.headings import heading_lines
from raft.corpus.outline import WITHIN, Outline
from raft.corpus.parsing import keeps_lines
from raft.errors import InputError
from raft.recipe import IndexSettings
from raft.text.sentences import MONTHS_AFTER_ORDINALS
from raft.types import Document, Passage
from raft.wrapping import unwrapped

if TYPE_CHECKING:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

CountTokens = Callable[[Sequence[str]], list[int]]
Span = tuple[int, int]

# Where to cut, best first: blank lines, lines, sentences, clauses (the cells of a table row), words. What is longer
# still, such as a picture in base64, is halved until it fits: the splitter would count it letter by letter.
_SEPARATORS = [
    r"\n[^\S\n]*\n\s*",
    r"\n",
    r"(?<=[^\W\d_][.!?])\s+(?=[\"'(\[]?[^\W\d_a-z])"
    rf"|(?<=[\d)\"'\]%][.!?])\s+(?=[\"'(\[]?[^\W\d_a-z])(?!(?:{MONTHS_AFTER_ORDINALS})\b)"
    r"|(?<=[\u3002\uff01\uff1f])|(?<=[\u061f\u06d4\u0964\u0965])\s+",
    r"(?<=[;,])\s+",
    r"\s+",
]
# A word that a tokenizer does not know is one token however long it is; this bounds the characters as well.
_CHARACTERS_PER_TOKEN = 16
_SMALLEST_LIMIT = 16


def searchable_text(title: str, text: str, section: str = "") -> str:
    """What is embedded and searched for a passage: the title of its document and its section above its own text.

    A heading that stands in the text is not said twice.
    """
    above = WITHIN.join(heading for heading in section.split(WITHIN) if heading not in text)
    return f"{title}\n{above}\n{text}" if above else f"{title}\n{text}"


def split_documents(
    documents: Sequence[Document], count_tokens: CountTokens, window: int, settings: IndexSettings
) -> list[Passage]:
    """Cut every document into passages of at most `settings.passage_tokens` tokens, title and section not counted.

    Every passage is the slice of its document from `start` to `end` (characters) and has no white space around it;
    together they hold all of the document but white space. A heading is kept with what follows it.

    count_tokens: tokens of each text, without special tokens. window: the most tokens that the embedder reads at
    once, without special tokens; title and passage together stay below it.
    Raises InputError where the settings do not fit the window.
    """
    if settings.passage_tokens > window:
        raise InputError(
            f"passage_tokens is {settings.passage_tokens}, but embedder '{settings.embedder}' reads at most {window}: "
            "lower passage_tokens"
        )
    if settings.passage_tokens - settings.overlap_tokens < _SMALLEST_LIMIT:
        raise InputError(
            f"overlap_tokens is {settings.overlap_tokens}, but passage_tokens is {settings.passage_tokens}: "
            f"keep at least {_SMALLEST_LIMIT} tokens between them"
        )
    return [passage for document in documents for passage in _passages_of(document, count_tokens, window, settings)]


def _passages_of(
    document: Document, count_tokens: CountTokens, window: int, settings: IndexSettings
) -> Iterator[Passage]:
    outline = Outline(document)
    above = searchable_text(document.title, "", outline.longest)
    for span in _passage_spans(document, above, count_tokens, window, settings):
        about = (outline.section(*span), outline.page(span[0]))
        text = document.text[slice(*span)]
        yield Passage(_passage_id(document, span), document.id, document.title, text, *span, *about)


def _passage_id(document: Document, span: Span) -> str:
    parts = (document.id, str(span[0]), str(span[1]), document.text[slice(*span)])
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _passage_spans(
    document: Document, above: str, count_tokens: CountTokens, window: int, settings: IndexSettings
) -> Iterator[Span]:
    """above: the most that may stand above a passage of the document where it is embedded."""
    room = window - count_tokens([above])[0]
    if room < _SMALLEST_LIMIT + settings.overlap_tokens:
        raise InputError(
            f"document '{document.id}': its title and headings leave {room} of the embedder's {window} tokens for "
            "text: shorten them"
        )
    limit = min(settings.passage_tokens, room)

    def size(text: str) -> int:
        least = -(-len(text) // _CHARACTERS_PER_TOKEN)
        # What is too long by its characters alone need not be counted.
        return least if least > limit else max(count_tokens([text])[0], least)

    text = document.text
    # A line break that only wraps a line is no pause.
    flowing = text if keeps_lines(document.source) else unwrapped(text)
    pieces = [
        piece
        for section in _sections(text)
        for piece in _section_pieces((text, flowing), section, limit - settings.overlap_tokens, size)
    ]
    spans = list(_merged(text, pieces, limit - settings.overlap_tokens, size))
    for before, span in zip([None, *spans], spans, strict=False):
        yield _extended(text, before, span, limit, settings.overlap_tokens, size) if before else span


def _trimmed(text: str, start: int, end: int) -> Span:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


def _sections(text: str) -> Iterator[tuple[int, int, int]]:
    """Start, start of the body, and end of each section: its headings, then what they announce."""
    lines = text.splitlines(keepends=True)
    start = position = 0
    body: int | None = None
    for line, is_heading in zip(lines, heading_lines([line.rstrip() for line in lines]), strict=True):
        if is_heading and body is not None:
            yield start, body, position
            start, body = position, None
        elif not is_heading and line.strip() and body is None:
            body = position
        position += len(line)
    yield start, position if body is None else body, position


def _section_pieces(
    texts: tuple[str, str], section: tuple[int, int, int], limit: int, size: Callable[[str], int]
) -> Iterator[Span]:
    """A section whole where it fits, else cut up, with its headings in the first piece.

    texts: as it is, by which pieces are measured, and as it flows, by which they are cut; of the same length.
    """
    text, flowing = texts
    start, body, end = section
    if size(text[start:end].strip()) <= limit:
        yield start, end
        return
    head = size(text[start:body]) if body > start else 0
    if head > limit // 2:
        body, head = start, 0
    cut = body
    for piece in _splitter(limit - head, size).split_text(flowing[body:end]):
        # Nothing is stripped and nothing overlaps, so each piece starts where the last one ended.
        if not flowing.startswith(piece, cut):
            raise RuntimeError(f"langchain-text-splitters changed the text at character {cut}")
        yield from _fitting(text, start if cut == body else cut, cut + len(piece), limit, size)
        cut += len(piece)
    if cut != end:
        raise RuntimeError(f"langchain-text-splitters lost the text from character {cut} to {end}")


def _splitter(limit: int, size: Callable[[str], int]) -> RecursiveCharacterTextSplitter:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    return RecursiveCharacterTextSplitter(
        separators=_SEPARATORS,
        is_separator_regex=True,
        keep_separator="end",
        strip_whitespace=False,
        chunk_size=limit,
        chunk_overlap=0,
        length_function=size,
    )


def _fitting(text: str, start: int, end: int, limit: int, size: Callable[[str], int]) -> Iterator[Span]:
    """The span itself where it fits, else its halves: the tokens of two pieces together can exceed their sum."""
    if size(text[start:end].strip()) <= limit:
        yield start, end
        return
    middle = (start + end) // 2
    space = max(text.rfind(" ", start, middle), text.rfind("\n", start, middle))
    middle = space + 1 if space > start else middle
    yield from _fitting(text, start, middle, limit, size)
    yield from _fitting(text, middle, end, limit, size)


def _merged(text: str, pieces: Sequence[Span], limit: int, size: Callable[[str], int]) -> Iterator[Span]:
    """Pieces without white space around them, small neighbours put together while they fit."""
    current: Span | None = None
    for piece in pieces:
        start, end = _trimmed(text, *piece)
        if start >= end:
            continue
        if current and size(text[current[0] : end]) <= limit:
            current = current[0], end
        else:
            if current:
                yield current
            current = start, end
    if current:
        yield current


def _extended(text: str, before: Span, span: Span, limit: int, overlap: int, size: Callable[[str], int]) -> Span:
    """The span begun earlier by whole words: at most `overlap` tokens, and later than the passage before began."""
    start, end = span
    earlier = [before[0] + match.start() for match in re.finditer(r"\S+", text[before[0] : start])][1:]
    for candidate in reversed(earlier):
        if size(text[candidate : span[0]].strip()) > overlap or size(text[candidate:end]) > limit:
            break
        start = candidate
    return start, end
