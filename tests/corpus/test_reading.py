"""Every file type gives the text that a person would read in it; what gives none is listed with its reason."""

import hashlib
import io
import json
from pathlib import Path

import pytest
from docx import Document as WordFile
from pypdf import PdfReader, PdfWriter
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table

from raft.artifacts import Stage, mark
from raft.corpus import Reading, Skipped, parsing, read_documents
from raft.corpus.formats import Content, decode
from raft.corpus.pdf import PAGE_BREAK
from raft.errors import InputError


def read(folder: Path, **files: str | bytes) -> Reading:
    """Write files (`__` for the dot, since names are keywords) and read the folder."""
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_documents([folder])


def text_of(folder: Path, name: str, content: str | bytes) -> str:
    return read(folder, **{name: content}).documents[0].text


def make_pdf(*pages: list[object]) -> bytes:
    styles = getSampleStyleSheet()
    flow: list[object] = []
    for number, page in enumerate(pages):
        flow += [PageBreak()] if number else []
        flow += [
            Paragraph(part, styles["Heading1" if part.startswith("Pump") else "BodyText"])
            if isinstance(part, str)
            else Table(part)
            for part in page
        ]
    buffer = io.BytesIO()
    SimpleDocTemplate(buffer, pagesize=A4).build(flow)
    return buffer.getvalue()


WRAPPED = (
    "The relief valve opens at forty bar and must never be adjusted by anyone but the chief engineer, who keeps the "
    "only key in the safe of the workshop and signs for every use of it."
)


def test_markdown_takes_its_first_heading_as_title_and_keeps_every_character(tmp_path: Path) -> None:
    document = read(tmp_path, a__md="```\n# no heading\n```\n## The **Merrow** 40\n\n40 bar\n").documents[0]
    assert (document.id, document.title, document.source) == ("a.md", "The Merrow 40", "a.md")
    assert document.text == "```\n# no heading\n```\n## The **Merrow** 40\n\n40 bar\n"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("lone-working_rule", "Lone working rule"),
        ("minutes-2027-11-09", "Minutes 2027-11-09"),
        ("2028-08-tessaly", "2028-08 tessaly"),
    ],
)
def test_a_file_without_heading_is_titled_by_its_readable_name(tmp_path: Path, name: str, title: str) -> None:
    (tmp_path / f"{name}.txt").write_text("Nothing but words.")
    assert read_documents([tmp_path]).documents[0].title == title


def test_an_underlined_line_is_the_title_only_at_the_top() -> None:
    from raft.corpus.headings import first_heading

    assert first_heading("\nPump manual\n===========\nText") == "Pump manual"
    assert first_heading("Dear Ms Dorne,\n\nLot 31\n------\nText") == ""


def test_html_loses_navigation_and_scripts_and_keeps_headings_lists_and_tables(tmp_path: Path) -> None:
    page = """<?xml version="1.0"?><!DOCTYPE html><html>
    <head><title>Winches - Intranet</title><style>p {color: red}</style></head><body>
    <nav>Home</nav><header><nav>Menu</nav><h1>Winch <em>G3</em></h1></header><script>alert(1)</script>
    <p>Pull: <b>1.5 t</b>, see <a href="x.html">rope_list</a>.<!-- secret --></p><ul><li>grease</li></ul>
    <table><tr><th>Job</th><th>G3</th></tr><tr><td>Oil</td><td>12 months</td></tr></table>
    <aside>Advert</aside><footer>Imprint</footer></body></html>"""
    document = read(tmp_path, winch__html=page).documents[0]
    assert document.title == "Winch G3"
    assert document.text == (
        "# Winch G3\n\nPull: 1.5 t, see rope_list.\n\n- grease\n\n| Job | G3 |\n| --- | --- |\n| Oil | 12 months |"
    )


def test_a_paragraph_of_html_is_one_line_however_its_file_is_wrapped(tmp_path: Path) -> None:
    page = """<div>\n Loose <b>ropes</b>\n are coiled. </div><ul>\n<li>the\n winch</li></ul>
    <p>At 7\n   sharp<br>\n  we leave.</p><pre>coil\n  twice</pre><textarea>a\nb</textarea>"""
    document = read(tmp_path, ropes__html=page).documents[0]
    flowing = "Loose ropes are coiled.\n\n- the winch\n\nAt 7 sharp  \nwe leave.\n\n"
    assert document.text == flowing + "```\ncoil\n  twice\n```\n\n```\na\nb\n```"


def test_html_without_heading_is_titled_by_its_title_element(tmp_path: Path) -> None:
    assert read(tmp_path, a__htm="<title>Tide\n table</title><p>High</p>").documents[0].title == "Tide table"


def test_word_files_give_headings_and_tables(tmp_path: Path) -> None:
    word = WordFile()
    word.add_heading("Pay", level=1)
    word.add_paragraph("Wages are paid on the 25th.")
    table = word.add_table(rows=2, cols=2)
    for row, cells in zip(table.rows, [("Grade", "Crowns"), ("A", "2,100")], strict=True):
        for cell, value in zip(row.cells, cells, strict=True):
            cell.text = value
    word.save(str(tmp_path / "pay.docx"))
    document = read_documents([tmp_path]).documents[0]
    assert document.title == "Pay"
    assert document.text == "# Pay\n\nWages are paid on the 25th.\n\n| Grade | Crowns |\n| --- | --- |\n| A | 2,100 |"


def test_csv_rows_become_lines_and_no_cell_is_lost(tmp_path: Path) -> None:
    table = 'asset,fault,fault\n"Merrow, 40","milky\noil",,extra\n,,\nDart,stiff,steering\n'
    assert text_of(tmp_path, "log__csv", table) == (
        "asset: Merrow, 40; fault: milky oil; column 4: extra\nasset: Dart; fault: stiff; fault (3): steering"
    )


def test_csv_may_use_semicolons_and_tsv_uses_tabs(tmp_path: Path) -> None:
    assert text_of(tmp_path, "a__csv", "a;b\n1,5;2\n") == "a: 1,5; b: 2"
    (tmp_path / "a.csv").unlink()
    assert text_of(tmp_path, "a__tsv", "a\tb\n1\t2\n") == "a: 1; b: 2"


def test_a_json_array_of_objects_reads_like_a_table(tmp_path: Path) -> None:
    rows = [{"part": "K-1", "stock": 3, "fits": ["G3", "G5"], "place": {"rack": "C"}}, {"part": "K-2", "none": None}]
    assert text_of(tmp_path, "parts__json", json.dumps(rows)) == (
        "part: K-1; stock: 3; fits: G3, G5; place.rack: C\npart: K-2"
    )


def test_other_json_reads_as_nested_lines(tmp_path: Path) -> None:
    value = {"clinic": {"open": True, "days": ["Mon", "Tue"], "staff": [{"name": "Wick", "phone": 600}]}, "fee": 1.5}
    assert text_of(tmp_path, "a__json", json.dumps(value)) == (
        "clinic:\n  open: true\n  days: Mon, Tue\n  staff:\n    name: Wick; phone: 600\nfee: 1.5"
    )


def test_json_lines_give_one_document_a_row_with_its_own_id(tmp_path: Path) -> None:
    rows = [{"id": "x", "title": "Ix", "text": "One.", "year": 2030}, {"id": 7, "text": "# Seven\n\nTwo."}]
    reading = read(tmp_path, rows__jsonl="\n".join(map(json.dumps, rows)))
    assert [(d.id, d.title, d.text, d.source) for d in reading.documents] == [
        ("x", "Ix", "One.", "rows.jsonl"),
        ("7", "Seven", "# Seven\n\nTwo.", "rows.jsonl"),
    ]
    assert reading.documents[0].metadata == {"year": "2030", "line": "1"}


def test_a_wrong_row_of_json_lines_is_named_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"rows\.jsonl, line 3: no 'text'"):
        read(tmp_path, rows__jsonl='{"id": "a", "text": "x"}\n\n{"id": "b"}\n')
    with pytest.raises(InputError, match="document id 'a' is taken by"):
        read(tmp_path, rows__jsonl='{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}\n')


def test_json_lines_of_another_kind_and_empty_rows_are_listed(tmp_path: Path) -> None:
    reading = read(
        tmp_path, q__jsonl='{"question": "?"}\n', d__jsonl='{"id": "a", "text": " "}\n{"id": "b", "text": "x"}'
    )
    assert [document.id for document in reading.documents] == ["b"]
    assert {lost.source: lost.reason for lost in reading.skipped} == {
        "d.jsonl, line 1": "it is empty",
        "q.jsonl": "its line 1 has no 'id', so its rows are not documents",
    }


def test_pdf_joins_wrapped_lines_and_keeps_rows_and_headings_apart(tmp_path: Path) -> None:
    table = [["Task", "Holm D6", "Holm D8"], ["Engine oil", "250 hours", "400 hours"]]
    document = read(tmp_path, a__pdf=make_pdf(["Pump intervals", WRAPPED, table, "Signed by hand."])).documents[0]
    assert document.title == "Pump intervals"
    assert document.text.split("\n") == [
        *("Pump intervals", "", WRAPPED),
        *("Task | Holm D6 | Holm D8", "Engine oil | 250 hours | 400 hours", "", "Signed by hand."),
    ]


def test_pdf_pages_are_never_glued_and_their_starts_are_kept(tmp_path: Path) -> None:
    document = read(tmp_path, a__pdf=make_pdf(["It ends here"], ["Next begins", "and goes on."], ["Last"])).documents[0]
    starts = [int(start) for start in document.metadata["page_starts"].split(",")]
    pages = document.text.split(PAGE_BREAK)
    assert [document.text[start : start + 4] for start in starts] == ["It e", "Next", "Last"]
    assert [page.split("\n")[0] for page in pages] == ["It ends here", "Next begins", "Last"]


def test_lines_that_run_along_all_pages_are_taken_out_and_named() -> None:
    from raft.corpus.pdf import without_running_lines

    pages = ["Kelp rules\nOne.\npage 1", "Kelp rules\nTwo.\npage 2", "Kelp rules\nThree.\npage 3"]
    assert without_running_lines(pages) == (
        ["Kelp rules\nOne.", "Two.", "Three."],
        ["Kelp rules", "Kelp rules", "page 1", "page 2", "page 3"],
    )


def test_a_wrapped_cell_returns_to_its_column_and_a_broken_word_is_mended_where_it_is_known() -> None:
    from raft.corpus.pdf import page_text

    page = "Route     Days          Leaves\n3 Light   Monday,       10:15\n          Saturday      daily\nOther text"
    assert page_text(page, set()) == "Route | Days | Leaves\n3 Light | Monday, Saturday | 10:15 daily\nOther text"
    line = "All of the engines on the ferries need regular mainte-\nnance and a man-\noverboard drill."
    assert page_text(line, {"maintenance"}).startswith("All of the engines on the ferries need regular maintenance")


def test_a_password_protected_pdf_is_skipped_and_listed_while_the_rest_is_read(tmp_path: Path) -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make_pdf(["Secret"]))))
    writer.encrypt("tide", algorithm="AES-256")
    writer.write(tmp_path / "locked.pdf")
    scan = PdfWriter()
    scan.add_blank_page(200, 200)
    scan.write(tmp_path / "scan.pdf")
    reading = read(tmp_path, a__txt="Readable.", broken__pdf=b"%PDF-1.7 nothing")
    reasons = {lost.source: lost.reason for lost in reading.skipped}
    assert [document.id for document in reading.documents] == ["a.txt"]
    assert reasons["locked.pdf"] == "it is password-protected: save a copy without the password"
    assert reasons["broken.pdf"].startswith("it is damaged and cannot be read")
    assert "no text on its 1 pages" in reasons["scan.pdf"]


def test_whatever_cannot_be_read_is_listed_with_its_reason(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("Elsewhere.")
    folder = tmp_path / "folder"
    (folder / ".git").mkdir(parents=True)
    (folder / "link.txt").symlink_to(outside)
    reading = read(
        folder,
        good__txt="Words.",
        slides__pptx=b"x",
        tune__mp3=b"x",
        empty__md=" \n",
        image__txt=b"\x00\x01",
        bad__json="{",
        head__csv="a,b\n",
        old__docx=bytes.fromhex("d0cf11e0a1b11ae1"),
        odd__docx=b"no zip",
    )
    reasons = {lost.source: lost.reason for lost in reading.skipped}
    assert reasons.pop("odd.docx").startswith("it is damaged")
    assert reasons.pop("slides.pptx").startswith("it is damaged")
    assert reasons == {
        ".git": "hidden",
        "bad.json": "it is not valid JSON (line 1: Expecting property name enclosed in double quotes)",
        "empty.md": "it is empty",
        "head.csv": "it has no rows below its header",
        "image.txt": "it holds binary data, not text",
        "link.txt": "a link: give what it points to as a path of its own",
        "old.docx": "it is password-protected or in the old .doc format: save it as a plain .docx",
        "tune.mp3": "no reader for .mp3 files",
    }


def test_ids_are_paths_below_the_given_folder_in_sorted_order_and_files_are_hashed(tmp_path: Path) -> None:
    for name in ("b/z.txt", "b/a.txt", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    reading = read_documents([tmp_path / "b", tmp_path / "c.txt"])
    assert [document.id for document in reading.documents] == ["a.txt", "z.txt", "c.txt"]
    assert reading.files["a.txt"] == hashlib.sha256(b"b/a.txt").hexdigest()


def test_two_files_with_the_same_id_are_refused_with_both_paths(tmp_path: Path) -> None:
    for folder in ("old", "new"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rule.txt").write_text(folder)
    with pytest.raises(InputError, match=r"new/rule\.txt and .*old/rule\.txt would both be document 'rule\.txt'"):
        read_documents([tmp_path / "old", tmp_path / "new"])


def test_a_missing_an_empty_and_an_unreadable_folder_are_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist: check the path"):
        read_documents([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="holds no file of a supported type"):
        read_documents([tmp_path])
    with pytest.raises(InputError, match=r"holds no readable document \(a, b\.txt: it is empty\)") as caught:
        read(tmp_path, **{"a, b__txt": ""})
    assert "\n" not in str(caught.value)


def test_an_artefact_among_the_documents_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "manifest.json").write_text('{"stage": "index", "fingerprint": "x"}')
    (tmp_path / "index" / "documents.jsonl").write_text('{"id": "a", "text": "x"}')
    reading = read(tmp_path, a__txt="Words.")
    assert ([document.id for document in reading.documents], reading.skipped) == (["a.txt"], ())


def test_the_folder_of_a_run_among_the_documents_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "recipe.json").write_text('{"seed": 0}')
    mark(tmp_path / "out", Stage.RUN)
    reading = read(tmp_path, a__txt="Words.")
    assert ([document.id for document in reading.documents], reading.skipped) == (["a.txt"], ())


# Damaged in ways that the parsers do not foresee: a number of 5000 digits, a table cell of a megabyte.
BAD = {"a__json": '{"n": ' + "9" * 5000 + "}", "b__csv": "a,b\n1," + '"' + "x" * 1_000_000}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_breaks_its_parser_is_listed_and_the_others_are_read(tmp_path: Path, name: str) -> None:
    reading = read(tmp_path, **{name: BAD[name], "z__txt": "Words."})
    assert [document.id for document in reading.documents] == ["z.txt"]
    (lost,) = reading.skipped
    assert lost.source == name.replace("__", ".")
    assert "\n" not in lost.reason and len(lost.reason) < 250


def test_whatever_a_parser_raises_is_told_with_its_type_in_one_short_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(raw: bytes) -> Content:
        raise AssertionError("table\nspans " + "x" * 500)

    monkeypatch.setitem(parsing.READERS, ".html", broken)  # stands for a library's parser that gives up
    (lost,) = parsing.parse(b"<p>", "a.html")
    assert isinstance(lost, Skipped)
    assert lost.reason.startswith("its reader failed (AssertionError: table spans xxx")
    assert len(lost.reason) < 250


def test_a_row_with_a_number_that_python_refuses_is_named_by_its_line(tmp_path: Path) -> None:
    rows = '{"id": "a", "text": "x"}\n{"id": ' + "9" * 5000 + ', "text": "x"}\n'
    with pytest.raises(InputError, match="line 2: not valid JSON"):
        read(tmp_path, a__jsonl=rows)


def test_half_a_character_in_a_key_of_a_row_can_be_written_down(tmp_path: Path) -> None:
    (document,) = read(tmp_path, a__jsonl='{"id": "a", "text": "x", "k\\ud800": "v"}\n').documents
    assert document.metadata["k "] == "v"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Öl für 5 € \u2013 naïve", "utf-8"),
        ("Öl für 5 € \u2013 naïve", "utf-8-sig"),
        ("Öl für 5 € \u2013 naïve", "utf-16"),
        ("The winch takes 40 °C at most, says Óskar, and costs 12 € a day.", "cp1252"),
        ("naïve café \u2013 “quoted” words", "cp1252"),
        ("Привет, мир. Это насос номер пять.", "cp1251"),
        ("これは日本語のテキストです。ポンプの圧力は四十バールです。", "shift_jis"),
    ],
)
def test_text_is_decoded_whatever_wrote_it(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding)) == text


def test_decoded_text_is_composed_has_plain_line_breaks_and_no_invisible_characters() -> None:
    assert decode("cafe\u0301\r\na\u00a0b\rso\u00adft\x07".encode()) == "café\na b\nsoft "
