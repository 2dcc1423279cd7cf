"""The words that an answer rests on."""

import pytest

from raft.questions.oracles import (
    QUOTE_CHARACTERS,
    evidence_pools,
    find_evidence,
    find_oracle,
    quote_span,
    right_passages,
    says_answer,
)
from raft.text import Source
from raft.types import Document, Passage, Question


def test_of_several_sentences_with_the_answer_the_one_nearest_the_question_is_taken() -> None:
    text = "The old pump ran at 36 bar. The Merrow 45 stops at 36 bar."
    evidence = find_evidence(text, "When does the Merrow 45 stop?", ["36 bar"])
    assert evidence is not None
    assert text[slice(*evidence.sentence)] == "The Merrow 45 stops at 36 bar."
    assert text[slice(*evidence.answer)] == "36 bar"


def test_an_answer_across_a_wrapped_line_is_found_in_its_whole_sentence() -> None:
    text = (
        "Who moors overnight signs the book of the harbour. The fee for a night at the pier is seven crowns\n"
        "for each metre of length."
    )
    evidence = find_evidence(text, "What is the fee for a night?", ["seven crowns for each metre of length"])
    assert evidence is not None
    quote = text[slice(*quote_span(text, evidence))]
    assert quote == "The fee for a night at the pier is seven crowns\nfor each metre of length."


def test_an_alias_is_sought_only_where_the_answer_before_it_is_not_there() -> None:
    text = "Keep the 8 receipts. Expenses are paid above 8 cr."
    evidence = find_evidence(text, "From what amount on are expenses paid, by receipts?", ["above 8 cr", "8"])
    assert evidence is not None
    assert text[slice(*evidence.answer)] == "above 8 cr"


def test_a_bare_verdict_is_no_evidence() -> None:
    assert find_evidence("There is no boat there.", "Is there a boat?", ["no"]) is None
    assert not says_answer("Maybe there is no boat. Yes.", ["no", "yes", "maybe"])


def test_words_in_common_with_the_question_rank_sentences_and_exclude_none() -> None:
    text = "The ferry leaves Brill at 07:40. Tickets cost 12 crowns. The pier has 12 crowns on its gate."
    evidence = find_evidence(text, "What is the fare?", ["12 crowns"])
    assert evidence is not None and text[slice(*evidence.sentence)] == "Tickets cost 12 crowns."
    evidence = find_evidence(text, "What stands on the gate of the pier?", ["12 crowns"])
    assert evidence is not None and text[slice(*evidence.sentence)] == "The pier has 12 crowns on its gate."


def test_an_answer_keeps_its_unit_however_it_is_spaced() -> None:
    for text, answer, learnt in (
        ("The discount is 10 % of the price.", "10%", "10 %"),
        ("The fee is € 5 a day.", "€5 a day", "€ 5 a day"),
        ("It runs at −5 °C.", "-5°C", "−5 °C"),
    ):
        evidence = find_evidence(text, "How much?", [answer])
        assert evidence is not None and text[slice(*evidence.answer)] == learnt


def test_an_answer_that_is_accepted_without_its_unit_is_found_where_none_is_found_whole() -> None:
    text = "The discount is 10 % of the price. Members get 10 crowns. The quota is 20 %."
    evidence = find_evidence(text, "What is the discount?", ["10"])
    assert evidence is not None and text[slice(*evidence.sentence)] == "Members get 10 crowns."
    evidence = find_evidence(text, "What is the quota in percent?", ["20"])
    assert evidence is not None and text[slice(*evidence.answer)] == "20"
    # But a sign that no unit is never goes missing.
    assert find_evidence("It runs at -5 degrees.", "At how many?", ["5"]) is None


def test_an_answer_over_several_sentences_is_quoted_with_all_of_them() -> None:
    text = "Open the valve. Wait. Then shut it. Go home."
    evidence = find_evidence(text, "What is to be done?", ["Wait. Then shut it."])
    assert evidence is not None and text[slice(*evidence.sentence)] == "Wait. Then shut it."


@pytest.mark.parametrize("room", range(40))
def test_a_long_quote_does_not_lose_the_sign_at_its_edge(room: int) -> None:
    text = f"{'alpha ' * 22}{'x' * room} 36 bar {'omega ' * 16}10 % beta {'omega ' * 60}"
    evidence = find_evidence(text, "?", ["36 bar"])
    assert evidence is not None
    assert not text[slice(*quote_span(text, evidence))].endswith("10")


PASSAGES = {
    "a": Passage("a", "a.md", "", "Pump A runs dry for 30 minutes.", 0, 31),
    "b": Passage("b", "a.md", "", "Pump A is blue.", 32, 47),
    "c": Passage("c", "c.md", "", "Pump C runs dry for 30 minutes.", 0, 31),
}
DOCUMENTS = {
    "a.md": Document("a.md", "", "Pump A runs dry for 30 minutes. Pump A is blue.", ""),
    "c.md": Document("c.md", "", "Pump C runs dry for 30 minutes.", ""),
}


def right(question: Question) -> list[str] | None:
    (known,) = evidence_pools([question], DOCUMENTS, PASSAGES.values())
    found = right_passages(question, PASSAGES.values(), known)
    return None if found is None else [passage.id for passage in found]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question("q", "How long?", ("30 minutes",), ("a.md",)), ["a"]),
        (Question("q", "Wholly other words?", ("30 minutes",)), ["a", "c"]),
        (Question("q", "How long?", ("30 minutes",), context="Pump C runs dry for 30 minutes."), ["c"]),
        # What no passage says in these words is a matter of all the evidence.
        (Question("q", "Is it blue?", ("yes",), ("a.md",)), ["a", "b"]),
        (Question("q", "Which?", ("A",), ("a.md",), choices=("A", "B")), ["a", "b"]),
        (Question("q", "Why?", ("it would overheat",), ("c.md",)), ["c"]),
        (Question("q", "Is it blue?", ("yes",)), None),
        (Question("q", "Who?", (), unanswerable=True), None),
    ],
)
def test_which_passages_are_right(question: Question, expected: list[str] | None) -> None:
    assert right(question) == expected


def test_what_generation_learns_from_is_what_evaluation_calls_right() -> None:
    for question in (
        Question("q", "How long may it run?", ("30 minutes",), ("a.md",)),
        Question("q", "Wholly other words?", ("30 minutes",)),
        Question("q", "Colour?", ("blue",), ("a.md",)),
    ):
        (known,) = evidence_pools([question], DOCUMENTS, PASSAGES.values())
        oracle = find_oracle(known.passages or PASSAGES.values(), question)
        assert oracle is not None and oracle.id in (right(question) or ())


def test_there_is_no_evidence_where_no_sentence_holds_an_answer() -> None:
    assert find_evidence("It stops at 136 bar.", "When does it stop?", ["36 bar"]) is None


LONG = (
    "Whoever takes the wash boat out after the bell of the evening watch, which the keeper of the pier rings at half "
    "past eight in summer (and at seven from October on), enters name, boat and hour in the book at the gate; the fee "
    "of 1,200 crowns, or of 10 % more on a Sunday, is due when the boat is back at its ring, not before."
)


@pytest.mark.parametrize(
    ("answer", "quote"),
    [
        (
            "half past eight",
            "Whoever takes the wash boat out after the bell of the evening watch, which the keeper of the pier rings "
            "at half past eight in summer (and at seven from October on), enters name, boat and hour in the book at "
            "the gate",
        ),
        (
            "1,200 crowns",
            "the fee of 1,200 crowns, or of 10 % more on a Sunday, is due when the boat is back at its ring, not "
            "before.",
        ),
    ],
)
def test_of_a_long_sentence_whole_clauses_are_quoted(answer: str, quote: str) -> None:
    evidence = find_evidence(LONG, "?", [answer])
    assert evidence is not None
    assert LONG[slice(*quote_span(LONG, evidence))] == quote


@pytest.mark.parametrize("text", [LONG, LONG.replace(", ", "、"), LONG.replace(", ", " - ")])
def test_a_quote_holds_its_answer_and_ends_where_a_clause_does(text: str) -> None:
    words = text.split()
    for place in range(len(words) - 1):
        evidence = find_evidence(text, "?", [" ".join(words[place : place + 2])])
        if evidence is None:
            continue
        start, end = quote_span(text, evidence)
        assert start <= evidence.answer[0] and evidence.answer[1] <= end
        assert end - start <= QUOTE_CHARACTERS
        assert end in (len(text), evidence.answer[1]) or text[end] in ",;、" or text[end:].startswith(" - ")


def test_a_long_sentence_without_clauses_is_cut_to_whole_words_around_the_answer() -> None:
    text = "alpha " * 60 + "36 bar " + "omega " * 60
    evidence = find_evidence(text, "What is omega?", ["36 bar"])
    assert evidence is not None
    start, end = quote_span(text, evidence)
    assert "36 bar" in text[start:end]
    assert end - start <= QUOTE_CHARACTERS + 12
    assert text[start:end].split() == [
        *["alpha"] * text[start:end].count("alpha"),
        "36",
        "bar",
        *["omega"] * text[start:end].count("omega"),
    ]


@pytest.mark.parametrize("dash", ["-", "\u2013", "\u2014"])
def test_a_range_is_not_cut_where_a_dash_would_part_clauses(dash: str) -> None:
    text = (
        f"{'The keeper of the pier writes down each hour of the watch ' * 3}that pump runs at 10 {dash} 20 bar in the "
        f"winter {'and is shut by whoever holds the key of the valve house ' * 3}when Olga Brandt rings."
    )
    for answer in ("20 bar", f"10 {dash} 20 bar", "Olga Brandt"):
        evidence = find_evidence(text, "?", [answer])
        assert evidence is not None
        start, end = quote_span(text, evidence)
        assert Source(text).locate(text[start:end]) is not None
        assert text[start:end] == text[start:end].strip()
