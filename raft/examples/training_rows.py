"""Turn the rows of an examples folder into what one training method learns from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from raft.artifacts import read_jsonl
from raft.errors import ArtifactError, InputError
from raft.examples.composing import target_segments
from raft.prompts import (
    REFUSAL,
    Prompt,
    PromptStyle,
    Segment,
    WorkedExample,
    closed_book_prompt,
    joined,
    passages_prompt,
    plain_target,
)
from raft.text import normalise_answer
from raft.types import VARIANTS, ExampleKind, Quote, ShownPassage, Targets, TuningMethod


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One prompt with the text to be learnt."""

    id: str
    prompt: Prompt
    target: tuple[Segment, ...]


def read_rows(path: Path, variant: str, style: PromptStyle) -> list[TrainingRow]:
    """Every row of an examples file as a model of this variant learns it: the same questions whatever the variant.

    variant: a name of VARIANTS; a method alone stands for that method with its own targets.
    """
    method, targets = VARIANTS[variant]
    return [_taught(row, method, targets, style, f"{path}, line {number}") for number, row in read_jsonl(path)]


def _taught(
    row: Mapping[str, Any], method: TuningMethod, targets: Targets, style: PromptStyle, where: str
) -> TrainingRow:
    learnt = raft_row(row, style, where)
    if targets is Targets.PLAIN:
        learnt = replace(learnt, target=plain_target(row["answer"]))
    if method is TuningMethod.RAFT:
        return learnt
    prompt = closed_book_prompt(row["question"], style)
    if row["kind"] != ExampleKind.ORACLE:
        # Without passages there is nothing to refuse from: the answer is learnt where there is one.
        return TrainingRow(row["id"], prompt, plain_target(next(iter(row["answers"]), REFUSAL)))
    # The words that RAFT learns, so that both methods are taught one answer.
    return replace(learnt, prompt=prompt)


def raft_row(row: Mapping[str, Any], style: PromptStyle, where: str) -> TrainingRow:
    """A row of an examples file, as RAFT learns it. Raises ArtifactError where its target is not that of its fields."""
    shown = [ShownPassage(**passage) for passage in row["passages"]]
    quotes = [Quote(**quote) for quote in row["quotes"]]
    try:
        target = target_segments(shown, quotes, row["answer"], row["reasoning"])
    except ValueError:
        target = ()
    if joined(target) != row["target"]:
        raise ArtifactError(
            f"{where}: the target does not follow from its quotes and answer: run `raft generate` again"
        )
    return TrainingRow(row["id"], passages_prompt(row["question"], shown, style), target)


def worked_examples(path: Path, count: int, asked: Collection[str], seed: int) -> list[WorkedExample]:
    """`count` rows of an examples file as examples to stand in a prompt, each with its oracle alone to keep it short.

    asked: the questions of the evaluation; a row that asks one of them is not taken. Raises InputError where fewer rows
    are left than are wanted.
    """
    closed = {normalise_answer(question) for question in asked}
    rows = [
        row
        for _, row in read_jsonl(path)
        if row["kind"] == ExampleKind.ORACLE and normalise_answer(row["question"]) not in closed
    ]
    if len(rows) < count:
        raise InputError(f"{path} has {len(rows)} rows to work through before a question, not {count}: lower shots")
    return [_worked(row) for row in Random(seed).sample(rows, count)]


def _worked(row: dict[str, Any]) -> WorkedExample:
    oracles = [ShownPassage(**passage) for passage in row["passages"] if passage["oracle"]]
    known = {passage.id for passage in oracles}
    quotes = [Quote(**quote) for quote in row["quotes"] if quote["passage_id"] in known]
    target = target_segments(oracles, quotes, row["answer"])
    return WorkedExample(row["question"], oracles, target, row["answer"])
