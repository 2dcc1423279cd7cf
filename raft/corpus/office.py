"""Word documents, slides and spreadsheets."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

from raft.corpus.formats import OLE, Content, UnreadableError, clean, html_content, table_lines
from raft.corpus.packed import opened_zip

_LOCKED = "it is password-protected or in an old Office format: save it as a plain {}"


def read_docx(raw: bytes) -> Content:
    """Word files, through HTML. Raises UnreadableError for what is password-protected or no Word file."""
    if raw.startswith(OLE):
        raise UnreadableError("it is password-protected or in the old .doc format: save it as a plain .docx")
    with opened_zip(raw):
        import mammoth

    try:
        html = mammoth.convert_to_html(
            io.BytesIO(raw),
            style_map="p[style-name='Title'] => h1:fresh",
            convert_image=mammoth.images.img_element(lambda _: {"src": ""}),
        ).value
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, SyntaxError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UnreadableError(f"it is not a readable Word file ({reason})") from error
    return html_content(html)


def read_pptx(raw: bytes) -> Content:
    """Slides in order: title as heading, text, tables row by row, then the notes of the speaker."""
    if raw.startswith(OLE):
        raise UnreadableError(_LOCKED.format(".pptx"))
    with opened_zip(raw):
        from pptx import Presentation

        slides = Presentation(io.BytesIO(raw)).slides
    parts = []
    for number, slide in enumerate(slides, 1):
        title = slide.shapes.title
        heading = " ".join(title.text_frame.text.split()) if title is not None else ""
        shown = [text for shape in slide.shapes if shape != title for text in _shape_texts(shape)]
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None and notes.text.strip():
            shown.append(notes.text)
        parts.append("\n\n".join([f"## {heading or f'Slide {number}'}", *shown]))
    if not parts:
        raise UnreadableError("it has no slides")
    first = slides[0].shapes.title
    return Content(clean("\n\n".join(parts)), " ".join(first.text_frame.text.split()) if first is not None else "")


def _shape_texts(shape: Any) -> Iterator[str]:
    """The text of a shape, of a table in it, and of the shapes of a group."""
    for inner in getattr(shape, "shapes", ()):
        yield from _shape_texts(inner)
    if getattr(shape, "has_table", False):
        rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
        yield "\n".join(table_lines(rows)) if len(rows) > 1 else " ".join(*rows)
    elif getattr(shape, "has_text_frame", False) and shape.text_frame.text.strip():
        yield "\n".join(paragraph.text for paragraph in shape.text_frame.paragraphs if paragraph.text.strip())


def read_xlsx(raw: bytes) -> Content:
    """Every sheet as a heading and one line a row, `header: value; header: value`; formulas as their last values."""
    if raw.startswith(OLE):
        raise UnreadableError(_LOCKED.format(".xlsx"))
    with opened_zip(raw):
        from openpyxl import load_workbook

        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
    parts = []
    for sheet in book.worksheets:
        rows = [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
        filled = [row for row in rows if any(cell.strip() for cell in row)]
        lines = table_lines(filled) if len(filled) > 1 else [" ".join(filter(None, row)) for row in filled]
        if lines:
            parts.append(f"## {sheet.title}\n\n" + "\n".join(lines))
    return Content(clean("\n\n".join(parts)))
