"""The tables of both reports: every arm with its number of questions, every metric, kind, document and outcome."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import made_up
import pytest

from raft.evaluate.measures.metrics import F1
from raft.evaluate.report.browse import Record
from raft.evaluate.report.report import report_markdown
from raft.types import Question, Score


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of lines of JSON."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def embedded_data(out: Path) -> Any:
    """What the page of an evaluation holds for its script."""
    page = (out / "report.html").read_text(encoding="utf-8")
    return json.loads(page.partition('id="data">')[2].partition("</script>")[0])


def test_the_embedded_data_holds_the_outcome_of_every_answer(world: Any, tmp_path: Path) -> None:
    out = tmp_path / "evaluation"
    world.evaluate(out)
    data = embedded_data(out)
    embedded = {(one["id"], arm): said["outcome"] for one in data["questions"] for arm, said in one["arms"].items()}
    told = {(row["question_id"], row["arm"]): row["outcome"] for row in lines(out / "outcomes.jsonl")}
    assert len(told) == 5 * len(world.questions)
    assert embedded == told
    assert (embedded["q4", "base"], embedded["q4", "rag"], embedded["q4", "raft"]) == (
        "from_memory",
        "wordy",
        "correct",
    )
    assert set(data["outcomes"]) == set(told.values())
    assert data["outcomes"]["wordy"] == "an accepted answer among other words"


def rows_of(page: str, section: str) -> list[list[str]]:
    """What the cells of a section's tables say, row by row, without marks."""
    part = page[page.index(f'<section id="{section}"') :].partition("</section>")[0]
    rows = (re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL) for row in re.findall(r"<tr.*?</tr>", part, re.DOTALL))
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in rows]


def markdown_rows(text: str, title: str, table: int = 0) -> list[list[str]]:
    """The rows of a table below a heading of the Markdown report, the first of them or another, without the dashes."""
    section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    tables = [part.splitlines() for part in section.split("\n\n") if part.strip().startswith("|")]
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in tables[table]]
    return [rows[0], *rows[2:]]


def test_a_kind_of_unanswerable_questions_alone_is_in_both_reports(world: Any, tmp_path: Path) -> None:
    names = {True: "painter", False: "lamp"}
    questions = [replace(one, kind=names[one.unanswerable]) for one in world.questions]
    out = tmp_path / "evaluation"
    world.evaluate(out, questions=questions)
    rows = rows_of((out / "report.html").read_text(encoding="utf-8"), "kinds")
    assert [row[0] for row in rows] == ["Kind", "lamp 9 questions", "Kind", "painter 1 question"]
    assert [cell.split()[0] for cell in rows[3][1:]] == ["0.0", "0.0", "0.0", "0.0", "100.0"]
    told = markdown_rows((out / "report.md").read_text(encoding="utf-8"), "By kind of question")
    assert [row[0] for row in told] == ["Kind", "lamp"]  # no F1 of questions that nothing answers
    refused = markdown_rows((out / "report.md").read_text(encoding="utf-8"), "By kind of question", table=1)
    assert refused[0] == ["Kind", "About", *("base", "rag", "dsf", "dsf+rag", "raft")]
    assert refused[1][:2] == ["painter", "1 question"]
    assert refused[1][-1].startswith("100.0 (")


def test_every_metric_has_its_label_and_meaning(world: Any, tmp_path: Path) -> None:
    world.evaluate(tmp_path / "evaluation")
    page = (tmp_path / "evaluation" / "report.html").read_text(encoding="utf-8")
    told = " ".join(row[0] for row in rows_of(page, "metrics"))
    assert "ROUGE-L longest run of words, with gaps" in told
    assert "Citation precision share of the quoted passages that are right;" in told
    assert "Rouge l" not in told


@pytest.fixture
def with_oracle(world: Any, tmp_path: Path) -> tuple[Path, Any]:
    """The folder and summary of an evaluation whose oracle arm was asked ten of eleven answerable questions."""
    questions = [*world.questions]
    # No passage of its document holds the answer, so that its oracle is unknown.
    questions.append(Question("wrong", "Who built pier 5?", ("Hanne Ruud",), ("5.md",)))
    questions.append(Question("again", "Which lamp burns at pier 5?", ("blue",), ("5.md",)))
    settings = world.settings.model_copy(update={"arms": ("oracle",)})
    made = world.evaluate(tmp_path / "evaluation", questions=questions, settings=settings)
    return tmp_path / "evaluation", made.summary


def test_every_arm_is_shown_with_its_number_of_questions(with_oracle: tuple[Path, Any]) -> None:
    out, summary = with_oracle
    page = (out / "report.html").read_text(encoding="utf-8")
    arms = page[page.index('<section id="arms"') :].partition("</section>")[0]
    first = arms.split('<div class="panel">')[1]
    names = re.findall(r'<span class="arm[^>]*>([^<]+)<', first)
    assert names == ["base", "rag", "dsf", "dsf+rag", "raft", "oracle"]
    counts = re.findall(r'<span class="count">([^<]+)<', first)
    assert counts == [f"n {summary['arms'][arm]['f1']['n']}" for arm in names] == [*["n 11"] * 5, "n 10"]
    assert re.findall(r'aria-label="oracle: [^"]+, n (\d+)"', first) == ["10"]
    metrics = " ".join(row[0] for row in rows_of(page, "metrics"))
    assert f"{F1.meaning}; 11 questions, oracle 10" in metrics
    assert "in their passage; rag 12 questions, raft 11, oracle 10" in metrics
    assert " to 11 questions" not in metrics
    heading, *told = markdown_rows((out / "report.md").read_text(encoding="utf-8"), "How the arms did")
    unseen = next(place for place, title in enumerate(heading) if title.startswith("F1, unseen documents"))
    assert [(row[0], row[unseen].rpartition(", ")[2]) for row in told] == [
        *((arm, "n 8") for arm in names[:5]),
        ("oracle", "n 7"),
    ]
    documents = {row[0]: row[1:] for row in rows_of(page, "documents")}
    of_five = next(cells for name, cells in documents.items() if name.startswith("5.md"))
    assert [cell.partition(" ")[2] for cell in of_five] == ["", "", "", "", "", "n 2"]


def record_of(out: Path, questions: Sequence[Question]) -> Record:
    """What the scores of an evaluation say, without what was asked and shown."""
    rows = lines(out / "scores.jsonl")
    names = ("question_id", "document_id", "arm")
    scores = [Score(*(row.pop(name) for name in names), row) for row in rows]
    return Record(questions, [], [], scores, frozenset())


def test_the_markdown_report_has_a_table_of_f1_by_document(world: Any, with_oracle: tuple[Path, Any]) -> None:
    out, summary = with_oracle
    text = report_markdown(summary, made_up.PROVENANCE, record_of(out, world.questions))
    heading, *rows = markdown_rows(text, "By document")
    assert heading == ["Document", "About", "base", "rag", "dsf", "dsf+rag", "raft", "oracle"]
    found = {(row["document_id"], row["arm"]): row for row in lines(out / "documents.jsonl")}
    assert {row[0] for row in rows} == {document for document, _ in found}
    for document, _, *cells in rows:
        for arm, cell in zip(heading[2:], cells, strict=True):
            few = " (n 2)" if (document, arm) == ("5.md", "oracle") else ""
            assert cell == f"{100 * found[document, arm]['f1']:.1f}{few}"
    assert {row[0]: row[1] for row in rows} == {f"{n}.md": "3 questions" if n == 5 else "1 question" for n in range(9)}
    # There no arm knows who built the pier.
    assert rows[0][0] == "5.md"
    assert "### 9 documents, those with the lowest F1 of raft first" in text


def test_of_more_than_twenty_documents_the_markdown_report_has_those_of_which_raft_knows_least(
    world: Any, tmp_path: Path
) -> None:
    made = world.evaluate(tmp_path / "evaluation")
    scores = [
        Score(f"q{n}", f"d{n:02}", arm, {"f1": share})
        for n in range(23)
        for arm, share in (("rag", 0.5), ("raft", 0.5 + n / 100))
    ]
    scores += [Score("q0", "d00", "base", {"f1": 0.0}), Score("none", "d01", "rag", {"abstained_correctly": 1.0})]
    record = Record([], [], [], scores, frozenset())
    text = report_markdown(made.summary, made_up.PROVENANCE, record)
    rows = markdown_rows(text, "By document")
    assert rows[0] == ["Document", "About", "base", "rag", "raft"]
    assert [row[0] for row in rows[1:]] == [f"d{n:02}" for n in range(20)]
    assert rows[2] == ["d01", "1 question", "", "50.0", "51.0"]
    assert "These are 20 of 23; report.html has all." in text
