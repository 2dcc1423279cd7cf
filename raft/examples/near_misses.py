"""Questions that no passage answers, made from ones that some passage does: near misses, checked by a reader.

After Rajpurkar et al. 2018 (SQuAD 2.0), section 3.1, whose unanswerable questions resemble answerable ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from raft.examples.asking import why_lost
from raft.examples.composing import Candidate, Reason
from raft.examples.counterfactual import Inventory, Swap, near_misses
from raft.examples.reader import READ_TOKENS, SAME_ANSWER_F1
from raft.index import Index
from raft.models.generator import Decoding, Generator
from raft.models.names import public_name
from raft.outputs import ParsedAnswer, parse_answer
from raft.progress import Progress
from raft.prompts import passages_prompt
from raft.recipe import ExampleSettings
from raft.text import contains_answer, locate, normalise_answer, token_f1
from raft.types import Passage, Question, ScoredPassage

Lost = tuple[Candidate, str, Reason]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A changed question before its checks, and what it was made from."""

    source: Candidate
    swap: Swap

    @property
    def candidate(self) -> Candidate:
        asked = self.source.question
        digest = hashlib.sha256(f"near miss\x00{asked.id}\x00{self.swap.text}".encode()).hexdigest()[:16]
        question = Question(digest, self.swap.text, document_ids=self.source.document_ids, unanswerable=True)
        made = {"source": "near miss", "made_from": asked.id, "swapped": self.swap.old, "for": self.swap.new}
        home = self.source.oracle.document_id if self.source.oracle is not None else None
        return Candidate(question, None, made, home=home)


def near_miss_count(answerable: int, settings: ExampleSettings) -> int:
    """How many changed questions beside `answerable` others give the shares of rows that the settings ask for."""
    changed = settings.unanswerable_fraction * settings.near_miss_fraction
    return round(answerable * changed / (1 - changed))


def withheld_share(settings: ExampleSettings) -> float:
    """The share of the questions that a passage answers whose rows withhold it."""
    changed = settings.unanswerable_fraction * settings.near_miss_fraction
    return (settings.unanswerable_fraction - changed) / (1 - changed)


def write_near_misses(
    candidates: Sequence[Candidate],
    index: Index,
    reader: Generator,
    settings: ExampleSettings,
    rng: Random,
    progress: Progress,
) -> tuple[list[Candidate], list[Lost]]:
    """Changed questions that no passage answers, as many as are asked for if so many pass; the others with a reason.

    A name or number that the oracle speaks of gives way to one of its kind that it does not. A reader of what the new
    question retrieves must refuse, or answer otherwise with words that no passage says of the new name or number. Each
    question is changed once, in random order.
    """
    sources = [candidate for candidate in candidates if candidate.oracle is not None]
    wanted = near_miss_count(len(sources), settings)
    if not wanted:
        return [], []
    inventory = Inventory(index.passages, [(c.question, c.oracle) for c in sources if c.oracle is not None])
    asked = {normalise_answer(candidate.question.text) for candidate in candidates}
    rng.shuffle(sources)
    kept: list[Candidate] = []
    lost: list[Lost] = []
    drafts = _drafts(sources, inventory, asked, rng, lost)
    while batch := [draft for _, draft in zip(range(wanted - len(kept)), drafts, strict=False)]:
        for draft, reason in zip(batch, _checked(batch, index, reader, settings, progress), strict=True):
            if reason is None:
                made = draft.candidate
                made.provenance["model"] = public_name(reader.name)
                kept.append(made)
            else:
                lost.append((draft.candidate, draft.swap.text, reason))
    if len(kept) < wanted:
        progress.note(f"near misses: {len(kept)} of {wanted} passed, out of {len(sources)} questions")
    return kept, lost


def _drafts(
    sources: Sequence[Candidate], inventory: Inventory, asked: set[str], rng: Random, lost: list[Lost]
) -> Iterator[_Draft]:
    """A changed question for each source, none that is asked already; sources without one go to `lost`."""
    for source in sources:
        assert source.oracle is not None
        swaps = near_misses(source.question, source.oracle, inventory, rng)
        swap = next((swap for swap in swaps if normalise_answer(swap.text) not in asked), None)
        if swap is None:
            lost.append((source, source.question.text, Reason.NOTHING_TO_SWAP))
        else:
            asked.add(normalise_answer(swap.text))
            yield _Draft(source, swap)


def _checked(
    drafts: Sequence[_Draft], index: Index, reader: Generator, settings: ExampleSettings, progress: Progress
) -> list[Reason | None]:
    retrieved = index.retrieve([draft.swap.text for draft in drafts], settings.round_trip_depth)
    prompts = [
        passages_prompt(draft.swap.text, _passages(scored), reader.style)
        for draft, scored in zip(drafts, retrieved, strict=True)
    ]
    with progress.task("check near misses", len(prompts)) as advance:
        read = reader.generate(prompts, Decoding(READ_TOKENS), advance)
    # A reader that was cut off has not shown that nothing answers the question.
    return [
        why_lost(generation, Reason.MAY_BE_ANSWERED)
        if generation.failure is not None
        else fault_of(draft.source.question, draft.swap, _passages(scored), parse_answer(generation.text))
        for draft, scored, generation in zip(drafts, retrieved, read, strict=True)
    ]


def _passages(scored: Sequence[ScoredPassage]) -> list[Passage]:
    return [hit.passage for hit in scored]


def fault_of(source: Question, swap: Swap, retrieved: Sequence[Passage], read: ParsedAnswer) -> Reason | None:
    """Why a changed question may have an answer after all; None where nothing speaks for it."""
    if not read.abstained and token_f1(read.answer, source.answers) >= SAME_ANSWER_F1:
        return Reason.STILL_READ
    said = source.answers if read.abstained or not read.answer else (*source.answers, read.answer)
    for passage in retrieved:
        speaks = locate(swap.new, f"{passage.title}\n{passage.text}") is not None
        if speaks and contains_answer(passage.text, said):
            return Reason.MAY_BE_ANSWERED
    return None
