"""Slides, sheets, books, mails and archives give their text; what is hostile in them costs only itself."""

import gzip
import io
import json
import os
import tarfile
import zipfile
from email.message import EmailMessage
from pathlib import Path

import pytest
from openpyxl import Workbook
from pptx import Presentation
from pptx.util import Inches

from raft.corpus import Skipped, packed, parsing, read_documents
from raft.types import Document


def parse(raw: bytes, source: str) -> list[Document | Skipped]:
    return list(parsing.parse(raw, source))


def text_of(raw: bytes, source: str) -> str:
    (document,) = parse(raw, source)
    assert isinstance(document, Document), document
    return document.text


def zipped(**files: str | bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def test_slides_give_titles_text_tables_groups_and_notes() -> None:
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Pump school"
    slide.placeholders[1].text = "Close the valve.\nCall the bridge."
    slide.notes_slide.notes_text_frame.text = "Say it twice."
    second = deck.slides.add_slide(deck.slide_layouts[6])
    table = second.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(3), Inches(1)).table
    for place, value in zip([(0, 0), (0, 1), (1, 0), (1, 1)], ["part", "bar", "valve", "40"], strict=True):
        table.cell(*place).text = value
    buffer = io.BytesIO()
    deck.save(buffer)
    assert text_of(buffer.getvalue(), "a.pptx") == (
        "## Pump school\n\nClose the valve.\nCall the bridge.\n\nSay it twice.\n\n## Slide 2\n\npart: valve; bar: 40"
    )


def test_sheets_give_one_line_a_row_with_its_headers() -> None:
    book = Workbook()
    sheet = book.active
    sheet.title = "Stock"
    for row in [("part", "bar"), ("valve", 40), (None, None), ("hose", 2.5)]:
        sheet.append(row)
    book.create_sheet("Empty")
    book.create_sheet("Note").append(["only", "one row"])
    buffer = io.BytesIO()
    book.save(buffer)
    assert text_of(buffer.getvalue(), "a.xlsx") == (
        "## Stock\n\npart: valve; bar: 40\npart: hose; bar: 2.5\n\n## Note\n\nonly one row"
    )


def test_a_book_gives_its_chapters_in_reading_order() -> None:
    raw = zipped(
        **{
            "META-INF/container__xml": '<container xmlns="urn:x"><rootfile full-path="OPS/book.opf"/></container>',
            "OPS/book__opf": (
                '<package xmlns:dc="urn:dc"><dc:title>The Pump</dc:title><item id="b" href="text/two.xhtml"/>'
                '<item id="a" href="one.xhtml"/><itemref idref="a"/><itemref idref="b"/></package>'
            ),
            "OPS/one__xhtml": "<html><body><h1>One</h1><p>Open it.</p></body></html>",
            "OPS/text/two__xhtml": "<html><body><h1>Two</h1><p>Close it.</p></body></html>",
        }
    )
    (book,) = parse(raw, "pump.epub")
    assert isinstance(book, Document)
    assert (book.title, book.text) == ("The Pump", "# One\n\nOpen it.\n\n# Two\n\nClose it.")


def test_a_mail_gives_its_head_its_text_and_its_attachments() -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Óskar <o@example.org>", "ida@example.org", "Valve"
    mail.set_content("It opens at 40 bar.\n")
    mail.add_alternative("<p>It opens at <b>40</b> bar.</p>", subtype="html")
    mail.add_attachment("part,bar\nvalve,40\n", subtype="csv", filename="parts.csv")
    mail.add_attachment(b"\x00", maintype="audio", subtype="mpeg", filename="call.mp3")
    letter, table, lost = parse(mail.as_bytes(), "a.eml")
    assert isinstance(letter, Document) and isinstance(table, Document)
    assert letter.title == "Valve"
    assert letter.text.startswith("From: Óskar <o@example.org>\nTo: ida@example.org\nSubject: Valve\n\nIt opens at 40")
    assert (table.id, table.text) == ("a.eml/parts.csv", "part: valve; bar: 40")
    assert lost == Skipped("a.eml/call.mp3", "no reader for .mp3 files")


def test_code_is_read_as_it_is_and_its_comments_are_no_headings() -> None:
    (code,) = parse(b"# set up\nprint('x')\n", "tools/start_pump.py")
    assert isinstance(code, Document)
    assert (code.title, code.text) == ("Start pump", "# set up\nprint('x')\n")


def test_archives_give_their_files_under_their_own_path_and_name_what_they_lose() -> None:
    inner = zipped(deep__txt="Deep.")
    results = parse(zipped(a__txt="One.", b__zip=inner, c__exe=b"x", **{".hidden__txt": "No."}), "all.zip")
    assert {r.id if isinstance(r, Document) else (r.source, r.reason) for r in results} == {
        "all.zip/a.txt",
        "all.zip/b.zip/deep.txt",
        ("all.zip/c.exe", "no reader for .exe files"),
        ("all.zip/.hidden.txt", "hidden"),
    }


def test_gzip_and_tar_are_archives_too(tmp_path: Path) -> None:
    assert text_of(gzip.compress(b"Words."), "notes.txt.gz") == "Words."
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        (tmp_path / "a.txt").write_text("In a tar.")
        archive.add(tmp_path / "a.txt", "../../a.txt")
        link = tarfile.TarInfo("link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    document, lost = parse(buffer.getvalue(), "all.tar.gz")
    assert isinstance(document, Document) and document.text == "In a tar."
    assert lost == Skipped("all.tar.gz/link.txt", "not a regular file")


def test_bombs_are_named_before_they_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "MOST_BYTES", 1 << 20)
    bomb = b"x" * (2 << 20)
    for raw, name in [
        (zipped(a__txt=bomb), "a.zip"),
        (gzip.compress(bomb), "a.txt.gz"),
        (zipped(a__xml=bomb), "a.docx"),
    ]:
        (lost,) = parse(raw, name)
        assert lost == Skipped(name, "it unpacks to more than 1 MB")


def test_archives_in_archives_end_somewhere() -> None:
    raw = zipped(a__txt="x")
    for _ in range(6):
        raw = zipped(a__zip=raw)
    (lost,) = parse(raw, "a.zip")
    assert isinstance(lost, Skipped) and lost.reason == "archives are nested too deeply"


def test_an_encrypted_member_is_named() -> None:
    raw = bytearray(zipped(a__txt="secret"))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(signature) + offset] |= 1
    (lost,) = parse(bytes(raw), "a.zip")
    assert lost == Skipped("a.zip/a.txt", "it is password-protected: save a copy without the password")


def test_pipes_links_and_deep_json_are_skipped_and_the_rest_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "link.txt").symlink_to("/etc/passwd")
    (tmp_path / "deep.json").write_text("[" * 200_000)
    (tmp_path / "good.txt").write_text("Words.")
    reading = read_documents([tmp_path])
    assert [document.id for document in reading.documents] == ["good.txt"]
    assert {lost.source for lost in reading.skipped} == {"pipe.txt", "link.txt", "deep.json"}


def test_a_wrong_row_in_an_archive_costs_its_file_alone() -> None:
    rows = json.dumps({"id": "a", "text": "x"}) + "\n{\n"
    document, lost, other = parse(zipped(rows__jsonl=rows, z__txt="Words."), "a.zip")
    assert isinstance(document, Document) and isinstance(other, Document)
    assert lost == Skipped("a.zip/rows.jsonl", "one of its rows is not a document")
