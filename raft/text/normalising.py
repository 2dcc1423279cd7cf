"""What must agree for two texts to say the same: words, numbers with the marks inside them, and signs with a meaning.

"4.5" is one number and never 45, "10 %" is no 10, and C++ is no C. Other punctuation, case, accents and spacing do not
count.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from itertools import zip_longest
from typing import NamedTuple

import regex

from raft.text.folding import fold
from raft.text.words import CHARACTER, RAISED, SPACED_WORD

_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"
# Between two digits these belong to the number: decimals, thousands, times, fractions.
NUMBER_MARKS = ".,:/\u066b\u066c\u2044\uff0e\uff0c\uff1a"
_MORE = rf"(?:[{NUMBER_MARKS}]\p{{Nd}}+|['\u2019]\p{{Nd}}{{3}}(?!\p{{Nd}}))"
# Spaces group thousands too; a decimal may begin with its point.
_GROUPS = r"\p{Nd}{1,3}(?:[ \u00a0\u2009\u202f]\p{Nd}{3})+(?![\p{L}\p{Nd}])"
# As in "2 1/2 cups": neither 2 of them nor a half.
_FRACTION = r"(?:\x20?[\u00bc-\u00be\u2150-\u215e]|\x20\p{Nd}{1,2}[/\u2044]\p{Nd}{1,2}(?![\p{Nd}/.,]))?"
_NUMBER = rf"(?:{_GROUPS}|\p{{Nd}}+){_MORE}*{_FRACTION}|(?<![\p{{L}}\p{{N}}.,])\.\p{{Nd}}+"
_DIGIT = r"\.?\p{Nd}"
# What may stand between a sign and its number: blanks, and the marks of Markdown.
_SPACE = r"[*_]{0,3}[^\S\n]{0,3}[*_]{0,3}"

# What holds to the number behind it. A minus is glued to nothing before it; a "-" with a space behind it is one only
# after a mark that cannot end a range, and at the start of a line it is a bullet. A ">" that begins a further line
# quotes mail or Markdown.
_NO_MINUS_AFTER = r"(?<![\p{L}\p{N}\p{M})\]%\u2030\u00b0\u2032\u2033])"
_MINUS = (
    rf"{_NO_MINUS_AFTER}(?<!['\"])[{_DASHES}](?=\p{{Sc}}?{_DIGIT})|(?<=[{_DASHES}])[{_DASHES}](?={_DIGIT})"
    rf"|(?<!\p{{L}}|[\p{{N}}%\u00b0)][^\S\n]?)\u2212(?=[^\S\n]{_DIGIT})"
    rf"|(?<=[:(<>=\u2264\u2265\u00b1\u2248][^\S\n]?)[{_DASHES}](?=[^\S\n]{_DIGIT})"
)
_QUOTED_MINUS = rf"(?<=(?<![\p{{L}}\p{{N}}])['\"])[{_DASHES}](?=\p{{Sc}}?{_DIGIT})"
_PLUS = rf"(?<![\p{{L}}\p{{N}}+])[+\uff0b](?=\p{{Sc}}?{_DIGIT})"
_ORDER = (
    r"(?:[<\uff1c]=?|(?<!\n\s*)[>\uff1e]=?|[\u2264\u2265\u00b1\u2248\u2260]|\+/-|!=|(?<!~)~)"
    rf"(?=\s?[-\u2212]?\s?\p{{Sc}}?\s?{_DIGIT})"
)
_CURRENCY = rf"\p{{Sc}}(?={_SPACE}-?{_DIGIT})"
# Turkish writes %50.
_PERCENT = r"[%\uff05\ufe6a\u066a\u2030\u2031]"
_PERCENT_BEFORE = rf"(?<![\p{{L}}\p{{N}}\p{{M}}])(?<!\p{{Nd}}{_SPACE}){_PERCENT}(?={_DIGIT})"
_BEFORE = rf"{_QUOTED_MINUS}|{_MINUS}|{_ORDER}|{_PLUS}|{_CURRENCY}|{_PERCENT_BEFORE}"

# What holds to the number or word before it: powers, percent, degrees, currencies, feet and inches; then C++, C#,
# charges, grades and blood groups such as A+ and A-.
_POWER = rf"\^[-+\u2212]?\p{{Nd}}+|(?<=\p{{Nd}})[\u207a\u207b]?{RAISED}+|[\u207a\u207b]{RAISED}+"
_DEGREES = r"[\u00b0\u00ba\u02da](?:[^\S\n]?[CFKcfk]\b)?|[\u2103\u2109]"
_UNIT = rf"(?<=\p{{Nd}}{_SPACE})(?:{_PERCENT}|{_DEGREES}|\p{{Sc}})|(?<=\p{{Nd}})(?:[\u2032\u2033]|'')"
_GRADE = (
    r"(?<=[\p{L}\p{N}+])\+(?![\p{L}\p{N}])|(?<=[\p{L}\p{N}])#(?![\p{L}\p{N}])|(?<=\p{L}\p{Nd}?)[\u207a\u207b]"
    r"|(?<=\b(?:\p{Lu}\p{L}{0,2}\p{Nd}?|0))[-\u2212](?![\p{L}\p{N}])"
)
_AFTER = rf"{_POWER}|{_UNIT}|{_GRADE}"

# What parts and holds together: the dash of a range, with units or without, the slash of a unit, and the power of ten
# that a number is multiplied by.
_ENDS_QUANTITY = r"(?:\p{Nd}|[%\u2030\u00b0\p{Sc}]|\p{Nd}[^\S\n]?\u00b0?\p{L}{1,3})"
_RANGE = rf"(?<={_ENDS_QUANTITY}\s?)[{_DASHES}](?=\s?[-\u2212]?\p{{Sc}}?\p{{Nd}})"
_PER = r"(?<=\p{Nd}[^\S\n]?[\p{L}\u00b0]{1,4}[\u00b2\u00b3]?)/(?=\p{L})"
_TIMES = rf"(?<=\p{{Nd}}\s?)[*x\u00d7\u00b7\u22c5](?=\s?10(?:\^|[\u207a\u207b]?{RAISED}))"
# Signs that stand for themselves. Bullets and marks of ownership say nothing; ticks, stars and smileys do.
_SYMBOL = (
    rf"[@&\u00a7]|#(?=[\p{{L}}\p{{N}}])|{_PERCENT}"
    r"|(?<=[\p{L}\p{N}]\s?)(?:[+=<>]|->|<-|!=)(?=\s?[-+]?[\p{L}\p{N}])"
    r"|(?<=\p{Nd}\s?)[*\u00d7](?=\s?\p{Nd})|(?![+<=>|~\u2044\u2212])\p{Sm}"
    r"|(?![\u25aa\u25ab\u25a0\u25e6\u25b6\u25ba\u00a9\u00ae\u2122])\p{So}|\p{Sc}"
)
_QUOTE = r"(?P<quote>(?<=\p{Nd})[\"'\u2019\u201d])|(?P<opens>(?<![^\s(\[])[\"'](?=\S)|[\u201c\u201e\u2018\u201a])"
# "U.S." is a word of one piece, and so is "a.m.".
_INITIALS = r"(?<![\p{L}\p{N}])(?:\p{L}(?:\.\p{L})+\.?(?![\p{L}\p{N}])|\p{L}\.(?: \p{L}\.)+)"
FOOTNOTE = regex.compile(rf"(?<=\p{{L}}{{3}}){RAISED}+")
_TOKEN = regex.compile(
    rf"(?P<between>{_RANGE}|{_PER}|{_TIMES})|(?P<before>{_BEFORE})|(?P<after>{_AFTER})|(?P<note>{FOOTNOTE.pattern})"
    rf"|{_NUMBER}|{CHARACTER}|(?P<initials>{_INITIALS})|{SPACED_WORD}(?:(?<=\p{{Nd}}){_MORE}+)?|{_QUOTE}|{_SYMBOL}"
)

# How the minus before a number is compared; the dash of a range is another sign.
MINUS = "\u2212"
TIMES = "x"


class Kind(Enum):
    """How a token holds to its neighbours: "€" to the number behind it, "%" to the one before it."""

    WORD = auto()
    BEFORE = auto()
    AFTER = auto()
    BETWEEN = auto()


_KINDS = {"between": Kind.BETWEEN, "before": Kind.BEFORE, "after": Kind.AFTER}
_SAME_SIGN = {
    "<=": "\u2264", ">=": "\u2265", "+/-": "\u00b1", "!=": "\u2260", "~": "\u2248", "&": "and",
    "*": TIMES, "\u00d7": TIMES, "\u00b7": TIMES, "\u22c5": TIMES,
    "\u00ba": "\u00b0", "\u02da": "\u00b0", "\u2103": "\u00b0c", "\u2109": "\u00b0f",
    "\u2032": "\u2032", "\u2033": "\u2033", "''": "\u2033", "\u207a": "+", "\u207b": "-",
}  # fmt: skip
_UNIT_BEFORE = regex.compile(rf"^({MINUS}?)([\p{{Sc}}%\u2030])({MINUS}?[\p{{Nd}}.,:'\xa0 -]+)$")
_OPENED_BY = {'"': '"\u201e', "\u201d": "\u201c\u201e", "'": "'", "\u2019": "\u2018\u201a"}
# "1,2,3" is a list: groups of thousands have three digits each, and a number has one decimal comma.
_COMMAS = regex.compile(r"\p{Nd}+(?:,\p{Nd}+){2,}")
# Characters on either side of a place that tell what holds together there.
_NEAR, _LONGEST_QUOTATION = 16, 120
_THOUSANDS = regex.compile(r"\p{Nd}{1,3}(?:,\p{Nd}{3})+")


class Token(NamedTuple):
    """A word, number or sign as it is compared, and where it stands (characters)."""

    folded: str
    start: int
    end: int
    kind: Kind


def tokens(text: str) -> list[Token]:
    """What counts of a text, in its order."""
    return list(_tokens(text, 0, len(text)))


def tokens_near(text: str, offset: int) -> list[Token]:
    """The tokens around one character, without taking the whole text apart."""
    near = text[max(0, offset - 1) : offset + 2]
    first = max(0, offset - _NEAR)
    if "'" in near or '"' in near:
        # Whether a quotation ends here stands where it may have begun.
        first = max(text.rfind("\n", 0, offset) + 1, offset - _LONGEST_QUOTATION, 0)
    return list(_tokens(text, first, min(len(text), offset + _NEAR)))


def _tokens(text: str, first: int, last: int) -> Iterator[Token]:
    opened: set[str] = set()
    for match in _TOKEN.finditer(text, first, last):
        group, said, (start, end) = match.lastgroup, match[0], match.span()
        if group == "note":
            continue
        if group == "initials":
            yield Token(fold(regex.sub(r"[. ]", "", said)), start, end, Kind.WORD)
        elif group is None:
            if _COMMAS.fullmatch(said) and not _THOUSANDS.fullmatch(said):
                for part in regex.finditer(r"\p{Nd}+", said):
                    yield Token(fold(part[0]), start + part.start(), start + part.end(), Kind.WORD)
            elif folded := _SAME_SIGN.get(said) or fold(said):
                yield Token(folded, start, end, Kind.WORD)
        elif group == "opens":
            opened.add(said)
        elif group == "quote":
            # Feet and inches, unless a quotation ends here.
            if any(mark in opened for mark in _OPENED_BY[said]):
                opened -= set(_OPENED_BY[said])
            else:
                yield Token("\u2032" if said in "'\u2019" else "\u2033", start, end, Kind.AFTER)
        else:
            yield Token(_sign(said, group), start, end, _KINDS[group])


def _sign(said: str, group: str) -> str:
    """One form of a sign; a minus before a number is another than the dash of a range."""
    if group == "before" and said in _DASHES:
        return MINUS
    folded = _SAME_SIGN.get(said) or fold(said).replace(" ", "")
    return f"^{folded}" if group == "after" and folded.lstrip("+-").isdecimal() else folded


def compared(text: str) -> list[str]:
    """The words by which two answers are compared: each number with its signs in one, and without articles.

    Whether "€" or "%" stands before its number or behind it is a custom of countries, and does not count. An "A" that
    may be a name ("plan A or B", "vitamin A") is no article.
    """
    joined: list[Token] = []
    held = False
    for token in _tokens(text, 0, len(text)):
        if joined and (held or token.kind in (Kind.AFTER, Kind.BETWEEN)):
            before = joined.pop()
            joined.append(Token(before.folded + token.folded, before.start, token.end, Kind.WORD))
        else:
            joined.append(token)
        held = token.kind in (Kind.BEFORE, Kind.BETWEEN)
    joined = [token._replace(folded=_UNIT_BEFORE.sub(r"\1\3\2", token.folded)) for token in joined]
    pairs = zip_longest(joined, [token.start for token in joined[1:]])
    return [token.folded for token, following in pairs if not _is_article(text, token, following)]


def _is_article(text: str, token: Token, following: int | None) -> bool:
    """Whether a token is an English article: another word follows at once, which begins at `following`."""
    if token.folded not in ("a", "an", "the") or following is None or text[token.end : following].strip():
        return False
    return token.folded != "a" or text[token.start] == "a" or token.start == 0
