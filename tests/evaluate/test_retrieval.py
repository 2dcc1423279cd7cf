"""Retrieval measures by published worked examples, and all modes of a real index side by side."""

import math

import pytest

from raft.evaluate.measures.retrieval import discounted_gain, ranking_score, recall, reciprocal_rank, side_by_side
from raft.evaluate.statistics.means import Ruler
from raft.recipe import EvaluateSettings
from raft.types import Passage, Question, RetrievalMode, ScoredPassage


def found(*documents: str) -> list[ScoredPassage]:
    return [ScoredPassage(Passage(f"p{n}", name, "", "", 0, 0), 1 - n / 100) for n, name in enumerate(documents)]


def test_reciprocal_rank_is_voorhees() -> None:
    # The example of the TREC-8 question answering track: right answers at the places 3, 2 and 1 have a mean of 11/18.
    ranks = [reciprocal_rank(order, frozenset("x"), 10) for order in ("abx", "axb", "xab")]
    assert sum(ranks) / 3 == pytest.approx(11 / 18)
    assert reciprocal_rank("abx", frozenset("x"), 2) == 0.0


def test_discounted_gain_is_that_of_the_textbook() -> None:
    # Relevant at 1, 3 and 6 of six with three relevant: DCG 1 + 1/2 + 1/log2(7), ideal 1 + 1/log2(3) + 1/2.
    expected = (1.5 + 1 / math.log2(7)) / (1.5 + 1 / math.log2(3))
    assert discounted_gain("adbefc", frozenset("abc"), 10) == pytest.approx(expected)
    assert expected == pytest.approx(0.8710, abs=1e-4)
    assert discounted_gain("abc", frozenset("abc"), 10) == discounted_gain("ab", frozenset("abc"), 2) == 1.0
    assert discounted_gain("xyz", frozenset("abc"), 10) == 0.0


def test_recall_is_a_share_of_all_that_is_relevant() -> None:
    assert [recall("axbc", frozenset("abcd"), k) for k in (1, 2, 3, 4)] == [0.25, 0.25, 0.5, 0.75]


def test_scikit_learn_agrees_on_the_gain() -> None:
    from sklearn.metrics import ndcg_score

    relevance = [[0, 1, 0, 0, 1, 1, 0, 0, 0, 1]]
    order = [[10 - n for n in range(10)]]
    ranking = "0123456789"
    assert discounted_gain(ranking, frozenset("1459"), 10) == pytest.approx(ndcg_score(relevance, order))
    assert discounted_gain(ranking, frozenset("1459"), 5) == pytest.approx(ndcg_score(relevance, order, k=5))


def test_documents_count_once_at_their_best_passage() -> None:
    question = Question("q", "?", ("x",), ("a.md", "b.md"))
    scores = ranking_score(question, found("c.md", "c.md", "a.md", "a.md", "b.md"))
    assert {name: scores[name] for name in scores if name.startswith("recall")} == {
        "recall@1": 0.0, "recall@3": 0.5, "recall@5": 1.0, "recall@10": 1.0,
    }  # fmt: skip
    assert scores["mrr@10"] == 0.5
    assert scores["ndcg@10"] == pytest.approx((1 / math.log2(3) + 0.5) / (1 + 1 / math.log2(3)))
    assert ranking_score(Question("q", "?", ("x",)), found("a.md")) == {}


def test_modes_stand_side_by_side_over_the_questions_with_known_evidence() -> None:
    questions = [Question(f"q{n}", "?", ("x",), (f"{n}.md",)) for n in range(8)] + [Question("u", "?", ("x",))]
    best = [found(f"{n}.md") for n in range(9)]
    worse = [found("z.md", f"{n}.md") for n in range(9)]
    clusters = {question.id: question.id for question in questions}
    ruler = Ruler(EvaluateSettings(bootstrap_samples=200), 0)
    measured = side_by_side(questions, {RetrievalMode.DENSE: best, RetrievalMode.LEXICAL: worse}, clusters, ruler)
    assert measured["dense"]["mrr@10"] == {
        "mean": 1.0, "low": pytest.approx(0.025 ** (1 / 8)), "high": 1.0, "n": 8,
    }  # fmt: skip
    assert (measured["lexical"]["mrr@10"]["mean"], measured["lexical"]["recall@1"]["mean"]) == (0.5, 0.0)
