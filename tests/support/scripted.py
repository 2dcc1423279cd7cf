"""A small index and a model that says what it is told: second implementations of the two protocols."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from raft.answering import Answerer
from raft.models.generator import Decoding, Failure, Generation
from raft.progress import Advance
from raft.prompts import Prompt, PromptStyle
from raft.recipe import AnswerSettings
from raft.types import Document, Passage, ScoredPassage

PUMP = "Pump P-7 🛟 is Anna's.\nIt may run dry for 40 seconds. <script>document.title = 'taken'</script>"
TEA = "Tea is served at four."
DOCUMENTS = (Document("pump.md", "Pumps", PUMP, "docs/pump.md"), Document("tea.txt", "", TEA, "docs/tea.txt"))


def cut(document: Document, start: int, end: int) -> Passage:
    name = f"{document.id}:{start}"
    return Passage(name, document.id, document.title, document.text[start:end], start, end)


_HALF = PUMP.index("It may")
PASSAGES = (cut(DOCUMENTS[0], _HALF, len(PUMP)), cut(DOCUMENTS[1], 0, len(TEA)), cut(DOCUMENTS[0], 0, _HALF))


class FixedIndex:
    """Finds the same passages for every question."""

    def retrieve(self, questions: Sequence[str], k: int) -> list[list[ScoredPassage]]:
        found = [ScoredPassage(passage, 1.0 - rank / 10) for rank, passage in enumerate(PASSAGES[:k])]
        return [found for _ in questions]


@dataclass
class ScriptedModel:
    """Writes `text`, and remembers the prompts that it was shown."""

    text: str
    name: str = "scripted"
    style: PromptStyle = PromptStyle.COMPACT
    prompts: list[Prompt] = field(default_factory=list)
    likelihood: float | None = None
    failure: Failure | None = None
    held_back: bool = False
    decodings: list[Decoding] = field(default_factory=list)

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        self.prompts += prompts
        self.decodings.append(decoding)
        likelihood = self.likelihood if decoding.logprobs else None
        made = Generation(self.text, 0.01, 30, 9, likelihood, held_back=self.held_back, failure=self.failure)
        return [made for _ in prompts]


@pytest.fixture
def model() -> ScriptedModel:
    """Set its `text` to what it shall write."""
    return ScriptedModel("<ANSWER>: nothing yet")


@pytest.fixture
def answering(model: ScriptedModel) -> Callable[[AnswerSettings], Answerer]:
    sources = {document.id: document.source for document in DOCUMENTS}
    return lambda settings: Answerer(FixedIndex(), sources, model, settings)


@pytest.fixture
def answerer(answering: Callable[[AnswerSettings], Answerer]) -> Answerer:
    return answering(AnswerSettings(top_k=3))


@pytest.fixture
def documents() -> dict[str, str]:
    return {document.id: document.text for document in DOCUMENTS}
