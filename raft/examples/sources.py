"""Where the distractors of a question come from besides its retrieval: for training rows and the evaluation alike."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from random import Random

from raft.examples.counterfactual import Inventory, counterfactuals
from raft.examples.distractors import Pool
from raft.types import DistractorKind, Passage, Question


class Sources:
    """The passages of an index as distractors; what no kind asks for is not looked for.

    kinds: those that will be asked for. answered: questions with the passages that answer them, which tell what is
    swapped for what. depth: how many random passages are drawn for a question.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        kinds: Container[DistractorKind],
        answered: Iterable[tuple[Question, Passage]],
        depth: int,
    ) -> None:
        self._passages, self._depth = passages, min(depth, len(passages))
        self._of_document: dict[str, list[Passage]] = {}
        if DistractorKind.SAME_DOCUMENT in kinds:
            for passage in passages:
                self._of_document.setdefault(passage.document_id, []).append(passage)
        self._inventory = Inventory(passages, answered) if DistractorKind.COUNTERFACTUAL in kinds else None

    def pool(
        self, question: Question, oracles: Sequence[Passage], retrieved: Sequence[Passage], false: int, rng: Random
    ) -> Pool:
        """What the distractors of one question are chosen from. false: the most counterfactual passages to make."""
        others = rng.sample(self._passages, self._depth)
        own: list[Passage] = []
        for document_id in dict.fromkeys(oracle.document_id for oracle in oracles):
            own += self._of_document.get(document_id, ())
        rng.shuffle(own)
        made = []
        if false and self._inventory is not None and oracles:
            made = counterfactuals(question, oracles[0], self._inventory, false, rng)
        return Pool.of(retrieved, others, own, made)
