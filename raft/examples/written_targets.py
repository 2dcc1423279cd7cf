"""Have a model write the targets of rows, given their verified answers, and keep what its quotes bear out.

After Wei et al. 2024 (InstructRAG): the model itself, or a teacher, explains an answer that is known to be right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from raft.examples.asking import why_lost
from raft.examples.composing import Reason, identified
from raft.examples.reader import SAME_ANSWER_F1
from raft.models.generator import Decoding, Generator
from raft.outputs import parse_answer, parse_quotes
from raft.progress import Progress
from raft.prompts import ANSWER, BEGIN_QUOTE, CONTROL_TOKENS, END_QUOTE, CitedQuote, explain_prompt
from raft.text import Source, locate, locate_nearly, token_f1
from raft.types import Example, ExampleKind, Quote

TARGET_TOKENS = 256
_NUMBERED = re.compile(r"\[(\d+)\]")
_MARKS = tuple(mark for mark in CONTROL_TOKENS if not mark.startswith("["))


def write_targets(
    rows: Sequence[Example], writer: Generator, similarity: float, progress: Progress
) -> list[Example | Reason]:
    """Each row with a target that `writer` wrote, or why there is none; rows without their oracle stay as they are.

    similarity: see `checked_target`. Raises ModelError where a prompt does not fit the writer.
    """
    asked = [place for place, row in enumerate(rows) if row.kind is ExampleKind.ORACLE]
    prompts = [
        explain_prompt(rows[place].question, rows[place].answer, rows[place].passages, writer.style) for place in asked
    ]
    with progress.task("write targets", len(prompts)) as advance:
        written = writer.generate(prompts, Decoding(TARGET_TOKENS), advance)
    made: list[Example | Reason] = list(rows)
    for place, generation in zip(asked, written, strict=True):
        checked = checked_target(rows[place], generation.text, similarity)
        made[place] = why_lost(generation, checked) if isinstance(checked, Reason) else checked
    return made


def checked_target(row: Example, written: str, similarity: float) -> Example | Reason:
    """The row with what was written as its target, every quote an exact slice of an oracle; or what is wrong with it.

    A quote is sought in the oracle that it names, then in the others: exactly, without case and marks, and unless
    similarity is 1 as what is at least this similar to it (see `locate_nearly`). It then reads as its passage does and
    names that one. The answer must stand in a quote.
    """
    if ANSWER not in written or "\n" in written.rpartition(ANSWER)[2].strip():
        return Reason.FORM
    parsed = parse_answer(written)
    if token_f1(parsed.answer, row.answers) < SAME_ANSWER_F1:
        return Reason.READ_OTHERWISE
    reasoning, quotes = "", []
    for prose, cited in parse_quotes(parsed.reasoning):
        numbers = map(int, _NUMBERED.findall(prose))
        if any(mark in prose for mark in _MARKS) or not all(0 < number <= len(row.passages) for number in numbers):
            return Reason.FORM
        reasoning += prose
        if cited is None:
            continue
        quote = _found(row, cited, similarity)
        if quote is None:
            return Reason.QUOTE_NOT_FOUND
        quotes.append(quote)
        number = [passage.id for passage in row.passages].index(quote.passage_id) + 1
        reasoning += f"[{number}] {BEGIN_QUOTE} {quote.text} {END_QUOTE}"
    answer = _quoted_answer(row, quotes)
    if answer is None:
        return Reason.NOT_FROM_QUOTES
    return identified(replace(row, reasoning=reasoning.strip(), quotes=tuple(quotes), answer=answer))


def _found(row: Example, cited: CitedQuote, similarity: float) -> Quote | None:
    """Where an oracle of the row says the quote, the one that it names first."""
    named = row.passages[cited.number - 1] if 1 <= cited.number <= len(row.passages) else None
    oracles = sorted((passage for passage in row.passages if passage.oracle), key=lambda passage: passage != named)
    spans = [(passage, Source(passage.text).locate(cited.text)) for passage in oracles]
    if similarity < 1:
        spans += [(passage, locate_nearly(cited.text, passage.text, similarity)) for passage in oracles]
    return next((Quote(p.id, span[0], span[1], p.text[slice(*span)]) for p, span in spans if span is not None), None)


def _quoted_answer(row: Example, quotes: Sequence[Quote]) -> str | None:
    """The verified answer as a quote spells it: the words that the row taught so far, or else another accepted one."""
    for answer in (row.answer, *row.answers):
        for quote in quotes:
            span = locate(answer, quote.text)
            if span is not None:
                return quote.text[slice(*span)]
    return None
