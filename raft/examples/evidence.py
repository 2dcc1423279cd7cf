"""Find the words of a passage that an answer rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from raft.text import Source, Span, locate, normalise_answer, sentences
from raft.types import Document, Passage, Question

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
        found.append(EvidencePools(known_by, pools) if any(pools) else EvidencePools("", []))
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


def find_oracle(passages: Iterable[Passage], question: Question) -> Passage | None:
    """The passage that holds an answer beside most words of the question; None where none holds one."""
    words = set(normalise_answer(question.text).split())

    def shared(passage: Passage) -> int:
        return len(words & set(normalise_answer(f"{passage.title} {passage.text}").split()))

    holding = [p for p in passages if find_evidence(p.text, question.text, question.answers) is not None]
    return max(holding, key=shared, default=None)
