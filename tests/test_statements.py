"""Questions that rules make from statements teach `mini` to ask: they have to be whole, and ask with the right word."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


@pytest.fixture(scope="module")
def maker() -> Iterator[Any]:
    sys.path.insert(0, str(SCRIPTS))
    try:
        from articles import Row
        from question_words import QuestionWords
        from statements import StatementQuestions

        people = [
            "the captain",
            "Anna Berg",
            "Tom Lund",
            "the old keeper",
            "Maria Holm",
            "farmers",
            "the king",
            "Peter",
        ]
        things = ["the harbour", "a pump", "the old tower", "copper", "the new engine", "a large boat", "salt", "rain"]
        places = ["Bergen", "the city", "Norway", "Oslo", "London", "the island", "Paris", "Rome"]
        rows = [Row("", "", f"Who is it for {n}?", (answer,)) for n, answer in enumerate(people)]
        rows += [Row("", "", f"What is it for {n}?", (answer,)) for n, answer in enumerate(things)]
        rows += [Row("", "", f"Where is it for {n}?", (answer,)) for n, answer in enumerate(places)]
        texts = ["They build and build, reach and reach, paint and paint, repair and repair."]
        yield StatementQuestions(QuestionWords(rows), texts)
    finally:
        sys.path.remove(str(SCRIPTS))


def asked(maker: Any, text: str) -> list[tuple[str, str]]:
    return [(row.question, row.answers[0]) for row in maker.rows("", text, random.Random(0))]


@pytest.mark.parametrize(
    ("statement", "question", "answer"),
    [
        ("Anna Lund built the harbour pump in Oslo.", "who built the harbour pump in Oslo?", "Anna Lund"),
        ("Anna Lund built the harbour pump in Oslo.", "what did Anna Lund build in Oslo?", "the harbour pump"),
        ("The old Oslo pump reached the harbour in 1912.", "what reached the harbour in 1912?", "the old Oslo pump"),
        (
            "In 1912, Anna Lund repaired the old harbour tower.",
            "who repaired the old harbour tower in 1912?",
            "Anna Lund",
        ),
        ("Anna Lund reached Bergen in May 1912 by boat.", "who reached Bergen in May 1912 by boat?", "Anna Lund"),
    ],
)
def test_a_statement_becomes_a_question_for_its_subject_and_its_object(
    maker: Any, statement: str, question: str, answer: str
) -> None:
    assert (question, answer) in asked(maker, statement)


@pytest.mark.parametrize(
    "statement",
    [
        "Boats built by Anna Lund often reached the harbour.",
        "Anna Lund painted it in 1912 for the king.",
        "Anna Lund repaired pumps, engines and boats.",
        "The tower reached the harbour in that year.",
        "Unless Bergen reached the harbour in time.",
        "Once Peter reached the old harbour of Oslo.",
    ],
)
def test_what_would_be_half_a_question_or_lean_on_its_text_is_left_alone(maker: Any, statement: str) -> None:
    assert asked(maker, statement) == []


def test_who_asks_for_people_and_what_for_things_that_nobody_asked_for(maker: Any) -> None:
    words = maker._words
    assert [words.subject(name) for name in ("Olga Holm", "the young captain", "the iron pump", "a tower")] == [
        "who",
        "who",
        "what",
        "what",
    ]
    assert words.is_place("Stockholm") and not words.is_place("the iron pump")
