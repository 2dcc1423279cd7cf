"""What every generative model looks like to the stages: how it is asked, what it gives, and why it gives nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Protocol

from raft.errors import ModelError
from raft.progress import Advance
from raft.prompts import Prompt, PromptStyle


@dataclass(frozen=True, slots=True)
class Decoding:
    """How to write: greedy at temperature 0, sampled above it. logprobs: tell how likely each text was to the model.

    schema: JSON Schema, as text, that a back-end holds the output to where it can; the prompt asks for that form too.
    thinking: False asks a model behind an endpoint not to think first; True leaves that to its server.
    """

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    logprobs: bool = False
    schema: str | None = None
    thinking: bool = True

    @property
    def recorded(self) -> dict[str, Any]:
        """All of it, for the keys of journals; `thinking` only where it is off, so that older keys still match."""
        said = asdict(self)
        if self.thinking:
            del said["thinking"]
        return said


class Failure(StrEnum):
    """Why a reply holds no answer, in words that stand in brackets."""

    CUT_OFF = "cut off at max_new_tokens"
    STILL_THINKING = "cut off at max_new_tokens while the model was thinking"
    ONLY_THOUGHTS = "thoughts without an answer"
    DECLINED = "the model declined to answer"
    CALLED_TOOL = "a tool call instead of an answer"
    NO_TEXT = "no text"

    def told(self, max_new_tokens: int) -> str:
        """The reason with the limit that the reply had."""
        return self.value.replace("max_new_tokens", f"max_new_tokens {max_new_tokens}")

    @property
    def advice(self) -> str:
        """What to do about it in an evaluation, a query or a server."""
        if self is Failure.CUT_OFF:
            return "raise answer.max_new_tokens"
        if self is Failure.STILL_THINKING:
            return "raise answer.max_new_tokens, or set answer.thinking to false"
        return "set answer.thinking to false" if self is Failure.ONLY_THOUGHTS else "ask another model"


@dataclass(frozen=True, slots=True)
class Generation:
    """What a model wrote, and its share of the wall-clock seconds of the batch that it was written in.

    Token counts are None where a back-end does not tell them. likelihood: the mean log-probability of its tokens before
    the temperature (of a question that `mini` writes, of the question without its answer); None where it was not asked
    for or the back-end does not tell it. structured: whether it was held to the schema of its decoding or the choices
    of its prompt; None where there are none, or the back-end knows none. held_back: a content filter kept the text from
    us, which is then empty. failure: why there is no answer, where the text is empty for that. unused: what was written
    all the same, such as the words before a cut, for people to read; never thoughts. lines: of a list of questions, the
    likelihood of each line, where it was asked for.
    """

    text: str
    seconds: float
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    likelihood: float | None = None
    structured: bool | None = None
    held_back: bool = False
    failure: Failure | None = None
    unused: str = ""
    lines: tuple[float, ...] = ()

    @classmethod
    def restored(cls, known: Mapping[str, Any]) -> Generation:
        """What a journal holds of one. Fields that another version of raft added are left out."""
        values = {one.name: known[one.name] for one in fields(cls) if one.name in known}
        if failure := values.get("failure"):
            values["failure"] = Failure(failure) if failure in set(Failure) else Failure.NO_TEXT
        # JSON knows no tuples.
        return cls(**{**values, "lines": tuple(values.get("lines", ()))})


def confidence(likelihood: float) -> float:
    """The likelihood of a text as a probability: the geometric mean of those of its tokens, 0 to 1."""
    return math.exp(min(likelihood, 0.0))


def is_unsure(likelihood: float | None, min_confidence: float) -> bool:
    """Whether a text is to count as a refusal, by `answer.min_confidence`; at 0 none is.

    Raises ModelError where the model did not tell how likely the text is.
    """
    if min_confidence <= 0:
        return False
    if likelihood is None:
        raise ModelError("the model does not tell how likely its answers are: set answer.min_confidence to 0")
    return confidence(likelihood) < min_confidence


class Generator(Protocol):
    """A model that continues prompts."""

    @property
    def name(self) -> str:
        """The name it was loaded by, for manifests and reports."""
        ...

    @property
    def style(self) -> PromptStyle:
        """The wording of the prompts that it expects."""
        ...

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        """One text a prompt, in the same order; `advance` is told as prompts are done.

        Where a prompt has choices, the answer is one of them or a refusal, if the back-end can hold a model to that.
        Equal prompts are answered once when decoding is greedy. Raises ModelError where a prompt does not fit the
        model's context: nothing is ever cut.
        """
        ...
