"""The flaws that a question or a text shows by its words, each under one name for `raft generate` and `raft audit`.

The rules say that something is wrong only where that is plain: people's own questions are to pass. Of 6,649 questions
of SQuAD (Rajpurkar et al. 2016) they find fault with 256: the form of 37 (29 of these repeat a word or leave a quote
open), 73 with an answer of another kind, 151 that lean on their passage, 4 that speak of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple

from raft.quality.phrasing import asks_for, bends_its_verb, is_closed, is_whole, keeps_its_thread, stands_alone
from raft.quality.telltales import (
    is_cut,
    is_error,
    is_listed,
    is_model_talk,
    is_placeholder,
    refers_to_passage,
    template_mark,
)


class Flaw(Enum):
    """In the order in which they are looked for; `Reason` and `Fault` have the words for people."""

    LISTED = auto()  # a heading, a list number or a fragment
    THREAD = auto()  # it loses its thread, breaks off, or leaves a bracket or a quote open
    VERB = auto()  # its verb has the form of a statement
    KIND = auto()
    REFERS = auto()
    LEANS = auto()
    CUT = auto()
    PLACEHOLDER = auto()
    ERROR = auto()
    TALK = auto()
    TEMPLATE = auto()


class TextFlaw(NamedTuple):
    """A flaw, and where a part of the text shows it, that part."""

    flaw: Flaw
    detail: str = ""


def question_flaws(question: str, answer: str = "", passage: str = "") -> Iterator[Flaw]:
    """What is wrong with the form of a question that is not empty.

    answer: what it expects; empty where that is a refusal or not known, and then it is not looked at. passage: the one
    that it was asked about; without it the form of the verb cannot be told.
    """
    if is_listed(question):
        yield Flaw.LISTED
    if not (keeps_its_thread(question) and is_whole(question) and is_closed(question)):
        yield Flaw.THREAD
    if passage and not bends_its_verb(question, passage):
        yield Flaw.VERB
    if answer and not asks_for(question, answer):
        yield Flaw.KIND
    if refers_to_passage(question):
        yield Flaw.REFERS
    if not stands_alone(question, answer):
        yield Flaw.LEANS
    if is_cut(question):
        yield Flaw.CUT


def text_flaws(text: str, *, passage: bool = False, target: bool = False) -> Iterator[TextFlaw]:
    """What is wrong with any text that is not empty. passage: whether it is one, and target: whether it is one."""
    if is_placeholder(text):
        yield TextFlaw(Flaw.PLACEHOLDER)
    if is_error(text):
        yield TextFlaw(Flaw.ERROR)
    if not passage and is_model_talk(text):
        yield TextFlaw(Flaw.TALK)
    if mark := template_mark(text, target=target):
        yield TextFlaw(Flaw.TEMPLATE, mark)
