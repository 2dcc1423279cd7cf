"""What a prompt is made of: segments of template and content, turns, and the words that a model knows as marks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

BEGIN_QUOTE = "##begin_quote##"
END_QUOTE = "##end_quote##"
ANSWER = "<ANSWER>:"
QUESTION = "<QUESTION>:"
# How a list of questions says the same.
LISTED_ANSWER, LISTED_QUESTION = "Answer:", "\nQuestion:"
REFUSAL = "The passages do not answer this."
READ, RECALL, ASK = "<READ>", "<RECALL>", "<ASK>"
PASSAGE_NUMBERS = tuple(f"[{n}]" for n in range(1, 17))
# The compact style gives each of these one token of its own in the embedded model's vocabulary.
CONTROL_TOKENS = (BEGIN_QUOTE, END_QUOTE, ANSWER, QUESTION, READ, RECALL, ASK, *PASSAGE_NUMBERS)


class Segment(NamedTuple):
    """A run of prompt text; `content` marks what comes from the user's material."""

    text: str
    content: bool


def template(text: str) -> Segment:
    """Words of ours, which may hold control tokens."""
    return Segment(text, content=False)


def content(text: str) -> Segment:
    """Words of the user's material, in which nothing is a control token."""
    return Segment(text, content=True)


def joined(segments: Sequence[Segment]) -> str:
    """The segments as one string."""
    return "".join(segment.text for segment in segments)


class Turn(NamedTuple):
    """An earlier exchange that a prompt shows: what was asked, and what was replied."""

    user: tuple[Segment, ...]
    assistant: tuple[Segment, ...]


_GAP, _BREAK = template("\n\n"), template("\n")


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is shown: instruction (empty in the compact style) and message.

    choices: the only answers to it. passages: the texts that its answer is to quote, in the order of their numbers; in
    the compact style also the one that a question is to be about. earlier: turns before the message. begun: the first
    words of the reply, which the model goes on from. one_line: whether the reply ends with its first line. listed:
    whether it is a list of questions.
    """

    system: tuple[Segment, ...]
    user: tuple[Segment, ...]
    choices: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    earlier: tuple[Turn, ...] = ()
    begun: str = ""
    one_line: bool = False
    listed: bool = False

    @property
    def text(self) -> str:
        """The prompt as one string, for people and logs."""
        turns = [part for turn in self.earlier for part in turn]
        parts = [joined(part) for part in (self.system, *turns, self.user) if part]
        return "\n\n".join([*parts, *([self.begun] if self.begun else [])])

    @property
    def together(self) -> tuple[Segment, ...]:
        """Instruction, turns and message in one run."""
        gap = (_GAP,) if self.system else ()
        turns = [one for turn in self.earlier for one in (*turn.user, _BREAK, *turn.assistant, _GAP)]
        return (*self.system, *gap, *turns, *self.user)

    @property
    def plain(self) -> tuple[Segment, ...]:
        """The prompt in one run, as a model without a chat template is shown it; its target follows at once."""
        return (*self.together, _BREAK, *((template(self.begun),) if self.begun else ()))

    @property
    def exchange(self) -> Iterator[tuple[str, tuple[Segment, ...]]]:
        """The earlier turns and the message, each with its role."""
        for turn in self.earlier:
            yield from (("user", turn.user), ("assistant", turn.assistant))
        yield "user", self.user

    @property
    def messages(self) -> list[dict[str, str]]:
        """The prompt as a chat, in the form that OpenAI's interface has made common."""
        parts = [("system", self.system), *self.exchange]
        said = [{"role": role, "content": joined(part)} for role, part in parts]
        return said + ([{"role": "assistant", "content": self.begun}] if self.begun else [])


class PromptStyle(StrEnum):
    """COMPACT is what the embedded model was trained on; CHAT spells the instruction out for any other model."""

    COMPACT = "compact"
    CHAT = "chat"


class Showable(Protocol):
    """Anything with a title and a text, such as a Passage or a ShownPassage."""

    @property
    def title(self) -> str: ...

    @property
    def text(self) -> str: ...


PASSAGES, ASKED = "Passages:\n", "\nQuestion: "


def numbered(passages: Sequence[Showable]) -> list[Segment]:
    """The passages under their numbers, from 1."""
    shown: list[Segment] = []
    for number, passage in enumerate(passages, 1):
        title = (content(passage.title), template(": ")) if passage.title else ()
        shown += [template(f"[{number}] "), *title, content(passage.text), _BREAK]
    return shown


def asked_about(question: str, passages: Sequence[Showable]) -> tuple[Segment, ...]:
    """A question behind its passages, so that servers can reuse what stands before it."""
    return (template(PASSAGES), *numbered(passages), template(ASKED), content(question))


def asked_alone(question: str) -> tuple[Segment, ...]:
    """A question without passages."""
    return (template("Question: "), content(question))
