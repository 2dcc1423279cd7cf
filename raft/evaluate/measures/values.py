"""Numbers, times and dates by their value: "nine months" is "9 months", and "3 May 1987" is "1987-05-03"."""

from __future__ import annotations

import re
import unicodedata
from calendar import monthrange
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from raft.text import fold, typed

# fmt: off
_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)
# fmt: on
_WORDS = {word: n for n, word in enumerate(_SMALL)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS = (
    {f"{word}th": word for word in _SMALL}
    | {f"{word[:-1]}ieth": word for word in _TENS}
    | {"first": "one", "second": "two", "third": "three", "fifth": "five"}
    | {"eighth": "eight", "ninth": "nine", "twelfth": "twelve"}
)
_MONTH = {name: n for n, full in enumerate(_MONTHS, 1) for name in (full, full[:3])} | {"sept": 9}
# Spellings of one unit; no unit is turned into another.
_UNITS = {
    spelling: unit
    for unit, spellings in {
        "percent": "% pct",
        "degree": "\u00b0",
        "per": "/ a an",
        "dollar": "$ usd",
        "euro": "€ eur",
        "pound": "£ gbp",
        "kilometre": "km kms kilometer",
        "metre": "m meter",
        "centimetre": "cm centimeter",
        "millimetre": "mm millimeter",
        "inch": "in",
        "foot": "ft feet",
        "yard": "yd yds",
        "mile": "mi",
        "gram": "g gramme",
        "kilogram": "kg kilogramme",
        # A ton is another weight.
        "tonne": "t",
        "litre": "l liter",
        "hour": "h hr hrs",
        "minute": "min",
        "second": "s sec",
    }.items()
    for spelling in spellings.split()
}
# Thousands in groups, as English, German, Swiss and French write them; else a plain number with either decimal mark.
_GROUPED = (
    r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|[1-9]\d{0,2}(?:\.\d{3})+,\d+|[1-9]\d{0,2}(?:\.\d{3}){2,}"
    r"|[1-9]\d{0,2}(?:[' ]\d{3})+(?:[.,]\d+)?"
)
_TOKEN = re.compile(rf"[-+]?(?:{_GROUPED}|\d*[.,]?\d+)(?![.,\d]*\d)|[^\W\d_]+\d?|\d+|\S")
# Words of a unit may end in a power ("m2"), and fold to what tells milli from mega.
_UNIT_WORD = re.compile(r"[^\W\d_]+\d?(?:\u00b7\w+)?|/")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_TIME = re.compile(r"(?:at )?(\d{1,2})(?::(\d{2}))? ?(?:([ap])\.?m\.?)?", re.IGNORECASE)
_FILLERS = frozenset({"the", "of", "in", "on", "at", "a", "an", "and", ",", "."})
_BESIDE_UNITS = frozenset({"the", "of", "in", "on", "at", "and"})
# What a plural may have before its s, and some singulars too: box, boxes; horse, horses.
_BEFORE_S = re.compile(r"(?:(?<=[sxz])|(?<=[cs]h))e$")
# No value is longer.
_LONGEST = 80
# An address of the internet, or a version, is no number in groups; "1980s" has no seconds.
_ADDRESS, _DECADE = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}"), re.compile(r"\d{4}s")
# "$ -5" is "-5 $", and a sign may stand apart from its number.
_LEADING = re.compile(r"^(\W?) ?- ?([\d.])")
_CODES = frozenset({"usd", "eur", "gbp"})
# A unit has few words; a sentence that begins with a number is no value.
_LONGEST_UNIT = 3


class Value(NamedTuple):
    """What a short text says: a quantity with its unit, or a date (year, month and day, 0 where not said) or time."""

    amounts: tuple[Decimal, ...]
    unit: tuple[str, ...]


def value_of(text: str) -> Value | None:
    """The one number, date or time that is all of `text`; None where it says more, less or something else."""
    if len(text) > _LONGEST:
        return None
    text = " ".join(typed(text).split()).strip('"*_`!?,()').rstrip(".").removesuffix(",-").removesuffix(".-")
    text = _LEADING.sub(r"\1-\2", text.replace("minus ", "-"))
    if _ADDRESS.fullmatch(text) or _DECADE.fullmatch(text):
        return None
    return _date(text) or _time(text) or _quantity(text)


def has_value(accepted: Sequence[str]) -> bool:
    """Whether an accepted answer is a number, a date or a time."""
    return any(value_of(answer) is not None for answer in accepted)


def same_value(answer: str, accepted: Sequence[str]) -> bool:
    """Whether the answer has the value and the unit of an accepted one."""
    ours = value_of(answer)
    return ours is not None and any(value_of(other) == ours for other in accepted)


def _date(text: str) -> Value | None:
    if match := _ISO.fullmatch(text):
        return _checked_date(*(int(part) for part in match.groups()))
    tokens = [token for token in _tokens(text) if token not in _FILLERS]
    months = [token for token in tokens if token in _MONTH]
    numbers = [token for token in tokens if token.isdigit()]
    if len(months) != 1 or len(months) + len(numbers) != len(tokens) or not 1 <= len(numbers) <= 2:
        return None
    years = [number for number in numbers if len(number) == 4]
    days = [number for number in numbers if len(number) <= 2]
    if len(years) > 1 or len(days) > 1 or len(years) + len(days) != len(numbers):
        return None
    return _checked_date(int(years[0]) if years else 0, _MONTH[months[0]], int(days[0]) if days else 0)


def _checked_date(year: int, month: int, day: int) -> Value | None:
    # Without a year, February may have 29 days.
    if not 1 <= month <= 12 or not 0 <= day <= monthrange(year or 2000, month)[1]:
        return None
    return Value((Decimal(year), Decimal(month), Decimal(day)), ("date",))


def _time(text: str) -> Value | None:
    match = _TIME.fullmatch(text)
    if match is None or not (match[2] or match[3]):
        return None
    hour, minute, half = int(match[1]), int(match[2] or 0), (match[3] or "").lower()
    if minute > 59 or hour > (12 if half else 24):
        return None
    return Value((Decimal(hour % 12 + (12 if half == "p" else 0) if half else hour), Decimal(minute)), ("time",))


def _quantity(text: str) -> Value | None:
    tokens = _tokens(text)
    front = [tokens.pop(0)] if tokens and (unicodedata.category(tokens[0][0]) == "Sc" or tokens[0] in _CODES) else []
    while tokens and tokens[0] in ("the", "a", "in", "on", "at") and len(tokens) > 1:
        tokens.pop(0)
    amount, used = _amount(tokens)
    unit = [token for token in front + tokens[used:] if token not in _BESIDE_UNITS]
    # At the end "in" is an inch, and before other words it is none: "5 in the box".
    unit += [token for token in tokens[used:][-1:] if token == "in"]
    if unit[-2:] == ["per", "cent"]:
        unit[-2:] = ["percent"]
    if amount is None or len(unit) > _LONGEST_UNIT or not all(_is_unit(token) for token in unit):
        return None
    return Value((amount,), tuple(_unit(token) for token in unit))


def _is_unit(token: str) -> bool:
    """Whether a word may be that of a unit; a month is none, so that a day which it lacks is no value."""
    is_word = _UNIT_WORD.fullmatch(token) or token in _UNITS or unicodedata.category(token[0]) == "Sc"
    return bool(is_word) and not any(token in known for known in (_WORDS, _SCALES, _MONTH))


def _unit(token: str) -> str:
    """One spelling for singular and plural, which need not be a word: "horse" and "horses" are "hors"."""
    token = _UNITS.get(token, token)
    singular = token[:-1] if len(token) > 3 and token.endswith("s") and not token.endswith("ss") else token
    singular = re.sub(r"ie$", "y", _BEFORE_S.sub("", singular))
    return _UNITS.get(singular, singular)


def _amount(tokens: Sequence[str]) -> tuple[Decimal | None, int]:
    """The number at the beginning, in digits or words, and how many tokens it takes."""
    total, current, used = Decimal(0), None, 0
    for token in tokens:
        number = _digits(token) if used == 0 else None
        if number is not None:
            current = number
        elif token in _WORDS and _may_add(_WORDS[token], current, total):
            current = (current or Decimal(0)) + _WORDS[token]
        # Nothing before it is one of it ("a hundred"); 0 is what was read up to a larger one ("a thousand million").
        elif token in _SCALES and current != 0:
            current = (current or Decimal(1)) * _SCALES[token]
            if _SCALES[token] > 100:
                total, current = total + current, Decimal(0)
        elif not (token in ("-", "and") and current is not None and _goes_on(tokens[used + 1 :])):
            break
        used += 1
    return (None if current is None else total + current), used


def _may_add(word: int, current: Decimal | None, total: Decimal) -> bool:
    """Whether a number word goes on from what was read: after nothing, after tens, or after hundreds and thousands."""
    if current is None:
        return True
    return (current % 100 >= 20 and current % 10 == 0 and word < 10) or (current % 100 == 0 and current + total > 0)


def _goes_on(rest: Sequence[str]) -> bool:
    return bool(rest) and rest[0] in _WORDS


def _digits(token: str) -> Decimal | None:
    plain = token.replace("'", "").replace(" ", "")
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?", plain):
        plain = plain.replace(",", "")
    elif "," in plain or plain.count(".") > 1:
        plain = plain.replace(".", "").replace(",", ".")
    return Decimal(plain) if plain.lstrip("+-").replace(".", "", 1).isdigit() else None


def _tokens(text: str) -> list[str]:
    """Lower-case words, numbers and signs; an ordinal is its number ("27th" is 27, "ninth" is nine)."""
    tokens = [fold(token) for token in _TOKEN.findall(text)]
    return [
        _cardinal(token, before)
        for before, token in zip(["", *tokens], tokens, strict=False)
        if not (token in ("st", "nd", "rd", "th") and before.isdigit())
    ]


def _cardinal(token: str, before: str) -> str:
    """An ordinal in words as its number, unless it is a part ("a third", "one fifth") or the unit of time."""
    if before in ("a", "an", "one") or (token == "second" and before not in ("", "the")):
        return token
    return _ORDINALS.get(token, token)
