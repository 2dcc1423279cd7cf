"""The model that reads: it answers written questions, and looks at distractors one by one.

A passage that it can answer the question from is no distractor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from raft.models.generator import Decoding, Generator
from raft.models.names import MINI, is_writer
from raft.outputs import parse_answer
from raft.progress import Progress
from raft.prompts import passages_prompt
from raft.recipe import ExampleSettings
from raft.text import token_f1
from raft.types import Passage, Question

READ_TOKENS = 80
# The reader's answer may have a word more or less than the writer's.
SAME_ANSWER_F1 = 0.6


def reading_model(settings: ExampleSettings) -> str:
    """The name of the model that checks questions by answering them."""
    return settings.reader or (MINI if is_writer(settings.model) else settings.model)


def answering_passages(
    shown: Iterable[tuple[Question, Sequence[Passage]]], reader: Generator, progress: Progress
) -> Mapping[str, set[str]]:
    """By question id, the passages from which `reader` gives an accepted answer; each is shown to it alone.

    The second half of the round trip of SimRAG (Xu et al. 2025, section 3.3), turned on what must not pass it.
    """
    pairs = [(question, passage) for question, passages in shown for passage in passages]
    prompts = [passages_prompt(question.text, [passage], reader.style) for question, passage in pairs]
    with progress.task("read distractors", len(prompts)) as advance:
        answers = reader.generate(prompts, Decoding(READ_TOKENS), advance)
    found: dict[str, set[str]] = {}
    for (question, passage), generation in zip(pairs, answers, strict=True):
        # A reader that was cut off has not shown that the passage is harmless.
        unread = generation.failure is not None
        if unread or token_f1(parse_answer(generation.text).answer, question.answers) >= SAME_ANSWER_F1:
            found.setdefault(question.id, set()).add(passage.id)
    return found
