"""What `raft generate` will ask of a model, told before it asks: calls, tokens, time and money, as estimates."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

from raft.examples.asking import QUESTION_TOKENS, way_of_asking
from raft.examples.kinds import INSTRUCTED_TOKENS, needs_instructions
from raft.examples.reader import READ_TOKENS, reading_model
from raft.examples.written_targets import TARGET_TOKENS
from raft.models.calls import Limits, Tokens
from raft.models.generator import Decoding
from raft.models.names import MINI, is_endpoint
from raft.models.weights import source_of
from raft.prompts import Prompt, PromptStyle, passages_prompt
from raft.recipe import BY_MODEL, EXTRACTIVE, ExampleSettings
from raft.types import Passage

T = TypeVar("T")
# Of English; there is no tokenizer of a model behind an endpoint.
_CHARACTERS_PER_TOKEN = 4
_SECONDS_PER_CALL = 1.0
# What `mini` reads and writes a second in batches on a CPU with bfloat16 units (scripts/bench_generate: 3,096 and
# 884 tokens in 2.5 s); other models are taken to be slower by the size of their weights.
_READ_PER_SECOND, _WRITTEN_PER_SECOND = 4000, 600
# Passages to count the tokens of: the others are taken to be as long.
_SAMPLE = 512


class Step(NamedTuple):
    """Calls of one kind, at most, with their tokens together; seconds about, None where nothing tells."""

    label: str
    model: str
    calls: int
    tokens: Tokens
    seconds: float | None
    rule: str


@dataclass(frozen=True, slots=True)
class Work:
    """What a model is to write about, with its settings.

    passages: of the index. asked: those of them that questions are written for. given: questions that are brought.
    """

    passages: Sequence[Passage]
    asked: Sequence[Passage]
    given: int
    settings: ExampleSettings
    seed: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """The steps of the work. known: of the questions to write, those that the journal of an earlier run holds."""

    steps: tuple[Step, ...]
    known: int
    limits: Limits

    @property
    def calls(self) -> int:
        """Calls that are still to make, at most."""
        return sum(step.calls for step in self.steps)

    @property
    def tokens(self) -> Tokens:
        """What these read and write, at most."""
        return Tokens(sum(step.tokens.prompt for step in self.steps), sum(step.tokens.new for step in self.steps))

    def __str__(self) -> str:
        if not self.steps:
            return "estimate: no call of a model"
        read, new = self.tokens
        seconds = [step.seconds for step in self.steps]
        time = "not known" if None in seconds else f"about {_duration(sum(s for s in seconds if s is not None))}"
        parts = ", ".join(f"{step.calls:,} to {step.label}" for step in self.steps)
        known = f"; {self.known:,} more are in the journal" if self.known else ""
        models = " and ".join(dict.fromkeys(step.model for step in self.steps))
        lines = [
            f"estimate: at most {self.calls:,} calls of {models} ({parts}{known})",
            f"estimate: at most about {read:,} tokens read and {new:,} written, time {time} "
            f"({'; '.join(dict.fromkeys(step.rule for step in self.steps))})",
        ]
        if self.limits.has_prices:
            prices = f"{self.limits.price_in or 0:g} and {self.limits.price_out or 0:g} for a million tokens"
            cost = self.limits.cost(self.tokens)
            lines.append(f"estimate: cost at most about {cost:.2f}, at {prices} read and written")
        return "\n".join(lines)


def estimate_calls(work: Work, limits: Limits, journal: Container[str] = frozenset()) -> Estimate:
    """What the work takes of its models. journal: the keys of what is known already.

    Raises ModelError where there is no such model.
    """
    settings, each = work.settings, work.settings.questions_per_passage
    steps: list[Step] = []
    known = 0
    written = len(work.asked) * each * (1 + settings.paraphrases)
    candidates = written + work.given
    rows = candidates * (1 + settings.paired)
    changes = settings.unanswerable_fraction * settings.near_miss_fraction > 0
    shown = settings.distractor_range[1]
    if work.asked:
        way = _way(settings.model, settings)
        asking = way_of_asking(settings.model, way.style, settings, work.seed)
        asked = [asking.prompt(passage) for passage in work.asked]
        if needs_instructions(settings):
            length = _shown_one(way, work.passages)
            steps.append(way.step("write", len(asked) * each, length, INSTRUCTED_TOKENS))
        else:
            repeated = [prompt for prompt in asked for _ in range(asking.calls)]
            known = way.known(repeated, asking.decoding, journal)
            length = _mean(way.count, _sample(asked))
            steps.append(way.step("write", len(repeated) - known, length, asking.decoding.max_new_tokens))
        steps.append(
            way.step("word anew", len(asked) * each * settings.paraphrases, QUESTION_TOKENS * 2, INSTRUCTED_TOKENS)
        )
    if work.asked or changes or settings.read_distractors:
        way = _way(reading_model(settings), settings)
        one = _shown_one(way, work.passages)
        if work.asked:
            steps.append(way.step("check", written, one, READ_TOKENS))
        if changes:
            steps.append(way.step("change", candidates, one * settings.round_trip_depth, READ_TOKENS))
        if settings.read_distractors:
            steps.append(way.step("read distractors", rows * (shown + 1), one, READ_TOKENS))
    if settings.targets != EXTRACTIVE:
        name = settings.model if settings.targets == BY_MODEL else settings.targets
        way = _way(name, settings)
        one = _shown_one(way, work.passages)
        steps.append(way.step("write targets", rows, one * (shown + 1), TARGET_TOKENS))
    return Estimate(tuple(step for step in steps if step.calls), known, limits)


@dataclass(frozen=True, slots=True)
class _Way:
    """How the tokens and the time of one model are told."""

    model: str
    style: PromptStyle
    count: Callable[[Prompt], int]
    seconds: Callable[[int, Tokens], float | None]
    rule: str

    def step(self, label: str, calls: int, prompt_tokens: float, new_tokens: int) -> Step:
        tokens = Tokens(round(calls * prompt_tokens), calls * new_tokens)
        return Step(label, self.model, calls, tokens, self.seconds(calls, tokens), self.rule)

    def known(self, prompts: Sequence[Prompt], decoding: Decoding, journal: Container[str]) -> int:
        """How many of the answers a journal holds; of batches on this machine nobody knows before they are made."""
        if not is_endpoint(self.model):
            return 0
        from raft.models.endpoint import requests

        return sum(request.key in journal for request in requests(self.model, prompts, decoding))


def _shown_one(way: _Way, passages: Sequence[Passage]) -> float:
    """Tokens of a prompt that shows one passage and a question, on average."""
    return _mean(way.count, [passages_prompt("", [one], way.style) for one in _sample(passages)]) + QUESTION_TOKENS


def _way(model: str, settings: ExampleSettings) -> _Way:
    if is_endpoint(model):
        most = settings.max_concurrency
        return _Way(
            model,
            PromptStyle.CHAT,
            lambda prompt: len(prompt.text) // _CHARACTERS_PER_TOKEN + 1,
            lambda calls, _: calls * _SECONDS_PER_CALL / most,
            f"a token for {_CHARACTERS_PER_TOKEN} characters, {_SECONDS_PER_CALL:g} s a call and {most} at once if the "
            "endpoint allows so many",
        )
    from raft.models.tokens import load_codec

    codec, _ = load_codec(model)
    size = _weight_bytes(model)
    scale = size / _weight_bytes(MINI)

    def seconds(_: int, tokens: Tokens) -> float | None:
        took = tokens.prompt / _READ_PER_SECOND + tokens.new / _WRITTEN_PER_SECOND
        return took * scale if size else None

    rule = "tokens by its tokenizer, time by that of mini on a CPU and the size of the weights"
    return _Way(model, codec.style, lambda prompt: len(codec.prompt_ids(prompt)), seconds, rule)


def _weight_bytes(model: str) -> int:
    folder = Path(source_of(model)) if not is_endpoint(model) else Path(model)
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) if folder.is_dir() else 0


def _sample(items: Sequence[T]) -> Sequence[T]:
    return items[:: max(1, len(items) // _SAMPLE)]


def _mean(count: Callable[[Prompt], int], prompts: Sequence[Prompt]) -> float:
    return sum(count(prompt) for prompt in prompts) / max(1, len(prompts))


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 120 else f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"
