"""The nouns that all stages share: small frozen records, joined by id and never by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class RetrievalMode(StrEnum):
    """How passages are found: by meaning, by words, or by both rankings together."""

    DENSE = "dense"
    LEXICAL = "lexical"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Document:
    """One readable unit of the user's corpus; `id` is its path below the folder, or the id that it brought along."""

    id: str
    title: str
    text: str
    source: str
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: `text` is always exactly `document.text[start:end]` (characters).

    section: the headings that it stands under, outermost first, without the document's title; "" under none.
    page: where it begins in a document with pages, counted from 1.
    """

    id: str
    document_id: str
    title: str
    text: str
    start: int
    end: int
    section: str = ""
    page: int | None = None

    @property
    def place(self) -> str:
        """Where a person finds it: document, page where there are any, and characters."""
        page = "" if self.page is None else f"page {self.page}, "
        return f"{self.document_id}, {page}characters {self.start} to {self.end}"


@dataclass(frozen=True, slots=True)
class ScoredPassage:
    """A retrieved passage; a higher score is better, whatever the metric."""

    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its accepted answers and its evidence as document ids, so that re-splitting keeps the labels.

    context: the text that it was asked about; contexts: further ones, where it rests on several. choices: the only
    answers that there are, for a question with a closed set of them. all_of: whether all of its answers are wanted, and
    not any one of them.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    document_ids: tuple[str, ...] = ()
    context: str | None = None
    unanswerable: bool = False
    kind: str = ""
    contexts: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    all_of: bool = False

    @property
    def all_contexts(self) -> tuple[str, ...]:
        """Every text that it brings along."""
        return (*(() if self.context is None else (self.context,)), *self.contexts)


class TuningMethod(StrEnum):
    """RAFT learns from examples with passages, DSF (plain fine-tuning) from question and answer alone."""

    RAFT = "raft"
    DSF = "dsf"


class QuestionKind(StrEnum):
    """What a writer that follows instructions can be asked to ask for; a comparison is over two passages."""

    FACT = "fact"
    NUMBER = "number"
    PROCEDURE = "procedure"
    COMPARISON = "comparison"
    NEGATION = "negation"


class Targets(StrEnum):
    """What tuning teaches to write: quotes and then the answer, or the answer alone; each method has its own."""

    OWN = "own"
    REASONED = "reasoned"
    PLAIN = "plain"


# What a tuned model is called in an evaluation; the two in the middle take the targets of the other method.
VARIANTS: Mapping[str, tuple[TuningMethod, Targets]] = {
    "dsf": (TuningMethod.DSF, Targets.PLAIN),
    "dsf-cot": (TuningMethod.DSF, Targets.REASONED),
    "raft-no-cot": (TuningMethod.RAFT, Targets.PLAIN),
    "raft": (TuningMethod.RAFT, Targets.REASONED),
}


def variant_of(method: TuningMethod, targets: Targets) -> str:
    """The name in VARIANTS of a model that was tuned so."""
    own = Targets.PLAIN if method is TuningMethod.DSF else Targets.REASONED
    sought = (method, own if targets is Targets.OWN else targets)
    return next(name for name, variant in VARIANTS.items() if variant == sought)


class QuestionSource(StrEnum):
    """Where the questions of an evaluation come from; held out are those whose documents were kept out of training."""

    GIVEN = "given questions"
    HELD_OUT_WRITTEN = "held-out written questions"
    HELD_OUT_GIVEN = "held-out given questions"


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of one passage: `text` is exactly `passage.text[start:end]` (characters within the passage)."""

    passage_id: str
    start: int
    end: int
    text: str


class ExampleKind(StrEnum):
    """What an example shows: its oracle, distractors alone, or a question that nothing answers."""

    ORACLE = "oracle"
    NO_ORACLE = "no_oracle"
    UNANSWERABLE = "unanswerable"


class DistractorKind(StrEnum):
    """Where a distractor comes from: the top of the retrieval, anywhere in the index, the oracle's own document, or the
    oracle itself with another answer in the place of the right one, which stands in no document."""

    HARD = "hard"
    RANDOM = "random"
    SAME_DOCUMENT = "same_document"
    COUNTERFACTUAL = "counterfactual"


@dataclass(frozen=True, slots=True)
class ShownPassage:
    """A passage as one example shows it.

    distractor: its kind; None for an oracle. rank: its place in the retrieval for the question, from 1, which says how
    hard it is; None where it was not retrieved. made_from: the id of the passage that a counterfactual one was made of;
    such a passage has an id that no index knows, and no document.
    """

    id: str
    document_id: str
    title: str
    text: str
    oracle: bool
    distractor: DistractorKind | None = None
    rank: int | None = None
    made_from: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One training row: a question, the passages in the order shown, and the exact text that is learnt."""

    id: str
    question_id: str
    question: str
    answers: tuple[str, ...]
    document_ids: tuple[str, ...]
    passages: tuple[ShownPassage, ...]
    reasoning: str
    quotes: tuple[Quote, ...]
    answer: str
    target: str
    kind: ExampleKind
    provenance: Mapping[str, str]


class ExportFormat(StrEnum):
    """OPENAI_CHAT holds what OpenAI's fine-tuning takes and nothing else; the others keep the id of each row."""

    OPENAI_CHAT = "openai-chat"
    MESSAGES = "messages"
    PROMPT_COMPLETION = "prompt-completion"
    ALPACA = "alpaca"
    HF = "hf"


class StoreFormat(StrEnum):
    """Libraries that open an exported index."""

    LANGCHAIN = "langchain"
    LLAMAINDEX = "llamaindex"


class Context(StrEnum):
    """What an arm shows beside the question."""

    NONE = "none"
    RETRIEVED = "retrieved"
    ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Arm:
    """A model with a context: the unit that the evaluation compares. worked: whether examples stand before it."""

    name: str
    model: str
    context: Context
    worked: bool = False


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one arm said to one question, with all that is needed to say it again.

    likelihood: the mean log-probability of its tokens, None where the model does not tell it. label_constrained:
    whether decoding let it answer with a label of the question or a refusal only; None where that was not asked for.
    """

    question_id: str
    arm: str
    passage_ids: tuple[str, ...]
    prompt: str
    text: str
    answer: str
    quotes: tuple[Quote, ...]
    abstained: bool
    seconds: float
    likelihood: float | None = None
    label_constrained: bool | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """The metrics of one prediction; a metric that does not apply is absent, never zero."""

    question_id: str
    document_id: str
    arm: str
    metrics: Mapping[str, float]
