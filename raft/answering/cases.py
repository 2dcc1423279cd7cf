"""A question as a model is asked it, and the reply taken apart and checked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from raft.choices import parse_choice, tell_choices
from raft.citations import check_citations
from raft.models.generator import Generation, is_unsure
from raft.outputs import first_line, parse_answer
from raft.prompts import (
    REFUSAL,
    CitedQuote,
    Prompt,
    PromptStyle,
    PromptVariant,
    WorkedExample,
    closed_book_prompt,
    few_shot_prompt,
    passages_prompt,
)
from raft.questions.labels import labels_of
from raft.recipe import AnswerSettings
from raft.types import Passage, Question, Quote


@dataclass(frozen=True, slots=True)
class Case:
    """One question with what it is shown. passages: in the order shown; None where none are to be shown."""

    question: Question
    passages: tuple[Passage, ...] | None
    worked: tuple[WorkedExample, ...] = ()

    def prompt(
        self, style: PromptStyle, variant: PromptVariant, settings: AnswerSettings, *, must_be_told: bool = False
    ) -> Prompt:
        """What the model is shown. must_be_told: whether it knows of labels only what the prompt says."""
        if self.passages is None:
            prompt = closed_book_prompt(self.question.text, style, variant)
        elif self.worked:
            prompt = few_shot_prompt(self.worked, self.question.text, self.passages, style, variant)
        else:
            prompt = passages_prompt(self.question.text, self.passages, style, variant)
        labels = labels_of(self.question) if settings.hold_to_labels else ()
        prompt = replace(prompt, choices=labels)
        return tell_choices(prompt) if labels and must_be_told else prompt


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said to a case.

    text: as it was written; of a reply that ends with its first line only that. answer: in the spelling of its source,
    empty where there is none; every refusal reads the same. quotes: those that stand in the passage that they name;
    unverified: the others. label_constrained: whether decoding let it answer with a label of the question or a refusal
    only; None where that was not asked for.
    """

    prompt: Prompt
    generation: Generation
    text: str
    answer: str
    abstained: bool
    quotes: tuple[Quote, ...]
    unverified: tuple[CitedQuote, ...]
    label_constrained: bool | None = None


def read_reply(
    case: Case, prompt: Prompt, generation: Generation, settings: AnswerSettings, *, must_be_told: bool = False
) -> Reply:
    """Take a generation apart and check its quotes against the passages of the case.

    A generation without an answer (cut off, or only thoughts) is no refusal; what was written of it is kept for people
    to read. Raises ModelError where a confidence is asked for and the model does not tell it.
    """
    text, held = generation.text, generation.structured
    if prompt.choices and must_be_told:
        # A server may ignore the schema without a word.
        chosen = parse_choice(text, prompt.choices)
        text, held = (text, False) if chosen is None else (chosen, bool(held))
    if prompt.one_line and not held:
        text = first_line(text)
    failed = generation.failure is not None
    if failed:
        text = generation.unused
    parsed = parse_answer(text)
    if failed:
        parsed = parsed._replace(answer="", abstained=False)
    checked = check_citations(parsed, case.passages or ())
    unsure = is_unsure(generation.likelihood, settings.min_confidence)
    abstained = parsed.abstained or unsure
    return Reply(
        prompt=prompt,
        generation=generation,
        text=text,
        answer=REFUSAL if abstained else checked.answer,
        abstained=abstained,
        # What an answer that is not given rests on is not shown either.
        quotes=() if unsure else checked.quotes,
        unverified=() if unsure else checked.unverified,
        label_constrained=bool(held) if prompt.choices else None,
    )
