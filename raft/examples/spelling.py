"""Give a written question the spelling of its passage: a model without capitals writes "harold wilson ' s"."""

from __future__ import annotations

import re

from bm25s.stopwords import STOPWORDS_EN

from raft.text import Source, sentences

_STOP_WORDS = frozenset(STOPWORDS_EN)
_ASKING = ("who", "whom", "whose", "what", "which", "when", "where", "why", "how")
# A longer run of equal words is spelt in parts.
_LONGEST_RUN = 8
_WORDS = re.compile(r"\S+")
# Marks that word pieces leave alone between two words ("o ' neill", "full - sized").
_LOOSE = re.compile(r" (['\u2019/-]) (?=\w)")


def respell(question: str, passage: str) -> str:
    """`question` with every run of words that `passage` holds as the passage spells it, and a capital at its start.

    A common word that is capital only because it begins a sentence of the passage is not so in the question.
    """
    source = Source(passage)
    begins = {start for start, _ in sentences(passage)}
    body = question.rstrip("? ")
    words = [match.span() for match in _WORDS.finditer(body)]
    parts: list[str] = []
    at = 0
    if words and body[slice(*words[0])].casefold() in _ASKING:
        # A heading such as "WHO HOLDS THE KEYS" is no spelling of the word that asks.
        parts.append(body[slice(*words[0])])
        at = 1
    while at < len(words):
        end, span = next(
            (
                (end, span)
                for end in range(min(len(words), at + _LONGEST_RUN), at, -1)
                if any(map(str.isalnum, body[words[at][0]]))
                and (span := source.locate(body[words[at][0] : words[end - 1][1]]))
            ),
            (at + 1, None),
        )
        parts.append(_as_spelt(passage, span, begins) if span else body[slice(*words[at])])
        at = end
    spelt = _LOOSE.sub(r"\1", " ".join(parts))
    return spelt[:1].upper() + spelt[1:] + question[len(body) :].strip()


def _as_spelt(passage: str, span: tuple[int, int], begins: set[int]) -> str:
    found = " ".join(passage[slice(*span)].split())
    first = found.split()[0]
    common = span[0] in begins and first.casefold() in _STOP_WORDS
    return found[:1].lower() + found[1:] if common else found
