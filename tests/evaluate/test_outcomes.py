"""Each answer has the outcome that names its first cause."""

import pytest

from raft.evaluate.measures.metrics import score
from raft.evaluate.measures.outcomes import Outcome, outcome_of
from raft.evaluate.measures.right_passages import Evidence, evidence_score
from raft.outputs import parse_answer
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE, REFUSAL
from raft.questions import evidence_pools
from raft.types import Document, Passage, Prediction, Question, Quote

TEXTS = {
    "a": "Pump A runs dry for 30 minutes and rests for 9 hours.",
    "b": "Pump B runs dry for 45 minutes.",
    "c": "Pump A is blue.",
}
PASSAGES = {name: Passage(name, f"{name}.md", "", text, 0, len(text)) for name, text in TEXTS.items()}
DOCUMENTS = {f"{name}.md": Document(f"{name}.md", "", text, "") for name, text in TEXTS.items()}
DRY = Question("q", "How long may pump A run dry?", ("30 minutes",), ("a.md",))
UNKNOWN = Question("q", "Who built it?", unanswerable=True)


def said(text: str, *names: str, quotes: tuple[str, ...] = ()) -> Prediction:
    parsed = parse_answer(text)
    verified = tuple(Quote(name, 0, len(TEXTS[name]), TEXTS[name]) for name in quotes)
    return Prediction("q", "raft", names, "", text, parsed.answer, verified, parsed.abstained, 0.0)


def outcome(question: Question, prediction: Prediction) -> Outcome:
    found = right(question, *prediction.passage_ids)
    return outcome_of(question, prediction, score(question, prediction), found, PASSAGES)


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        (said(f"{ANSWER} 30 minutes", "a", "b"), Outcome.CORRECT),
        (said(f"{ANSWER} thirty minutes", "a", "b"), Outcome.CORRECT),
        (said(f"{ANSWER} 30 minutes", "b"), Outcome.CORRECT),
        (said(f"{ANSWER} at most 30 minutes in all", "a", "b"), Outcome.WORDY),
        (said(f"{ANSWER} 45 minutes", "b", "c"), Outcome.NOT_RETRIEVED),
        (said(f"{ANSWER} {REFUSAL}", "b", "c"), Outcome.NOT_RETRIEVED),
        (said(f"{ANSWER} {REFUSAL}", "a", "b"), Outcome.REFUSED_WRONGLY),
        (said(f"{ANSWER} {REFUSAL}"), Outcome.REFUSED_WRONGLY),
        (said(f"{ANSWER} 45 minutes", "a", "b"), Outcome.WRONG_PASSAGE),
        (said(f"{ANSWER} 9 hours", "a", "b"), Outcome.MISREAD),
        (said(f"{ANSWER} 9 hours", "a", "b", quotes=("b",)), Outcome.WRONG_PASSAGE),
        (said(f"{ANSWER} two weeks", "a", "b", quotes=("a",)), Outcome.MISREAD),
        (said(f"{ANSWER} two weeks", "a", "b"), Outcome.IGNORED),
        (said(f"{ANSWER}", "a", "b"), Outcome.FORMAT),
        (said("two weeks", "a", "b"), Outcome.FORMAT),
        (said(f"{ANSWER} 45 minutes"), Outcome.FROM_MEMORY),
    ],
)
def test_an_answerable_question(prediction: Prediction, expected: Outcome) -> None:
    assert outcome(DRY, prediction) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{ANSWER} {REFUSAL}", Outcome.CORRECT),
        (f"{ANSWER} Ruud", Outcome.ANSWERED_UNANSWERABLE),
        (f"{ANSWER}", Outcome.FORMAT),
    ],
)
def test_an_unanswerable_question(text: str, expected: Outcome) -> None:
    assert outcome(UNKNOWN, said(text, "a")) is expected


def right(question: Question, *passage_ids: str) -> dict[str, str] | None:
    (pools,) = evidence_pools([question], DOCUMENTS, PASSAGES.values())
    return Evidence({question.id: pools}, PASSAGES).right_passages(question, passage_ids)


def test_the_right_passage_holds_the_answer_or_is_all_that_the_document_has() -> None:
    both = Question("q", "?", ("30 minutes", "blue"), ("a.md", "c.md"))
    assert right(both, "a", "b", "c") == {"a": "a.md", "c": "c.md"}
    assert right(DRY, "b", "c") == {}
    reason = Question("q", "Why?", ("it would overheat",), ("b.md",))
    assert right(reason, "a", "b") == {"b": "b.md"}
    # "no" stands in many texts, and in none that answers.
    verdict = Question("q", "Is pump A blue?", ("yes",), ("c.md",))
    assert right(verdict, "a", "c") == {"c": "c.md"}
    assert right(Question("q", "?", ("45 minutes",)), "a", "b") == {"b": "b.md"}
    assert right(Question("q", "?", ("yes",)), "a") is None
    assert right(UNKNOWN, "a") is None


def quoting(answer: str, *quotes: str) -> str:
    return " ".join([*(f"[1] {BEGIN_QUOTE} {one} {END_QUOTE}" for one in quotes), f"{ANSWER} {answer}"])


def test_citations_are_counted_by_hand() -> None:
    two = {"a": "a.md", "c": "c.md"}
    both = said(quoting("30 minutes", "x", "y"), "a", "b", "c", quotes=("a", "b"))
    assert evidence_score(DRY, both, two) == {"citation_precision": 0.5, "citation_recall": 0.5, "supported": 1.0}
    none = said(quoting("30 minutes", "made up"), "a", "b", "c")
    assert evidence_score(DRY, none, two) == {"citation_recall": 0.0, "supported": 0.0}
    assert evidence_score(DRY, said(f"{ANSWER} 30 minutes", "a"), {"a": "a.md"}) == {"citation_recall": 0.0}
    assert evidence_score(DRY, said(f"{ANSWER} 30 minutes"), {"a": "a.md"}) == {}


def test_refusing_without_the_passage_is_measured_apart() -> None:
    assert evidence_score(DRY, said(f"{ANSWER} {REFUSAL}", "b"), {}) == {"refused_without_passage": 1.0}
    assert evidence_score(DRY, said(f"{ANSWER} 1 day", "b"), {}) == {"refused_without_passage": 0.0}
    assert evidence_score(DRY, said(f"{ANSWER} {REFUSAL}", "a"), {"a": "a.md"}) == {}
    assert evidence_score(UNKNOWN, said(f"{ANSWER} {REFUSAL}", "a"), None) == {}
