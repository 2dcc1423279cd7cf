"""Turn the rows of an examples folder into what one training method learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raft.artifacts import read_jsonl
from raft.errors import ArtifactError
from raft.examples.composing import target_segments
from raft.prompts import (
    REFUSAL,
    Prompt,
    PromptStyle,
    Segment,
    closed_book_prompt,
    joined,
    passages_prompt,
    plain_target,
)
from raft.recipe import TuningMethod
from raft.types import ExampleKind, Quote, ShownPassage


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One prompt with the text to be learnt."""

    id: str
    prompt: Prompt
    target: tuple[Segment, ...]


def read_rows(path: Path, method: TuningMethod, style: PromptStyle) -> list[TrainingRow]:
    """Every row of an examples file as `method` learns it: the same questions whatever the method."""
    make = raft_row if method is TuningMethod.RAFT else _plain_row
    return [make(row, style, f"{path}, line {number}") for number, row in read_jsonl(path)]


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


def _plain_row(row: Mapping[str, Any], style: PromptStyle, where: str) -> TrainingRow:
    # The words that RAFT learns where there are any, so that both methods are taught one answer.
    answer = row["answer"] if row["kind"] == ExampleKind.ORACLE else next(iter(row["answers"]), REFUSAL)
    prompt = closed_book_prompt(row["question"], style)
    return TrainingRow(row["id"], prompt, plain_target(answer))
