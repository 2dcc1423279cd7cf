"""Words are found again by what they say: whole, and with the signs that belong to them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.text import Source, contains_answer, locate, locate_nearly, may_contain_answer


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
        ("12 , 14 and 16", "piers 12, 14 and 16", "12, 14 and 16"),
        ("3-5", "take 3 to 5 or 3 - 5", "3 - 5"),
        ("-5 degrees", "at \u22125 degrees", "\u22125 degrees"),
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


def test_a_minus_that_was_parted_from_its_number_is_found_as_the_source_has_it() -> None:
    assert locate("runs at - 5 degrees", "It runs at -5 degrees.") == (3, 21)
    assert locate("runs at - 5 degrees", "It runs at 5 degrees.") == (3, 20)
    assert locate("runs at 5 degrees", "It runs at -5 degrees.") is None


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        ("10%", "is 10 % of it", "10 %"),
        ("€5 a day", "costs € 5 a day", "€ 5 a day"),
        ("5 $", "US 5 $ each", "5 $"),
        ("≥5 bar", "at ≥ 5 bar", "≥ 5 bar"),
        ("5 °C", "at 5°C today", "5°C"),
        ("C++", "in C++ or C", "C++"),
        ("AB-", "type AB− blood", "AB−"),
        ('12"', 'a 12" pipe', '12"'),
        ("66", 'he said "route 66" twice', "66"),
        ("5 €", "3 € and 5 €", "5 €"),
        ("3", "pays 3 $5 notes", "3"),
        ("50-60%", "50–60 % of it", "50–60 %"),
        ("10^3 Pa", "10³ Pa", "10³ Pa"),
        ("1 , 200", "1,200 kg", "1,200"),
        ("don't", "they don’t", "don’t"),
        ("東京", "私は東京にいる。", "東京"),
        ("東 京", "私は東京にいる。", "東京"),
        ("서울", "본사는 서울에 있으며", "서울"),
        ("42명", "직원은 42명이다.", "42명"),
        ("3분", "펌프는 3분까지 공회전", "3분"),
        ("3", "펌프는 3분까지 공회전", "3"),
        ("서울", "서울에서의 일", "서울"),
        ("5 °C", "below “5 °C” only", "5 °C"),
        ("-5 °C", "below **-5 °C** only", "-5 °C"),
        ("−5 °C", "T:-5 °C", "-5 °C"),
        ("-5 °C", "below − 5 °C", "− 5 °C"),
        (".5 mm", "a .5 mm gap", ".5 mm"),
        ("M12x1.5", "an M12x1.5 thread", "M12x1.5"),
        ("1.2.3", "in v1.2.3 or 1.2.3", "1.2.3"),
        ("1 500 bar", "at 1\u202f500 bar", "1\u202f500 bar"),
        ("10%", "gives **10**% off", "10**%"),
        ("Paris", "in Paris¹ and Rome", "Paris"),
        ("36 bar", "at 36 bar² or so", "36 bar"),
        ("5 °C", "at 5 ℃", "5 ℃"),
        ("-5", "at －5 now", "－5"),
        ("Cl-", "the Cl⁻ ion", "Cl⁻"),
        ("5 km/h", "at 5 km/h", "5 km/h"),
        ("U.S.", "the US law", "US"),
        ("Norrick", "Norrick은 크다", "Norrick"),
        ("สามนาที", "ปั๊มทำงานสามนาทีเท่านั้น", "สามนาที"),
        ("की", "की कुर्सी", "की"),
        ("Zürich", "in Zu\u0308rich liegt", "Zu\u0308rich"),
        ("%50", "payı %50 oldu", "%50"),
        ("5 x 10^3", "5×10³ cells", "5×10³"),
        ("2 1/2 cups", "2½ cups", "2½ cups"),
        ("50%", "50٪ من", "50٪"),
    ],
)
def test_an_answer_is_found_whole_with_its_signs(words: str, text: str, found: str) -> None:
    span = locate(words, text)
    assert span is not None and text[slice(*span)] == found


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("10", "is 10 % of it"),
        ("5", "€5 a day"),
        ("5", "€ 5 a day"),
        ("5", "≥ 5 bar"),
        ("0.5 mm", "± 0.5 mm"),
        ("C", "in C++ today"),
        ("C", "in C# today"),
        ("A", "an A+ grade"),
        ("10", "10³ Pa"),
        ("103", "10³ Pa"),
        ("12", 'a 12" pipe'),
        ("5", "at 5 °C"),
        ("5 mW", "at 5 MW"),
        ("京東", "私は東京にいる。"),
        ("울", "서울에"),
        ("क", "की कुर्सी"),
        ("5", "the 5th day"),
        ("5 °C", "below “−5 °C” only"),
        ("5 °C", "below **-5 °C** only"),
        ("5 °C", "T:-5 °C"),
        ("5 °C", "-40…-5 °C"),
        ("5 °C", "|-5 °C|"),
        ("5 °C", "below − 5 °C"),
        ("5", "at －5 now"),
        ("10", "is 10٪ of it"),
        ("5 mm", "a .5 mm gap"),
        ("M12x1", "an M12x1.5 thread"),
        ("5 A", "an F1.5 A fuse"),
        ("500 bar", "at 1 500 bar"),
        ("50", "payı %50 oldu"),
        ("50", "٪50 من"),
        ("5", "5×10³ cells"),
        ("5", "5 · 10⁻³ mol"),
        ("2", "2 ½ cups"),
        ("1/2 cups", "2 1/2 cups"),
        ("500 bar", "at 1\u202f500 bar"),
        ("5", "take 3-5"),
        ("20 °C", "10–20 °C"),
        ("1987", "on 1987-05-03"),
        ("-5 °C", "at 10-5 °C"),
        ("5 km", "at 5 km/h"),
        ("5 kg", "at 5 kg/m³"),
        ("Cl", "the Cl⁻ ion"),
        ("BBB", "a BBB- rating"),
        ("x > y", "where x < y"),
    ],
)
def test_what_would_lose_a_sign_or_cut_a_word_is_not_found(words: str, text: str) -> None:
    assert locate(words, text) is None
    assert not contains_answer(text, [words])


def test_a_number_without_its_unit_is_found_beside_it_where_that_is_asked_for() -> None:
    for words, text in (
        ("10", "is 10 % of it"),
        ("50", "payı %50 oldu"),
        ("5", "€ 5 a day"),
        ("5", "at 5 °C"),
        ("12", 'a 12" pipe'),
    ):
        span = Source(text).locate(words, bare=True)
        assert span is not None and text[slice(*span)] == words
    for words, text in (("5", "take 3-5"), ("1987", "on 1987-05-03"), ("10:30", "from 10:30–17:00")):
        assert Source(text).locate(words, bare=True) is not None
    for words, text in (
        ("5", "at -5"),
        ("C", "in C++"),
        ("10", "10³ Pa"),
        ("5", "4.5"),
        ("5", "≥ 5"),
        ("5", "±5"),
        ("5", "5×10³"),
    ):
        assert Source(text).locate(words, bare=True) is None


def test_a_span_takes_in_the_signs_at_its_edges() -> None:
    for text, start, whole in (("is 10 % of it", 3, "10 %"), ("costs € 5 a day", 8, "€ 5"), ("at -5 now", 4, "-5")):
        number = text[start:].split()[0]
        span = Source(text).with_signs((start, start + len(number)))
        assert text[slice(*span)] == whole


def test_a_distractor_is_told_by_letters_and_digits_alone() -> None:
    for text, answer in (
        ("is 10 % of it", "10"),
        ("costs €5", "5"),
        ("1,200 kg", "1200"),
        ("in C++", "C"),
        ("서울에서", "서울"),
        ("서울시청", "서울"),
        ("في القاهرة", "قاهرة"),
        ("答案是三分钟。", "三分钟"),
        ("CO₂ level", "CO2"),
        ("10 m³ tank", "10 m3"),
        ("steps 1,2,3", "2"),
        ("5 ℃", "5 °C"),
    ):
        assert may_contain_answer(text, [answer])
    assert not may_contain_answer("the 100 lamps", ["10"])
    assert not may_contain_answer("heat", ["eat"])
    assert not may_contain_answer("anything", ["", "..."])


@given(st.text(), st.text())
def test_what_contains_an_answer_may_contain_it(text: str, answer: str) -> None:
    if any(map(str.isalnum, answer)) and contains_answer(text, [answer]):
        assert may_contain_answer(text, [answer])


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
    for said, other in (
        ("it stops at 36 bar in all cases", "it stops at -36 bar in all cases"),
        ("it stops at 36 % in all cases", "it stops at 36 in all cases"),
        ("it stops at 5 mW in all cases", "it stops at 5 MW in all cases"),
        ("it is allowed to run dry here", "it is not allowed to run dry here"),
    ):
        assert locate_nearly(said, other, 0.8) is None
    assert locate_nearly("Nobody has ever painted the harbour wall", text, 0.85) is None


@given(st.text(), st.text())
def test_words_that_are_nearly_found_are_a_slice_of_whole_words(words: str, text: str) -> None:
    span = locate_nearly(words, text, 0.1)
    assert span is None or 0 <= span[0] < span[1] <= len(text)
