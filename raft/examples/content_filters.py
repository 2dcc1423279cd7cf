"""Turn away what a user does not want in a training set: personal data, words of a list, other languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from raft.corpus.personal import find_personal
from raft.errors import InputError
from raft.examples.composing import Candidate, Reason
from raft.recipe import ExampleSettings, Language
from raft.text import contains_answer

# Fewer common words of another language are an accident, and languages have some in common: another must have this
# many times as many as the wanted one.
_FEWEST_COMMON, _MARGIN = 2, 2
_WORD = re.compile(r"[^\W\d_]+")
Check = Callable[[Candidate], bool]


def read_words(path: Path) -> tuple[str, ...]:
    """The words and phrases of a list: one a line, without empty lines and those that begin with #.

    Raises InputError where the file is not there, is no UTF-8 text, or holds no word.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} cannot be read as a list of words ({reason}): check generate.blocked_words"
        ) from error
    words = tuple(line for line in lines if line and not line.startswith("#"))
    if not words:
        raise InputError(f"{path} holds no words: write one a line, or leave generate.blocked_words out")
    return words


def unwanted(settings: ExampleSettings) -> Callable[[Candidate], Reason | None]:
    """What says of a candidate why it is not wanted, or nothing; only what the settings ask for is looked at.

    Question and answers are looked at, and for the language the oracle passage too, since a question alone is short.
    Raises InputError where the list of words cannot be read.
    """
    checks: list[tuple[Reason, Check]] = []
    if settings.drop_personal:
        checks.append((Reason.PERSONAL, lambda candidate: any(map(find_personal, _texts(candidate)))))
    if settings.blocked_words:
        words = read_words(Path(settings.blocked_words))
        checks.append((Reason.BLOCKED, lambda c: any(contains_answer(text, words) for text in _texts(c))))
    if settings.language is not Language.ANY:
        checks.append((Reason.LANGUAGE, lambda candidate: _is_foreign(candidate, settings.language)))
    return lambda candidate: next((reason for reason, applies in checks if applies(candidate)), None)


def _texts(candidate: Candidate) -> Sequence[str]:
    return candidate.question.text, *candidate.question.answers


def _is_foreign(candidate: Candidate, wanted: Language) -> bool:
    passage = (candidate.oracle.text,) if candidate.oracle is not None else ()
    return any(is_foreign(text, wanted) for text in (candidate.question.text, *passage))


def is_foreign(text: str, wanted: Language) -> bool:
    """Whether a text is plainly not in the language: in another script, or with far more common words of another.

    The rule is that of stop words (Grefenstette 1995), with the lists of bm25s: sure for passages, cautious for short
    questions, and it knows the languages of `Language` alone. It needs no model.
    """
    script = "CYRILLIC" if wanted is Language.RUSSIAN else "LATIN"
    letters = [sign for sign in text if sign.isalpha()]
    if 2 * sum(unicodedata.name(sign, "").startswith(script) for sign in letters) < len(letters):
        return True
    # Common words with a capital are parts of names.
    words = [word for word in _WORD.findall(text) if word.islower()]
    counts = {language: sum(word in common for word in words) for language, common in _common_words().items()}
    ours = counts.pop(wanted)
    return max(counts.values()) >= max(_FEWEST_COMMON, _MARGIN * ours)


@cache
def _common_words() -> Mapping[Language, frozenset[str]]:
    from bm25s import stopwords

    # The shorter English list has no question words.
    names = {language: language.name for language in Language if language is not Language.ANY}
    names[Language.ENGLISH] = "EN_PLUS"
    return {language: frozenset(getattr(stopwords, f"STOPWORDS_{name}")) for language, name in names.items()}
