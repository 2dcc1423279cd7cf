"""Choose the distractors of a row: hard, random, of the same document or counterfactual, in the mix that was asked for.

A pure core: values and a random generator in, values out.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from raft.recipe import DistractorMix
from raft.text import may_contain_answer, normalise_answer
from raft.types import DistractorKind, Passage, Question

# Above this share of common words a passage says what the oracle says, and is no distractor.
NEAR_DUPLICATE = 0.8


@dataclass(frozen=True, slots=True)
class Distractor:
    """A passage in its part as a distractor. made_from: the id of the passage that a counterfactual one was made of."""

    passage: Passage
    kind: DistractorKind
    made_from: str | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """What the distractors of one question are taken from: of each kind the candidates, the best first.

    ranks: the place in the retrieval for the question, from 1, of each passage that was retrieved.
    """

    candidates: Mapping[DistractorKind, Sequence[Distractor]]
    ranks: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        retrieved: Sequence[Passage],
        random: Sequence[Passage] = (),
        same_document: Sequence[Passage] = (),
        counterfactual: Sequence[Distractor] = (),
    ) -> Pool:
        """retrieved: the most tempting first; the others in the order in which they shall be taken."""
        plain = {
            DistractorKind.HARD: retrieved,
            DistractorKind.RANDOM: random,
            DistractorKind.SAME_DOCUMENT: same_document,
        }
        candidates = {kind: [Distractor(passage, kind) for passage in passages] for kind, passages in plain.items()}
        ranks = {passage.id: rank for rank, passage in enumerate(retrieved, 1)}
        return cls({**candidates, DistractorKind.COUNTERFACTUAL: counterfactual}, ranks)


def draw_kinds(mix: DistractorMix, count: int, rng: Random, *, beside_oracle: bool) -> tuple[DistractorKind, ...]:
    """A kind for each of `count` distractors, by their weights.

    A counterfactual passage answers the question, wrongly; where the oracle does not stand beside it, nobody could tell
    why it should not be believed. So such rows share its weight among the other kinds.
    """
    weights = {
        kind: weight
        for kind, weight in mix.weights.items()
        if weight and (beside_oracle or kind is not DistractorKind.COUNTERFACTUAL)
    } or {DistractorKind.HARD: 1.0}
    if len(weights) == 1:
        return tuple(weights) * count
    return tuple(rng.choices(list(weights), list(weights.values()), k=count))


def choose_distractors(
    question: Question,
    oracles: Sequence[Passage],
    pool: Pool,
    kinds: Sequence[DistractorKind],
    banned: Container[str] = (),
) -> list[Distractor]:
    """One distractor for each of `kinds` that does not answer the question: no oracle, no near-duplicate of one (other
    than a counterfactual one), nothing twice.

    banned: the ids of passages from which a reader gave the right answer. Where no harmless one of a kind is left, one
    of another kind stands in: hard, then random, then of the same document. Fewer come back where all are used up.
    """
    seen = {oracle.id for oracle in oracles}
    texts = {oracle.text for oracle in oracles}
    harmless = {kind: _harmless(question, oracles, candidates) for kind, candidates in pool.candidates.items()}
    chosen: list[Distractor] = []
    for wanted in kinds:
        for kind in dict.fromkeys((wanted, *DistractorKind)):
            # A false passage is shown only where one was asked for.
            if kind is DistractorKind.COUNTERFACTUAL and kind is not wanted:
                continue
            found = next(
                (
                    distractor
                    for distractor in harmless[kind]
                    if distractor.passage.id not in seen
                    and distractor.passage.id not in banned
                    and distractor.passage.text not in texts
                ),
                None,
            )
            if found is not None:
                seen.add(found.passage.id)
                texts.add(found.passage.text)
                chosen.append(found)
                break
    return chosen


def _harmless(question: Question, oracles: Sequence[Passage], candidates: Sequence[Distractor]) -> Iterator[Distractor]:
    """The candidates that do not hold an answer, one after another: each is looked at once, and only if needed."""
    for distractor in candidates:
        if may_contain_answer(distractor.passage.text, question.answers):
            continue
        if distractor.made_from is None and any(
            overlap(distractor.passage.text, oracle.text) > NEAR_DUPLICATE for oracle in oracles
        ):
            continue
        yield distractor


def overlap(one: str, other: str) -> float:
    """The share of their words that two passages have in common, 0 to 1."""
    ours, theirs = set(normalise_answer(one).split()), set(normalise_answer(other).split())
    return len(ours & theirs) / max(1, len(ours | theirs))
