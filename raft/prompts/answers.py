"""What asks for an answer: with passages, from memory, after worked examples, or with its reasons."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from raft.prompts.form import (
    ANSWER,
    ASKED,
    BEGIN_QUOTE,
    END_QUOTE,
    PASSAGES,
    READ,
    RECALL,
    REFUSAL,
    Prompt,
    PromptStyle,
    Segment,
    Showable,
    Turn,
    asked_about,
    asked_alone,
    content,
    joined,
    numbered,
    template,
)
from raft.prompts.targets import CitedQuote, reasoned_target
from raft.prompts.variants import PHRASINGS, WORKED_FROM_MEMORY, WORKED_WITH_PASSAGES, Phrasing, PromptVariant

_EXPLAIN_INSTRUCTION = (
    "The answer to the question is known, and the numbered passages show why. Explain it in one to three short "
    "sentences, and quote the words of the passages that the answer rests on, each in the form "
    f"[n] {BEGIN_QUOTE}exact words of passage n{END_QUOTE}. Some passages may be beside the point or wrong: quote what "
    f"supports the known answer. Then write {ANSWER} and the answer in as few words as possible."
)


def passages_prompt(
    question: str, passages: Sequence[Showable], style: PromptStyle, variant: PromptVariant = PromptVariant.QUOTE
) -> Prompt:
    """Ask for an answer from numbered passages, or a refusal; in the usual variant with quotes.

    The compact style has one phrasing, whatever the variant.
    """
    texts = tuple(passage.text for passage in passages)
    if style is PromptStyle.COMPACT:
        return Prompt((), (template(READ), content(question), *numbered(passages)), passages=texts)
    phrasing = PHRASINGS[variant]
    earlier = WORKED_WITH_PASSAGES if phrasing.worked else ()
    asked = _asked(phrasing, phrasing.with_passages, asked_about(question, passages), earlier)
    return replace(asked, passages=texts) if phrasing.marks else asked


def closed_book_prompt(question: str, style: PromptStyle, variant: PromptVariant = PromptVariant.QUOTE) -> Prompt:
    """Ask for an answer without any passage."""
    if style is PromptStyle.COMPACT:
        return Prompt((), (template(RECALL), content(question)))
    phrasing = PHRASINGS[variant]
    earlier = WORKED_FROM_MEMORY if phrasing.worked else ()
    return _asked(phrasing, phrasing.from_memory, asked_alone(question), earlier)


def _asked(phrasing: Phrasing, instruction: str, user: tuple[Segment, ...], earlier: tuple[Turn, ...]) -> Prompt:
    return Prompt((template(instruction),), user, earlier=earlier, begun=phrasing.begun, one_line=not phrasing.marks)


def explain_prompt(question: str, answer: str, passages: Sequence[Showable], style: PromptStyle) -> Prompt:
    """Ask for the reasons of an answer that is known (Wei et al. 2024, InstructRAG, section 2.2).

    The compact style has no words for that: such a model is shown what it is shown in serving, and its target is what
    it says by itself where that ends in the known answer.
    """
    asked = passages_prompt(question, passages, style)
    if style is PromptStyle.COMPACT:
        return asked
    user = (*asked.user, template("\nKnown answer: "), content(answer))
    return replace(asked, system=(template(_EXPLAIN_INSTRUCTION),), user=user)


class WorkedExample(NamedTuple):
    """A question with the passages shown for it, the target that was wanted, and the answer alone."""

    question: str
    passages: Sequence[Showable]
    target: tuple[Segment, ...]
    answer: str


def few_shot_prompt(
    worked: Sequence[WorkedExample],
    question: str,
    passages: Sequence[Showable],
    style: PromptStyle,
    variant: PromptVariant = PromptVariant.QUOTE,
) -> Prompt:
    """The same as `passages_prompt`, after worked examples (Brown et al. 2020, section 2).

    They are earlier turns, as in the variant WORKED; a model that is asked for quotes is shown them with quotes. The
    compact style knows no turns.
    """
    if style is PromptStyle.COMPACT:
        before: list[Segment] = []
        for example in worked:
            shown = passages_prompt(example.question, example.passages, style).user
            before += [*shown, template("\n"), *example.target, template("\n\n")]
        asked = passages_prompt(question, passages, style)
        return replace(asked, user=(*before, *asked.user))
    marks = PHRASINGS[variant].marks
    asked = passages_prompt(question, passages, style, variant if marks else PromptVariant.WORKED)
    turns = (
        Turn(asked_about(one.question, one.passages), one.target if marks else (content(one.answer),)) for one in worked
    )
    return replace(asked, earlier=tuple(turns))


def read_passages_prompt(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Question and passages of a chat prompt, as `passages_prompt` joined them; None where the text is no such prompt.

    A passage that had a title begins with it: where the title ends, the text alone does not say.
    """
    shown, asked, question = text.partition(PASSAGES)[2].rpartition(ASKED)
    if not asked or not shown.startswith("[1] "):
        return None
    passages: list[str] = []
    rest = shown.removeprefix("[1] ")
    while rest:
        passage, mark, rest = rest.partition(f"\n[{len(passages) + 2}] ")
        passages.append(passage if mark else passage.removesuffix("\n"))
    return question.removesuffix("\n"), tuple(passages)


def prompt_fingerprint(style: PromptStyle) -> str:
    """A short hash of what a style puts into the prompts and targets of answers: a tuned model is bound to it.

    What asks for questions is no part of it: a tuned model has not seen that, and stays good when it changes.
    """
    example = type("Example", (), {"title": "t", "text": "p"})()
    prompts = (passages_prompt("q", [example, example], style), closed_book_prompt("q", style))
    target = reasoned_target([CitedQuote(1, "w")], "a")
    said = "\x00".join([*(prompt.text for prompt in prompts), joined(target), REFUSAL])
    return hashlib.sha256(said.encode()).hexdigest()[:16]
