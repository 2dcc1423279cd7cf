"""What does not change what a text says: case, accents and the forms of characters that keyboards and Unicode vary."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import regex

# Marks that stand for the same one on another keyboard, in another script or in typeset text.
_SAME = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u00b4\u0060\uff07", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00ba\u02da", "\u00b0"),  # many keyboards have no degree sign
        "\u2103": "\u00b0C",
        "\u2109": "\u00b0F",
        "\u2032": "'",
        "\u2033": '"',
        "\u0153": "oe",
        "\u0152": "OE",
        "\u00e6": "ae",
        "\u00c6": "AE",
        "\ufe0f": None,  # asks for the coloured form of an emoji
        "\u066b": ".",  # Arabic decimal and thousands separators
        "\u066c": ",",
        "\u066a": "%",
        "\u06cc": "\u064a",  # Persian and Arabic keyboards: yeh, then kaf
        "\u06a9": "\u0643",
        "\u0451": "\u0435",  # Russian is mostly typed without the dots of yo
        "\u2044": "/",  # as in one half
    }
)
# Vowel points of Arabic and Hebrew, and the bar that only stretches an Arabic word: most texts have none.
_UNWRITTEN = regex.compile(r"[\u064b-\u0652\u0670\u0640\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]|\p{Cf}")
# In other scripts a mark makes another letter: Russian и and й, Japanese か and が, Hindi क and की.
_ACCENTED = regex.compile(r"(?<=[\p{Latin}\p{Greek}])\p{Mn}+")
_SUPERSCRIPT = regex.compile(r"[\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+")
_FRACTION = regex.compile(r"(\p{Nd})(?=[\u00bc-\u00be\u2150-\u215e])")
# A stress mark, which dictionaries and Wikipedia put on Russian vowels.
_STRESS = regex.compile(r"(?<=[\u0430\u0435\u0438\u043e\u0443\u044b\u044d\u044e\u044f])\u0301")
# Case tells milli from mega, bit from byte, and newton metres from nanometres.
_MILLI = regex.compile(r"m(?:W|Pa|V|VA|eV|A|Hz|\u03a9|J|N|S|Sv|Bq|Gy|F|H|C|T|K|M)h?")
_MEGA = regex.compile(r"M(?:m|g|bar|mol|ohm|cd)")
_LONGEST_UNIT = 5
_BITS = regex.compile(r"[kKMGTP]i?b(?:ps|/s)?")


def typed(text: str) -> str:
    """The text as a plain keyboard types it: one form of quotes, dashes, digits and spaces, 10³ as 10^3.

    Case and accents stay.
    """
    if text.isascii():
        return text
    text = _SUPERSCRIPT.sub(_raised, _FRACTION.sub(r"\1 ", text)).translate(_SAME)
    text = unicodedata.normalize("NFKC", _UNWRITTEN.sub("", text)).translate(_SAME)
    return "".join(str(unicodedata.decimal(sign)) if sign.isdecimal() else sign for sign in text)


def _raised(found: regex.Match[str]) -> str:
    """A power of a number keeps its mark: 10³ is not 103. That of a unit is typed without one: m² and m2."""
    power = unicodedata.normalize("NFKC", found[0]).replace("\u2212", "-")
    after_letter = found.start() > 0 and found.string[found.start() - 1].isalpha()
    return power if after_letter and power.isdecimal() else f"^{power}"


@lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """A word, number or sign as it is compared: without case, without accents where they only vary the spelling.

    A unit in which case decides keeps that: mW is no MW, and Mb no MB.
    """
    if word[:1] == "." and word[1:2].isdecimal():
        word = f"0{word}"
    if word.isascii():
        return word.lower() + _case_of_unit(word)
    plain = typed(word)
    folded = unicodedata.normalize("NFD", plain.casefold())
    folded = _STRESS.sub("", _ACCENTED.sub("", folded))
    return unicodedata.normalize("NFC", folded).translate(_SAME) + _case_of_unit(plain)


def _case_of_unit(word: str) -> str:
    """What the case of a unit says, as a mark behind it."""
    if len(word) > _LONGEST_UNIT or not word[:1].isalpha():
        return ""
    if word == "Nm":
        return "\u00b7newton"
    if _MILLI.fullmatch(word):
        return "\u00b7milli"
    return "\u00b7mega" if _MEGA.fullmatch(word) else "\u00b7bits" if _BITS.fullmatch(word) else ""
