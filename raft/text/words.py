"""Words in every script: by the character classes of Unicode's word boundaries (UAX 29), without any dictionary."""

from __future__ import annotations

from itertools import pairwise

import regex

# Scripts without spaces between words, and Korean, whose particles are glued to them: here each character stands alone.
# LB=SA holds Thai, Lao, Khmer and Burmese; \X is one character as a reader sees it, with the marks above and below.
UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\u30fc\p{LB=SA}]"
CHARACTER = rf"(?={UNSPACED})\X"
# Letters and digits with their marks. An apostrophe or a hyphen parts words, as it does in search engines.
# A raised digit behind a longer word is that of a footnote; m² and km³ are words.
RAISED = "[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]"
_LETTER = rf"(?:(?!{UNSPACED}|(?<=\p{{L}}{{3}}){RAISED})[\p{{L}}\p{{M}}\p{{N}}])"
# Within a word there may be signs that nobody sees, such as a soft hyphen.
SPACED_WORD = rf"{_LETTER}(?:\p{{Cf}}*{_LETTER})*"
_WORD = regex.compile(rf"{CHARACTER}|{SPACED_WORD}")
_UNSPACED = regex.compile(UNSPACED)
_SEARCHED = regex.compile(rf"(?P<unspaced>(?:{CHARACTER})+)|(?:{SPACED_WORD}|_)+")


def words(text: str) -> list[str]:
    """The words of a text as they stand; of scripts without spaces, its characters.

    Multilingual benchmarks count such scripts by characters too (MLQA, Lewis et al. 2020; KorQuAD, Lim et al. 2019).
    """
    return _WORD.findall(text)


def length(text: str) -> float:
    """How many words a text is about: of scripts without spaces two characters are a word."""
    return sum(0.5 if is_unspaced(word[0]) else 1.0 for word in words(text))


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script that is compared character by character."""
    return _UNSPACED.match(character) is not None


def is_word(character: str) -> bool:
    """Whether a character is a letter, a digit, or a mark on one."""
    return character.isalnum() or (not character.isascii() and regex.match(r"\p{M}|\p{N}", character) is not None)


def search_terms(text: str) -> list[str]:
    """The terms by which a text is found: words, and of scripts without spaces characters and pairs of neighbours.

    Pairs find words without a dictionary (as Lucene's CJKAnalyzer does); single characters find words of one.
    """
    terms: list[str] = []
    for found in _SEARCHED.finditer(text):
        if found["unspaced"] is None:
            terms.append(found[0])
            continue
        characters = regex.findall(r"\X", found[0])
        terms += characters
        terms += map("".join, pairwise(characters))
    return terms
