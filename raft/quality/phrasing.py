"""What questions and answers are like by their words: whether they keep their thread, fit each other, stand alone.

The kinds are told by English question words; a question in another language passes, and is of no kind.
"""

from __future__ import annotations

import re
from itertools import chain

from raft.text import sentences

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
_WORD = re.compile(r"^(?:\w+ ){0,2}?(where|why|which|what|how|whose)\b", re.I)
_VERDICT = re.compile(
    r"^(?:is|are|was|were|do|does|did|can|could|must|may|should|will|would|has|have|had)\b(?!.*\bor\b)", re.I
)
# A whole date or time, where a bare number may be a count as well; "may" is a month beside a number only.
_DATE = re.compile(
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b|\b(?:may \d|\d+(?:st|nd|rd|th)? (?:of )?may\b)"
    r"|\b\d{4}-\d\d(?:-\d\d)?\b|\b\d{1,2}:\d\d\b"
    r"|^\W*(?:(?:in|since|by|until|from|around|about|the) )*(?:1\d|20)\d\d(?:s|'s)?\W*$",
    re.I,
)
_NUMBER = re.compile(
    r"^\W*(?:(?:about|around|over|above|below|under|nearly|almost|at|least|most|up|to|some|more|less|than|only|roughly"
    rf"|exactly|every|a|an) )*\W*(?:\d|[\u00bc-\u00be]|(?:{'|'.join(_NUMBER_WORDS.split())})\b)",
    re.I,
)
_ONLY_NUMBER = re.compile(r"[\d\W]+$")
_PERSON = re.compile(r"\b(?:he|him|his|himself|she|hers?|herself)\b", re.I)
# "Is it safe to ...?", "What is it called when ...?": it stands for what follows.
_THING = re.compile(
    r"\b(?:it(?! (?:safe|possible|necessary|allowed|better|best|true|important|called|take|known|said|believed"
    r"|determined|estimated|that|mean when)\b)|its|itself|they|them|theirs?|themselves)\b",
    re.I,
)
# Not "These", which is a German noun.
_POINTS_AWAY = re.compile(
    r"\b(?:(?i:this|those)|these(?! days))\b(?! (?:who|that|which)\b)|\bsuch (?!as\b|an?\b|that\b)"
)
# At the head of an answer a small letter or a noun behind it tells it from the German one.
_POINTS_BACK = re.compile(r"\W*(?:this|these|those|such) (?!as\b)[a-z]", re.I)
_ONLY_PRONOUN = re.compile(
    r"\W*(?:he|him|his|she|hers?|it|its|they|them|theirs?|this|that|these|those|we|us|our|i|me|my|you|your"
    r"|one|someone|some|others?|such|former|latter|who|which)\W*$",
    re.I,
)
# What a word for a person can stand for: whoever is asked for or a name, and before it a noun behind its article too.
_NAMED = re.compile(r"\b(?i:who|whom|whose)\b|(?<=\w )[A-Z]")
_SOMEBODY = re.compile(rf"{_NAMED.pattern}|\b(?i:the|an?|each|every|which) (?=[\w'-]+ )")
_EMPTY_WORDS = (
    "what who whom whose when where why which how is are was were be been do does did has have had can could will "
    "would should may might must in on at of to for from by with about during after before and or that than"
)
# Without any of these a question for "who" or "what" asks for its subject: "Who holds the keys?"
_AUXILIARY = re.compile(
    r"\b(?:is|are|was|were|be|been|do|does|did|has|have|had|can|could|will|would|shall|should|may|might|must)\b", re.I
)
_WHO_OR_WHAT = re.compile(r"^(?:who|what)\b", re.I)
# What no subject begins with; not "over" or "about", which a number may follow, nor "its", which may be the object's.
_NO_SUBJECT = re.compile(
    r"\W*(?:after|before|during|within|at(?! least| most)|in|on|from|by|with|without|into|onto|upon|since|until|for|if"
    r"|because|while|although|though|when|where|than|his|her|their)(?=\s)",
    re.I,
)
# What nobody and nothing begins with, subject or not.
_CLAUSE = re.compile(r"\W*(?:if|because|unless|although|though)(?=\s)", re.I)
_DID = re.compile(r"\bdid\b(.*)", re.I | re.S)
_PAST = re.compile(
    r"\b(?:\w{2,}ed|became|began|brought|built|came|drew|fell|found|fought|gave|got|grew|held|kept|knew|led|lost|made|met"
    r"|paid|ran|rose|said|sat|saw|sent|sold|spent|spoke|stood|struck|taught|took|thought|told|went|won|wore|wrote)\b",
    re.I,
)
# Forms that are past tense and no participle, so that none follows "was".
_ONLY_PAST = re.compile(
    r"(?<!who )(?<!that )(?<!which )\b(?:arose|ate|began|became|blew|broke|came|chose|drank|drew|drove|fell|flew|forgot"
    r"|froze|gave|grew|knew|ran|rang|rode|rose|sang|sank|saw|shook|spoke|stole|swam|swore|threw|took|went|woke|wore|wrote)\b",
    re.I,
)
_WAS = re.compile(r"^(?:in what \w+|when|where|why|how(?! (?:many|much)\b)) (?:was|were|is|are) (.*)", re.I | re.S)
_TWO_OBJECTS = (
    "allowed allotted appointed assigned awarded called charged christened considered crowned declared deemed denied "
    "designated dubbed elected entitled granted issued labeled labelled named nicknamed nominated offered ordained "
    "owed promised proclaimed promoted ranked rated refused renamed titled voted"
)
# A verb with its object, as only one that takes two has it after "was": "When was she awarded the prize?"
_OBJECT = re.compile(
    rf"\b(?!(?:{'|'.join(_TWO_OBJECTS.split())}) )"
    r"(?:\w{2,}ed|lost|held|built|led|met|won|found|kept|caught|fought|bought) "
    r"(?:(?:an?|the(?! most)|its|his|their|them|him|another)\b|\$?\d)",
    re.I,
)
# "What conducted by the crew?" lacks its "was".
_LACKS_WAS = re.compile(
    r"^(?:who|what) (?:\w{2,}ed|led|held|built|made|written|given|taken|won|found|sold) by (?!\w+ing\b|\W?\d)", re.I
)
# "... between 2004?", "... to nations whose economies?": the rest is missing.
_BROKEN_OFF = re.compile(
    r"^(?i:who) (?=[A-Z]\w+ )(?!.*\b(?:is|was|are|were|did|does|do)\b).*"
    r"|\b(?:an?|the|its|their|our|and|or|such as|(?<=\w )whose(?: \w+)?"
    r"|between (?:the )?(?:\d+|[A-Z][\w'-]*(?: [A-Z][\w'-]*)*)|from \S+ to)\W*$"
)
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_INCHES = re.compile(r"(?<=\d)\"")
# So many words in the same order twice are a writer that lost its thread.
_REPEATED = 3
_TWICE = frozenset((",", ";", ":", "that", "had", "die", "der", "das"))
_LIST_ITEM = re.compile(r"(?<!\w)\w\)")


def keeps_its_thread(text: str) -> bool:
    """Whether no word and no two words follow themselves, and no three words stand twice in the same order.

    A comma begins anew, and some words may follow themselves: "the rules that that boat had had", "die, die es wissen".
    """
    words = [
        word if word not in _TWICE else f"{word} {place}"
        for place, word in enumerate(re.findall(r"\w+(?:[.,]\d+)*|[,;:]", text.casefold()))
    ]
    runs = [tuple(words[at : at + _REPEATED]) for at in range(len(words) - _REPEATED + 1)]
    again = any(
        words[at : at + size] == words[at + size : at + 2 * size] for size in (1, 2) for at in range(len(words))
    )
    return len(runs) == len(set(runs)) and not again


def is_whole(question: str) -> bool:
    """Whether a question has a verb behind "who", and an end: not an article, "and", or the first of two numbers."""
    return not _BROKEN_OFF.search(question)


def is_closed(text: str) -> bool:
    """Whether every bracket and every double quote that opens in a text closes in it, and none closes that did not.

    The bracket of a list item, as in "step b)", closes nothing.
    """
    opened: list[str] = []
    for mark in _LIST_ITEM.sub("", text) if "(" not in text else text:
        if mark in _BRACKETS.values():
            opened.append(mark)
        elif mark in _BRACKETS and (not opened or opened.pop() != _BRACKETS[mark]):
            return False
    return not opened and _INCHES.sub("", text).count('"') % 2 == 0


def is_spliced(question: str, passage: str) -> bool:
    """Whether a question with "who" or "what" has only words of its passage, which stand together in no sentence there.

    That is how a small writer runs two clauses into one: "Who struck the hull was painted?" It is no fault of a writer
    that can say a thing in other words. An auxiliary behind the question word may have stood elsewhere among them.
    """
    first, *asked = _in_order(question) or [""]
    if first not in ("who", "what") or asked[:1] in (["did"], ["do"], ["does"]):
        return False
    said = [_in_order(passage[slice(*span)]) for span in sentences(passage)]
    if not set(asked) <= set(chain.from_iterable(said)):
        return False
    moved = asked[0] if asked and _AUXILIARY.fullmatch(asked[0]) else ""
    wanted = " ".join(word for word in asked if word != moved)
    return not any(f" {wanted} " in f" {' '.join(word for word in words if word != moved)} " for words in said)


def bends_its_verb(question: str, passage: str) -> bool:
    """Whether the verb has the form that "did" or "was" asks for, and not that of the statement it was taken from.

    It says no only where that is plain: a past form stands after "did", and all words there are the passage's own, so
    that none of them is a verb in another form ("When did the ferry reached Dunmarra?"); or a verb after "was" has an
    object or a form that no participle has ("When was the ferry reached the harbour?"); or the "was" is lost.
    """
    if _LACKS_WAS.match(question):
        return False
    if (was := _WAS.match(question)) and (_ONLY_PAST.search(was[1]) or _OBJECT.search(was[1])):
        return False
    asked = _DID.search(question)
    if asked is None or not _PAST.search(asked[1]):
        return True
    return not _words(asked[1]) <= _words(passage)


def asks_for(question: str, answer: str) -> bool:
    """Whether the answer can be of the kind that the question asks for: a number, a time, somebody, a subject.

    It says no only where that is plain: "how many" answered without any quantity, "when" without a time, "who" with a
    number, "who holds the keys" with "at the harbour" or with "his wife", whoever that is, "what is heard" with "if
    it rains".
    """
    if _WHO_OR_WHAT.match(question) and (
        _CLAUSE.match(answer) or (not _AUXILIARY.search(question) and _NO_SUBJECT.match(answer))
    ):
        return False
    if _HOW_MANY.search(question):
        return bool(_QUANTITY.search(answer) or _TIME.search(answer))
    if _WHEN.match(question):
        return bool(_TIME.search(answer))
    if _WHO.match(question):
        return not _ONLY_NUMBER.match(answer)
    return True


def stands_alone(question: str, answer: str) -> bool:
    """Whether question and answer can be understood without the passage, as far as their pronouns tell.

    It says no only where that is plain: where nothing stands before "him" or "it" that it could be, where "this" points
    out of the question, where the answer is a pronoun.
    """
    if question_word(question) == "other":
        return True
    if _POINTS_AWAY.search(question) or _ONLY_PRONOUN.match(answer) or _POINTS_BACK.match(answer):
        return False
    if (person := _PERSON.search(question)) and not _SOMEBODY.search(question[: person.start()]):
        return False
    person = _PERSON.search(answer)
    if person and not _SOMEBODY.search(answer[: person.start()]) and not _NAMED.search(question):
        return False
    thing = _THING.search(question)
    return thing is None or not _words(question[: thing.start()]) <= set(_EMPTY_WORDS.split())


def _in_order(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _words(text: str) -> set[str]:
    return set(_in_order(text))


def question_word(question: str) -> str:
    """What a question asks with: "how many", "when", "who", "yes or no", "where", "why", "which", "what", "how",
    "whose"; or "other".
    """
    for word, pattern in (("how many", _HOW_MANY), ("when", _WHEN), ("who", _WHO), ("yes or no", _VERDICT)):
        if pattern.search(question):
            return word
    found = _WORD.match(question)
    return found[1].lower() if found else "other"


def is_date(answer: str) -> bool:
    """Whether an answer is a date, a year or a time of day."""
    return _DATE.search(answer) is not None


def is_number(answer: str) -> bool:
    """Whether an answer begins with a number, whatever its unit."""
    return _NUMBER.match(answer) is not None
