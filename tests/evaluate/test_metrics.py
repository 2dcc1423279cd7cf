"""Metrics by hand-worked values."""

import pytest

from raft.evaluate.metrics import cluster_of, retrieval_score, score
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE
from raft.types import Passage, Prediction, Question, Quote, ScoredPassage

QUESTION = Question("q", "How often?", ("every 30 minutes", "twice an hour"), ("a.md", "b.md"))


def said(answer: str, text: str = "", quotes: tuple[Quote, ...] = (), abstained: bool = False) -> Prediction:
    return Prediction("q", "rag", (), "", text or f"{ANSWER} {answer}", answer, quotes, abstained, 0.0)


@pytest.mark.parametrize(
    ("answer", "exact", "f1", "contains"),
    [
        ("Every 30 minutes.", 1.0, 1.0, 1.0),
        ("twice hour", 1.0, 1.0, 0.0),  # SQuAD drops the article, the lenient search does not
        ("30 minutes", 0.0, 0.8, 0.0),
        ("it is every 30 minutes at sea", 0.0, 0.6, 1.0),
        ("every 130 minutes", 0.0, 2 / 3, 0.0),
        ("never", 0.0, 0.0, 0.0),
    ],
)
def test_an_answer_scores_as_the_closest_accepted_one(answer: str, exact: float, f1: float, contains: float) -> None:
    metrics = score(QUESTION, said(answer))
    assert metrics == {"f1": pytest.approx(f1), "exact_match": exact, "contains_answer": contains, "refused": 0.0}


def test_refusing_an_answerable_question_scores_zero_even_with_words_in_common() -> None:
    metrics = score(Question("q", "What?", ("passages",)), said("The passages do not answer this.", abstained=True))
    assert metrics == {"f1": 0.0, "exact_match": 0.0, "contains_answer": 0.0, "refused": 1.0}


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
