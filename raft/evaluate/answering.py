"""Put questions to one loaded model, each prompt once, and take its answers apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from raft.choices import parse_choice, tell_choices
from raft.citations import check_citations
from raft.evaluate.labels import labels_of
from raft.evaluate.noting import Noted
from raft.models.generator import Failure, Generation, is_unsure
from raft.outputs import parse_answer
from raft.progress import Progress
from raft.prompts import Prompt, PromptStyle, WorkedExample, closed_book_prompt, few_shot_prompt, passages_prompt
from raft.types import Passage, Prediction, Question


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

    def __init__(self, model: Noted, min_confidence: float = 0.0, hold_to_labels: bool = True) -> None:
        """model: greedy, so that one answer a prompt is enough.

        min_confidence: what the model is less sure of counts as a refusal, as it will when served. hold_to_labels:
        whether the answer to a question with labels can only be one of them, or a refusal.
        """
        self._model, self._min_confidence, self._hold_to_labels = model, min_confidence, hold_to_labels
        self._said: dict[Prompt, Generation] = {}

    @property
    def max_new_tokens(self) -> int:
        """The longest answer that it may give."""
        return self._model.max_new_tokens

    def answer(self, cases: Sequence[Case], progress: Progress, label: str) -> list[Prediction]:
        """One prediction a case, in the same order.

        Raises ModelError where a prompt does not fit the model, since nothing is ever cut, or where a confidence is
        asked for and the model does not tell it.
        """
        prompts = [self._prompt(case) for case in cases]
        fresh = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._said]
        with progress.task(label, len(cases)) as advance:
            if len(fresh) < len(cases):
                advance(len(cases) - len(fresh))
            self._said |= self._model.write(fresh, advance)
        return [self._prediction(case, prompt) for case, prompt in zip(cases, prompts, strict=True)]

    def was_held_back(self, case: Case) -> bool:
        """Whether a content filter kept the answer to this case, which was asked before, from us."""
        return self._said[self._prompt(case)].held_back

    def failures(self, cases: Sequence[Case]) -> Counter[Failure]:
        """How many of these cases, which were asked before, got no answer, by the reason."""
        said = (self._said[self._prompt(case)].failure for case in cases)
        return Counter(failure for failure in said if failure is not None)

    def _prompt(self, case: Case) -> Prompt:
        labels = labels_of(case.question) if self._hold_to_labels else ()
        prompt = replace(case.prompt(self._model.style), choices=labels)
        return tell_choices(prompt) if labels and self._model.must_be_told else prompt

    def _prediction(self, case: Case, prompt: Prompt) -> Prediction:
        generation = self._said[prompt]
        text, held = generation.text, generation.structured
        if prompt.choices and self._model.must_be_told:
            # A server may ignore the schema without a word.
            chosen = parse_choice(text, prompt.choices)
            text, held = (text, False) if chosen is None else (chosen, bool(held))
        parsed = parse_answer(text)
        if generation.failure is not None:
            # For people to read: without an answer it counts as wrong, and is no refusal.
            text = generation.unused
            parsed = parse_answer(text)._replace(answer="", abstained=False)
        passages = case.passages or ()
        checked = check_citations(parsed, passages)
        return Prediction(
            question_id=case.question.id,
            arm=case.arm,
            passage_ids=tuple(passage.id for passage in passages),
            prompt=prompt.text,
            text=text,
            answer=checked.answer,
            quotes=checked.quotes,
            abstained=parsed.abstained or is_unsure(generation.likelihood, self._min_confidence),
            seconds=generation.seconds,
            likelihood=generation.likelihood,
            held_to_labels=bool(held) if prompt.choices else None,
        )
