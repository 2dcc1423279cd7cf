"""Numbers, times and dates agree by value and by nothing less."""

import pytest

from raft.evaluate.measures.values import has_value, same_value, value_of


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
        ("a hundred", "100"),
        ("a thousand and one nights", "1001 nights"),
        ("2 trillion", "2,000,000,000,000"),
        ("30 feet", "30 ft"),
        ("30 foot", "30 feet"),
        ("5 boxes", "5 box"),
        ("two horses", "2 horse"),
        ("5 glasses", "5 glass"),
        ("6 batteries", "6 battery"),
        ("10 inches", "10 in"),
        ("10 inch", "10 in."),
        ("10 inches", "ten inch"),
        ("3 yards", "3 yd"),
        ("3 miles", "3 mi"),
        ("3 grams", "3 g"),
        ("3 tonnes", "3 t"),
        ("3 hrs", "3 hours"),
        ("February 29", "29 Feb"),
        ("nineteenth century", "19th century"),
        ("the second century", "2nd century"),
        ("the twenty-first day", "21st day"),
        ("the twentieth", "20"),
        ("12,5 kg", "12.5 kg"),
        ("1.200,50 kg", "1,200.50 kg"),
        ("1'200 m", "1200 m"),
        ("1\u202f200 m", "1,200 m"),
        ("0,125 g", "0.125 g"),
        ("10 %", "10 percent"),
        ("¥500", "500 ¥"),
        ("5 °C", "5°C"),
        ("5 m²", "5 m2"),
        ("80 km/h", "80 kilometres per hour"),
        ("€5 a day", "5 euros per day"),
        ("\u22125 °C", "-5 °C"),
        ("٣ kg", "3 kg"),
        (".5 mm", "0.5 mm"),
        ("minus 5 °C", "-5 °C"),
        ("- 5", "-5"),
        ("USD 5", "$5"),
        ("**5**", "5"),
        ("“5 bar”", "5 bar"),
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
        ("5 in", "5"),
        ("5 in", "5 cm"),
        ("3 tons", "3 t"),
        ("50 cents", "50 percent"),
        ("one thousand million", "1000"),
        ("a third", "3"),
        ("one third", "3"),
        ("30 seconds", "32"),
        ("30-second", "32"),
        ("twenty second", "22"),
        ("1.5 bar", "15 bar"),
        ("12,5 kg", "125 kg"),
        ("1-2 mm", "12 mm"),
        ("10 %", "10"),
        ("10 %", "10 ‰"),
        ("€5", "$5"),
        ("5 mW", "5 MW"),
        ("10 Mb", "10 MB"),
        ("≥ 5 bar", "5 bar"),
        ("±5", "5"),
        ("10³", "103"),
        ("36 bar, A", "36 bar"),
        ("192.168.100.200", "192168100200"),
        ("1980s", "1980 s"),
        ("5 nm", "5 Nm"),
    ],
)
def test_what_differs_in_number_unit_or_part_does_not(answer: str, accepted: str) -> None:
    assert not same_value(answer, [accepted])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Magda Brey",
        "May",
        "extension 114",
        "12:75",
        "31 of the 42 boats in the harbour",
        "1,2,3",
        "2 1/2",
        "February 30",
        "30 February",
        "the 31st of April",
        "29 February 2027",
        "2027-02-29",
    ],
)
def test_what_is_more_or_less_than_one_value_is_none(text: str) -> None:
    assert value_of(text) is None
    assert not has_value([text])
