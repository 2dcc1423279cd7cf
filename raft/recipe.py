"""All settings and their defaults, said once: the recipe file, the flags, the help and the manifests come from here."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    field_validator,
    model_validator,
)

from raft.errors import InputError
from raft.prompts import PromptVariant
from raft.types import DistractorKind, QuestionKind, RetrievalMode
from raft.types import Targets as Targets
from raft.types import TuningMethod as TuningMethod


class Settings(BaseModel):
    """Frozen, and a mistyped key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


S = TypeVar("S", bound=Settings)


def _words(value: Any) -> Any:
    """A list as `--set` gives it: words with blanks between."""
    return value.split() if isinstance(value, str) else value


Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
# Prompts number their passages from 1, and the embedded model knows these numbers only.
MAX_PASSAGES = 16
MAX_CONCURRENCY = 64


class VectorSearch(StrEnum):
    """How vectors are searched: all of them, through a graph, or compressed in lists; by size where not told."""

    AUTO = "auto"
    EXACT = "exact"
    HNSW = "hnsw"
    IVFPQ = "ivfpq"


class RetrieveSettings(Settings):
    """How an index is searched, by every stage alike: training, evaluation and serving."""

    mode: RetrievalMode = Field(RetrievalMode.HYBRID, description="dense (by meaning), lexical (by words) or hybrid")
    rerank: str = Field("", description="cross-encoder that ranks the candidates anew: a name or path, or nothing")
    diversity: Share = Field(0.0, description="0 takes the best passages; towards 1 ever more different ones (MMR)")
    candidates: Count = Field(50, description="passages that fusion, reranking and diversity choose from")


class IndexSettings(Settings):
    embedder: str = Field("minilm", description="'minilm', or a sentence-transformers name or path")
    passage_tokens: int = Field(110, ge=16, description="largest passage, in tokens of the embedder")
    overlap_tokens: int = Field(0, ge=0, description="tokens that neighbouring passages share")
    vector_search: VectorSearch = Field(VectorSearch.AUTO, description="auto (by size), exact, hnsw or ivfpq")
    duplicate_similarity: float = Field(
        0.9, gt=0, le=1, description="documents this alike are kept once; at 1 only those with the same words"
    )
    scan: bool = Field(False, description="count personal data and secrets in every document")
    redact: bool = Field(False, description="mask personal data and secrets before anything else is done")
    passages: bool = Field(False, description="take rows of JSON Lines as passages, as they are")
    retrieve: RetrieveSettings = RetrieveSettings()


class NoOracle(StrEnum):
    """What rows without their oracle teach: the answer from memory, as the paper does, to refuse, or half of each."""

    MEMORISE = "memorise"
    REFUSE = "refuse"
    BOTH = "both"


def _number_or_range(value: object) -> int | str:
    """A count of distractors as it is recorded: 3, or "1-4"."""
    low, dash, high = str(value).strip().partition("-") if isinstance(value, int | str) else ("", "", "")
    numbers = [int(part) for part in (low, high if dash else low) if part.strip().isdecimal()]
    if isinstance(value, bool) or len(numbers) != 2 or not 0 <= numbers[0] <= numbers[1] <= MAX_PASSAGES - 1:
        raise ValueError(f"give a number from 0 to {MAX_PASSAGES - 1}, or a range of such numbers like 1-4")
    return numbers[0] if numbers[0] == numbers[1] else f"{numbers[0]}-{numbers[1]}"


class DistractorMix(Settings):
    """How often a distractor is of each kind: weights, of which only the proportions count.

    Where nothing harmless of a kind is left, a hard one stands in its place, and failing that any other.
    """

    hard: float = Field(1.0, ge=0, description="weight of the top of the retrieval")
    random: float = Field(0.0, ge=0, description="weight of passages from anywhere in the index")
    same_document: float = Field(0.0, ge=0, description="weight of other passages of the oracle's document")
    counterfactual: float = Field(
        0.0, ge=0, description="weight of the oracle with its answer swapped; only beside the oracle itself"
    )

    @model_validator(mode="after")
    def _has_weight(self) -> Self:
        if not any(self.weights.values()):
            raise ValueError("every weight is 0: give at least one kind a weight")
        return self

    @property
    def weights(self) -> dict[DistractorKind, float]:
        """The weight of each kind, in the order in which one kind stands in for another."""
        return {kind: getattr(self, kind) for kind in DistractorKind}


# Values of `targets` that are no names of models.
EXTRACTIVE, BY_MODEL = "extractive", "model"
# A value of `forgetting` that is no name of a file.
EVERYDAY = "everyday"


class Language(StrEnum):
    """Languages that can be told by their common words, or any at all."""

    ANY = ""
    ENGLISH = "en"
    DANISH = "da"
    DUTCH = "nl"
    FRENCH = "fr"
    GERMAN = "de"
    ITALIAN = "it"
    NORWEGIAN = "no"
    PORTUGUESE = "pt"
    RUSSIAN = "ru"
    SPANISH = "es"
    SWEDISH = "sv"
    TURKISH = "tr"


class ExampleSettings(Settings):
    model: str = Field("mini", description="model that writes the questions")
    reader: str = Field(
        "",
        description="model that checks questions by answering them; nothing: `model`, or `mini` for a question writer",
    )
    questions_per_passage: Count = Field(4, description="questions to write for each passage, before filtering")
    drafts: Count = Field(3, description="drafts that `mini` writes for each of them; it puts forward the likeliest")
    kinds: str = Field(
        "", description=f"kinds of questions, for a model that follows instructions: {', '.join(QuestionKind)}"
    )
    personas: str = Field("", description="who asks, parted by ';', for a model that follows instructions")
    paraphrases: int = Field(
        0, ge=0, description="other wordings of each question, by a model that follows instructions"
    )
    num_distractors: Annotated[int | str, PlainValidator(_number_or_range)] = Field(
        2, description="distractors shown beside the oracle: a number, or a range like 1-4 to draw from for each row"
    )
    read_distractors: bool = Field(
        False, description="have the model read each distractor, and drop those from which it gives the right answer"
    )
    max_oracles: int = Field(
        1, ge=1, le=MAX_PASSAGES, description="oracles of a question that brings several documents or contexts"
    )
    oracle_fraction: Share = Field(1.0, description="share of examples that show their oracle")
    no_oracle: NoOracle = Field(
        NoOracle.REFUSE, description="what rows without their oracle teach: memorise, refuse or both (half of each)"
    )
    paired: bool = Field(
        False, description="show each question both with and without its oracle, whatever oracle_fraction says"
    )
    unanswerable_fraction: Share = Field(0.0, description="share of rows that nothing shown answers, and that refuse")
    near_miss_fraction: Share = Field(
        0.5, description="share of these whose question is changed so that no document answers it; the others withhold"
    )
    targets: str = Field(
        EXTRACTIVE, description="who writes the targets: 'extractive' (nobody), 'model', or the name of a teacher"
    )
    quote_similarity: float = Field(
        0.9, gt=0, le=1, description="a written quote this like its passage is repaired; at 1 only case and marks are"
    )
    for_model: str = Field("", description="model that the rows have to fit; nothing: tune.model")
    unseen_fraction: Share = Field(0.3, description="share of documents for which no question is written")
    validation_fraction: Share = Field(0.1, description="share of the seen documents whose rows are for validation")
    test_fraction: Share = Field(0.1, description="share of the seen documents whose rows are held out for evaluation")
    cluster_similarity: float = Field(
        0.5, gt=0, le=1, description="documents that share this much of their text stand in the same split"
    )
    join_questions: bool = Field(
        False, description="keep documents that one question speaks of in one split, instead of rejecting it"
    )
    round_trip_depth: Count = Field(4, description="a question must retrieve its passage among this many")
    max_concurrency: Count = Field(MAX_CONCURRENCY, description="most calls of an endpoint that are under way at once")
    thinking: bool = Field(True, description="let models behind an endpoint think before they write; false asks not to")
    drop_personal: bool = Field(False, description="turn away questions and answers with personal data or secrets")
    blocked_words: str = Field("", description="file of words, one a line, that no question or answer may hold")
    language: Language = Field(
        Language.ANY, description=f"turn away what is plainly in another language than this: {', '.join(Language)[2:]}"
    )
    largest_share: float = Field(
        0.5, gt=0, lt=1, description="a document, kind, answer type or label with more of the training rows is told"
    )
    rebalance: bool = Field(False, description="drop the training rows that are more than that share")
    license: str = Field("", description="licence of the training set, as hubs name it: cc-by-4.0, apache-2.0, ...")
    distractors: DistractorMix = DistractorMix()

    @field_validator("kinds")
    @classmethod
    def _known_kinds(cls, value: str) -> str:
        unknown = sorted(set(_parts(value, ",")) - set(QuestionKind))
        if unknown:
            raise ValueError(f"{unknown[0]!r} is no kind of question: give some of {', '.join(QuestionKind)}")
        return value

    @property
    def question_kinds(self) -> tuple[QuestionKind, ...]:
        """The kinds of questions to ask for, each once."""
        return tuple(dict.fromkeys(map(QuestionKind, _parts(self.kinds, ","))))

    @property
    def who_asks(self) -> tuple[str, ...]:
        """The personas, each once."""
        return tuple(dict.fromkeys(_parts(self.personas, ";")))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.distractor_range[1] + self.max_oracles > MAX_PASSAGES:
            raise ValueError(f"num_distractors and max_oracles together are above {MAX_PASSAGES} passages: lower one")
        if self.unanswerable_fraction * self.near_miss_fraction == 1:
            raise ValueError("unanswerable_fraction and near_miss_fraction are both 1: then no row is left as it is")
        return self

    @property
    def distractor_range(self) -> tuple[int, int]:
        """The fewest and the most distractors beside the oracle."""
        low, _, high = str(self.num_distractors).partition("-")
        return int(low), int(high or low)


def _parts(text: str, mark: str) -> list[str]:
    return [part.strip() for part in text.split(mark) if part.strip()]


class Schedule(StrEnum):
    """How the learning rate changes over the steps: the schedules of transformers that need no further setting."""

    LINEAR = "linear"
    COSINE = "cosine"
    COSINE_WITH_RESTARTS = "cosine_with_restarts"
    POLYNOMIAL = "polynomial"
    CONSTANT = "constant"
    CONSTANT_WITH_WARMUP = "constant_with_warmup"
    INVERSE_SQRT = "inverse_sqrt"


class TuneSettings(Settings):
    model: str = Field("smollm2", description="model to adapt")
    start: str | None = Field(
        None,
        description="LoRA adapter on that model whose matrices training goes on with, or nothing; null: smollm2-reader "
        "for smollm2",
    )
    targets: Targets = Field(
        Targets.OWN, description="own (dsf: the answer alone, raft: quotes and answer), reasoned or plain for either"
    )
    full: bool = Field(False, description="train all weights instead of a LoRA adapter")
    # Chosen on articles that no evaluation uses: 1e-3 cost `mini` 3.5 F1 points there, this none (docs/log.md).
    learning_rate: float = Field(3e-4, gt=0, description="peak learning rate")
    num_train_epochs: Count = Field(3, description="passes over the training rows")
    per_device_train_batch_size: Count = Field(8, description="rows per optimiser step and device")
    warmup_steps: float = Field(0.06, ge=0, description="steps, or below 1 the share of all steps")
    lr_scheduler_type: Schedule = Field(Schedule.COSINE, description=f"one of {', '.join(Schedule)}")
    weight_decay: float = Field(0.01, ge=0, description="AdamW weight decay")
    r: Count = Field(16, description="LoRA rank")
    alpha: Count = Field(32, description="LoRA scale numerator")
    lora_dropout: Share | None = Field(
        None, description="dropout before the LoRA matrices; null: 0 for a language model on a CPU, else 0.05"
    )
    target_modules: str = Field("all-linear", description="which layers get LoRA matrices")
    early_stopping_patience: Count = Field(
        2, description="evaluations without a better validation loss before stopping"
    )

    @property
    def adapter(self) -> str:
        """The adapter that training goes on with; empty where it begins with nothing."""
        if self.start is None:
            return "smollm2-reader" if self.model == "smollm2" and not self.full else ""
        return self.start


class AnswerSettings(Settings):
    """How a question is answered, in an evaluation and when a model is served alike."""

    top_k: int = Field(3, ge=1, le=MAX_PASSAGES, description="passages retrieved for each question")
    max_new_tokens: Count = Field(128, description="longest answer, in tokens of the model")
    min_confidence: Share = Field(
        0.0, description="refuse where the mean probability of the words of an answer is lower; 0 never does"
    )
    hold_to_labels: bool = Field(
        True, description="let questions with labels (yes or no, choices) be answered with these or a refusal only"
    )
    thinking: bool = Field(
        True, description="let models behind an endpoint think before they answer or judge; false asks them not to"
    )
    prompt: str = Field(
        "",
        description=f"how untuned models are asked: {', '.join(PromptVariant)}, or nothing for what `raft run` found "
        "best",
    )

    @field_validator("prompt")
    @classmethod
    def _known_prompt(cls, value: str) -> str:
        if value and value not in set(PromptVariant):
            raise ValueError(f"there is no such prompt: give one of {', '.join(PromptVariant)}, or nothing")
        return value


class EvaluateSettings(Settings):
    sample: int = Field(0, ge=0, description="ask a fixed, stratified sample of so many questions; 0 asks all of them")
    bootstrap_samples: Count = Field(4000, description="resamples behind each interval")
    arms: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(
        (), description="further arms: oracle, few-shot, or NAME=MODEL,CONTEXT (none, retrieved or oracle)"
    )
    robustness: bool = Field(False, description="also vary what the arms with passages are shown, and attack them")
    robustness_questions: Count = Field(100, description="questions drawn for that, of those whose oracle is known")
    shots: Count = Field(2, description="worked examples in the prompts of few-shot")
    confidence: float = Field(0.95, gt=0, lt=1, description="level of the intervals")
    judge: str = Field("", description="model that also judges answers, such as openai:MODEL@URL, or nothing")
    forgetting: str = Field(
        EVERYDAY,
        description="what tuning cost elsewhere, measured on everyday (built-in questions), a file of questions with "
        "their context, or nothing",
    )


class Recipe(Settings):
    """Everything that `raft run` can be told; sections are named after the verbs."""

    seed: int = Field(0, ge=0, description="seed of every random choice")
    ablations: bool = Field(False, description="raft run: also tune and compare dsf-cot and raft-no-cot")
    index: IndexSettings = IndexSettings()
    generate: ExampleSettings = ExampleSettings()
    tune: TuneSettings = TuneSettings()
    answer: AnswerSettings = AnswerSettings()
    evaluate: EvaluateSettings = EvaluateSettings()

    @property
    def generating(self) -> ExampleSettings:
        """`generate`, where rows that are too long for the model that will be tuned are turned away at once."""
        return self.generate.model_copy(update={"for_model": self.generate.for_model or self.tune.model})


# Where settings of older recipes went.
_MOVED = {f"evaluate.{name}": f"answer.{name}" for name in AnswerSettings.model_fields}


def load_recipe(path: Path | None) -> Recipe:
    """Read a YAML recipe; defaults for all that it leaves out. Raises InputError that names the wrong key."""
    if path is None:
        return Recipe()
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: check the path of --recipe") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} is not readable YAML ({' '.join(str(error).split())}): correct the file") from error
    return parse_settings(Recipe, raw or {}, str(path))


def parse_settings(kind: type[S], raw: Any, where: str) -> S:
    """Settings from plain values. Raises InputError in one line with the first wrong key and what is wrong with it."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "recipe"
        if first["type"] == "extra_forbidden" and key in _MOVED:
            raise InputError(f"{where}: {key} is now {_MOVED[key]}: rename that setting") from error
        # A whole section is no news to whoever wrote it.
        found = "" if isinstance(first["input"], dict) else f" (found {first['input']!r})"
        raise InputError(f"{where}: {key}: {first['msg']}{found}: correct that setting") from error


def commented_recipe() -> str:
    """A YAML recipe with every setting, its default and its meaning."""
    lines = ["# Settings of raft; delete what you do not change."]

    def write(settings: Settings, indent: str) -> None:
        for name, about in type(settings).model_fields.items():
            value = getattr(settings, name)
            if isinstance(value, Settings):
                lines.append(f"\n{indent}{name}:")
                write(value, indent + "  ")
            else:
                shown = str(value).lower() if isinstance(value, bool) else value if value not in ("", ()) else '""'
                shown = "null" if value is None else shown
                lines.append(f"{indent}{name}: {shown}  # {about.description}")

    write(Recipe(), "")
    return "\n".join(lines) + "\n"
