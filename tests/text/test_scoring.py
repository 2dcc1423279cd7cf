"""What compares equal, what does not, and how much credit an answer gets: in every script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.text import exact_match, normalise_answer, squad_exact_match, squad_f1, token_f1


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("The  36 Bar.", "36 bar"),
        ("an Eel!", "eel"),
        ("10%", "10 %"),
        ("€5 a day", "€ 5 a day"),
        ("5°C", "5 °C"),
        ("±0.5 mm", "± 0.5 mm"),
        (">= 5 bar", "≥5 bar"),
        ("45kg", "45 kg"),
        ("3 - 5 days", "3–5 days"),
        ("\u22125", "-5"),
        ("1,2,3", "1, 2, 3"),
        ("m²", "m2"),
        ("10³ Pa", "10^3 Pa"),
        ("2½ cups", "2 1/2 cups"),
        ("2 ½ cups", "2½ cups"),
        ("€5", "5 €"),
        ("-$1,000", "−1,000 $"),
        ("%50", "50 %"),
        ("50٪", "50%"),
        ("5×10³", "5 x 10^3"),
        ("R&D", "R & D"),
        ("salt & pepper", "salt and pepper"),
        # What keyboards, word processors and Unicode forms vary.
        ("Hanne’s «yard»", 'Hanne\'s "yard"'),
        ("Zu\u0308rich", "Zürich"),
        ("cafe", "Café"),
        ("１２ bar", "12 bar"),
        ("٣ أيام", "3 أيام"),
        ("1\u202f200 kg", "1 200 kg"),
        ("soft\u00adware", "software"),
        ("ﬁlter", "filter"),
        ("H₂O", "H2O"),
        ("کتاب", "كتاب"),
        ("كِتَاب", "كتاب"),
        ("שָׁלוֹם", "שלום"),
        ("ёлка", "елка"),
        ("ｶﾀｶﾅ", "カタカナ"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"),
        ("三分钟。", "三分钟"),
        ("12公里", "12 公里"),
        ("“-5 °C”", "−5 °C"),
        ("**-5 °C**", "-5 °C"),
        ("5 ℃", "5 °C"),
        ("－5", "-5"),
        ("5\u00a0°\u00a0C", "5 °C"),
        ("cœur", "coeur"),
        ("Росси\u0301я", "Россия"),
        ("2×3", "2 × 3"),
        ("a.m.", "am"),
        (".5 mm", "0.5 mm"),
        ("U.S.", "US"),
        ("J. K. Rowling", "J.K. Rowling"),
        ("Paris¹", "Paris"),
        ("Na⁺", "Na+"),
        ("12 MM", "12 mm"),
        ("5 mL", "5 ml"),
        ("5′10″", "5'10\""),
    ],
)
def test_typography_and_spacing_are_not_meaning(answer: str, accepted: str) -> None:
    assert exact_match(answer, (accepted,)) == token_f1(answer, (accepted,)) == 1.0
    assert normalise_answer(answer) == normalise_answer(accepted)


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("1.5 bar", "15 bar"),
        ("12,5 kg", "125 kg"),
        ("1-2 mm", "12 mm"),
        ("10:30", "1030"),
        ("1/2", "12"),
        ("2 1/2", "2"),
        ("%50", "50"),
        ("5×10³", "5×10²"),
        ("10³", "103"),
        ("-5", "5"),
        ("10", "10 %"),
        ("10 %", "10 ‰"),
        ("5", "€5"),
        ("€5", "$5"),
        ("±5", "5"),
        ("≥ 5", "≤ 5"),
        ("5", "> 5"),
        ("~5", "5"),
        ("C++", "C"),
        ("C#", "C"),
        ("A+", "A"),
        ("AB−", "AB+"),
        ('12"', "12'"),
        ("5°", "5"),
        ("5 mW", "5 MW"),
        ("10 Mb", "10 MB"),
        ("✓", "✗"),
        ("Vitamin A", "vitamin"),
        ("plan A or B", "plan or B"),
        ("10–12", "10, 12"),
        ("-5…-6", "-5…6"),
        (".5 mm", "5 mm"),
        ("$.50", "$ 50"),
        ("v1.2", "v1 2"),
        ("10%-20%", "10% 20%"),
        ("€5-€10", "€5 €10"),
        ("5 m – 10 m", "5 m, 10 m"),
        ("-10 °C – -5 °C", "-10 °C – 5 °C"),
        ("－5", "5"),
        ("5٪", "5"),
        ("5 ㎽", "5 MW"),
        ("5 nm", "5 Nm"),
        ("5 meV", "5 MeV"),
        ("x < y", "x > y"),
        ("a -> b", "a <- b"),
        ("5 km/h", "5 km h"),
        ("BBB-", "BBB"),
        ("Cl-", "Cl"),
        # Marks that make another letter.
        ("мой", "мои"),
        ("か", "が"),
        ("की", "का"),
        ("ไก่", "ไข่"),
        ("서울", "소울"),
    ],
)
def test_signs_numbers_and_letters_are_meaning(answer: str, accepted: str) -> None:
    assert exact_match(answer, (accepted,)) == 0.0
    assert token_f1(answer, (accepted,)) < 1.0
    assert exact_match(accepted, (answer,)) == 0.0


def test_a_unit_that_is_lost_leaves_no_credit_and_an_answer_in_other_words_some() -> None:
    assert token_f1("10", ("10 %",)) == 0.0
    assert token_f1("36 bar at most", ("36 bar", "nothing")) == 2 * 2 / (4 + 2)
    assert token_f1("x", ()) == 0.0


@pytest.mark.parametrize(
    ("answer", "accepted", "credit"),
    [
        ("答案是三分钟。", "三分钟", 2 * 3 / (6 + 3)),
        ("北京市朝阳区", "朝阳区", 2 * 3 / (6 + 3)),
        ("東京にいる", "東京", 2 * 2 / (5 + 2)),
        ("서울에", "서울", 2 * 2 / (3 + 2)),
        ("สามนาที", "สาม", 2 * 3 / (6 + 3)),
    ],
)
def test_inside_sentences_without_spaces_characters_count(answer: str, accepted: str, credit: float) -> None:
    assert token_f1(answer, (accepted,)) == pytest.approx(credit)


def test_squads_rules_drop_every_sign() -> None:
    assert squad_exact_match("1.5 bar", ("15 bar",)) == squad_f1("10", ("10 %",)) == 1.0
    assert squad_f1("the", ("a",)) == 1.0


@given(st.text())
def test_every_text_equals_itself(text: str) -> None:
    assert exact_match(text, (text,)) == 1.0
    assert token_f1(text, (text,)) == 1.0


@given(st.text(), st.text())
def test_f1_is_symmetric_and_one_where_the_match_is_exact(one: str, other: str) -> None:
    assert token_f1(one, (other,)) == token_f1(other, (one,))
    assert token_f1(one, (other,)) == 1.0 or not exact_match(one, (other,))
