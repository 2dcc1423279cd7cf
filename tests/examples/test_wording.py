"""What a well-formed question is: each rule with a question that it keeps and one that it throws out."""

import pytest

from raft.examples.wording import asks_for, keeps_its_thread, stands_alone


@pytest.mark.parametrize(
    "question",
    [
        "What is the largest pump?",
        "In what year did the ferry sink?",
        "According to whom may the winch be used?",
        "Wie viele Männer sind auf dem Schiff?",
        "Approximately how many members live on the island?",
        "What is the pressure of the pump and of the winch?",
    ],
)
def test_questions_are_kept(question: str) -> None:
    assert keeps_its_thread(question)


@pytest.mark.parametrize(
    "text",
    [
        "When was the harbour enlargement was the harbour enlargement?",
        "Who is the the keeper of the light?",
    ],
)
def test_what_goes_in_circles_is_not(text: str) -> None:
    assert not keeps_its_thread(text)


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("How many oars does it carry?", "two dozen", "the ferry"),
        ("How long is a watch?", "four hours", "the mate"),
        ("When did the ferry sink?", "in the spring of 1521", "the harbour"),
        ("In what year did it sink?", "1521", "Dunmarra"),
        ("Who holds the keys?", "the harbour master", "36.5"),
    ],
)
def test_an_answer_of_another_kind_is_told(question: str, right: str, wrong: str) -> None:
    assert asks_for(question, right)
    assert not asks_for(question, wrong)


def test_other_questions_may_ask_for_anything() -> None:
    assert asks_for("What is it?", "anything at all")
    assert asks_for("Wie viele?", "keine")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Who received his master's degree in 1505?", "Martin Luther"),
        ("What did Luther call his opponents?", "hypocrites"),
        ("Where did the king lose his crown?", "at sea"),
        ("When did the crew leave their ship?", "at dawn"),
        ("What did the settlers lose?", "their homes"),
        ("Whom did Ann Moore marry?", "her cousin"),
        ("What happened to those who stayed?", "they froze"),
        ("Is it safe to put the old battery into the new charger?", "no"),
        ("How often is the meter read these days?", "weekly"),
        ("Was besagt die These?", "nichts"),
        ("Hvor er her?", "her"),
    ],
)
def test_a_question_with_its_nouns_stands_alone(question: str, answer: str) -> None:
    assert stands_alone(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What made him short-tempered?", "his health"),
        ("When was His last sermon delivered at Eisleben?", "15 February 1546"),
        ("What does it mean?", "peace"),
        ("What happened in this period?", "a war"),
        ("Who rejected the idea of a Holy War?", "he"),
        ("What influenced the development of singing in churches?", "His hymns"),
        ("Why did they leave the ship?", "it sank"),
    ],
)
def test_a_pronoun_without_its_noun_leans_on_the_passage(question: str, answer: str) -> None:
    assert not stands_alone(question, answer)
