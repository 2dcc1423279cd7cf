"""The further oracles of a question that rests on several documents or contexts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from raft.questions import says_answer
from raft.text import normalise_answer
from raft.types import Passage, Question


def linked(question: Question, pools: Sequence[Sequence[Passage]]) -> Question:
    """The question with the words of the passages that are closest to it, one of each document or context.

    Of a question over two documents the answer is often said of something that only the other document names.
    """
    words = set(normalise_answer(question.text).split())

    def shared(passage: Passage) -> int:
        return len(words & set(normalise_answer(f"{passage.title} {passage.text}").split()))

    return replace(question, text=" ".join([question.text, *(max(pool, key=shared).text for pool in pools if pool)]))


def further_oracles(
    question: Question, oracle: Passage, pools: Sequence[Sequence[Passage]], most: int
) -> tuple[Passage, ...]:
    """One passage of each document or context that `oracle` is not from, until there are `most` oracles with it.

    pools: the passages of each, in the order in which the question names them. Of each that one is taken which shares
    most words with the question and with the oracle: of two documents, the one leads to what the other is about.
    """
    words = set(normalise_answer(f"{question.text} {oracle.title} {oracle.text}").split())

    def related(passage: Passage) -> tuple[bool, int]:
        holds = says_answer(passage.text, question.answers)
        return holds, len(words & set(normalise_answer(f"{passage.title} {passage.text}").split()))

    found: list[Passage] = []
    for pool in pools:
        if len(found) + 1 >= most:
            break
        known = {oracle.id, *(passage.id for passage in found)}
        if pool and not any(passage.id in known for passage in pool):
            found.append(max(pool, key=related))
    return tuple(found)
