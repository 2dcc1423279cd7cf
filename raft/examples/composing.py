"""Make RAFT training examples: each question with its oracle passage and some distractors.

After Zhang et al. 2024, section 3. A pure core: values and a random generator in, values out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from raft.examples.distractors import Distractor, Pool, choose_distractors
from raft.prompts import REFUSAL, CitedQuote, Segment, explained_target, joined, plain_target, reasoned_target
from raft.questions.oracles import find_evidence, quote_span, supporting_span
from raft.recipe import NoOracle
from raft.text import Span
from raft.types import DistractorKind, Example, ExampleKind, Passage, Question, Quote, ShownPassage


class Reason(StrEnum):
    """Why a candidate did not become a row."""

    FORM = "not in the form that was asked for"
    HELD_BACK = "the model's content filter held it back"
    CUT_OFF = "the model's reply was cut off before it was complete"
    THINKING = "the model's reply was cut off while it was thinking"
    NO_ANSWER = "the model's reply holds no answer"
    NOT_A_QUESTION = "not a well-formed question"
    OTHER_KIND = "the answer is not what the question word asks for"
    NO_NEIGHBOUR = "no second passage of its split to compare it with"
    NOT_OF_KIND = "not of the kind of question that was wanted"
    UNLIKELY = "a draft that its own writer finds unlikely"
    SPLICED = "a draft that runs words together from several places of its passage"
    REFERS_TO_PASSAGE = "speaks of the passage instead of its subject"
    LEANS_ON_PASSAGE = "a pronoun in it, or in its answer, stands for what only the passage names"
    ANSWER_IN_QUESTION = "the question gives its answer away"
    ANSWER_NOT_IN_PASSAGE = "the answer is not in the passage"
    ANSWER_TOO_LONG = "the answer is too long"
    TORN_ANSWER = "the answer runs over its sentence, or lacks a bracket or a quote"
    DUPLICATE = "the same question was asked before"
    NOT_RETRIEVED = "the question does not retrieve its passage"
    READ_OTHERWISE = "the reader gives another answer"
    SEVERAL_ANSWERS = "it wants several answers, and a target gives one"
    NO_EVIDENCE = "no passage of its documents holds an answer"
    TOO_FEW_DISTRACTORS = "too few passages without the answer"
    NOTHING_TO_SWAP = "near miss: the question has no name or number that its passage speaks of"
    STILL_READ = "near miss: the reader answers it as the question that it was made from"
    MAY_BE_ANSWERED = "near miss: a passage may answer it"
    QUOTE_NOT_FOUND = "the target quotes what no oracle that it is shown says"
    NOT_FROM_QUOTES = "the answer does not follow from what the target quotes"
    OTHER_OF_PAIR = "the other row of its pair was rejected"
    TOO_LONG = "longer than the model to be tuned can hold"
    SPANS_SPLITS = "its documents stand in different splits"
    PERSONAL = "personal data in the question or an answer"
    BLOCKED = "a blocked word in the question or an answer"
    LANGUAGE = "in another language than the one asked for"
    SURPLUS_OF_DOCUMENT = "surplus: too many rows of its document"
    SURPLUS_OF_QUESTION = "surplus: too many rows of its kind of question"
    SURPLUS_OF_ANSWER = "surplus: too many rows of its type of answer"
    SURPLUS_OF_LABEL = "surplus: too many rows of its label"
    SURPLUS_OF_PLACE = "surplus: too many rows whose answer stands in the same place of its sentence"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question with the passage that answers it (none for an unanswerable one), before it is a row.

    further: the other oracles of a question that needs several. home: the document that an unanswerable question was
    made from, in whose split it stays.
    """

    question: Question
    oracle: Passage | None
    provenance: dict[str, str]
    further: tuple[Passage, ...] = ()
    home: str | None = None

    @property
    def oracles(self) -> tuple[Passage, ...]:
        """All passages that the answer rests on; the first holds it."""
        return (self.oracle, *self.further) if self.oracle is not None else ()

    @property
    def document_ids(self) -> tuple[str, ...]:
        """The documents of its evidence, as the question names them, or else those of its oracles."""
        found = [passage.document_id for passage in self.oracles]
        return tuple(
            dict.fromkeys([*self.question.document_ids, *(found[1:] if self.question.document_ids else found)])
        )


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What one row shows and teaches, decided before its passages are chosen.

    kinds: one a distractor. no_oracle: what it teaches where it does not show its oracle. withheld: its oracle is left
    out for it to be a row that nothing shown answers.
    """

    kinds: tuple[DistractorKind, ...]
    shows_oracle: bool
    no_oracle: NoOracle = NoOracle.REFUSE
    withheld: bool = False


def which_show_their_oracle(count: int, fraction: float, rng: Random) -> list[bool]:
    """For `count` rows in random order, whether each shows its oracle: `fraction` of them, to the row.

    Whatever else a share of the rows is to be is drawn in the same way. A draw for each row left one demo of 257 rows
    with 71 % where 80 % were asked for.
    """
    # Rounded up as often as the part of a row that is left over says.
    with_oracle = int(count * fraction + rng.random())
    shown = [True] * with_oracle + [False] * (count - with_oracle)
    rng.shuffle(shown)
    return shown


def compose(
    candidate: Candidate, pool: Pool, plan: RowPlan, rng: Random, banned: Container[str] = ()
) -> Example | Reason:
    """One row, its passages in shuffled order so that position tells nothing; or why there is none.

    banned: the ids of passages that may not be distractors, since a reader found the answer in them.
    """
    question, oracles = candidate.question, candidate.oracles
    distractors = choose_distractors(question, oracles, pool, plan.kinds, banned)
    if len(distractors) < len(plan.kinds):
        return Reason.TOO_FEW_DISTRACTORS
    passages = [_distracting(distractor, pool) for distractor in distractors]
    passages += [_oracle(oracle, pool) for oracle in oracles if plan.shows_oracle]
    rng.shuffle(passages)
    shown = tuple(passages)
    if not oracles or plan.withheld:
        return _row(candidate, shown, (), REFUSAL, ExampleKind.UNANSWERABLE)
    if not plan.shows_oracle:
        answer = question.answers[0] if plan.no_oracle is NoOracle.MEMORISE else REFUSAL
        return _row(candidate, shown, (), answer, ExampleKind.NO_ORACLE)
    # Where the question needs several oracles, another one may name what the answer is said of.
    asked = " ".join([question.text, *(other.text for other in candidate.further)])
    evidence = find_evidence(oracles[0].text, asked, question.answers)
    if evidence is None:
        return Reason.ANSWER_NOT_IN_PASSAGE
    said = _quote(oracles[0], quote_span(oracles[0].text, evidence))
    # What leads to the answer comes first, and the words that hold it last.
    led = [_quote(other, supporting_span(other.text, question.text, said.text)) for other in candidate.further]
    return _row(candidate, shown, (*led, said), oracles[0].text[slice(*evidence.answer)], ExampleKind.ORACLE)


def _quote(passage: Passage, span: Span) -> Quote:
    return Quote(passage.id, span[0], span[1], passage.text[slice(*span)])


def _oracle(passage: Passage, pool: Pool) -> ShownPassage:
    rank = pool.ranks.get(passage.id)
    return ShownPassage(passage.id, passage.document_id, passage.title, passage.text, oracle=True, rank=rank)


def _distracting(distractor: Distractor, pool: Pool) -> ShownPassage:
    passage = distractor.passage
    shown = ShownPassage(passage.id, passage.document_id, passage.title, passage.text, oracle=False)
    rank = pool.ranks.get(passage.id)
    return replace(shown, distractor=distractor.kind, rank=rank, made_from=distractor.made_from)


def _row(
    candidate: Candidate, shown: tuple[ShownPassage, ...], quotes: tuple[Quote, ...], answer: str, kind: ExampleKind
) -> Example:
    quoted = target_segments(shown, quotes, answer)[: -len(plain_target(answer))]
    row = Example(
        id="",
        question_id=candidate.question.id,
        question=candidate.question.text,
        answers=candidate.question.answers,
        document_ids=candidate.document_ids,
        passages=shown,
        reasoning=joined(quoted).strip(),
        quotes=quotes,
        answer=answer,
        target="",
        kind=kind,
        provenance=candidate.provenance,
    )
    return identified(row)


def identified(row: Example) -> Example:
    """The row with the target that its reasoning, quotes and answer make, and the id of that content."""
    target = joined(target_segments(row.passages, row.quotes, row.answer, row.reasoning))
    content = "\x00".join([row.question_id, *(passage.id for passage in row.passages), target])
    return replace(row, id=hashlib.sha256(content.encode()).hexdigest()[:16], target=target)


def target_segments(
    shown: Sequence[ShownPassage], quotes: Sequence[Quote], answer: str, reasoning: str | None = None
) -> tuple[Segment, ...]:
    """The target of a row as segments: what `Example.target` says, with content apart from template.

    reasoning: where it is more than the quotes alone. Raises ValueError where it does not hold them in their order.
    """
    numbers = {passage.id: number for number, passage in enumerate(shown, 1)}
    cited = [CitedQuote(numbers[quote.passage_id], quote.text) for quote in quotes]
    quoted = reasoned_target(cited, answer)
    if reasoning is None or joined(quoted[: -len(plain_target(answer))]).strip() == reasoning:
        return quoted
    explained = explained_target(reasoning, cited, answer)
    if explained is None:
        raise ValueError("the reasoning does not hold the quotes in their order")
    return explained
