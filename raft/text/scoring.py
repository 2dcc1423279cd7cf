"""How like two answers are: by our own strict rules, and by SQuAD's official ones."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

from raft.text.folding import typed
from raft.text.normalising import compared

# What a question for yes or no can be answered with.
VERDICTS = ("yes", "no", "maybe")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


@lru_cache(maxsize=1 << 14)
def normalise_answer(text: str) -> str:
    """The text as answers are compared: words without case, accents, articles and spacing, numbers with their signs.

    See `raft.text.normalising.compared`. Texts that say the same have the same normal form; one of nothing but other
    marks, such as "+", stays as it is.
    """
    return " ".join(compared(text)) or typed(text).strip()


def squad_normalise(text: str) -> str:
    """Lower case, no ASCII punctuation, no articles, single spaces: SQuAD's official rules (Rajpurkar et al. 2016)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, accepted: Sequence[str]) -> float:
    """1.0 where the answer says just what an accepted one says (`normalise_answer`), else 0.0."""
    return _exact_match(answer, accepted, normalise_answer)


def token_f1(answer: str, accepted: Sequence[str]) -> float:
    """Best F1, 0 to 1, of the words of the answer and of an accepted one, as `normalise_answer` compares them.

    In scripts without spaces, and in Korean, a word is a character.
    """
    return _token_f1(answer, accepted, normalise_answer)


def squad_exact_match(answer: str, accepted: Sequence[str]) -> float:
    """Exact match as SQuAD's official scorer has it, which takes "1.5 bar" for "15 bar"."""
    return _exact_match(answer, accepted, squad_normalise)


def squad_f1(answer: str, accepted: Sequence[str]) -> float:
    """F1 as SQuAD's official scorer has it."""
    return _token_f1(answer, accepted, squad_normalise)


def _exact_match(answer: str, accepted: Sequence[str], normal: Callable[[str], str]) -> float:
    said = normal(answer)
    return float(any(said == normal(other) for other in accepted))


def _token_f1(answer: str, accepted: Sequence[str], normal: Callable[[str], str]) -> float:
    ours = normal(answer).split()
    return max((_f1(ours, normal(other).split()) for other in accepted), default=0.0)


def _f1(ours: Sequence[str], theirs: Sequence[str]) -> float:
    if not ours or not theirs:
        return float(ours == theirs)
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs))
