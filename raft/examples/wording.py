"""Whether a written question keeps its thread, and asks for the kind of thing that its answer is.

The kinds are told by English question words; a question in another language passes.
"""

from __future__ import annotations

import re
from itertools import pairwise

_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands "
    "million millions billion billions dozen dozens half third quarter once twice both single none several few many"
)
_QUANTITY = re.compile(rf"\d|[\u00bc-\u00be]|\b(?:{'|'.join(_NUMBER_WORDS.split())})\b", re.I)
_TIME_WORDS = (
    "january february march april may june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday spring summer autumn fall winter morning noon afternoon evening night midnight "
    "dawn dusk today tomorrow yesterday day days week weeks month months year years hour hours minute minutes second "
    "seconds century centuries decade decades era age period season easter christmas before after during while when "
    "until since always never early late war once every"
)
_TIME = re.compile(rf"\d|\b(?:{'|'.join(_TIME_WORDS.split())})\b", re.I)
_HOW_MANY = re.compile(r"\bhow (?:many|much|old|long|far|tall|high|deep|large|big|often)\b", re.I)
_WHEN = re.compile(r"^(?:\w+ )?(?:when|(?:what|which) (?:year|date|day|month|century|decade))\b", re.I)
_WHO = re.compile(r"^(?:\w+ )?(?:who|whom)\b", re.I)
_ONLY_NUMBER = re.compile(r"[\d\W]+$")
# So many words in the same order twice are a writer that lost its thread.
_REPEATED = 3


def keeps_its_thread(text: str) -> bool:
    """Whether no word follows itself and no three words stand twice in the same order."""
    words = re.findall(r"\w+", text.casefold())
    runs = [tuple(words[at : at + _REPEATED]) for at in range(len(words) - _REPEATED + 1)]
    return len(runs) == len(set(runs)) and all(word != after for word, after in pairwise(words))


def asks_for(question: str, answer: str) -> bool:
    """Whether the answer can be of the kind that the question word asks for: a number, a time, somebody.

    It says no only where that is plain: "how many" answered without any quantity, "when" without a time, "who" with a
    number.
    """
    if _HOW_MANY.search(question):
        return bool(_QUANTITY.search(answer) or _TIME.search(answer))
    if _WHEN.match(question):
        return bool(_TIME.search(answer))
    if _WHO.match(question):
        return not _ONLY_NUMBER.match(answer)
    return True
