"""Write one good file for every reader into a folder: what mutation tests damage.

samples.py FOLDER
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from email.message import EmailMessage
from pathlib import Path

from docx import Document as WordFile
from openpyxl import Workbook
from pptx import Presentation
from reportlab.pdfgen.canvas import Canvas

WORDS = "The relief valve opens at forty bar and must never be adjusted by anyone but the chief engineer."


def _docx() -> bytes:
    word, buffer = WordFile(), io.BytesIO()
    word.add_heading("Valve", level=1)
    word.add_paragraph(WORDS)
    word.save(buffer)
    return buffer.getvalue()


def _pptx() -> bytes:
    deck, buffer = Presentation(), io.BytesIO()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "Valve", WORDS
    deck.save(buffer)
    return buffer.getvalue()


def _xlsx() -> bytes:
    book, buffer = Workbook(), io.BytesIO()
    for row in [("part", "bar"), ("valve", 40)]:
        book.active.append(row)
    book.save(buffer)
    return buffer.getvalue()


def _pdf() -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    for _ in range(2):
        canvas.drawString(72, 720, WORDS)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _epub() -> bytes:
    return _zip(
        {
            "META-INF/container.xml": '<container><rootfile full-path="book.opf"/></container>',
            "book.opf": '<package><item id="a" href="one.xhtml"/><itemref idref="a"/></package>',
            "one.xhtml": f"<html><body><h1>One</h1><p>{WORDS}</p></body></html>",
        }
    )


def _eml() -> bytes:
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "ida@example.org", "Valve"
    mail.set_content(WORDS)
    mail.add_attachment(WORDS, filename="a.txt")
    return mail.as_bytes()


def _zip(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def samples() -> dict[str, bytes]:
    """A good file by suffix."""
    text = {
        **dict.fromkeys((".md", ".markdown", ".txt", ".rst"), f"# Valve\n\n{WORDS}\n"),
        **dict.fromkeys((".html", ".htm"), f"<html><body><h1>Valve</h1><p>{WORDS}</p></body></html>"),
        ".csv": "part,bar\nvalve,40\n",
        ".tsv": "part\tbar\nvalve\t40\n",
        ".json": json.dumps({"valve": {"bar": 40, "note": WORDS}}),
        ".py": f"# {WORDS}\n",
    }
    made = {".docx": _docx(), ".pptx": _pptx(), ".xlsx": _xlsx(), ".pdf": _pdf(), ".epub": _epub(), ".eml": _eml()}
    archives = {".zip": _zip({"a.txt": WORDS, "b.md": WORDS})}
    return {suffix: content.encode() for suffix, content in text.items()} | made | archives


def main() -> None:
    folder = Path(sys.argv[1])
    for suffix, content in samples().items():
        (folder / f"sample{suffix}").write_bytes(content)


if __name__ == "__main__":
    main()
