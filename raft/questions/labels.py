"""Questions with a closed set of answers (yes, no, maybe, or choices): labels, and how they are read off answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from raft.text import VERDICTS, fold, locate, typed, words
from raft.types import Question

# Marks of a sentence, which may stand around any word of it.
_AROUND = ".,;:!?\"'()[]\u201c\u201d\u2018\u2019"
# What may follow a "no" that answers: words that no noun begins with, so that the "no" does not belong to one.
_GOES_ON = (
    "yes no maybe not never a an the this that these those it its he she they we you i his her their our your my there "
    "any all each every some is was are were do does did has have had can cannot could may must should will would "
    "and or but because since as if unless although though while when so "
    "at by for from in on to under with without according"
)
_NO_OF_A_NOUN = re.compile(
    rf"\bno\b(?=-\w|\.\s*\d|[^\S\n]+(?!(?:{'|'.join(_GOES_ON.split())})\b|\w+n['\u2019]t\b)\w)", re.IGNORECASE
)
# With up to two words between a negation and what it denies: "not yes", "cannot be a yes"; but not "not so but yes".
_DENIED = re.compile(
    r"(?:\bno|(?:\b(?:not|never|cannot|neither|nor)|n['\u2019]t)(?:\s+(?!but\b)\w+){0,2})\s+$", re.IGNORECASE
)


def labels_of(question: Question) -> tuple[str, ...]:
    """The labels that an answer can be: the question's choices, or yes, no and maybe; () for an open question.

    A question with one of these three words among its accepted answers, and not two of them, is a question for yes or
    no. One that wants several answers has no labels.
    """
    if question.all_of:
        return ()
    if question.choices:
        return question.choices
    return VERDICTS if len(_named(question.answers, VERDICTS)) == 1 else ()


def gold_label(question: Question) -> str | None:
    """The accepted label of a closed question; None for an open or unanswerable one, or where two are accepted."""
    named = _named(question.answers, labels_of(question))
    return named[0] if len(named) == 1 else None


def _named(answers: Sequence[str], labels: Sequence[str]) -> list[str]:
    key = _key_for(labels)
    keys = {key(answer) for answer in answers}
    return [label for label in labels if key(label) in keys]


def read_label(answer: str, labels: Sequence[str]) -> str | None:
    """The label that an answer gives: as it stands, at its beginning, or as the only one in it; None where unclear.

    Words are compared whole, so that "know" says neither no nor now. A label of one letter must begin the answer, and
    one in its midst counts only where no negation stands right before it. Beside yes, a "no" is a label where the
    answer or its line ends behind it, or a mark follows, or a word that no noun can begin with ("no it is not"): in
    "no idea", "no one", "no-load" and "No. 5" it belongs to what follows.
    """
    key = _key_for(labels)
    verdicts = "yes" in map(key, labels)
    texts = {
        label: _NO_OF_A_NOUN.sub("  ", answer) if verdicts and key(label) == "no" else answer
        for label in sorted(labels, key=len, reverse=True)
    }
    places = {label: _place(label, text, key) for label, text in texts.items()}
    said = {label: place for label, place in places.items() if place is not None}
    for label in said:
        if f"{key(texts[label])} ".startswith(f"{key(label)} "):
            others = (other for other in said if f" {key(other)} " not in f" {key(label)} ")
            return None if any(len(other) > 1 for other in others) else label
    inside = [label for label in said if len(label) > 1]
    return inside[0] if len(inside) == 1 and not _DENIED.search(answer[: said[inside[0]]]) else None


def _place(label: str, text: str, key: Callable[[str], str]) -> int | None:
    """The character at which the text first says a label; None where it does not."""
    if key is _words:
        found = locate(label, text)
        return None if found is None else found[0]
    words = [(word.start(), key(word[0])) for word in re.finditer(r"\S+", text) if key(word[0])]
    wanted = key(label).split()
    runs = ([word for _, word in words[n : n + len(wanted)]] for n in range(len(words)))
    return next((words[n][0] for n, run in enumerate(runs) if run == wanted), None)


def _key_for(labels: Sequence[str]) -> Callable[[str], str]:
    """How texts are compared with these labels: the loosest of three ways that tells all of them apart.

    By words alone; where that makes two labels one ("C" and "C++", "-5" and "5"), with the marks that are glued to
    words; and where case tells them apart, as they stand.
    """
    unlike = set(labels)
    return next((key for key in (_words, _marked) if len({key(one) for one in unlike} - {""}) == len(unlike)), _spelt)


def _words(text: str) -> str:
    return " ".join(map(fold, words(text)))


def _marked(text: str) -> str:
    words = (word.strip(_AROUND) for word in typed(text).casefold().split())
    return " ".join(word for word in words if word)


def _spelt(text: str) -> str:
    return " ".join(text.split())
