"""Find the words of a passage that an answer rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from raft.text import Span, locate, normalise_answer, sentences

# A quote is a sentence; a longer one is cut to this many characters around the answer.
QUOTE_CHARACTERS = 130
_VERDICTS = ("yes", "no")


class Evidence(NamedTuple):
    """Where a passage says an answer: the sentence, and the answer inside it (character spans of the passage)."""

    sentence: Span
    answer: Span


def find_evidence(text: str, question: str, answers: Sequence[str]) -> Evidence | None:
    """The sentence that holds an answer and shares most words with the question; None where there is none.

    Answers are tried in their order, so that a short alias ("8") is only sought where the full answer ("above 8 cr") is
    not there; and a bare "yes" or "no" stands in a passage for other reasons than the question's.
    """
    words = set(normalise_answer(question).split())
    spans = [(span, len(words & set(normalise_answer(text[slice(*span)]).split()))) for span in sentences(text)]
    spans.sort(key=lambda item: -item[1])
    for answer in answers:
        if normalise_answer(answer) in _VERDICTS:
            continue
        for (start, end), shared in spans:
            found = locate(answer, text[start:end]) if shared else None
            if found is not None:
                return Evidence((start, end), (start + found[0], start + found[1]))
    return None


def quote_span(text: str, evidence: Evidence) -> Span:
    """The sentence, or where it is long whole words of it around the answer."""
    start, end = evidence.sentence
    if end - start <= QUOTE_CHARACTERS:
        return start, end
    spare = max(0, QUOTE_CHARACTERS - (evidence.answer[1] - evidence.answer[0])) // 2
    start, end = max(start, evidence.answer[0] - spare), min(end, evidence.answer[1] + spare)
    while start > evidence.sentence[0] and not text[start - 1].isspace():
        start -= 1
    while end < evidence.sentence[1] and not text[end].isspace():
        end += 1
    return start, end


def supporting_span(text: str, question: str, said: str) -> Span:
    """The sentence of a passage that shares most words with a question and with what answers it.

    For a passage that leads to the answer and does not hold it. text: not empty.
    """
    words = set(normalise_answer(f"{question} {said}").split())
    return max(sentences(text), key=lambda span: len(words & set(normalise_answer(text[slice(*span)]).split())))
