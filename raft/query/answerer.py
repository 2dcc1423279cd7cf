"""One question in, one answer out: retrieve, prompt, generate, and check every quote against its passage."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from raft.citations import CheckedAnswer, check_citations
from raft.errors import InputError, ModelError
from raft.models.generator import Decoding, Generator, is_unsure, load_generator
from raft.models.tuned import check_tuned, read_tuned
from raft.outputs import parse_answer
from raft.prompts import ANSWER, REFUSAL, passages_prompt
from raft.recipe import MAX_PASSAGES, EvaluateSettings
from raft.types import Passage, ScoredPassage

MAX_QUESTION_CHARACTERS = 2_000


class Retriever(Protocol):
    """What finds the passages; `raft.index.Index` does."""

    def retrieve(self, questions: Sequence[str], k: int) -> Sequence[Sequence[ScoredPassage]]:
        """The `k` best passages for each question, best first."""
        ...


@dataclass(frozen=True, slots=True)
class CitedSource:
    """A quote that was found where it claims to stand: `document.text[start:end] == text` (characters)."""

    source: str
    document_id: str
    title: str
    text: str
    start: int
    end: int
    passage_id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with what it rests on.

    `unverified` counts claimed quotes that do not stand in the passage that they name. Token counts are None where the
    model does not count.
    """

    question: str
    answer: str
    abstained: bool
    quotes: tuple[CitedSource, ...]
    unverified: int
    passages: tuple[ScoredPassage, ...]
    seconds: float
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Answerer:
    """An index and a model, loaded once, for as many questions as there are. Not safe for threads."""

    def __init__(
        self, index: Retriever, sources: Mapping[str, str], generator: Generator, settings: EvaluateSettings
    ) -> None:
        """sources: the file of each document, by document id."""
        self._index, self._sources = index, sources
        self._generator, self._settings = generator, settings

    @classmethod
    def open(
        cls,
        index_dir: Path,
        model_dir: Path | None,
        settings: EvaluateSettings = EvaluateSettings(),
        base_model: str = "mini",
    ) -> Answerer:
        """Open an index and the model that was tuned for it, or without `model_dir` the untuned `base_model`.

        Raises ArtifactError where either folder is no such artefact or they do not belong together, before the model
        is loaded; ModelError where the model cannot be loaded.
        """
        from raft.index import Index

        index = Index.open(index_dir)
        if model_dir is not None:
            tuned = read_tuned(model_dir)
            check_tuned(tuned, index.manifest.digest, model_dir)
            base_model = tuned.base_model
        sources = {document.id: document.source for document in index.documents.values()}
        return cls(index, sources, load_generator(base_model, adapter=model_dir), settings)

    @property
    def model_name(self) -> str:
        """The name that the model was loaded by."""
        return self._generator.name

    def answer(self, question: str, top_k: int | None = None) -> Answer:
        """Answer from the `top_k` best passages (by default as many as in the settings).

        Where the model is less sure than `min_confidence` in the settings, the answer is a refusal. Raises InputError
        where the question is empty or too long, ModelError where the prompt does not fit the model or its reply holds
        no answer, such as one that was cut off.
        """
        question = check_question(question)
        if top_k is None:
            top_k = self._settings.top_k
        if not 1 <= top_k <= MAX_PASSAGES:
            raise InputError(f"top_k is {top_k}, but a prompt holds 1 to {MAX_PASSAGES} passages: choose within that")
        began = time.perf_counter()
        found = tuple(self._index.retrieve([question], top_k)[0])
        passages = [scored.passage for scored in found]
        prompt = passages_prompt(question, passages, self._generator.style)
        limit, room = self._settings.min_confidence, self._settings.max_new_tokens
        decoding = Decoding(max_new_tokens=room, weigh=limit > 0, thinking=self._settings.thinking)
        written = self._generator.generate([prompt], decoding)[0]
        if written.held_back:
            raise ModelError(f"{self.model_name} gave no answer (a content filter held it back): ask in other words")
        if written.failure is not None:
            why = written.failure
            raise ModelError(f"{self.model_name} gave no answer ({why.told(room)}): {why.advice}")
        parsed = parse_answer(written.text)
        if is_unsure(written.likelihood, limit):
            parsed = parse_answer(f"{ANSWER} {REFUSAL}")
        checked = check_citations(parsed, passages)
        return Answer(
            question=question,
            answer=REFUSAL if parsed.abstained else checked.answer,
            abstained=parsed.abstained,
            quotes=cited_sources(checked, passages, self._sources),
            unverified=len(checked.unverified),
            passages=found,
            seconds=time.perf_counter() - began,
            prompt_tokens=written.prompt_tokens,
            completion_tokens=written.completion_tokens,
        )


def check_question(question: str) -> str:
    """The question in one line. Raises InputError where nothing or too much is asked."""
    question = " ".join(question.split())
    if not question:
        raise InputError("the question is empty: write one")
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise InputError(
            f"the question has {len(question)} characters, but at most {MAX_QUESTION_CHARACTERS} are read: shorten it"
        )
    return question


def cited_sources(
    checked: CheckedAnswer, passages: Sequence[Passage], sources: Mapping[str, str]
) -> tuple[CitedSource, ...]:
    """The verified quotes, each once, with their places in their documents."""
    by_id = {passage.id: passage for passage in passages}
    cited = []
    for quote in dict.fromkeys(checked.quotes):
        passage = by_id[quote.passage_id]
        start, end = passage.start + quote.start, passage.start + quote.end
        source = sources[passage.document_id]
        cited.append(CitedSource(source, passage.document_id, passage.title, quote.text, start, end, passage.id))
    return tuple(cited)
