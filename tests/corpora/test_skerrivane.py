"""The Skerrivane corpus keeps its promises: enough documents and questions, evidence that is there, PDFs as built."""

import json
import re
import runpy
from collections import Counter
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import bs4
import docx
import pypdf
import pytest

CORPUS = Path(__file__).resolve().parents[2] / "corpora" / "skerrivane"
KINDS = {"fact", "number", "date", "procedure", "reason", "comparison", "yesno", "multi", "unanswerable"}
# Answers of these kinds are worked out, so that they need not stand anywhere.
COMPUTED = {"comparison", "yesno", "multi", "unanswerable"}


def pdf_text(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(BytesIO(content)).pages)


def docx_text(content: bytes) -> str:
    """Paragraphs and table cells in the order of the page."""
    blocks = docx.Document(BytesIO(content)).iter_inner_content()
    return "\n".join(
        "\n".join(cell.text for row in block.rows for cell in row.cells)
        if isinstance(block, docx.table.Table)
        else block.text
        for block in blocks
    )


@cache
def text_of(document_id: str) -> str:
    content = (CORPUS / "documents" / document_id).read_bytes()
    match Path(document_id).suffix:
        case ".pdf":
            return pdf_text(content)
        case ".docx":
            return docx_text(content)
        case ".html":
            return bs4.BeautifulSoup(content, "html.parser").get_text(" ")
        case _:
            return content.decode("utf-8")


def plain(text: str) -> str:
    """Lower case, one space between words, no Markdown emphasis."""
    return re.sub(r"\s+", " ", text.replace("*", "")).lower()


@cache
def document_ids() -> tuple[str, ...]:
    root = CORPUS / "documents"
    return tuple(sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()))


@cache
def rows_of(name: str) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads(line) for line in (CORPUS / name).read_text(encoding="utf-8").splitlines())


def questions() -> tuple[dict[str, Any], ...]:
    return rows_of("questions.jsonl")


def training_questions() -> tuple[dict[str, Any], ...]:
    return rows_of("training-questions.jsonl")


def test_training_questions_are_no_questions_of_the_evaluation_and_rest_on_their_documents() -> None:
    asked = {plain(question["question"]) for question in questions()}
    answerable = [one for one in training_questions() if not one.get("unanswerable")]

    assert len({one["id"] for one in training_questions()}) == len(training_questions()) >= 150
    assert [one["id"] for one in training_questions() if plain(one["question"]) in asked] == []
    for one in answerable:
        assert plain(one["answers"][0]) in plain(one["context"]), one["id"]
        assert set(one["document_ids"]) <= set(document_ids()), one["id"]
    assert all(not one["answers"] for one in training_questions() if one.get("unanswerable"))


def test_answers_of_training_questions_stand_anywhere_in_their_sentences() -> None:
    answerable = [one for one in training_questions() if not one.get("unanswerable")]
    first = [one for one in answerable if plain(one["context"]).startswith(plain(one["answers"][0]))]

    assert len(first) <= len(answerable) / 5


def test_there_are_at_least_48_documents_of_seven_types() -> None:
    types = Counter(Path(name).suffix for name in document_ids())

    assert sum(types.values()) >= 48
    assert set(types) == {".md", ".txt", ".html", ".pdf", ".docx", ".csv", ".json"}


@pytest.mark.parametrize("document_id", document_ids())
def test_each_document_has_260_to_700_words(document_id: str) -> None:
    assert 260 <= len(text_of(document_id).split()) <= 700


def test_at_least_two_pdfs_have_several_pages() -> None:
    pages = [len(pypdf.PdfReader(CORPUS / "documents" / name).pages) for name in document_ids() if name.endswith("pdf")]

    assert sum(count > 1 for count in pages) >= 2


def test_there_are_enough_questions_with_and_without_an_answer() -> None:
    unanswerable = [question for question in questions() if question.get("unanswerable")]

    assert len(questions()) - len(unanswerable) >= 360
    assert len(unanswerable) >= 60


def test_question_ids_and_wordings_are_unique() -> None:
    assert len({question["id"] for question in questions()}) == len(questions())
    assert len({plain(question["question"]) for question in questions()}) == len(questions())


def test_each_question_has_a_known_kind_and_answers_exactly_if_answerable() -> None:
    for question in questions():
        assert question["kind"] in KINDS, question["id"]
        without = question.get("unanswerable", False)
        assert without == (question["kind"] == "unanswerable"), question["id"]
        assert bool(question["answers"]) != without, question["id"]
        assert bool(question["document_ids"]) != without, question["id"]
        assert len(set(question["answers"])) == len(question["answers"]), question["id"]


def test_each_evidence_document_exists_and_each_document_is_evidence() -> None:
    named = {document_id for question in questions() for document_id in question["document_ids"]}

    assert named == set(document_ids())


def test_the_first_answer_stands_in_an_evidence_document_unless_it_is_worked_out() -> None:
    missing = [
        question["id"]
        for question in questions()
        if question["kind"] not in COMPUTED
        and not any(plain(question["answers"][0]) in plain(text_of(name)) for name in question["document_ids"])
    ]

    assert missing == []


def test_the_committed_pdf_and_docx_documents_are_those_of_the_sources() -> None:
    built = runpy.run_path(str(CORPUS / "build_documents.py"))["built_documents"]()

    assert set(built) == {name for name in document_ids() if name.endswith((".pdf", ".docx"))}
    for name, content in built.items():
        rebuilt = pdf_text(content) if name.endswith(".pdf") else docx_text(content)
        assert rebuilt == text_of(name), f"{name}: run `python corpora/skerrivane/build_documents.py`"


def test_the_readme_states_the_counts() -> None:
    readme = (CORPUS / "README.md").read_text(encoding="utf-8")
    types = Counter(Path(name).suffix for name in document_ids())
    kinds = Counter(question["kind"] for question in questions())

    for name, count in [*types.items(), *kinds.items()]:
        assert re.search(rf"^\| `{re.escape(name)}` \| {count} \|", readme, re.MULTILINE), name
