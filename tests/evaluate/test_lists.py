"""Questions that want several answers: what an answer names, and what that is worth."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.artifacts import read_jsonl
from raft.evaluate.measures.lists import list_scores, named, same
from raft.evaluate.measures.metrics import score
from raft.evaluate.measures.outcomes import Outcome, outcome_of
from raft.evaluate.measures.right_passages import evidence_score
from raft.prompts import ANSWER
from raft.questions.labels import labels_of
from raft.types import Passage, Prediction, Question, Quote

RIVERS = ("Spey", "Dee", "Tay")
ASKED = Question("q", "Which three rivers rise there?", RIVERS, ("a.md",), all_of=True)
PASSAGES = {
    "p": Passage("p", "a.md", "", "The Spey and the Dee rise there.", 0, 32),
    "o": Passage("o", "a.md", "", "The Tay does too, and the Forth.", 33, 65),
}


def said(answer: str, quotes: tuple[Quote, ...] = (), abstained: bool = False) -> Prediction:
    marks = "[1] ##begin_quote## x ##end_quote## " * len(quotes)
    return Prediction("q", "rag", ("p", "o"), "", f"{marks}{ANSWER} {answer}", answer, quotes, abstained, 0.0)


@pytest.mark.parametrize(
    ("answer", "wanted", "items"),
    [
        ("Spey, Dee and Tay", RIVERS, ["Spey", "Dee", "Tay"]),
        ("the Spey, the Dee, and the Tay.", RIVERS, ["the Spey", "the Dee", "the Tay."]),
        ("Spey; Dee & Tay", RIVERS, ["Spey", "Dee", "Tay"]),
        ("1. Spey 2. Dee 3. Tay", RIVERS, ["Spey", "Dee", "Tay"]),
        ("- Spey - Dee\n- Spey", RIVERS, ["Spey", "Dee"]),
        ("Trinidad and Tobago, Cuba", ("Cuba", "Trinidad and Tobago"), ["Trinidad and Tobago", "Cuba"]),
        ("May 3, 1987 and June 4, 1988", ("3 May 1987", "1988-06-04"), ["May 3, 1987", "June 4, 1988"]),
        ("1,200 and 36.5 bar", ("1200", "36.5 bar"), ["1,200", "36.5 bar"]),
        ("12, 14", ("12", "14"), ["12", "14"]),
        ("Andover", ("Andover", "Sandhurst"), ["Andover"]),
        (", and the", RIVERS, []),
        ("A and B", ("A", "B"), ["A", "B"]),
        ("the A, a", ("A", "B"), ["the A"]),
        ("the, A", ("A", "B"), ["A"]),
        ("A and B", ("B", "C"), ["A", "B"]),
        ("+ and -", ("+", "-"), ["+", "-"]),
        ("1. Paris\n2. Rome\n3. Oslo", ("Paris", "Rome", "Oslo"), ["Paris", "Rome", "Oslo"]),
        ("- Paris\n- Rome", ("Paris", "Rome"), ["Paris", "Rome"]),
        ("红色、蓝色和绿色", ("红色", "蓝色", "绿色"), ["红色", "蓝色", "绿色"]),
        ("rot, blau und grün", ("rot", "blau", "grün"), ["rot", "blau", "grün"]),
        ("10 - 12 bar", ("10", "12 bar"), ["10 - 12 bar"]),
        ("5,6,7", ("5", "6", "7"), ["5", "6", "7"]),
        ("1.5 bar and 20 bar", ("15 bar", "20 bar"), ["1.5 bar", "20 bar"]),
    ],
)
def test_an_answer_is_parted_into_its_items(answer: str, wanted: tuple[str, ...], items: list[str]) -> None:
    assert named(answer, wanted) == items


@pytest.mark.parametrize(
    ("answer", "exact", "precision", "recall", "f1"),
    [
        ("Tay, the Dee and Spey", 1, 1, 1, 1),
        ("Spey and Dee", 0, 1, 2 / 3, 0.8),
        ("Spey, Dee, Tay, Forth", 0, 3 / 4, 1, 6 / 7),
        ("Spey, Spey, Dee, Tay", 1, 1, 1, 1),
        ("Spey, Spey", 0, 1, 1 / 3, 1 / 2),
        # Each is matched once: one river cannot stand for two.
        ("River Spey, old Spey", 0, 1 / 3, 2 / 9, 4 / 15),
        ("the rivers are Spey, Dee and Tay", 0, 5 / 6, 5 / 6, 5 / 6),
        ("Forth", 0, 0, 0, 0),
        ("", 0, 0, 0, 0),
    ],
)
def test_a_list_is_scored_by_hand_worked_values(
    answer: str, exact: float, precision: float, recall: float, f1: float
) -> None:
    assert list_scores(answer, RIVERS) == pytest.approx((exact, precision, recall, f1))


def test_numbers_and_dates_count_by_their_value_and_not_by_their_words() -> None:
    wanted = ("36 bar", "nine months", "3 May 1987")
    assert list_scores("9 months, 36 bar and 1987-05-03", wanted) == (1, 1, 1, 1)
    assert list_scores("40 bar", ("36 bar", "12 bar")) == (0, 0, 0, 0)


def test_an_item_may_be_an_article_or_a_mark() -> None:
    assert list_scores("A and B", ("A", "B")) == (1, 1, 1, 1)
    assert list_scores("B, the a.", ("A", "B")) == (1, 1, 1, 1)
    assert list_scores("A", ("A", "An")) == pytest.approx((0, 1, 1 / 2, 2 / 3))
    assert list_scores("An", ("A", "B")) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("item", "other", "alike"),
    [("A", "a.", True), ("the A", "A", True), ("A", "the", False), ("+", "-", False), ("+", " + ", True)],
)
def test_items_of_one_letter_or_mark_are_told_apart(item: str, other: str, alike: bool) -> None:
    assert same(item, other) is alike


WORDS = st.sampled_from(
    ["Spey", "Dee", "Tay", "River Ness", "36 bar", "nine months", "3 May 1987", "1,200", "no", "A", "An", "+"]
)


@given(st.lists(WORDS, min_size=2, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_every_order_of_what_is_wanted_is_an_exact_match_and_less_is_not(wanted: list[str], rng: Any) -> None:
    answer = rng.sample(wanted, len(wanted))
    assert list_scores(", ".join(answer), wanted) == (1, 1, 1, 1)
    fewer = list_scores(" and ".join(answer[1:]), wanted)
    assert fewer == pytest.approx(
        (0, 1, (len(wanted) - 1) / len(wanted), 2 * (len(wanted) - 1) / (2 * len(wanted) - 1))
    )


def test_a_list_has_its_metrics_under_both_names_and_no_others() -> None:
    found = score(ASKED, said("Spey, Dee"))
    assert found == {
        "f1": 0.8, "exact_match": 0.0, "contains_answer": 0.0, "answer_in_text": 0.0, "refused": 0.0, "list_f1": 0.8,
        "list_exact_match": 0.0, "list_precision": 1.0, "list_recall": pytest.approx(2 / 3),
    }  # fmt: skip
    refused = score(ASKED, said("Spey", abstained=True))
    assert refused.pop("refused") == 1
    assert set(refused.values()) == {0.0}
    one = Question("q", "Which river?", RIVERS)
    assert not any(name.startswith("list") for name in score(one, said("Spey, Dee")))
    assert labels_of(Question("q", "?", ("yes", "why not"), all_of=True)) == ()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ("Tay, Dee, Spey", Outcome.CORRECT),
        ("Tay, Dee, Spey, Forth", Outcome.WORDY),
        ("Tay", Outcome.INCOMPLETE),
        ("Forth", Outcome.MISREAD),
        ("Rhine", Outcome.IGNORED),
    ],
)
def test_a_list_that_lacks_something_is_incomplete(answer: str, outcome: Outcome) -> None:
    prediction = said(answer)
    right = {"p": "a.md", "o": "a.md"}
    assert outcome_of(ASKED, prediction, score(ASKED, prediction), right, PASSAGES) is outcome


def test_a_list_is_supported_where_quotes_hold_each_of_its_items() -> None:
    first, second = Quote("p", 4, 20, "Spey and the Dee"), Quote("o", 0, 7, "The Tay")
    for quotes, held in (((first, second), 1.0), ((first,), 0.0)):
        assert evidence_score(ASKED, said("Spey, Dee, Tay", quotes), {"p": "a.md"})["supported"] == held


def test_the_report_shows_lists_by_regime_and_kind_and_only_where_there_are_any(world: Any, tmp_path: Path) -> None:
    lists = [
        Question(
            f"both{n}", f"Which colours are the lamps of pier {n}?", (one, two), (f"{n}.md",), kind="list", all_of=True
        )
        for n, one, two in ((1, "amber", "green"), (5, "blue", "orange"))
    ]

    def run(questions: list[Question], out: Path) -> tuple[Any, str, str]:
        made = world.evaluate(out, questions=questions)
        page = (out / "report.html").read_text(encoding="utf-8")
        return made.summary, (out / "report.md").read_text(encoding="utf-8"), page

    summary, report, page = run([*world.questions, *lists], tmp_path / "lists")
    # "amber" alone is half of the first list: precision 1 and recall 0.5.
    assert summary["arms"]["dsf"]["list_f1"]["mean"] == pytest.approx((2 / 3 + 0) / 2)
    assert summary["regimes"]["seen"]["arms"]["dsf"]["list_recall"]["mean"] == 0.5
    assert summary["regimes"]["unseen"]["arms"]["dsf"]["list_recall"]["mean"] == 0
    assert summary["kinds"]["list"]["arms"]["raft"]["list_precision"]["mean"] == 1
    assert summary["outcomes"]["raft"]["incomplete"] == 2
    for line in ("| All | 2 questions |", "| Seen documents | 1 question |", "| Kind list | 2 questions |"):
        assert line in report
    assert "Questions that want several answers" in page
    rows = [row for _, row in read_jsonl(tmp_path / "lists" / "scores.jsonl")]
    assert {row["question_id"] for row in rows if "list_f1" in row} == {"both1", "both5"}
    summary, report, page = run(world.questions, tmp_path / "none")
    assert "list_" not in str(summary["arms"])
    assert "want several answers" not in report + page
