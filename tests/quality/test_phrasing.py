"""What a well-formed question is: each rule with a question that it keeps and one that it throws out."""

import pytest

from raft.quality.phrasing import (
    asks_for,
    bends_its_verb,
    is_closed,
    is_spliced,
    is_whole,
    keeps_its_thread,
    stands_alone,
)


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
        "Who sold salted fish salted fish in Inver?",
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
        ("Who holds the keys?", "at least two mates", "at the harbour"),
        ("What set out from Dunmarra?", "the ferry", "after the war"),
        ("What is heard from afar?", "the bell", "if the wind is low"),
        ("Who moved into the south?", "its crew", "their descendants"),
    ],
)
def test_an_answer_of_another_kind_is_told(question: str, right: str, wrong: str) -> None:
    assert asks_for(question, right)
    assert not asks_for(question, wrong)


def test_a_time_or_place_may_be_asked_for_by_what() -> None:
    assert asks_for("What time does the ferry leave?", "after dawn")
    assert asks_for("What was the ferry built for?", "for the winter")


@pytest.mark.parametrize("text", ['the "Wanderer"', "a (small) boat [of oak]", 'a 6" pipe', "the crew's oars"])
def test_brackets_and_quotes_are_closed(text: str) -> None:
    assert is_closed(text)


@pytest.mark.parametrize("text", ["You've [Western nations", "the ferry) left", "(the ferry]", 'of the 66 "villes de'])
def test_an_open_bracket_or_quote_is_seen(text: str) -> None:
    assert not is_closed(text)


@pytest.mark.parametrize(
    "question",
    [
        "What has changed between the two wars?",
        "Whose boat?",
        "Who sailed from Inver to Dunmarra?",
        "What was Anna Lund heir to?",
        "What lies between Inver and Dunmarra?",
    ],
)
def test_a_question_with_an_end_is_whole(question: str) -> None:
    assert is_whole(question)


@pytest.mark.parametrize(
    "question",
    [
        "What has declined between 2004?",
        "What lies between Inver?",
        "What was sent to crews whose boats?",
        "Who reached the?",
        "Who Landgrave of Hesse in October 1529?",
        "What rose from 12 to?",
    ],
)
def test_a_question_that_breaks_off_is_seen(question: str) -> None:
    assert not is_whole(question)


_STATEMENT = "In 1521 the united crews left Inver and reached Dunmarra, whose harbour they held until May."


@pytest.mark.parametrize(
    "question",
    [
        "When did the united crews reach Dunmarra?",
        "What did the united crews leave?",
        "When did they reach the harbour?",
        "Who reached Dunmarra in 1521?",
    ],
)
def test_a_verb_after_did_is_bent(question: str) -> None:
    assert bends_its_verb(question, _STATEMENT)


@pytest.mark.parametrize("question", ["When did the crews reached Dunmarra?", "Until when did they held the harbour?"])
def test_a_past_form_after_did_is_seen(question: str) -> None:
    assert not bends_its_verb(question, _STATEMENT)


@pytest.mark.parametrize(
    "question",
    [
        "When was the harbour enlarged?",
        "When was Anna Lund awarded the prize?",
        "Where was the keeper who wrote the log born?",
        "When was the first ferry to Inver built?",
        "What increased by 40 percent?",
        "Who started by painting the tower?",
        "How many crews were there when the tower reached its height?",
        "What was it that reached the harbour?",
    ],
)
def test_a_verb_after_was_is_a_participle(question: str) -> None:
    assert bends_its_verb(question, _STATEMENT)


@pytest.mark.parametrize(
    "question",
    [
        "When was the crew reached the harbour?",
        "Where was Anna Lund negotiated a price?",
        "In what year was the enlargement began?",
        "When was the average boat moved 17 miles?",
        "When was Anna Lund lost the boat?",
        "What conducted by the united crews?",
    ],
)
def test_an_active_verb_after_was_is_seen(question: str) -> None:
    assert not bends_its_verb(question, _STATEMENT)


WRECK = (
    "The mate, who had struck the hull, left the ferry at Inver. Once it was dry the hull was painted by Moira Bain."
)


@pytest.mark.parametrize(
    "question",
    [
        "Who had struck the hull?",
        "Who left the ferry at Inver?",
        "Who was the hull painted by?",
        "Who was Moira Bain?",
        # Not a subject, or with words of its own.
        "What did the mate struck?",
        "What was painted by the mate at Inver afterwards?",
        "Where was the hull left?",
    ],
)
def test_a_question_in_the_words_of_one_place_is_not_spliced(question: str) -> None:
    assert not is_spliced(question, WRECK)


@pytest.mark.parametrize(
    "question", ["Who struck the hull was painted?", "Who left the hull?", "What was dry at Inver?"]
)
def test_words_of_two_places_run_together_are_seen(question: str) -> None:
    assert is_spliced(question, WRECK)


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
        ("What is kept in the safe?", "the captain's orders to his crew"),
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
        ("What tells whether a number is prime?", "These tests"),
        ("Who send their children to such schools?", "farmers"),
        ("What happened in this period?", "a war"),
        ("Who rejected the idea of a Holy War?", "he"),
        ("What influenced the development of singing in churches?", "His hymns"),
        ("Why did they leave the ship?", "it sank"),
        ("What was merely a rumour?", "that his ship had sunk"),
    ],
)
def test_a_pronoun_without_its_noun_leans_on_the_passage(question: str, answer: str) -> None:
    assert not stands_alone(question, answer)
