"""Numbers, times and dates agree by value and by nothing less."""

import pytest

from raft.evaluate.values import has_value, same_value, value_of


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("nine months", "9 months"),
        ("9 month", "nine months"),
        ("1,200", "1200"),
        ("twelve hundred", "1,200"),
        ("one thousand two hundred and five", "1205"),
        ("twenty-one days", "21 days"),
        ("3.50 million", "3,500,000"),
        ("75%", "75 per cent"),
        ("75 percent", "75%"),
        ("the 27th", "27"),
        ("$5", "5 dollars"),
        ("4 km", "four kilometres"),
        ("29 February 2028", "2028-02-29"),
        ("February 29, 2028", "on the 29th of February 2028"),
        ("Sept. 2032", "in September 2032"),
        ("9 am", "09:00"),
        ("9:30 p.m.", "21:30"),
        ("12 am", "00:00"),
    ],
)
def test_two_spellings_of_one_value_agree(answer: str, accepted: str) -> None:
    assert same_value(answer, ["something else", accepted])
    assert same_value(accepted, [answer])


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("45", "4.5"),
        ("-5", "5"),
        ("9 months", "9 years"),
        ("9", "9 months"),
        ("1989", "1 April 1989"),
        ("September 2032", "September 2031"),
        ("3 May", "3 May 1987"),
        ("09:00 to 15:00", "09:00"),
        ("9 or 10", "9"),
        ("5 km", "5000 m"),
        ("9 pm", "09:00"),
    ],
)
def test_what_differs_in_number_unit_or_part_does_not(answer: str, accepted: str) -> None:
    assert not same_value(answer, [accepted])


@pytest.mark.parametrize(
    "text", ["", "Magda Brey", "May", "extension 114", "12:75", "31 of the 42 boats in the harbour", "1,2,3", "2 1/2"]
)
def test_what_is_more_or_less_than_one_value_is_none(text: str) -> None:
    assert value_of(text) is None
    assert not has_value([text])
