"""Which passages are right: found once for all arms that are shown the same, and no book is taken apart for a word."""

import pytest

from raft.evaluate.measures.right_passages import Evidence
from raft.questions import evidence_pools, right_passages
from raft.text import Source, finding
from raft.types import Document, Passage, Question

WORDS = "The pump of the first pier stops at 45 bar. Paint dries in two days."


def test_a_question_is_looked_up_once_for_all_arms(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Question] = []
    monkeypatch.setattr(
        "raft.evaluate.measures.right_passages.right_passages",
        lambda question, passages, pools: asked.append(question) or right_passages(question, passages, pools),
    )
    passages = {"a": Passage("a", "d", "", WORDS[:43], 0, 43), "b": Passage("b", "d", "", WORDS[44:], 44, 68)}
    question = Question("q", "At what pressure does it stop?", ("45 bar",), ("d",))
    (pools,) = evidence_pools([question], {"d": Document("d", "", WORDS, "d.md")}, passages.values())
    evidence = Evidence({"q": pools}, passages)
    assert evidence.right_passages(question, ["a", "b"]) == {"a": "d"}
    assert evidence.right_passages(question, ("a", "b")) == {"a": "d"}
    assert asked == [question]
    assert evidence.right_passages(question, ["b"]) == {}


def test_words_that_stand_in_a_text_are_found_without_taking_it_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    tokens = finding.tokens
    monkeypatch.setattr(finding, "tokens", lambda words: taken.append(words) or tokens(words))
    assert Source(WORDS).locate("45 bar") == (36, 42)
    assert taken == []
    assert Source(WORDS).locate("45 BAR") == (36, 42)
    assert WORDS in taken
