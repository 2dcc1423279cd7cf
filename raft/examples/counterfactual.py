"""Swap a number or a name for another one of the corpus: counterfactual passages, and questions that miss by a word.

After Fang et al. 2024 (RAAT) and Tu et al. 2025 (RbFT), who train on passages with a wrong answer in the right place. A
pure core: values and a random generator in, values out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from bm25s.stopwords import STOPWORDS_EN

from raft.examples.distractors import Distractor
from raft.text import Source, contains_answer, locate
from raft.types import DistractorKind, Passage, Question

# A passage that says its answer more often than this is about nothing else.
_MOST_MENTIONS = 20
_STOP_WORDS = frozenset(STOPWORDS_EN)
_NUMBER = re.compile(r"(?<![\w.,:/-])\d+(?:[.,:]\d+)*(?![\w/]|[.,:-]\d)")
_WORD = re.compile(r"\w+")
_YEAR = re.compile(r"1\d{3}|20\d\d")
_UNIT = re.compile(r"[^\S\n]*([^\W\d]+|[%\u00b0\u20ac$\u00a3]+)")
# Words with a capital in a row; "de" or "of" may stand between two of them.
_MONTHS = "January February March April May June July August September October November December"
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
_CALENDAR = frozenset(f"{_MONTHS} {_DAYS}".split())
_INSIDE_NAMES = ("of", "de", "van", "von", "der", "la")
_NAME = re.compile(r"\b[^\W\d_][\w'\u2019-]*(?: [^\W\d_][\w'\u2019-]*)*")
_PERSON = re.compile(r"^(?:\w+ )?who(?:m|se)?\b", re.I)
_PLACE = re.compile(r"^where\b", re.I)


class Kind(StrEnum):
    """What can be swapped: a number for a number, a name for a name."""

    NUMBER = "number"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Mention:
    """A number or a name where a text says it. like: what it shares with whatever may take its place, the closest
    first: its shape and unit, either alone for a number, and for a name what its words look like."""

    kind: Kind
    text: str
    start: int
    end: int
    like: tuple[str, ...]


def mentions(text: str) -> Iterator[Mention]:
    """The numbers and names of a text. A single word that begins a sentence is capital for that alone, and no name."""
    for found in _NUMBER.finditer(text):
        unit = _UNIT.match(text, found.end())
        shape = "year" if _YEAR.fullmatch(found[0]) else re.sub(r"\d", "0", found[0])
        like = (f"{shape} {unit[1].casefold()}", unit[1].casefold(), shape) if unit else (shape,)
        yield Mention(Kind.NUMBER, found[0], found.start(), found.end(), like)
    for found in _NAME.finditer(text):
        yield from _names(text, found.start(), found.end())


def _names(text: str, start: int, end: int) -> Iterator[Mention]:
    """The runs of capital words between `start` and `end`, without a stop word ("The") before them."""
    run: list[tuple[int, int]] = []
    words = [(start + found.start(), start + found.end()) for found in re.finditer(r"\S+", text[start:end])]
    for place, (word_start, word_end) in enumerate([*words, (end, end)]):
        word = text[word_start:word_end]
        capital = word[:1].isupper() and not (not run and word.casefold() in _STOP_WORDS)
        # A small word goes on with a name only where a capital one follows.
        follows = bool(run) and place + 1 < len(words) and text[words[place + 1][0]].isupper()
        if capital or (follows and word in _INSIDE_NAMES):
            run.append((word_start, word_end))
            continue
        if run and not (len(run) == 1 and _begins(text, run[0][0])):
            name = text[run[0][0] : run[-1][1]]
            if len(name) > 1:
                yield Mention(Kind.NAME, name, run[0][0], run[-1][1], (" ".join(map(_shape, name.split())),))
        run = []


def _begins(text: str, offset: int) -> bool:
    """Whether a sentence, a line, a cell or a clause in brackets begins here, so that any word would be capital."""
    before = text[:offset].rstrip(" ")
    return not before or not (before[-1].isalnum() or before[-1] in ",;'\u2019")


def _shape(word: str) -> str:
    """What a word of a name is: of the calendar, with a number in it, in small letters, in capitals, or as most are."""
    if word in _CALENDAR or word.removesuffix("s") in _CALENDAR:
        return "day" if "day" in word else "month"
    if any(map(str.isdigit, word)):
        return "A1"
    return "a" if word.islower() else "AA" if word.isupper() else "Aa"


def _asked_for(question: str) -> tuple[str, ...]:
    """Whether a question asks for a person or a place, where its first words tell it."""
    return ("person",) if _PERSON.match(question) else ("place",) if _PLACE.match(question) else ()


class Inventory:
    """The numbers and names of a corpus, by what they are like.

    answered: questions with the passages that answer them. Their answers tell which names are of persons and places.
    """

    def __init__(self, passages: Sequence[Passage], answered: Iterable[tuple[Question, Passage]] = ()) -> None:
        small = {word for passage in passages for word in _WORD.findall(passage.text) if word.islower()}
        found: dict[tuple[Kind, str], dict[str, None]] = {}
        for passage in passages:
            for mention in mentions(passage.text):
                # "Freight" heads a column, and names nothing: it stands elsewhere in small letters.
                if mention.kind is Kind.NAME and small.issuperset(_WORD.findall(mention.text.casefold())):
                    continue
                for like in mention.like:
                    found.setdefault((mention.kind, like), {})[mention.text] = None
        for question, oracle in answered:
            said = _said_answer(question, oracle)
            if said is not None and said.kind is Kind.NAME:
                for like in _asked_for(question.text):
                    found.setdefault((Kind.NAME, like), {})[said.text] = None
        self._like: Mapping[tuple[Kind, str], Sequence[str]] = {key: list(texts) for key, texts in found.items()}

    def others(self, mention: Mention, rng: Random) -> Iterator[str]:
        """What may take the place of a mention: the closest in kind first, in random order."""
        given = {mention.text.casefold()}
        for like in mention.like:
            alike = [text for text in self._like.get((mention.kind, like), ()) if text.casefold() not in given]
            given |= {text.casefold() for text in alike}
            yield from rng.sample(alike, len(alike))


def counterfactuals(
    question: Question, oracle: Passage, inventory: Inventory, count: int, rng: Random
) -> list[Distractor]:
    """At most `count` passages that say what the oracle says with another answer; each wrong in another way.

    An answer can be swapped where it is a name, or holds a number; wherever the oracle says it, the same takes its
    place. A passage whose title holds the answer has no counterfactual.
    """
    mention = _said_answer(question, oracle)
    if mention is None or contains_answer(oracle.title, question.answers):
        return []
    if mention.kind is Kind.NAME:
        mention = replace(mention, like=(*_asked_for(question.text), *mention.like))
    made: list[Distractor] = []
    for other in inventory.others(mention, rng):
        if len(made) == count:
            break
        if locate(other, question.text) is not None:
            continue
        text = _swapped(oracle.text, question.answers, mention.text, other)
        if text is not None:
            made.append(_counterfactual(oracle, text))
    return made


def _said_answer(question: Question, oracle: Passage) -> Mention | None:
    """The number in the answer that a passage says, or the name that it is; None where it is neither."""
    text = oracle.text
    span = next((span for answer in question.answers if (span := locate(answer, text)) is not None), None)
    if span is None:
        return None
    inside = [mention for mention in mentions(text) if span[0] <= mention.start and mention.end <= span[1]]
    number = next((mention for mention in inside if mention.kind is Kind.NUMBER), None)
    words = text[slice(*span)].split()
    whole = " ".join(words[1:] if words[0].casefold() in _STOP_WORDS else words)
    name = next((mention for mention in inside if mention.text == whole), None)
    return number or name


def _swapped(text: str, answers: tuple[str, ...], old: str, new: str) -> str | None:
    """The text with `new` for `old` in every accepted answer that it says; None where one would still be there."""
    for _ in range(_MOST_MENTIONS):
        source = Source(text)
        span = next((span for answer in answers if (span := source.locate(answer)) is not None), None)
        if span is None:
            return text
        said = text[slice(*span)]
        if old not in said:
            return None
        text = text[: span[0]] + said.replace(old, new) + text[span[1] :]
    return None


def _counterfactual(oracle: Passage, text: str) -> Distractor:
    digest = hashlib.sha256(f"{oracle.id}\x00{text}".encode()).hexdigest()[:16]
    # Neither id nor document are of the corpus, so that nobody takes it for a passage of a document.
    passage = replace(oracle, id=f"counterfactual-{digest}", document_id="", text=text, end=oracle.start + len(text))
    return Distractor(passage, DistractorKind.COUNTERFACTUAL, made_from=oracle.id)


@dataclass(frozen=True, slots=True)
class Swap:
    """A text with one number or name in it exchanged."""

    text: str
    old: str
    new: str


def near_misses(question: Question, oracle: Passage, inventory: Inventory, rng: Random) -> Iterator[Swap]:
    """The question with one of its numbers or names swapped for one that its passage does not speak of.

    Only what the passage speaks of is swapped, so that the question asks for something that it does not say.
    """
    for mention in mentions(question.text):
        if mention.start == 0 or locate(mention.text, f"{oracle.title}\n{oracle.text}") is None:
            continue
        for other in inventory.others(mention, rng):
            apart = locate(other, f"{oracle.title}\n{oracle.text}\n{question.text}") is None
            if apart and not contains_answer(other, question.answers):
                changed = question.text[: mention.start] + other + question.text[mention.end :]
                yield Swap(changed, mention.text, other)
