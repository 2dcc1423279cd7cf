"""The words that an answer rests on."""

from raft.examples.evidence import QUOTE_CHARACTERS, find_evidence, quote_span


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


def test_a_bare_verdict_and_a_sentence_without_a_word_of_the_question_are_no_evidence() -> None:
    assert find_evidence("There is no boat there.", "Is there a boat?", ["no"]) is None
    assert find_evidence("The 8 lamps burn.", "What do expenses cost?", ["8"]) is None


def test_there_is_no_evidence_where_no_sentence_holds_an_answer() -> None:
    assert find_evidence("It stops at 136 bar.", "When does it stop?", ["36 bar"]) is None


def test_a_long_sentence_is_cut_to_whole_words_around_the_answer() -> None:
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
