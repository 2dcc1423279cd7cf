"""Sentences, normalised answers and finding words again."""

from hypothesis import given
from hypothesis import strategies as st

from raft.text import (
    Source,
    contains_answer,
    exact_match,
    locate,
    locate_nearly,
    normalise_answer,
    sentences,
    token_f1,
)


@given(st.text())
def test_every_sentence_is_a_trimmed_slice_and_only_white_space_lies_between(text: str) -> None:
    end = 0
    for start, stop in sentences(text):
        assert not text[end:start].strip()
        assert text[start:stop] == text[start:stop].strip() != ""
        end = stop
    assert not text[end:].strip()


def test_a_sentence_does_not_end_at_an_abbreviation_or_an_initial() -> None:
    text = "Dr. Ashgrove wrote to J. Mabb. No. 5 leaks! See rev. 3.\nA new line"
    assert [text[a:b] for a, b in sentences(text)] == [
        "Dr. Ashgrove wrote to J. Mabb.",
        "No. 5 leaks!",
        "See rev. 3.",
        "A new line",
    ]


def test_a_sentence_goes_on_over_a_wrapped_line_and_keeps_its_break() -> None:
    text = (
        "Vessels that are longer than the ferry of Dunmarra announce themselves on\nchannel nine. The others whistle."
    )
    assert [text[a:b] for a, b in sentences(text)] == [text[: text.index(" The")], "The others whistle."]


def test_words_are_found_again_without_case_accents_spacing_and_punctuation() -> None:
    text = "The Café opened on 1,200 m² (north side) at 7:30."
    for words, expected in (
        ("café", "Café"),
        ("cafe", "Café"),
        ("1 , 200 m2", "1,200 m²"),
        ("( north side )", "north side"),
        ("7 : 30", "7:30"),
    ):
        span = locate(words, text)
        assert span is not None and text[slice(*span)] == expected


def test_a_number_is_not_found_inside_a_longer_one() -> None:
    assert locate("5", "The Merrow 45 gives 5 bar.") == (20, 21)
    assert locate("5", "The Merrow 45") is None
    assert locate("5", "It took 4.5 h, from 7:5 to 5,000.") is None
    assert locate("5", "Take 5, then rest. 5.") == (5, 6)
    assert locate("", "anything") is None


def test_a_number_is_only_found_where_it_is_that_number() -> None:
    for words, text in (
        ("45 bar", "limit is 4.5 bar"),
        ("4.5 bar", "limit is 45 bar"),
        ("1030", "open at 10:30"),
        ("112", "rev 1/12"),
        ("5 degrees", "at -5 degrees"),
        ("5", "at -5"),
        ("invent", "in vent 3"),
    ):
        assert locate(words, text) is None
    for words, text, found in (
        ("12,14 and 16", "piers 12, 14 and 16", "12, 14 and 16"),
        ("3-5", "take 3 to 5 or 3 - 5", "3 - 5"),
        ("-5 degrees", "at \u22125 degrees", "\u22125 degrees"),
        ("5", "take 3-5", "5"),
        ("heat pump", "a heat-pump dryer", "heat-pump"),
        ("36 bar", "at 36 bar.", "36 bar"),
    ):
        span = locate(words, text)
        assert span is not None and text[slice(*span)] == found


@given(st.text(), st.text(min_size=1))
def test_what_is_located_reads_as_what_was_sought(text: str, words: str) -> None:
    span = Source(text).locate(words)
    if span is not None:
        found = text[slice(*span)]
        assert found == words or Source(found)._folded == Source(words)._folded


def test_answers_are_compared_as_squad_does() -> None:
    assert normalise_answer("The  36 Bar.") == "36 bar"
    assert exact_match("an Eel!", ("eel", "x")) == 1.0
    assert exact_match("eels", ("eel",)) == 0.0
    assert token_f1("36 bar at most", ("36 bar", "nothing")) == 2 * 2 / (4 + 2)
    assert token_f1("the", ("a",)) == 1.0
    assert token_f1("x", ()) == 0.0
    assert contains_answer("it was 36\nbar", ("36 bar",))
    assert not contains_answer("it was 136 bar", ("36 bar",))


def test_a_minus_that_was_parted_from_its_number_is_found_as_the_source_has_it() -> None:
    assert locate("runs at - 5 degrees", "It runs at -5 degrees.") == (3, 21)
    assert locate("runs at - 5 degrees", "It runs at 5 degrees.") == (3, 20)
    assert locate("runs at 5 degrees", "It runs at -5 degrees.") is None


def test_languages_without_spaces_have_words_of_one_sign() -> None:
    assert locate("東京", "私は東京にいる。") == (2, 4)
    assert locate("東 京", "私は東京にいる。") == (2, 4)
    assert locate("京東", "私は東京にいる。") is None


def test_words_are_found_again_in_spite_of_slips_and_numbers_never_in_spite_of_another_number() -> None:
    text = "Hanne keeps the accounts. She pays wages on the 25th of each month, in Dunmarra. Noor keeps the lamp."
    for said in (
        "She pays the wages on the 25th of each month",
        "She payed wages on the 25th of each month",
        "she pays wages, on the 25th of evry month",
    ):
        span = locate_nearly(said, text, 0.85)
        assert span is not None and "pays wages on the 25th of each month" in text[slice(*span)]
        assert len(text[slice(*span)]) < len(said) + 12
    assert locate_nearly("She pays wages on the 26th of each month", text, 0.5) is None
    assert locate_nearly("She payed wages", text, 0.5) is None
    assert locate_nearly("Nobody has ever painted the harbour wall", text, 0.85) is None


@given(st.text(), st.text())
def test_words_that_are_nearly_found_are_a_slice_of_whole_words(words: str, text: str) -> None:
    span = locate_nearly(words, text, 0.1)
    assert span is None or 0 <= span[0] < span[1] <= len(text)
