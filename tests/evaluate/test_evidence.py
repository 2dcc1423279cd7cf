"""Which passages are right: found once for all arms that are shown the same, and no book is taken apart for a word."""

import pytest

from raft import text
from raft.evaluate.evidence import Evidence
from raft.text import Source
from raft.types import Document, Passage, Question

WORDS = "The pump of the first pier stops at 45 bar. Paint dries in two days."


def test_a_question_is_looked_up_once_for_all_arms(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        "raft.evaluate.evidence.contains_answer", lambda text, answers: bool(asked.append(text)) or "45" in text
    )
    passages = {"a": Passage("a", "d", "", WORDS[:43], 0, 43), "b": Passage("b", "d", "", WORDS[44:], 44, 68)}
    evidence = Evidence({"d": Document("d", "", WORDS, "d.md")}, passages)
    question = Question("q", "At what pressure does it stop?", ("45 bar",), ("d",))
    assert evidence.right_passages(question, ["a", "b"]) == {"a": "d"}
    searched = len(asked)
    assert evidence.right_passages(question, ("a", "b")) == {"a": "d"}
    assert len(asked) == searched
    assert evidence.right_passages(question, ["b"]) == {}


def test_words_that_stand_in_a_text_are_found_without_taking_it_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[str] = []
    tokens = text._tokens
    monkeypatch.setattr(text, "_tokens", lambda words: taken.append(words) or tokens(words))
    assert Source(WORDS).locate("45 bar") == (36, 42)
    assert taken == []
    assert Source(WORDS).locate("45 BAR") == (36, 42)
    assert WORDS in taken
