"""Metrics by hand-worked values, published examples and what other scorers give."""

import json
from pathlib import Path

import pytest

from raft.evaluate.measures.metrics import cluster_of, retrieval_score, rouge_l, score
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE
from raft.text import squad_exact_match, squad_f1
from raft.types import Passage, Prediction, Question, Quote, ScoredPassage

HERE = Path(__file__).parent
QUESTION = Question("q", "How often?", ("every 30 minutes", "twice an hour"), ("a.md", "b.md"))


def said(answer: str, text: str = "", quotes: tuple[Quote, ...] = (), abstained: bool = False) -> Prediction:
    return Prediction("q", "rag", (), "", text or f"{ANSWER} {answer}", answer, quotes, abstained, 0.0)


@pytest.mark.parametrize(
    ("answer", "exact", "f1", "contains", "in_text", "rouge"),
    [
        ("Every 30 minutes.", 1.0, 1.0, 1.0, 1.0, 1.0),
        ("twice hour", 1.0, 1.0, 0.0, 0.0, 0.8),  # the article does not count here, and does for ROUGE-L
        ("30 minutes", 0.0, 0.8, 0.0, 0.0, 0.8),
        ("it is every 30 minutes at sea", 0.0, 0.6, 1.0, 1.0, 0.6),
        ("every 130 minutes", 0.0, 2 / 3, 0.0, 0.0, 2 / 3),
        ("hour an twice", 0.0, 1.0, 0.0, 0.0, 1 / 3),
        ("never", 0.0, 0.0, 0.0, 0.0, 0.0),
        (f"every 30 minutes {'and on ' * 14}", 0.0, 6 / 34, 1.0, 0.0, 6 / 34),
    ],
)
def test_an_answer_scores_as_the_closest_accepted_one(
    answer: str, exact: float, f1: float, contains: float, in_text: float, rouge: float
) -> None:
    assert score(QUESTION, said(answer)) == {
        "f1": pytest.approx(f1),
        "exact_match": exact,
        "squad_f1": pytest.approx(f1),
        "squad_exact_match": exact,
        "contains_answer": contains,
        "answer_in_text": in_text,
        "refused": 0.0,
        "rouge_l": pytest.approx(rouge),
    }


def test_refusing_an_answerable_question_scores_zero_even_with_words_in_common() -> None:
    metrics = score(Question("q", "What?", ("passages",)), said("The passages do not answer this.", abstained=True))
    assert metrics.pop("refused") == 1.0
    assert set(metrics) == {
        *("f1", "exact_match", "squad_f1", "squad_exact_match", "contains_answer", "answer_in_text", "rouge_l")
    }
    assert set(metrics.values()) == {0.0}


@pytest.mark.parametrize("abstained", [True, False])
def test_an_unanswerable_question_is_scored_by_refusal_alone(abstained: bool) -> None:
    question = Question("q", "Why?", unanswerable=True)
    assert score(question, said("x", abstained=abstained)) == {"abstained_correctly": float(abstained)}


def test_quotes_count_as_the_model_wrote_them() -> None:
    text = f"[1] {BEGIN_QUOTE} a {END_QUOTE} [9] {BEGIN_QUOTE} b {END_QUOTE} {ANSWER} never"
    assert score(QUESTION, said("never", text, (Quote("p", 0, 1, "a"),)))["quote_verified"] == 0.5
    assert "quote_verified" not in score(QUESTION, said("never"))


def test_retrieval_counts_documents_and_not_passages() -> None:
    found = [
        ScoredPassage(Passage(f"p{n}", name, "", "", 0, 0), 1.0) for n, name in enumerate(["a.md", "a.md", "c.md"])
    ]
    assert retrieval_score(QUESTION, found) == {"recall": 0.5, "hit": 1.0}
    assert retrieval_score(QUESTION, found[2:]) == {"recall": 0.0, "hit": 0.0}
    assert retrieval_score(Question("q", "?", unanswerable=True), found) == {}


def test_questions_cluster_by_their_first_document_and_those_without_one_stand_alone() -> None:
    assert cluster_of(QUESTION) == "a.md"
    assert cluster_of(Question("a.md", "?", unanswerable=True)) != cluster_of(QUESTION)


def test_rouge_l_is_that_of_its_papers_examples() -> None:
    # Lin 2004, section 3.1: the same words in another order share a shorter subsequence.
    assert rouge_l("police kill the gunman", ["police killed the gunman"]) == 0.75
    assert rouge_l("the gunman kill police", ["police killed the gunman"]) == 0.5
    # Section 3.2: w1 w2 w6 w7 w8 share two of w1 w2 w3 w4 w5, but the union of several references is not used here.
    assert rouge_l("w1 w2 w6 w7 w8", ["w1 w2 w3 w4 w5", "w1 w3 w8 w9 w5"]) == 0.4
    assert rouge_l("", ["a"]) == rouge_l("a", [""]) == 0.0


def test_squads_scores_are_the_official_ones_on_a_thousand_rows() -> None:
    """Stored from a library's port of the official scorer: `squad_table.py` says how they were made."""
    rows = [json.loads(line) for line in (HERE / "squad.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 1000
    assert 300 < sum(row["exact_match"] for row in rows) < 700  # both outcomes were put to the test
    for row in rows:
        answer, accepted = row["answer"], tuple(row["accepted"])
        found = squad_exact_match(answer, accepted), squad_f1(answer, accepted)
        assert found == pytest.approx((row["exact_match"], row["f1"]), abs=1e-5), row


def test_rouge_l_is_that_of_googles_package() -> None:
    """Stored, because the package brings nltk and absl: `rouge_table.py` says how they were made."""
    rows = [json.loads(line) for line in (HERE / "rouge_l.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 412
    assert {0.0, 1.0} < {row["rouge_l"] for row in rows}
    wrong = [row for row in rows if rouge_l(row["answer"], row["accepted"]) != pytest.approx(row["rouge_l"], abs=1e-12)]
    assert wrong == []
