"""One question in, one answer out: retrieve, prompt, generate, and check every quote against its passage."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from raft.answering.cases import Case, Reply
from raft.answering.journaled import JournaledModel
from raft.answering.prompt_choice import ONLY, Wording, find_choice, wording_of
from raft.answering.respondent import Respondent
from raft.errors import InputError, ModelError
from raft.models.generator import Decoding, Generator
from raft.models.loading import load_generator
from raft.models.tuned import check_tuned, read_tuned
from raft.progress import Silent
from raft.recipe import MAX_PASSAGES, AnswerSettings, TuneSettings
from raft.types import Passage, Question, Quote, ScoredPassage

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
        self,
        index: Retriever,
        sources: Mapping[str, str],
        generator: Generator,
        settings: AnswerSettings,
        wording: Wording = ONLY,
    ) -> None:
        """sources: the file of each document, by document id. wording: how the model is asked."""
        self._index, self._sources, self._settings = index, sources, settings
        self._generator = generator
        self.wording = wording
        self._decoding = Decoding(
            settings.max_new_tokens, logprobs=settings.min_confidence > 0, thinking=settings.thinking
        )

    @classmethod
    def open(
        cls,
        index_dir: Path,
        model_dir: Path | None,
        settings: AnswerSettings = AnswerSettings(),
        base_model: str = TuneSettings().model,
        prompts: Path | None = None,
    ) -> Answerer:
        """Open an index and the model that was tuned for it, or without `model_dir` the untuned `base_model`.

        prompts: the folder that says how the untuned model is best asked [one beside the index]. Raises ArtifactError
        where a folder is no such artefact or they do not belong together, before the model is loaded; ModelError where
        the model cannot be loaded.
        """
        from raft.index import Index

        if prompts is not None and model_dir is not None:
            raise InputError(f"{prompts} is for untuned models, but {model_dir} is a tuned one: leave out one of them")
        index = Index.open(index_dir)
        wording = ONLY
        if model_dir is not None:
            tuned = read_tuned(model_dir)
            check_tuned(tuned, index.manifest.digest, model_dir)
            base_model = tuned.base_model
        else:
            found = find_choice(prompts, index_dir, index.manifest.digest, base_model)
            wording = wording_of(base_model, settings.prompt, found)
        sources = {document.id: document.source for document in index.documents.values()}
        return cls(index, sources, load_generator(base_model, adapter=model_dir), settings, wording)

    @property
    def model_name(self) -> str:
        """The name that the model was loaded by."""
        return self._generator.name

    def answer(self, question: str, top_k: int | None = None, *, retrieve: bool = True) -> Answer:
        """Answer from the `top_k` best passages (by default as many as in the settings).

        Where the model is less sure than `min_confidence` in the settings, the answer is a refusal. retrieve: whether
        passages are looked for; else the model answers from memory. Raises InputError where the question is empty or
        too long, ModelError where the prompt does not fit the model or its reply holds no answer, such as one that was
        cut off.
        """
        question = check_question(question)
        if top_k is None:
            top_k = self._settings.top_k
        if not 1 <= top_k <= MAX_PASSAGES:
            raise InputError(f"top_k is {top_k}, but a prompt holds 1 to {MAX_PASSAGES} passages: choose within that")
        began = time.perf_counter()
        found = tuple(self._index.retrieve([question], top_k)[0]) if retrieve else ()
        passages = tuple(scored.passage for scored in found)
        # A respondent of its own for each question: what was said before is not kept.
        model = JournaledModel(self._generator, "", self._decoding, None)
        respondent = Respondent(model, self._settings, self.wording.variant)
        (reply,) = respondent.answer([Case(Question("", question), passages if retrieve else None)], Silent(), "")
        self._check(reply)
        return Answer(
            question=question,
            answer=reply.answer,
            abstained=reply.abstained,
            quotes=cited_sources(reply.quotes, passages, self._sources),
            unverified=len(reply.unverified),
            passages=found,
            seconds=time.perf_counter() - began,
            prompt_tokens=reply.generation.prompt_tokens,
            completion_tokens=reply.generation.completion_tokens,
        )

    def _check(self, reply: Reply) -> None:
        """Raises ModelError for a reply that holds no answer: nobody shall take what is left of it for one."""
        written = reply.generation
        if written.held_back:
            raise ModelError(f"{self.model_name} gave no answer (a content filter held it back): ask in other words")
        if written.failure is not None:
            why = written.failure.told(self._settings.max_new_tokens)
            raise ModelError(f"{self.model_name} gave no answer ({why}): {written.failure.advice}")


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
    quotes: Sequence[Quote], passages: Sequence[Passage], sources: Mapping[str, str]
) -> tuple[CitedSource, ...]:
    """The verified quotes, each once, with their places in their documents."""
    by_id = {passage.id: passage for passage in passages}
    cited = []
    for quote in dict.fromkeys(quotes):
        passage = by_id[quote.passage_id]
        start, end = passage.start + quote.start, passage.start + quote.end
        source = sources[passage.document_id]
        cited.append(CitedSource(source, passage.document_id, passage.title, quote.text, start, end, passage.id))
    return tuple(cited)
