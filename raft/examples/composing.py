"""Make RAFT training examples: each question with its oracle passage and some distractors.

After Zhang et al. 2024, section 3. A pure core: values and a random generator in, values out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from raft.examples.evidence import find_evidence, quote_span, supporting_span
from raft.prompts import REFUSAL, CitedQuote, Segment, joined, plain_target, reasoned_target
from raft.recipe import ExampleSettings, NoOracle
from raft.text import Span, contains_answer, normalise_answer
from raft.types import Example, ExampleKind, Passage, Question, Quote, ShownPassage

# Above this share of common words a passage says what the oracle says, and is no distractor.
NEAR_DUPLICATE = 0.8


class Reason(StrEnum):
    """Why a candidate did not become a row."""

    FORM = "not in the form that was asked for"
    NOT_A_QUESTION = "not a well-formed question"
    OTHER_KIND = "the answer is not what the question word asks for"
    NO_NEIGHBOUR = "no second passage of its split to compare it with"
    NOT_OF_KIND = "not of the kind of question that was wanted"
    UNLIKELY = "a draft that its own writer finds unlikely"
    REFERS_TO_PASSAGE = "speaks of the passage instead of its subject"
    ANSWER_IN_QUESTION = "the question gives its answer away"
    ANSWER_NOT_IN_PASSAGE = "the answer is not in the passage"
    ANSWER_TOO_LONG = "the answer is too long"
    DUPLICATE = "the same question was asked before"
    NOT_RETRIEVED = "the question does not retrieve its passage"
    READ_OTHERWISE = "the reader gives another answer"
    NO_EVIDENCE = "no passage of its documents holds an answer"
    TOO_FEW_DISTRACTORS = "too few passages without the answer"
    SPANS_SPLITS = "its documents stand in different splits"
    PERSONAL = "personal data in the question or an answer"
    BLOCKED = "a blocked word in the question or an answer"
    LANGUAGE = "in another language than the one asked for"
    SURPLUS_OF_DOCUMENT = "surplus: too many rows of its document"
    SURPLUS_OF_QUESTION = "surplus: too many rows of its kind of question"
    SURPLUS_OF_ANSWER = "surplus: too many rows of its type of answer"
    SURPLUS_OF_LABEL = "surplus: too many rows of its label"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question with the passage that answers it (none for an unanswerable one), before it is a row.

    further: the other oracles of a question that needs several.
    """

    question: Question
    oracle: Passage | None
    provenance: dict[str, str]
    further: tuple[Passage, ...] = ()

    @property
    def oracles(self) -> tuple[Passage, ...]:
        """All passages that the answer rests on; the first holds it."""
        return (self.oracle, *self.further) if self.oracle is not None else ()


def choose_distractors(
    question: Question, oracle: Passage | None, candidates: Iterable[Passage], count: int
) -> list[Passage]:
    """The first `count` candidates that do not answer the question: no oracle, no near-duplicate, nothing twice."""
    chosen: list[Passage] = []
    seen = {oracle.id} if oracle is not None else set()
    texts = {oracle.text} if oracle is not None else set()
    for passage in candidates:
        if len(chosen) == count:
            break
        if passage.id in seen or passage.text in texts or contains_answer(passage.text, question.answers):
            continue
        if oracle is not None and overlap(passage.text, oracle.text) > NEAR_DUPLICATE:
            continue
        seen.add(passage.id)
        texts.add(passage.text)
        chosen.append(passage)
    return chosen


def overlap(one: str, other: str) -> float:
    """The share of their words that two passages have in common, 0 to 1."""
    ours, theirs = set(normalise_answer(one).split()), set(normalise_answer(other).split())
    return len(ours & theirs) / max(1, len(ours | theirs))


def which_show_their_oracle(count: int, fraction: float, rng: Random) -> list[bool]:
    """For `count` rows in random order, whether each shows its oracle: `fraction` of them, to the row.

    A draw for each row left one demo of 257 rows with 71 % where 80 % were asked for.
    """
    # Rounded up as often as the part of a row that is left over says.
    with_oracle = int(count * fraction + rng.random())
    shown = [True] * with_oracle + [False] * (count - with_oracle)
    rng.shuffle(shown)
    return shown


def compose(
    candidate: Candidate, retrieved: Iterable[Passage], settings: ExampleSettings, shows_oracle: bool, rng: Random
) -> Example | Reason:
    """One row, or why there is none.

    retrieved: distractor candidates, most tempting first. shows_oracle: says nothing where there is no oracle. A row
    shows as many passages with its oracle as without, in shuffled order so that position tells nothing.
    """
    question, oracle, oracles = candidate.question, candidate.oracle, candidate.oracles
    size = settings.num_distractors + max(1, len(oracles))
    with_oracle = oracle is not None and shows_oracle
    wanted = size - len(oracles) * with_oracle
    others = (p for p in retrieved if not any(overlap(p.text, f.text) > NEAR_DUPLICATE for f in candidate.further))
    distractors = choose_distractors(question, oracle, others, wanted)
    if len(distractors) < wanted:
        return Reason.TOO_FEW_DISTRACTORS
    passages = [*distractors, *(oracles if with_oracle else ())]
    rng.shuffle(passages)
    shown = tuple(_shown(passage, oracles) for passage in passages)
    if oracle is None:
        return _row(candidate, shown, (), REFUSAL, ExampleKind.UNANSWERABLE)
    if not with_oracle:
        answer = question.answers[0] if settings.no_oracle is NoOracle.MEMORISE else REFUSAL
        return _row(candidate, shown, (), answer, ExampleKind.NO_ORACLE)
    evidence = find_evidence(oracle.text, question.text, question.answers)
    if evidence is None:
        return Reason.ANSWER_NOT_IN_PASSAGE
    said = _quote(oracle, quote_span(oracle.text, evidence))
    # What leads to the answer comes first, and the words that hold it last.
    led = [_quote(other, supporting_span(other.text, question.text, said.text)) for other in candidate.further]
    return _row(candidate, shown, (*led, said), oracle.text[slice(*evidence.answer)], ExampleKind.ORACLE)


def _quote(passage: Passage, span: Span) -> Quote:
    return Quote(passage.id, span[0], span[1], passage.text[slice(*span)])


def _shown(passage: Passage, oracles: Sequence[Passage]) -> ShownPassage:
    is_oracle = any(passage.id == oracle.id for oracle in oracles)
    return ShownPassage(passage.id, passage.document_id, passage.title, passage.text, is_oracle)


def _row(
    candidate: Candidate, shown: tuple[ShownPassage, ...], quotes: tuple[Quote, ...], answer: str, kind: ExampleKind
) -> Example:
    target = target_segments(shown, quotes, answer)
    reasoning = joined(target[: -len(plain_target(answer))]).strip()
    content = "\x00".join([candidate.question.id, *(passage.id for passage in shown), joined(target)])
    return Example(
        id=hashlib.sha256(content.encode()).hexdigest()[:16],
        question_id=candidate.question.id,
        question=candidate.question.text,
        answers=candidate.question.answers,
        document_ids=candidate.question.document_ids or ((candidate.oracle.document_id,) if candidate.oracle else ()),
        passages=shown,
        reasoning=reasoning,
        quotes=quotes,
        answer=answer,
        target=joined(target),
        kind=kind,
        provenance=candidate.provenance,
    )


def target_segments(shown: Sequence[ShownPassage], quotes: Sequence[Quote], answer: str) -> tuple[Segment, ...]:
    """The target of a row as segments: what `Example.target` says, with content apart from template."""
    numbers = {passage.id: number for number, passage in enumerate(shown, 1)}
    return reasoned_target([CitedQuote(numbers[quote.passage_id], quote.text) for quote in quotes], answer)
