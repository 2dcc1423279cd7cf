"""Which passages are right for a question, and the words in them that its answer rests on.

Generation, evaluation and audit all ask here, so that a passage which is learnt as an oracle is also scored as one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import regex

from raft.text import VERDICTS, Source, Span, normalise_answer, sentences
from raft.types import Document, Passage, Question

# A quote is a sentence; of a longer one it is as many whole clauses as go into so many characters.
QUOTE_CHARACTERS = 240
# What parts the clauses of a sentence, from the strongest on. A mark inside a number ("1,200") has no blank behind it.
_CLAUSES = (
    regex.compile(r"(?:[;:](?=\s)|[\uff1b\uff1a\u061b]|\s[-\u2013\u2014](?=\s))\s*"),
    regex.compile(r"(?:,(?=\s)|[\u3001\uff0c\u060c])\s*"),
)


class Evidence(NamedTuple):
    """Where a passage says an answer: the sentences, and the answer inside them (character spans of the passage)."""

    sentence: Span
    answer: Span


class EvidencePools(NamedTuple):
    """Where the evidence of a question is said to stand: by its own 'context', by the documents 'named', or ''.

    pools: the passages of each context or document, in the order of the index.
    """

    known_by: str
    pools: Sequence[Sequence[Passage]]

    @property
    def passages(self) -> list[Passage]:
        """Those of all pools."""
        return [passage for pool in self.pools for passage in pool]


# The evidence of a question that says nothing of it.
NOWHERE = EvidencePools("", ())


def find_evidence(text: str, question: str, answers: Sequence[str]) -> Evidence | None:
    """Where a text says an accepted answer: of several places, where the sentence shares most words with the question.

    Answers are tried in their order, so that a short alias ("8") is only sought where the full answer ("above 8 cr") is
    not there. A number that is accepted without its unit ("10") is found beside it ("10 %") where no answer is found
    whole. A bare "yes" or "no" stands in a text for other reasons than the question's, and is never sought.
    """
    source = Source(text)
    places = _places(source, answers)
    if not places:
        return None
    words = _words(question)
    spans = list(sentences(text))
    found = [Evidence(_around(place, spans), place) for place in places]
    shared = {span: len(words & _words(text[slice(*span)])) for span in dict.fromkeys(one.sentence for one in found)}
    return max(found, key=lambda one: shared[one.sentence])


def says_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether a text says an accepted answer, as `find_evidence` finds it."""
    return bool(_places(Source(text), answers, all_of_them=False))


def _places(source: Source, answers: Sequence[str], *, all_of_them: bool = True) -> list[Span]:
    """Where the first answer that is there stands: every place, or one."""
    sought = [answer for answer in answers if normalise_answer(answer) not in VERDICTS]
    for bare in (False, True):
        for answer in sought:
            found = source.occurrences(answer, bare=bare)
            if (first := next(found, None)) is not None:
                return [first, *found] if all_of_them else [first]
    return []


def _around(place: Span, spans: Sequence[Span]) -> Span:
    """From the beginning of the sentence in which an answer begins to the end of the one in which it ends."""
    first = bisect_right(spans, place[0], key=lambda span: span[1])
    last = bisect_left(spans, place[1], key=lambda span: span[0])
    touched = spans[first:last]
    return (min(touched[0][0], place[0]), max(touched[-1][1], place[1])) if touched else place


def _words(text: str) -> set[str]:
    return set(normalise_answer(text).split())


def quote_span(text: str, evidence: Evidence) -> Span:
    """The sentence, or where it is long those clauses of it that hold the answer, and what fits of the ones around.

    Of a clause that is too long by itself it is whole words around the answer.
    """
    span, answer = evidence
    for marks in _CLAUSES:
        if not _is_long(span):
            return span
        span = _grown(_clauses(text, span, marks), answer)
    return _words_around(text, span, answer) if _is_long(span) else span


def _is_long(span: Span) -> bool:
    return span[1] - span[0] > QUOTE_CHARACTERS


def _clauses(text: str, sentence: Span, marks: regex.Pattern[str]) -> list[Span]:
    """The clauses of a sentence, without the marks between them; no number is parted from its sign."""
    source = Source(text)
    spans, start = [], sentence[0]
    for found in marks.finditer(text, *sentence):
        # Not in a range either: half of one would be found nowhere.
        parts = source.may_end(found.start(), ranges=False) and source.may_begin(found.end(), ranges=False)
        if start < found.start() and found.end() < sentence[1] and parts:
            spans.append((start, found.start()))
            start = found.end()
    return [*spans, (start, sentence[1])]


def _grown(clauses: Sequence[Span], answer: Span) -> Span:
    """From the clause in which the answer begins to the one in which it ends, and those around that fit."""
    first = max((place for place, (start, _) in enumerate(clauses) if start <= answer[0]), default=0)
    last = min((place for place, (_, end) in enumerate(clauses) if end >= answer[1]), default=len(clauses) - 1)
    # What stands before says what it is about, so it is taken in first.
    while first > 0 and not _is_long((clauses[first - 1][0], clauses[last][1])):
        first -= 1
    while last < len(clauses) - 1 and not _is_long((clauses[first][0], clauses[last + 1][1])):
        last += 1
    return min(clauses[first][0], answer[0]), max(clauses[last][1], answer[1])


def _words_around(text: str, within: Span, answer: Span) -> Span:
    source = Source(text)
    spare = max(0, QUOTE_CHARACTERS - (answer[1] - answer[0])) // 2
    start, end = max(within[0], answer[0] - spare), min(within[1], answer[1] + spare)
    while start > within[0] and not (text[start - 1].isspace() and source.may_begin(start, ranges=False)):
        start -= 1
    while end < within[1] and not (text[end].isspace() and source.may_end(end, ranges=False)):
        end += 1
    while end > answer[1] and text[end - 1].isspace():
        end -= 1
    return start, end


def supporting_span(text: str, question: str, said: str) -> Span:
    """The sentence of a passage that shares most words with a question and with what answers it.

    For a passage that leads to the answer and does not hold it. text: not empty.
    """
    words = _words(f"{question} {said}")
    return max(sentences(text), key=lambda span: len(words & _words(text[slice(*span)])))


def evidence_pools(
    questions: Sequence[Question], documents: Mapping[str, Document], passages: Iterable[Passage]
) -> list[EvidencePools]:
    """For each question the passages that its evidence is among; none where it says nothing.

    documents: by id; they hold every document that a question names.
    """
    passages_of: dict[str, list[Passage]] = {}
    for passage in passages:
        passages_of.setdefault(passage.document_id, []).append(passage)
    # Taken apart once and not for every question: whole documents are long.
    # Nor looked for again for each question of one paragraph, of which SQuAD has five.
    contexts = {context for question in questions for context in question.all_contexts}
    sources = {d.id: Source(d.text) for d in documents.values()} if contexts else {}
    holding = {context: _holding(context, sources, passages_of) for context in contexts}
    found = []
    for question in questions:
        known_by, pools = "context", [holding[context] for context in question.all_contexts]
        if not any(pools):
            known_by, pools = "named", [passages_of.get(document_id, []) for document_id in question.document_ids]
        found.append(EvidencePools(known_by, pools) if any(pools) else NOWHERE)
    return found


def _holding(
    context: str, sources: Mapping[str, Source], passages_of: Mapping[str, Sequence[Passage]]
) -> list[Passage]:
    """The passages that overlap a question's own context, where some document holds it; else none."""
    for document_id, source in sources.items():
        span = source.locate(context)
        if span is not None:
            inside = passages_of.get(document_id, ())
            return [passage for passage in inside if passage.start < span[1] and span[0] < passage.end]
    return []


def right_passages(
    question: Question, passages: Iterable[Passage], known: EvidencePools = NOWHERE
) -> list[Passage] | None:
    """Those of the passages that answer the question, in their order; None where nothing can tell.

    These are the passages of its evidence that say an accepted answer (`says_answer`); where no passage of its evidence
    says one in these words (a reason, a yes or no, one of several choices), all of them. Where the evidence is not
    known, whatever says an accepted answer. Words in common with the question are never asked for. Nothing can tell of
    an unanswerable question, nor of a label without known evidence.
    """
    sought = () if question.choices else _in_words(question)
    evidence = known.passages
    if question.unanswerable or not (sought or evidence):
        return None
    inside = {passage.id for passage in evidence}
    among = [passage for passage in passages if not evidence or passage.id in inside]
    if evidence and not any(says_answer(passage.text, sought) for passage in evidence):
        return among
    return [passage for passage in among if says_answer(passage.text, sought)]


def _in_words(question: Question) -> tuple[str, ...]:
    """The accepted answers that a passage could say."""
    return tuple(answer for answer in question.answers if normalise_answer(answer) not in VERDICTS)


def find_oracle(passages: Iterable[Passage], question: Question) -> Passage | None:
    """The passage that says an accepted answer beside most words of the question; None where none says one."""
    words = _words(question.text)
    holding = _saying(passages, question)
    return max(holding, key=lambda one: len(words & _words(f"{one.title} {one.text}")), default=None)


def _saying(passages: Iterable[Passage], question: Question) -> Iterator[Passage]:
    return (passage for passage in passages if says_answer(passage.text, question.answers))
