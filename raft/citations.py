"""Check what a model claims to quote against the passages that it was shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from raft.outputs import ParsedAnswer
from raft.prompts import CitedQuote
from raft.text import Source
from raft.types import Quote


class Citable(Protocol):
    """Anything with an id and a text, such as a Passage or a ShownPassage."""

    @property
    def id(self) -> str: ...

    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """An answer in the spelling of its source, the quotes that are really there, and those that are not."""

    answer: str
    quotes: tuple[Quote, ...]
    unverified: tuple[CitedQuote, ...]


def check_citations(parsed: ParsedAnswer, passages: Sequence[Citable]) -> CheckedAnswer:
    """Find each quote in the passage that it names and nowhere else; what is not there is no quote.

    passages: in the order in which the prompt numbered them. The answer takes the spelling of the source where a
    quote, or failing that a passage, holds it: the embedded model writes lower case only.
    """
    quotes: list[Quote] = []
    unverified: list[CitedQuote] = []
    for cited in parsed.quotes:
        passage = passages[cited.number - 1] if 1 <= cited.number <= len(passages) else None
        span = Source(passage.text).locate(cited.text) if passage is not None else None
        if passage is None or span is None:
            unverified.append(cited)
        else:
            quotes.append(Quote(passage.id, span[0], span[1], passage.text[slice(*span)]))
    if parsed.abstained:
        return CheckedAnswer(parsed.answer, tuple(quotes), tuple(unverified))
    for text in (*(quote.text for quote in quotes), *(passage.text for passage in passages)):
        span = Source(text).locate(parsed.answer)
        if span is not None:
            return CheckedAnswer(text[slice(*span)], tuple(quotes), tuple(unverified))
    return CheckedAnswer(parsed.answer, tuple(quotes), tuple(unverified))
