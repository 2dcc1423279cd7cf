"""Readers: the bytes of one file in, its plain text out, one function a type (`raft.corpus.parsing` says which)."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raft.corpus.headings import first_heading

_CONTROL = re.compile(r"[^\S\n\t\f ]|[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")
# A list of plain values that is longer, in characters, gets a line for each.
_SHORT = 80
OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Encodings that old office files really have. Left to guess among all of them, charset-normalizer takes the degree
# sign of a short Western text for half-width Japanese.
_LEGACY = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "koi8_r", "shift_jis", "euc_kr", "gb18030", "big5"]


class UnreadableError(Exception):
    """Why one file cannot be read; it becomes that file's reason in the list of what was skipped."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a reader found: clean text, the title that the file itself gives ("" for none), and facts about it."""

    text: str
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


Reader = Callable[[bytes], Content]


def clean(text: str) -> str:
    """Unicode NFC, line breaks as `\\n`, odd spaces as plain ones, and no invisible characters or lone surrogates."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", _CONTROL.sub(" ", _INVISIBLE.sub("", text)))


def decode(raw: bytes, declared: str | None = None) -> str:
    """Clean text of `raw`: UTF-8, a byte order mark's or the declared encoding, else the likeliest one."""
    return clean(_decode(raw, declared))


def _decode(raw: bytes, declared: str | None) -> str:
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if raw.startswith(mark)), None)
    if marked is None and b"\0" in raw:
        raise UnreadableError("it holds binary data, not text")
    for name in filter(None, (marked, "utf-8", declared)):
        try:
            return raw.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
    from charset_normalizer import from_bytes

    matches = from_bytes(raw, cp_isolation=_LEGACY)
    best = matches.best()
    if best is None:
        raise UnreadableError("its text encoding is not recognised: save it as UTF-8")
    western = next((match for match in matches if match.encoding == "cp1252"), best)
    # The commonest encoding wins where it reads as cleanly as the favourite.
    return str(western if western.chaos <= best.chaos else best)


def read_text(raw: bytes) -> Content:
    """Plain text and Markdown."""
    text = decode(raw)
    return Content(text, first_heading(text))


def read_plainly(raw: bytes) -> Content:
    """Source code and settings, where a line that begins with # is no heading."""
    return Content(decode(raw))


def read_html(raw: bytes) -> Content:
    """HTML as Markdown, without navigation, footers, scripts and styles; links and emphasis as plain words."""
    from bs4.dammit import EncodingDetector

    return html_content(decode(raw, EncodingDetector.find_declared_encoding(raw, is_html=True)))


def html_content(html: str) -> Content:
    """The readable part of an HTML text, as Markdown with headings, lists and tables."""
    import warnings

    from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning
    from bs4.element import NavigableString, PreformattedString
    from markdownify import MarkdownConverter

    with warnings.catch_warnings():
        # Advice for programmers: a file that holds only a file name, or XHTML, is read as intended.
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = BeautifulSoup(html, "html.parser")
    page_title = " ".join(soup.title.get_text().split()) if soup.title else ""
    for element in soup.select("head, script, style, template, noscript, nav, footer, aside, [role=navigation]"):
        element.decompose()
    for unseen in soup.find_all(string=lambda string: isinstance(string, PreformattedString)):
        unseen.extract()  # comments, doctype, XML declaration
    for image in soup.find_all("img"):
        image.replace_with(str(image.get("alt") or ""))
    # As a browser has it: these keep their lines, and no space begins the line behind a <br>.
    for verbatim in soup.find_all(["textarea", "listing", "xmp"]):
        verbatim.name = "pre"
    for broken in soup.find_all("br"):
        behind = broken.next_sibling
        if isinstance(behind, NavigableString) and broken.find_parent("pre") is None:
            behind.replace_with(behind.lstrip())
    converter = MarkdownConverter(
        heading_style="ATX",
        bullets="-",
        table_infer_header=True,
        strip=["a", "b", "strong", "i", "em", "u"],
        escape_asterisks=False,
        escape_underscores=False,
        # Line breaks in HTML are white space: each paragraph becomes one line.
        wrap=True,
        wrap_width=None,
    )
    # Between line breaks, so that blanks alone in the first or last line count as a blank line too.
    text = _BLANK_LINES.sub("\n\n", f"\n{clean(converter.convert_soup(soup))}\n").strip("\n")
    return Content(text, first_heading(text) or page_title)


def read_csv(raw: bytes) -> Content:
    """A table with a header row: one line a row, `header: value; header: value`."""
    text = decode(raw)
    header = text.lstrip().split("\n", 1)[0]
    return _table(text, max(",;\t", key=header.count))


def read_tsv(raw: bytes) -> Content:
    """The same with tabs."""
    return _table(decode(raw), "\t")


def _table(text: str, delimiter: str) -> Content:
    try:
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(map(str.strip, row))]
    except csv.Error as error:
        raise UnreadableError(f"it is not a readable table ({error})") from error
    if len(rows) < 2:
        raise UnreadableError("it has no rows below its header")
    return Content("\n".join(table_lines(rows)))


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line for each row below the header, the first row: `header: value; header: value`, empty cells left out."""
    header = [name.strip() or f"column {number}" for number, name in enumerate(rows[0], 1)]
    header += [f"column {number}" for number in range(len(header) + 1, max(map(len, rows)) + 1)]
    return [_row(dict(_named_cells(header, row))) for row in rows[1:]]


def _named_cells(header: Sequence[str], row: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Cells under unique names, so that a column whose name stands twice is not lost."""
    for number, (name, cell) in enumerate(zip(header, row, strict=False)):
        yield (name if header.index(name) == number else f"{name} ({number + 1})"), cell


def read_json(raw: bytes) -> Content:
    """An array of objects as one line an object, like a table; anything else as nested `key: value` lines."""
    try:
        value = json.loads(decode(raw))
    except json.JSONDecodeError as error:
        raise UnreadableError(f"it is not valid JSON (line {error.lineno}: {error.msg})") from error
    return Content(clean("\n".join(_json_lines(value))))


def _json_lines(value: Any, indent: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            shown = _inline(part)
            if isinstance(part, dict) or (isinstance(part, list) and (_holds_objects(part) or len(shown) > _SHORT)):
                yield f"{indent}{key}:"
                yield from _json_lines(part, indent + "  ")
            elif shown:
                yield f"{indent}{key}: {shown}"
    elif isinstance(value, list):
        for part in value:
            shown = _row(dict(_flattened(part))) if isinstance(part, dict) else f"- {_inline(part)}"
            if shown:
                yield indent + shown
    else:
        yield _inline(value)


def _holds_objects(values: list[Any]) -> bool:
    return any(isinstance(value, dict) for value in values)


def _flattened(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The plain values below an object, each under its path: `address.city`, `crew.1.name`."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flattened(part, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and _holds_objects(value):
        for number, part in enumerate(value, 1):
            yield from _flattened(part, f"{name}.{number}")
    else:
        yield name, _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_inline, value))
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _row(cells: Mapping[str, str]) -> str:
    shown = ((name, " ".join(cell.split())) for name, cell in cells.items())
    return "; ".join(f"{name}: {cell}" for name, cell in shown if cell)
