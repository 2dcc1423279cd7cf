"""What one arm said to its cases, as the files of an evaluation hold it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from raft.answering.cases import Case, Reply
from raft.models.generator import Failure
from raft.types import Prediction


def predictions_of(arm: str, cases: Sequence[Case], replies: Sequence[Reply]) -> list[Prediction]:
    """One prediction a case, in the same order."""
    return [_prediction(arm, case, reply) for case, reply in zip(cases, replies, strict=True)]


def _prediction(arm: str, case: Case, reply: Reply) -> Prediction:
    return Prediction(
        question_id=case.question.id,
        arm=arm,
        passage_ids=tuple(passage.id for passage in case.passages or ()),
        prompt=reply.prompt.text,
        text=reply.text,
        answer=reply.answer,
        quotes=reply.quotes,
        abstained=reply.abstained,
        seconds=reply.generation.seconds,
        likelihood=reply.generation.likelihood,
        label_constrained=reply.label_constrained,
    )


def held_back(cases: Sequence[Case], replies: Sequence[Reply]) -> set[str]:
    """The ids of the questions whose answers a content filter kept from us."""
    return {case.question.id for case, reply in zip(cases, replies, strict=True) if reply.generation.held_back}


def failures_of(replies: Sequence[Reply]) -> Counter[Failure]:
    """How many replies hold no answer, by the reason."""
    return Counter(reply.generation.failure for reply in replies if reply.generation.failure is not None)
