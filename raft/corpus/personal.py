"""Find personal data and secrets in documents, and mask them before anything is embedded or trained on.

A small detector of patterns: it knows what such data looks like, not what a text means, so names and street addresses
are beyond it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from raft.types import Document


class Finding(NamedTuple):
    """One piece of personal data: what kind, and where in the text (characters)."""

    kind: str
    start: int
    end: int


_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.){1,6}[A-Za-z]{2,24}\b")
# An international number, or a national one with its area code in parentheses or behind a zero.
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?|\(\d{2,5}\)[ .-]?|0\d{1,4}[ /-])"
    r"\d{2,4}(?:[ .-]?\d{2,4}){1,4}(?![\w-])"
)
_NORTH_AMERICAN = re.compile(r"(?<![\w.+/-])\d{3}[.-]\d{3}[.-]\d{4}(?![\w-])")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
# Keys with a known head, whole private keys, and what follows a word such as "password".
_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----"
    r"|\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|or)?[-_]?[A-Za-z0-9_-]{20,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|\bAIza[A-Za-z0-9_-]{35}|\bhf_[A-Za-z0-9]{30,}|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    re.DOTALL,
)
_NAMED_SECRET = re.compile(
    r"\b(?:api[_ -]?key|secret(?:[_ -]?key)?|access[_ -]?token|auth[_ -]?token|passw(?:or)?d)[\"']?\s*[:=]\s*[\"']?"
    r"(?P<secret>[^\s\"',;]{8,})",
    re.IGNORECASE,
)


def find_personal(text: str) -> list[Finding]:
    """Every piece of personal data in the order of the text; where two overlap, the one that is more certain."""
    found: list[Finding] = []
    for finding in _candidates(text):
        if all(finding.end <= other.start or other.end <= finding.start for other in found):
            found.append(finding)
    return sorted(found, key=lambda finding: finding.start)


def _candidates(text: str) -> Iterator[Finding]:
    """The most certain kinds first."""
    for match in _KEY.finditer(text):
        yield Finding("key", *match.span())
    for match in _NAMED_SECRET.finditer(text):
        yield Finding("key", *match.span("secret"))
    for match in _EMAIL.finditer(text):
        yield Finding("email", *match.span())
    for match in _CARD.finditer(text):
        if _is_card(re.sub(r"\D", "", match[0])):
            yield Finding("card", *match.span())
    for match in _IBAN.finditer(text):
        if _is_iban(match[0].replace(" ", "")):
            yield Finding("iban", *match.span())
    for pattern in (_PHONE, _NORTH_AMERICAN):
        for match in pattern.finditer(text):
            if 7 <= len(re.sub(r"\D", "", match[0])) <= 15:
                yield Finding("phone", *match.span())


def _is_card(digits: str) -> bool:
    """Luhn's check sum (ISO/IEC 7812-1), and not one digit over and over."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def _is_iban(code: str) -> bool:
    """The check digits of ISO 13616: as a number it leaves 1 when divided by 97."""
    rearranged = code[4:] + code[:4]
    return 15 <= len(code) <= 34 and int("".join(str(int(sign, 36)) for sign in rearranged)) % 97 == 1


def count_personal(document: Document) -> dict[str, int]:
    """How many pieces of each kind a document holds; kinds without any are left out."""
    return dict(Counter(finding.kind for finding in find_personal(document.text)))


def redacted(document: Document) -> Document:
    """The document with every piece of personal data replaced by its kind, such as [EMAIL]; also in its title."""
    return replace(document, title=_masked(document.title), text=_masked(document.text))


def _masked(text: str) -> str:
    parts, at = [], 0
    for finding in find_personal(text):
        parts += [text[at : finding.start], f"[{finding.kind.upper()}]"]
        at = finding.end
    return "".join([*parts, text[at:]])
