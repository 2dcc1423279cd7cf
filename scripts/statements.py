"""Questions made from statements by rule: the answer's phrase to the front, the verb before its subject.

After Heilman and Smith 2010, without a parser: a statement that these few patterns do not fit is left alone. They teach
a question writer what people's questions, too few of them, do not: a question that is a sentence and that holds what it
takes to be understood.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from articles import Row
from clozes import UNKNOWN, spans_of_interest
from question_words import QuestionWords
from raft.quality.phrasing import asks_for, is_closed, is_whole, keeps_its_thread, stands_alone
from raft.text import locate, sentences

_AUXILIARIES = frozenset("is was are were can could will would may might must should".split())
_HAVING = frozenset("has had have".split())
_PAST = dict(
    pair.split("/")
    for pair in (
        "became/become began/begin broke/break brought/bring built/build bought/buy came/come chose/choose drew/draw "
        "drove/drive fell/fall felt/feel fought/fight found/find flew/fly gave/give went/go grew/grow held/hold "
        "kept/keep knew/know laid/lay led/lead left/leave lost/lose made/make meant/mean met/meet paid/pay ran/run "
        "rose/rise said/say saw/see sold/sell sent/send shot/shoot spent/spend stood/stand spoke/speak took/take "
        "taught/teach told/tell thought/think threw/throw won/win wore/wear wrote/write understood/understand"
    ).split()
)
_PRESENT = dict(
    pair.split("/")
    for pair in (
        "contains/contain includes/include consists/consist provides/provide uses/use makes/make becomes/become "
        "takes/take lies/lie stands/stand runs/run begins/begin means/mean covers/cover serves/serve holds/hold "
        "operates/operate forms/form remains/remain represents/represent offers/offer requires/require "
        "produces/produce gives/give comes/come shows/show occurs/occur allows/allow receives/receive"
    ).split()
)
_DETERMINERS = frozenset("the a an its his her their this that these those some any no every each".split())
# What may stand within a subject that is clear, though not begin it.
_WITHIN = frozenset(
    "of and in on at by for from with under during to our their its his her such some many both".split()
)
_MONTHS = frozenset("January February March April May June July August September October November December".split())
_PREPOSITIONS = frozenset("in on at by from to with for as since during until between into under over after".split())
# A subject with one of these first is not understood away from its text, or is none.
_VAGUE = frozenset(
    "he she it they we i you this that these those there his her its their our such some many both one another other "
    "however although when while if as since because after before in on at by for from with under during to of and or "
    "but who what which where also most all each several others former latter here then thus newly sometimes not only "
    "more than less first having said once unless across add often early despite provided based both even just yet "
    "according due like about around near outside inside see note use make for".split()
)
_ADVERBS = frozenset("also then again often still now later once soon never always sometimes further first".split())
# Where a statement may end; and what else a clear subject does not hold.
_CLAUSE_END = re.compile(
    r"[,;:](?!\d)| - | – | — |\b(?:which|who|whom|whose|but|while|where|when|although|because|if)\b"
)
_JOINED = re.compile(_CLAUSE_END.pattern + r"|\b(?:that|and|so|or|with)\b")
# "..., brass and tin": what a comma cuts here is a list.
_LIST = re.compile(r",\s+(?:[^\s,]+\s+){1,3}?(?:and|or)\b|,\s+(?:[^\s,]+\s+){0,3}[^\s,]+,")
_LEADING = re.compile(r"^(In|On|During|By|Since|From|At|After|Until) ([^,]{2,40}), ")
_ASIDE = re.compile(r"\s*[(\[][^)\]]*[)\]]")
_YEAR = re.compile(r"[12]\d{3}")
# Words that a phrase does not end with, and those that point out of it.
_HALF = re.compile(
    r"\b(?:a|an|the|its|his|her|their|our|and|or|that|to|of|than|not|be|been|both|such|very|US|up|[A-Z]\w?\.|"
    r"in|on|at|by|from|with|for|as|since|during|until|into|between|under|over|after|\d{1,3}|\d{5,}|[03-9]\d{3})$"
)
_PRONOUN = re.compile(
    r"\b(?:this|these|those|such|it|they|them|he|she|him|we|us|you|there|so|one|others?|former|latter|same|too)\b", re.I
)
SHORTEST, LONGEST, LONGEST_SUBJECT = 5, 18, 7
SHORTEST_OBJECT, LONGEST_OBJECT = 2, 7


class _Clause(NamedTuple):
    """A statement taken apart; `helper` and `base` are what a question puts around the subject."""

    subject: str
    verb: str
    helper: str
    base: str
    rest: str


class StatementQuestions:
    """Makes questions from the statements of a paragraph."""

    def __init__(self, words: QuestionWords, texts: Iterable[str]) -> None:
        """texts: to tell a verb's base form."""
        self._words = words
        self._known = Counter(word for text in texts for word in re.findall(r"\b[a-z]+\b", text))

    def rows(self, title: str, text: str, rng: random.Random) -> list[Row]:
        """Every question that the patterns give for the whole sentences of a paragraph, in the order of the text."""
        made = []
        context = " ".join(text.replace(UNKNOWN, "").split())
        whole = [text[start:end].strip() for start, end in sentences(text) if UNKNOWN not in text[start:end]]
        for sentence in whole:
            for question, answer in self._of(sentence, rng):
                asked = " ".join(question.split())
                if reads_well(asked, answer) and locate(answer, context):
                    made.append(Row(title, context, asked + "?", (answer,)))
        return made

    def _of(self, sentence: str, rng: random.Random) -> Iterator[tuple[str, str]]:
        plain = _ASIDE.sub("", sentence).rstrip(". ")
        if '"' in plain or "“" in plain:
            return
        leading = _LEADING.match(plain)
        main = plain[leading.end() :] if leading else plain
        clause = self._take_apart(main)
        if clause is None:
            return
        moved = f"{clause.helper} {clause.subject} {clause.base}"
        if leading and (year := _YEAR.fullmatch(leading[2])) and leading[1] == "In":
            yield f"{rng.choice(('in what year', 'when'))} {moved} {clause.rest}", year[0]
        tail = f" {leading[1].lower()} {leading[2]}" if leading else ""
        if len(clause.subject.split()) <= 5 and (word := self._word_for(clause)):
            yield f"{word} {clause.verb} {clause.rest}{tail}", clause.subject
        yield from self._of_object(clause, moved, tail)
        for span in spans_of_interest("x " + clause.rest):
            before, found, after = f" {clause.rest} ".partition(f" {span} ")
            if found and span not in _MONTHS:
                yield from self._of_span(moved, before.split(), span, after.strip() + tail, rng)

    def _of_object(self, clause: _Clause, moved: str, tail: str) -> Iterator[tuple[str, str]]:
        """ "What did X build in Y?" and "what is X?": for what stands behind the verb with its article."""
        words = clause.rest.split()
        if words[0] not in ("a", "an", "the"):
            return
        ends = (at for at, word in enumerate(words) if at and word in _PREPOSITIONS | {"that", "and", "or"})
        end = next(ends, len(words))
        found, following = " ".join(words[:end]), words[end:]
        if not SHORTEST_OBJECT <= end <= LONGEST_OBJECT or (following and following[0] not in _PREPOSITIONS):
            return
        # "the critic a mark", "the work completed": more than one phrase.
        if words[end - 1].endswith("ed") or any(
            b in ("a", "an", "the") and a != "of" for a, b in pairwise(words[:end])
        ):
            return
        if clause.base and clause.helper in ("do", "does", "did"):
            if word := self._words.subject(found):
                yield f"{word} {moved} {' '.join(following)}{tail}", found
            return
        named = clause.verb in ("is", "was", "are", "were") and not following and not tail
        if named and (word := self._word_for(clause)):
            yield f"{word} {moved}", found

    def _word_for(self, clause: _Clause) -> str | None:
        """What asks for the subject; None where that is in doubt, as where "X is a Y" says otherwise of X and Y."""
        word = self._words.subject(clause.subject)
        words = clause.rest.split()
        if clause.verb in ("is", "was", "are", "were") and words[0] in ("a", "an", "the"):
            end = next((at for at, other in enumerate(words) if at and other in _PREPOSITIONS), len(words))
            return word if self._words.subject(" ".join(words[: min(end, LONGEST_OBJECT)])) == word else None
        return word

    def _of_span(
        self, moved: str, before: list[str], span: str, after: str, rng: random.Random
    ) -> Iterator[tuple[str, str]]:
        left = " ".join(before[:-1])
        last = before[-1] if before else ""
        following = after.split()
        # "by Spanish" of "by Spanish architects" is half a phrase.
        whole = not following or following[0] in _PREPOSITIONS
        if _YEAR.fullmatch(span):
            if following and following[0] in ("to", "and", "or"):
                return
            if last == "in":
                yield f"{rng.choice(('in what year', 'when'))} {moved} {left} {after}", span
            elif last in ("since", "until", "by"):
                yield f"{last} what year {moved} {left} {after}", span
        elif span[0].isdigit():
            if following and following[0].isalpha() and following[0].endswith("s") and len(before) <= 1:
                kept = " ".join(word for word in before if word not in ("about", "over", "approximately", "nearly"))
                yield f"how many {following[0]} {moved} {kept} {' '.join(following[1:])}", span
        elif not whole:
            return
        elif last in ("in", "at"):
            if self._words.is_place(span):
                yield f"where {moved} {left} {after}", span
        elif (word := self._words.subject(span)) is None:
            return
        elif last == "by" and not following:
            yield f"{word} {moved} {left} by", span
        elif last in _PREPOSITIONS - {"as"}:
            yield f"{last} {'whom' if word == 'who' else 'what'} {moved} {left} {after}", span
        elif all(word in _DETERMINERS for word in before) or (len(before) == 1 and last.endswith("ed")):
            kept = " ".join(word for word in before if word not in _DETERMINERS)
            yield f"{word} {moved} {kept} {after}", span

    def _take_apart(self, text: str) -> _Clause | None:
        words = text.split()
        for at in range(1, min(len(words) - 2, LONGEST_SUBJECT + 1)):
            found = self._helper(words, at)
            if found is None:
                continue
            subject = _without_adverbs(words[:at])
            if not subject:
                return None
            if subject[0].lower() in _VAGUE or _JOINED.search(" ".join(subject)) or _points_back(subject):
                return None
            rest = _ended(" ".join(words[at + 1 :]))
            helped = words[at] in _AUXILIARIES
            # "Teams led by ...", or a second finite verb: what looked like the verb belonged to the subject.
            second = {*_AUXILIARIES, *_HAVING} | (set() if helped else {*_PAST, *_PRESENT})
            if not rest or (not helped and rest.startswith("by ")) or set(rest.split()) & second:
                return None
            if subject[0].lower() in _DETERMINERS:
                subject = [subject[0].lower(), *subject[1:]]
            return _Clause(" ".join(subject), words[at], *found, rest)
        return None

    def _helper(self, words: Sequence[str], at: int) -> tuple[str, str] | None:
        """The helping verb and the base form of the verb at a place; None where there is no verb."""
        word, after = words[at], words[at + 1]
        if word in _AUXILIARIES:
            return word, ""
        if word in _HAVING:
            perfect = after.endswith(("ed", "en")) or after in _PAST
            return (word, "") if perfect else ({"has": "does", "had": "did", "have": "do"}[word], "have")
        if words[at - 1].lower() in _DETERMINERS:
            return None
        if word in _PRESENT:
            return "does", _PRESENT[word]
        if word in _PAST:
            return "did", _PAST[word]
        base = self._base(word)
        return ("did", base) if base else None

    def _base(self, word: str) -> str | None:
        """The base form of a regular past tense, the commonest of those that could be; None where it is none."""
        if not (word.endswith("ed") and word.islower() and len(word) > 4):
            return None
        guesses = [word[:-2], word[:-1]]
        if word.endswith("ied"):
            guesses = [word[:-3] + "y"]
        elif len(word) > 5 and word[-3] == word[-4] and word[-3] not in "sl":
            guesses = [word[:-3]]
        best = max(guesses, key=lambda guess: self._known[guess])
        return best if self._known[best] > 1 else None


def reads_well(question: str, answer: str) -> bool:
    """Whether a question made by rule is one that `raft generate` would let pass by its words."""
    if not SHORTEST <= len(question.split()) <= LONGEST or locate(answer, question):
        return False
    fits = asks_for(question, answer) and stands_alone(question, answer)
    return fits and keeps_its_thread(question) and all(map(is_closed, (question, answer))) and is_whole(question)


def _ended(rest: str) -> str:
    """What follows a verb up to where its clause ends; empty where that would be half a phrase."""
    if end := _CLAUSE_END.search(rest):
        if _LIST.match(rest[end.start() :]):
            return ""
        rest = rest[: end.start()].strip()
        if re.search(r"\bthat\b", rest):
            return ""
    words = rest.split()
    for at, (word, after) in enumerate(pairwise(words)):
        if at and word == "and" and after in {*_AUXILIARIES, *_HAVING, *_PAST, *_PRESENT}:
            words = words[:at]
            break
    rest = " ".join(words)
    return "" if _HALF.search(rest) or _PRONOUN.search(rest) else rest


def _without_adverbs(subject: Sequence[str]) -> list[str]:
    """The subject without "also" or "originally" before its verb."""
    kept = list(subject)
    while kept and (kept[-1] in _ADVERBS or (kept[-1].endswith("ly") and kept[-1].islower())):
        kept.pop()
    return kept


def _points_back(subject: Sequence[str]) -> bool:
    """Whether a subject such as "the team" is one that only the sentences before make clear."""
    if len(subject) == 1 and subject[0].endswith(("ed", "ing")):
        return True
    if subject[0].endswith("ly") or _VAGUE & {word.lower() for word in subject[1:]} - _WITHIN:
        return True
    return subject[0].lower() in _DETERMINERS and not any(word[0].isupper() for word in subject[1:])


def statement_rows(articles: Mapping[str, Sequence[str]], maker: StatementQuestions, rng: random.Random) -> list[Row]:
    """All rows of all paragraphs, each question once."""
    made = [row for title, texts in articles.items() for text in texts for row in maker.rows(title, text, rng)]
    return list({(row.question, row.answers): row for row in made}.values())
