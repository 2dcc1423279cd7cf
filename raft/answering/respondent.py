"""Answer cases with one model: every different prompt is written once, and every reply is read in the same way."""

from __future__ import annotations

from collections.abc import Sequence

from raft.answering.cases import Case, Reply, read_reply
from raft.answering.journaled import JournaledModel
from raft.models.generator import Generation
from raft.progress import Progress
from raft.prompts import Prompt, PromptVariant
from raft.recipe import AnswerSettings


class Respondent:
    """A loaded model and what it has said so far, by prompt."""

    def __init__(
        self,
        model: JournaledModel,
        settings: AnswerSettings = AnswerSettings(),
        variant: PromptVariant = PromptVariant.QUOTE,
    ) -> None:
        """model: greedy, so that one answer a prompt is enough. variant: how it is asked."""
        self._model, self._settings, self._variant = model, settings, variant
        self._said: dict[Prompt, Generation] = {}

    @property
    def max_new_tokens(self) -> int:
        """The longest answer that it may give."""
        return self._model.max_new_tokens

    def answer(self, cases: Sequence[Case], progress: Progress, label: str) -> list[Reply]:
        """One reply a case, in the same order.

        Raises ModelError where a prompt does not fit the model, since nothing is ever cut, or where a confidence is
        asked for and the model does not tell it.
        """
        told = self._model.must_be_told
        style, variant = self._model.style, self._variant
        prompts = [case.prompt(style, variant, self._settings, must_be_told=told) for case in cases]
        fresh = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._said]
        with progress.task(label, len(cases)) as advance:
            if len(fresh) < len(cases):
                advance(len(cases) - len(fresh))
            self._said |= self._model.write(fresh, advance)
        return [
            read_reply(case, prompt, self._said[prompt], self._settings, must_be_told=told)
            for case, prompt in zip(cases, prompts, strict=True)
        ]
