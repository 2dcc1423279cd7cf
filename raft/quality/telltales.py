"""What the words of a field give away: fragments, placeholders, a model's own talk, error pages, template marks."""

from __future__ import annotations

import re

from raft.prompts import ANSWER, ASK, BEGIN_QUOTE, END_QUOTE, QUESTION, READ, RECALL

_CUT = re.compile(r"(?:\.\.\.|\u2026)\s*$|\[truncated\]|<truncated>", re.I)
# Numbering, headings and chatter that were kept when a list of questions was split at its line breaks.
_NUMBERED = re.compile(r"\s*(?:\d+\s*[.):]\s|[-*\u2022]\s|Q\d+\s*[.:)]|Question\s*\d*\s*:)", re.I)
_HEADING = re.compile(
    r"\s*(?:here (?:are|is)\b|(?:sure|certainly|of course)\s*[,!:]|#+\s|(?:example )?questions\s*(?::|$))", re.I
)
_SHOWN_TEXT = r"(?:passage|paragraph|context|excerpt|snippet|chunk|text|article|document)s?"
_GIVEN = r"(?:(?:given|provided|above|following|supplied) )?"
# By its number, or as what an answer is to be taken from.
_NUMBERED_TEXT = re.compile(
    rf"\b(?:passage|document|excerpt|snippet|chunk) \d+\b|\baccording to (?:the|this) {_GIVEN}{_SHOWN_TEXT}\b", re.I
)
_REFERS = re.compile(
    rf"\b(?:the|this|these) {_GIVEN}{_SHOWN_TEXT}\b|\b(?:given|provided|above) {_SHOWN_TEXT}\b|\bthe author\b", re.I
)
# "The context of war" and "the document that a sailor carries" are subjects; only the bare word is the passage.
_SUBJECT = re.compile(rf"\b(?:{_SHOWN_TEXT}|author) (?:of|for|that|which|on|\d+)\b", re.I)
_PLACEHOLDER = re.compile(
    r"\s*(?:todo|tbd|n/?a|none|null|nan|undefined|placeholder\w*|lorem ipsum.*|\.+|-+|\?+|\$answer"
    r"|(?:the |your )?(?:answer|reasoning)(?: goes)? here|answer|question|\[?insert .*)\s*[.\]]?\s*",
    re.I,
)
_PLACED = re.compile(
    r"lorem ipsum|\[insert |reasoning goes here|answer goes here|\$answer\b|placeholder[ _]reason", re.I
)
_TALK = re.compile(
    r"^\s*(?:(?:assistant|user|system)\s*:|(?:sure|certainly|of course)[,!]"
    r"|here(?: is|'s) (?:the|your|an?) (?:answer|question|response))"
    r"|\bas an? (?:ai|artificial|large) (?:language )?(?:model|assistant)\b"
    r"|\bknowledge cut-?off\b|\blet me know if you\b|\bi hope this helps\b",
    re.I,
)
_ERROR = re.compile(
    r"<!doctype html|<html\b|\b(?:40[134]|429|50[0234])\b[ :-]+(?:not found|forbidden|unauthorized|bad gateway|"
    r"too many requests|internal server error|service unavailable|gateway time-?out)|\bpage not found\b"
    r"|\baccess denied\b\W*$|please enable (?:javascript|cookies)|just a moment\.\.\."
    r"|verify (?:that )?you are (?:a )?human"
    r"|traceback \(most recent call last\)|\berror code: \d{3}|rate limit (?:exceeded|reached)|\bRateLimitError\b"
    r"|\bAPIError\b|context_length_exceeded|insufficient_quota",
    re.I,
)
_SOURCE = r"(?:passages?|contexts?|documents?|texts?|articles?|information|excerpts?|sources?)"
_SAYS = r"(?:mention|state|specif|provid|contain|answer|give|given|discuss|include|say)\w*"
_REFUSED = re.compile(
    r"\b(?:i|we) (?:can(?:no|')t|do(?: not|n't)|am unable to|could not|couldn't|am not able to) "
    r"(?:answer|know|find|determine|provide|have (?:enough|any|the) information)\b"
    rf"|\b{_SOURCE} (?:\w+ )?(?:do(?:es)? not|do(?:es)?n't) (?:explicitly |directly )?{_SAYS}"
    rf"|\bnot (?:explicitly |directly )?{_SAYS} (?:in|by) (?:the|this|these|any)(?: \w+)? {_SOURCE}\b"
    r"|^\W*(?:it is )?not (?:mentioned|stated|specified|provided|given|available|found|enough information)\b"
    r"|^\W*no (?:information|answer|mention)\b|\bcannot be (?:answered|determined)\b"
    r"|\binsufficient (?:context|information)\b|^\W*(?:unanswerable|unknown)\W*$",
    re.I,
)
_TEMPLATE = re.compile(
    r"<[|\uff5c][^|\uff5c<>\n]{1,40}[|\uff5c]>|\[/?INST\]|</?s>|<</?SYS>>|<(?:start|end)_of_turn>"
    r"|<(?:bos|eos|pad|unk|mask)>|\[(?:CLS|SEP|PAD|UNK|MASK)\]|</?DOCUMENT>|<STOP>"
    r"|\{(?:question|context|document|passage|answer)s?\}"
)
_OF_TARGETS = (BEGIN_QUOTE, END_QUOTE, ANSWER, QUESTION, READ, RECALL, ASK)
_ERROR_CHARACTERS = 300
# A refusal is short; a long answer that also says what is not stated answers all the same.
_REFUSAL_WORDS = 25


def is_listed(question: str) -> bool:
    """Whether a question is a heading, a list item, or too short to ask anything."""
    # Signs without spaces are words of their own, so a short line of them may be a whole question.
    fragment = len(question.split()) < 3 and question.isascii()
    return bool(_NUMBERED.match(question) or _HEADING.match(question)) or question.rstrip().endswith(":") or fragment


def refers_to_passage(question: str) -> bool:
    """Whether a question speaks of the passage instead of its subject."""
    return bool(_NUMBERED_TEXT.search(question) or _REFERS.search(_SUBJECT.sub(" ", question)))


def is_cut(text: str) -> bool:
    """Whether a text ends as cut-off texts do."""
    return _CUT.search(text) is not None


def refuses(answer: str) -> bool:
    """Whether an answer says, in whatever words, that there is none."""
    return len(answer.split()) <= _REFUSAL_WORDS and _REFUSED.search(answer) is not None


def stands_for_text(text: str) -> bool:
    """Whether a text is nothing but a stand-in for one."""
    return bool(text) and _PLACEHOLDER.fullmatch(text) is not None


def is_placeholder(text: str) -> bool:
    """Whether a text is a stand-in, or holds one that nobody replaced."""
    return stands_for_text(text) or _PLACED.search(text) is not None


def is_error(text: str) -> bool:
    """Whether a text begins as an error page or message does; a manual may speak of one further down."""
    return _ERROR.search(text[:_ERROR_CHARACTERS]) is not None


def is_model_talk(text: str) -> bool:
    """Whether a model speaks in it to whoever asked for the text."""
    return _TALK.search(text) is not None


def template_mark(text: str, *, target: bool = False) -> str | None:
    """The first mark of a chat template in a text, or of our targets where the text is no target itself."""
    found = _TEMPLATE.search(text)
    if found is not None:
        return found[0]
    return None if target else next((mark for mark in _OF_TARGETS if mark in text), None)
