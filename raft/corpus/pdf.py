"""Read PDF: pages never glued, table rows on lines of their own, and wrapped lines joined into paragraphs again."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from raft.corpus.formats import Content, UnreadableError, clean
from raft.corpus.headings import heading_lines, reads_as_heading

PAGE_BREAK = "\n\f\n"
_CELL_GAP = re.compile(r"\s{3,}")
_CELL = re.compile(r"\S+(?:\s{1,2}\S+)*")
_BULLET = re.compile(r"(?:[•◦▪‣·*\u2013\u2014-]|\(?(?:\d{1,3}|[A-Za-z])[.)]|\d+(?:\.\d+)+)\s")
_HYPHENATED = re.compile(r"([^\W\d_]{2,})-$")
# What symbol fonts and reportlab use for a bullet.
_BULLETS = str.maketrans({"\x7f": "•", "\uf0b7": "•", "\uf0a7": "•"})
_COLUMN = 30
_NARROWEST = 50


def read_pdf(raw: bytes) -> Content:
    """The text of a PDF; `page_starts` in its metadata holds the character offset of each page, in order.

    Raises UnreadableError for what is password-protected, damaged, or only pictures.
    """
    from pypdf import PasswordType, PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    try:
        reader = PdfReader(io.BytesIO(raw))
        if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
            raise UnreadableError("it is password-protected: save a copy without the password")
        layouts = [
            page.extract_text(extraction_mode="layout", layout_mode_strip_rotated=False) for page in reader.pages
        ]
        plains = [page.extract_text() for page in reader.pages]
    except UnreadableError:
        raise
    except DependencyError as error:
        raise UnreadableError(f"its encryption is not supported here ({error})") from error
    except (PyPdfError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OSError) as error:
        # pypdf meets damaged files with any of these.
        raise UnreadableError(f"it is damaged and cannot be read ({type(error).__name__}: {error})") from error
    if not any(map(str.strip, plains)):
        raise UnreadableError(f"it has no text on its {len(plains)} pages: a scan needs text recognition first")
    raw_pages, running = without_running_lines(list(map(best_reading, layouts, plains)))
    words = set(re.findall(r"[^\W\d_]+", " ".join(plains).lower()))
    pages = [page_text(page, words) for page in raw_pages]
    starts, length = [], 0
    for page in pages:
        starts.append(length)
        length += len(page) + len(PAGE_BREAK)
    metadata = {"pages": str(len(pages)), "page_starts": ",".join(map(str, starts))}
    if running:
        metadata["running_lines"] = "\n".join(clean(line) for line in running)
    return Content(PAGE_BREAK.join(pages), _title(pages), metadata)


def best_reading(layout: str, plain: str) -> str:
    """One of pypdf's two readings of a page.

    The layout reading keeps the cells of a table row together. The plain one is better for pages in columns, and is
    taken as well where the layout reading lost something.
    """
    kept = sum(map(str.isalnum, layout)) >= sum(map(str.isalnum, plain))
    return layout if kept and not _in_columns(layout) else plain


def without_running_lines(pages: Sequence[str]) -> tuple[list[str], list[str]]:
    """The pages without the head or foot line that most of them share but for its digits, and those lines."""
    cut = [page.strip("\n").splitlines() for page in pages]
    dropped: list[str] = []
    for place in (0, -1):
        shapes = Counter(re.sub(r"\d+", "#", lines[place].strip()) for lines in cut if len(lines) > 1)
        common = {shape for shape, count in shapes.items() if count >= max(2, len(pages) * 2 / 3)}
        # The head of the first page stays: often it is the title.
        for lines in cut[place + 1 :]:
            if len(lines) > 1 and re.sub(r"\d+", "#", lines[place].strip()) in common:
                dropped.append(" ".join(lines.pop(place).split()))
    return ["\n".join(lines) for lines in cut], dropped


def page_text(page: str, words: set[str]) -> str:
    """The text of one page with its paragraphs whole and its headings set apart. words: those of the document."""
    return clean("\n".join(_set_apart(_paragraphs(page, words)))).strip()


def _set_apart(lines: Sequence[str]) -> Iterator[str]:
    """A blank line around each heading: a short line after the end of a sentence or table, before longer text."""
    for index, line in enumerate(lines):
        above = lines[index - 1] if index else ""
        below = lines[index + 1] if index + 1 < len(lines) else ""
        ended = not above or above[-1] in ".!?:" or "|" in above
        if line and ended and below and reads_as_heading(line) and not reads_as_heading(below):
            yield from ("", line, "") if above else (line, "")
        else:
            yield line


def _in_columns(page: str) -> bool:
    """Whether a third of the lines have a wide gap between two long parts: columns of prose, not a table."""
    lines = [_CELL_GAP.split(line.strip()) for line in page.splitlines() if line.strip()]
    wide = [parts for parts in lines if len(parts) == 2 and min(map(len, parts)) >= _COLUMN]
    return len(wide) * 3 > len(lines)


def _paragraphs(page: str, words: set[str]) -> list[str]:
    """Lines of the page with wrapped ones joined; a blank line stays between blocks."""
    rows = [(line.rstrip(), _cells(line)) for line in page.translate(_BULLETS).splitlines()]
    width = max([_NARROWEST, *(len(line) for line, cells in rows if len(cells) == 1)])
    joined: list[str] = []
    # What the next line may go on: a line of prose, or a table row as cells by column.
    above = ""
    row: dict[int, str] = {}
    for line, cells in rows:
        if above and len(cells) == 1 and _was_wrapped(above, cells[min(cells)], width):
            joined[-1] = _join(joined[-1], cells[min(cells)], words)
            above = line
            continue
        if row and _is_rest_of_row(cells, row):
            for column, cell in cells.items():
                row[_column(column, row)] += f" {cell}"
            joined[-1] = " | ".join(row.values())
            continue
        above, row = (line, {}) if len(cells) == 1 else ("", cells)
        if cells or (joined and joined[-1]):
            joined.append(" | ".join(cells.values()))
    return joined


def _cells(line: str) -> dict[int, str]:
    """The parts of a line between wide gaps, by the column where each starts; a bullet belongs to what follows it."""
    cells = {match.start(): " ".join(match.group().split()) for match in _CELL.finditer(line)}
    first = min(cells, default=0)
    if len(cells) > 1 and _BULLET.fullmatch(cells[first] + " "):
        return {first: " ".join(cells.values())} if len(cells) == 2 else cells
    return cells


def _is_rest_of_row(cells: dict[int, str], row: dict[int, str]) -> bool:
    """Whether a line holds only the wrapped ends of cells: nothing in the first column, all of it below others."""
    aligned = all(abs(column - _column(column, row)) <= 2 for column in cells)
    return bool(cells) and len(cells) < len(row) and aligned and _column(min(cells), row) != min(row)


def _column(column: int, row: dict[int, str]) -> int:
    return min(row, key=lambda other: abs(other - column))


def _was_wrapped(above: str, text: str, width: int) -> bool:
    """Whether `text` goes on where `above` broke off: its first word had no room there, or it is in mid-sentence."""
    if _BULLET.match(text) or (above[-1] in ".!?:" and reads_as_heading(text)):
        return False
    no_room = len(above) + 1 + len(text.split()[0]) >= 0.85 * width
    return no_room or (text[0].islower() and above[-1] not in ".!?:" and len(above) >= 0.5 * width)


def _join(above: str, text: str, words: set[str]) -> str:
    """One line of two; a hyphen at the break goes only where the document has the whole word elsewhere."""
    broken = _HYPHENATED.search(above)
    if broken and text[0].islower():
        rest = re.match(r"[^\W\d_]+", text)
        whole = broken.group(1) + (rest.group() if rest else "")
        return (above[:-1] if whole.lower() in words else above) + text
    return f"{above} {text}"


def _title(pages: Sequence[str]) -> str:
    """The first line of the first page that has text, where it stands alone like a heading."""
    first = next(page for page in pages if page)
    line = first.split("\n", 1)[0]
    return line if heading_lines(first.split("\n", 2)[:2])[0] else ""
