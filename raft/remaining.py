"""How long the rest of a run will take, told beside what each stage tells of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from raft.answering.prompt_choice import MOST_QUESTIONS
from raft.artifacts import read_jsonl
from raft.progress import DetailedAdvance, Progress
from raft.prompts import PromptVariant
from raft.recipe import Recipe, Targets, TuningMethod
from raft.types import VARIANTS

# Below this share of its first task nothing can be said: the first steps of a model are slow.
_ENOUGH = 0.05
# Characters of a prompt that are no passage, about.
_INSTRUCTION = 700


class WholeRun:
    """A display around another. It learns from the stages that are done how long those to come will take."""

    def __init__(self, inner: Progress, now: Callable[[], float] = time.monotonic) -> None:
        """now: the time in seconds."""
        self._inner, self._now = inner, now
        self._costs: dict[str, float] = {}
        self._stage, self._began = "", 0.0
        self._spent, self._done = 0.0, 0.0

    def plan(self, costs: Mapping[str, float]) -> None:
        """Expect these stages; their costs are in any one unit."""
        self._costs = dict(costs)

    def note(self, text: str) -> None:
        self._inner.note(text)

    def skip(self, stage: str) -> None:
        """Expect a stage no more."""
        self._costs.pop(stage, None)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """One of the stages is under way."""
        self._stage, self._began = name, self._now()
        yield
        if cost := self._costs.pop(name, 0.0):
            self._spent += self._now() - self._began
            self._done += cost
        self._stage = ""

    @contextmanager
    def task(self, label: str, total: int) -> Iterator[DetailedAdvance]:
        with self._inner.task(label, total) as inner:
            began, done = self._now(), 0

            def advance(count: int, detail: str = "") -> None:
                nonlocal done
                done += count
                share = done / total if total else 1.0
                left = self._left(began, share)
                whole = [f"whole run: about {_words(left)} left"] if left is not None else []
                inner(count, ", ".join([*([detail] if detail else []), *whole]))

            yield advance

    def _left(self, task_began: float, share: float) -> float | None:
        """Seconds until all expected stages are done; None where that is not known, or no other stage is to come."""
        later = sum(cost for name, cost in self._costs.items() if name != self._stage)
        cost, now = self._costs.get(self._stage, 0.0), self._now()
        if not cost or not later:
            return None
        rates: list[float] = []
        here = 0.0
        if self._done:
            rates.append(self._spent / self._done)
            here = rates[0] * cost - (now - self._began)
        if share >= _ENOUGH:
            # As if this task were all of its stage. A slower pace than so far is believed at once, a faster one only
            # when the stage is done: there may be other tasks in it.
            took = now - task_began
            rates.append((task_began - self._began + took / share) / cost)
            here = max(here, took * (1 - share) / share)
        return max(0.0, here) + max(rates) * later if rates else None


def expected_costs(examples: Path, variants: Sequence[str], questions: int, recipe: Recipe) -> dict[str, float]:
    """What the stages after `raft generate` cost, in characters that the model reads.

    A rough sum: to learn a character costs three times as much as to read it, and to write one, alone, eight times.
    """
    rows = [row for _, row in read_jsonl(examples / "train.jsonl")]
    held = sum(1 for _ in read_jsonl(examples / "validation.jsonl"))
    if not rows:
        return {}
    shown = sum(len(passage["text"]) for row in rows for passage in row["passages"]) / len(rows) + _INSTRUCTION
    target = sum(len(row["target"]) for row in rows) / len(rows)
    answer = sum(len(row["answer"]) for row in rows) / len(rows)
    asked = {name: (shown if VARIANTS[name][0] is TuningMethod.RAFT else _INSTRUCTION) for name in variants}
    says = {name: (target if VARIANTS[name][1] is Targets.REASONED else answer) for name in variants}
    tuned = {f"models/{name}": 3 * len(rows) * (asked[name] + says[name]) for name in variants}
    costs = {"prompts": len(PromptVariant) * min(MOST_QUESTIONS, held) * (shown + 8 * answer)}
    costs |= {name: recipe.tune.num_train_epochs * cost for name, cost in tuned.items()}
    # An arm of each model, of the untuned one, of plain fine-tuning with passages, and of what tuning starts from.
    arms = [*((asked[name], says[name]) for name in variants), (_INSTRUCTION, answer), *[(shown, answer)] * 2]
    arms += [(shown, target)] if recipe.tune.adapter else []
    drawn = min(questions, recipe.evaluate.sample or questions)
    return costs | {"evaluation": drawn * sum(prompt + 8 * said for prompt, said in arms)}


def _words(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{max(10, round(seconds, -1)):.0f} s"
