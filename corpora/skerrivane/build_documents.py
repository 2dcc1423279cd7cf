"""Make the PDF and DOCX documents of the Skerrivane corpus from the Markdown in `sources/`.

Run `python corpora/skerrivane/build_documents.py` after a change in `sources/`. The same sources give the same bytes
with the same versions of reportlab and python-docx. The Markdown is simple on purpose: `#` and `##` headings,
paragraphs, `-` lists, pipe tables, and a line `<!-- page -->` that starts a new page (PDF only).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from xml.sax.saxutils import escape

HERE = Path(__file__).resolve().parent
# One date for every file: the day on which the world of the corpus stands still.
WRITTEN = datetime(2031, 6, 1, 9, 0)
ORGANISATION = "Skerrivane Ferry and Kelp Cooperative"
PAGE_BREAK = "<!-- page -->"


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a document: a heading, a paragraph, a list, a table or a page break."""

    kind: str
    text: str = ""
    level: int = 0
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def parse(markdown: str) -> list[Block]:
    """Cut a source into blocks. Blocks are parted by blank lines."""
    return [_block(lines.split("\n")) for lines in re.split(r"\n\s*\n", markdown.strip())]


def _block(lines: Sequence[str]) -> Block:
    first = lines[0]
    if first.strip() == PAGE_BREAK:
        return Block("page")
    if heading := re.fullmatch(r"(#{1,2}) (.+)", first):
        if len(lines) > 1:
            raise ValueError(f"a heading needs a blank line after it: {first!r}")
        return Block("heading", text=heading[2], level=len(heading[1]))
    if first.startswith("|"):
        rows = [tuple(cell.strip() for cell in line.strip().strip("|").split("|")) for line in lines]
        if any(len(row) != len(rows[0]) for row in rows):
            raise ValueError(f"a table whose rows differ in length: {first!r}")
        return Block("table", rows=(rows[0], *rows[2:]))  # the second row only rules the head off
    if first.startswith("- "):
        return Block("list", items=tuple(line.removeprefix("- ") for line in lines))
    return Block("paragraph", text=" ".join(line.strip() for line in lines))


def pdf_bytes(blocks: Sequence[Block]) -> bytes:
    """Set blocks as an A4 PDF with real tables and a page number at the foot."""
    from reportlab.lib import colors
    from reportlab.lib.enums import TA_LEFT
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table

    body = ParagraphStyle("body", fontName="Times-Roman", fontSize=10.5, leading=14, spaceAfter=6, alignment=TA_LEFT)
    head = ParagraphStyle("head", parent=body, fontName="Times-Bold")
    titles = {
        1: ParagraphStyle("title", parent=head, fontSize=18, leading=22, spaceAfter=10),
        2: ParagraphStyle("section", parent=head, fontSize=13, leading=17, spaceBefore=8, spaceAfter=5),
    }
    cell = ParagraphStyle("cell", parent=body, fontSize=9.5, leading=12, spaceAfter=0)
    cell_head = ParagraphStyle("cell_head", parent=cell, fontName="Times-Bold")
    item_style = ParagraphStyle("item", parent=body, leftIndent=12, spaceAfter=3)

    story: list[object] = []
    for block in blocks:
        if block.kind == "page":
            story.append(PageBreak())
        elif block.kind == "heading":
            story.append(Paragraph(escape(block.text), titles[block.level]))
        elif block.kind == "paragraph":
            story.append(Paragraph(escape(block.text), body))
        elif block.kind == "list":
            story += [Paragraph(escape(item), item_style, bulletText="-") for item in block.items]
        else:
            # The first column holds the words, the others mostly figures.
            columns = len(block.rows[0])
            first = 170 * mm * (0.4 if columns > 2 else 0.5)
            widths = [first] + [(170 * mm - first) / (columns - 1)] * (columns - 1)
            cells = [
                [Paragraph(escape(text), cell_head if row == 0 else cell) for text in texts]
                for row, texts in enumerate(block.rows)
            ]
            table = Table(cells, colWidths=widths, repeatRows=1)
            table.setStyle(
                [
                    ("GRID", (0, 0), (-1, -1), 0.5, colors.grey),
                    ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke),
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ]
            )
            story += [table, Spacer(1, 8)]

    def foot(canvas: object, template: object) -> None:
        canvas.setFont("Times-Italic", 8.5)
        canvas.drawCentredString(A4[0] / 2, 12 * mm, f"{ORGANISATION}, page {template.page}")

    class Template(SimpleDocTemplate):
        def afterPage(self) -> None:  # noqa: N802 - reportlab's name; drawn last, so that text comes before the foot
            foot(self.canv, self)

    output = io.BytesIO()
    title = next(block.text for block in blocks if block.kind == "heading")
    Template(
        output,
        pagesize=A4,
        leftMargin=20 * mm,
        rightMargin=20 * mm,
        topMargin=18 * mm,
        bottomMargin=20 * mm,
        title=title,
        author=ORGANISATION,
        invariant=1,
    ).build(story)
    return output.getvalue()


def docx_bytes(blocks: Sequence[Block]) -> bytes:
    """Set blocks as a Word document with heading styles, bullet lists and tables."""
    from docx import Document

    document = Document()
    for block in blocks:
        if block.kind == "heading":
            document.add_heading(block.text, level=block.level)
        elif block.kind == "paragraph":
            document.add_paragraph(block.text)
        elif block.kind == "list":
            for item in block.items:
                document.add_paragraph(item, style="List Bullet")
        elif block.kind == "table":
            table = document.add_table(rows=0, cols=len(block.rows[0]), style="Table Grid")
            for texts in block.rows:
                for cell, text in zip(table.add_row().cells, texts, strict=True):
                    cell.text = text
        else:
            raise ValueError("a page break is for PDF sources only")
    properties = document.core_properties
    properties.title = next(block.text for block in blocks if block.kind == "heading")
    properties.author = properties.last_modified_by = ORGANISATION
    properties.created = properties.modified = WRITTEN
    output = io.BytesIO()
    document.save(output)
    return _without_clock(output.getvalue())


def _without_clock(archive: bytes) -> bytes:
    """Write a zip archive again with one fixed time for each member, since python-docx stamps the present one."""
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            member = zipfile.ZipInfo(name, date_time=WRITTEN.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(member, old.read(name))
    return output.getvalue()


def built_documents() -> dict[str, bytes]:
    """Content of every PDF and DOCX document by its id (path below `documents/`), in the order of the ids."""
    makers = {".pdf": pdf_bytes, ".docx": docx_bytes}
    sources = sorted((HERE / "sources").rglob("*.md"))
    targets = {path.relative_to(HERE / "sources").with_suffix(""): path for path in sources}
    return {
        target.as_posix(): makers[target.suffix](parse(path.read_text(encoding="utf-8")))
        for target, path in targets.items()
    }


def main() -> None:
    """Write all PDF and DOCX documents."""
    for document_id, content in built_documents().items():
        path = HERE / "documents" / document_id
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"{document_id}: {len(content):,} bytes")


if __name__ == "__main__":
    main()
