"""Put questions to one loaded model: each prompt once, in chunks that a journal keeps when the process is killed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from raft.artifacts import hash_json, versions
from raft.citations import check_citations
from raft.journal import Journal
from raft.models.generator import Decoding, Generation, Generator, is_unsure
from raft.progress import Progress
from raft.prompts import (
    Prompt,
    PromptStyle,
    WorkedExample,
    closed_book_prompt,
    few_shot_prompt,
    parse_answer,
    passages_prompt,
)
from raft.types import Passage, Prediction, Question

# Prompts between two entries in the journal: three full batches of a model on this machine, two rounds of an endpoint.
_CHUNK, _PAID_CHUNK = 144, 8


@dataclass(frozen=True, slots=True)
class Case:
    """One question as one arm is asked it. passages: in the order shown; None where the arm shows none."""

    arm: str
    question: Question
    passages: tuple[Passage, ...] | None
    worked: tuple[WorkedExample, ...] = ()

    def prompt(self, style: PromptStyle) -> Prompt:
        """What the model is shown."""
        if self.passages is None:
            return closed_book_prompt(self.question.text, style)
        if self.worked:
            return few_shot_prompt(self.worked, self.question.text, self.passages, style)
        return passages_prompt(self.question.text, self.passages, style)


class Respondent:
    """A loaded model and what it has said so far in this evaluation, by prompt."""

    def __init__(
        self, generator: Generator, identity: str, decoding: Decoding, journal: Journal, min_confidence: float = 0.0
    ) -> None:
        """identity: sha256 of the weights. decoding: greedy, so that one answer a prompt is enough.

        min_confidence: what the model is less sure of counts as a refusal, as it will when served.
        """
        self._min_confidence = min_confidence
        self._generator, self._decoding, self._journal = generator, decoding, journal
        self._work = hash_json([identity, versions(), asdict(decoding)])
        self._said: dict[Prompt, Generation] = {}

    def answer(self, cases: Sequence[Case], progress: Progress, label: str) -> list[Prediction]:
        """One prediction a case, in the same order.

        Which prompts are written together depends on the cases alone and never on what the journal holds already, so
        that an evaluation that goes on after a kill ends with the answers of one that ran through. Raises ModelError
        where a prompt does not fit the model, since nothing is ever cut, or where a confidence is asked for and the
        model does not tell it.
        """
        prompts = [case.prompt(self._generator.style) for case in cases]
        first: dict[Prompt, Case] = {}
        for case, prompt in zip(cases, prompts, strict=True):
            if prompt not in self._said:
                first.setdefault(prompt, case)
        with progress.task(label, len(cases)) as advance:
            if len(first) < len(cases):
                advance(len(cases) - len(first))
            for chunk in self._chunks(list(first)):
                known = [prompt for prompt in chunk if self._key(prompt) in self._journal]
                # The answers of an endpoint do not depend on what else it is asked.
                asked = [prompt for prompt in chunk if prompt not in known] if self._paid else chunk
                if len(known) == len(chunk):
                    advance(len(chunk))
                else:
                    if len(asked) < len(chunk):
                        advance(len(chunk) - len(asked))
                    self._note(asked, self._generator.generate(asked, self._decoding, advance), first)
                self._said |= {prompt: Generation(**self._journal[self._key(prompt)]["said"]) for prompt in chunk}
        return [self._prediction(case, prompt) for case, prompt in zip(cases, prompts, strict=True)]

    @property
    def _paid(self) -> bool:
        return self._generator.name.startswith("openai:")

    def _chunks(self, prompts: list[Prompt]) -> Iterator[list[Prompt]]:
        """Prompts of like length together, so that little of a batch is padding."""
        size = _PAID_CHUNK if self._paid else _CHUNK
        ordered = sorted(prompts, key=lambda prompt: (len(prompt.text), prompt.text))
        yield from (ordered[start : start + size] for start in range(0, len(ordered), size))

    def _note(self, prompts: Sequence[Prompt], written: Sequence[Generation], first: dict[Prompt, Case]) -> None:
        self._journal.add(
            {
                self._key(prompt): {
                    "question_id": first[prompt].question.id,
                    "arm": first[prompt].arm,
                    "said": asdict(generation),
                }
                for prompt, generation in zip(prompts, written, strict=True)
            }
        )

    def _key(self, prompt: Prompt) -> str:
        return hash_json([self._work, prompt.system, prompt.user])

    def _prediction(self, case: Case, prompt: Prompt) -> Prediction:
        generation = self._said[prompt]
        parsed = parse_answer(generation.text)
        passages = case.passages or ()
        checked = check_citations(parsed, passages)
        return Prediction(
            question_id=case.question.id,
            arm=case.arm,
            passage_ids=tuple(passage.id for passage in passages),
            prompt=prompt.text,
            text=generation.text,
            answer=checked.answer,
            quotes=checked.quotes,
            abstained=parsed.abstained or is_unsure(generation.likelihood, self._min_confidence),
            seconds=generation.seconds,
            likelihood=generation.likelihood,
        )
