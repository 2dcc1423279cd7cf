"""What an evaluation will do, checked and read before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from raft.answering.prompt_choice import ONLY, FoundChoice, Wording, find_choice, wording_of
from raft.artifacts import Stage, hash_json, verified
from raft.errors import ArtifactError, InputError
from raft.evaluate.measures.forgetting import read_unrelated
from raft.evaluate.plan.arm_models import (
    ArmModel,
    TunedArmModel,
    read_added,
    read_tuned_models,
    shared_base,
    shared_start,
)
from raft.evaluate.plan.arms import BASE, FEW_SHOT, GENERAL, arms_for, meaning, read_arm
from raft.models.names import MINI, is_endpoint, public_name
from raft.models.weights import weights_fingerprint
from raft.prompts import PromptVariant
from raft.questions import QuestionFile, question_row, read_question_file, stratified
from raft.recipe import AnswerSettings, EvaluateSettings
from raft.types import VARIANTS, Arm, Question, QuestionSource

# Why questions are left out of every arm though their file was read.
HELD_BACK = "a content filter held back an answer"
NOT_DRAWN = "not in the sample"
# A file, what was read from one, or questions that were never in one.
Questions: TypeAlias = Sequence[Question] | QuestionFile | Path


@dataclass(frozen=True, slots=True)
class EvaluationSpec:
    """All that decides what an evaluation finds, as whoever asks for one gives it.

    index: the folder of one. models: folders that `raft tune` made, under the names 'dsf', 'raft', 'dsf-cot' and
    'raft-no-cot'; any may be left out. base_model: the untuned model; by default the one that was tuned, or 'smollm2'.
    source: where the questions come from, which every verdict says unless they were given. examples: the training set
    that the arm 'few-shot' takes its worked examples from. prompts: the folder that says how the untuned model is best
    asked; by default one beside the index, if it is about this index and this model.
    """

    index: Path
    questions: Questions
    models: Mapping[str, Path] = field(default_factory=dict)
    settings: EvaluateSettings = EvaluateSettings()
    answer: AnswerSettings = AnswerSettings()
    base_model: str | None = None
    seed: int = 0
    source: QuestionSource = QuestionSource.GIVEN
    examples: Path | None = None
    prompts: Path | None = None

    def read_questions(self) -> QuestionFile:
        """The questions with what was left out of their file. Raises InputError where it cannot be read."""
        if isinstance(self.questions, Path):
            return read_question_file(self.questions)
        return self.questions if isinstance(self.questions, QuestionFile) else QuestionFile(tuple(self.questions))


@dataclass(frozen=True, slots=True)
class Plan:
    """The same, checked and read: what will be asked of which models.

    drawn_from: how many questions there were, where these are a sample. wordings: how the untuned models are asked, by
    their names in the arms. choice: what was found out about that.
    """

    questions: Sequence[Question]
    omissions: Mapping[str, int]
    tuned_models: Sequence[TunedArmModel]
    arm_models: Sequence[ArmModel]
    arms: Sequence[Arm]
    base_model: str
    settings: EvaluateSettings
    answer: AnswerSettings
    seed: int
    source: QuestionSource
    inputs: Mapping[str, str]
    unrelated: Sequence[Question] = ()
    wordings: Mapping[str, Wording] = field(default_factory=dict)
    choice: FoundChoice | None = None
    drawn_from: int = 0

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the questions."""
        return frozenset(question.id for question in self.questions)

    @property
    def recorded(self) -> dict[str, Any]:
        """The settings as the manifest holds them; of a model in a folder only the name, since paths are private."""
        said: dict[str, Any] = {**self.answer.model_dump(mode="json"), **self.settings.model_dump(mode="json")}
        said["base_model"] = public_name(self.base_model)
        # An arm of the user's own may name a folder.
        named = (text.rpartition(",") for text in self.settings.arms)
        said["arms"] = ["".join((*_public(before), comma, after)) if comma else after for before, comma, after in named]
        said["judge"] = public_name(self.settings.judge)
        said["forgetting"] = self.forgetting_source
        if self.worded:
            said["prompts"] = {name: str(wording.variant) for name, wording in self.worded.items()}
        return {**said, "seed": self.seed, "source": str(self.source)}

    @property
    def worded(self) -> dict[str, Wording]:
        """How those untuned models are asked that could be asked otherwise, by what files and reports call them."""
        return {self.called(name): wording for name, wording in self.wordings.items() if wording != ONLY}

    @property
    def unmarked(self) -> frozenset[str]:
        """The arms whose model is not asked to mark its answer."""
        free = {name for name, wording in self.wordings.items() if wording.variant is not PromptVariant.QUOTE}
        return frozenset(arm.name for arm in self.arms if arm.model in free)

    @property
    def forgetting_source(self) -> str:
        """Where the unrelated questions come from; of a file only its name."""
        return Path(self.settings.forgetting).name

    @property
    def meanings(self) -> Mapping[str, str]:
        """What each arm is, by its name."""
        return {arm.name: meaning(arm, public_name(arm.model)) for arm in self.arms}

    @property
    def is_paid(self) -> bool:
        """Whether any model is behind an endpoint, whose answers somebody may pay for."""
        return any(
            is_endpoint(name) for name in (self.settings.judge, *(arm_model.base for arm_model in self.arm_models))
        )

    def is_asked_elsewhere(self, arm_model: ArmModel) -> bool:
        """Whether a model is asked the unrelated questions: the base, and whatever was tuned from it."""
        tuned = arm_model.folder is not None and arm_model.base == self.base_model
        return bool(self.unrelated) and (tuned or arm_model.name == BASE)

    def called(self, name: str) -> str:
        """What files and reports call a model: one of the user's own by its first arm, since its name may be a path."""
        if name in (BASE, GENERAL, *VARIANTS):
            return name
        return next(arm.name for arm in self.arms if arm.model == name)

    def using(self, arm_model: ArmModel) -> list[Arm]:
        """The arms of one model."""
        return [arm for arm in self.arms if arm.model == arm_model.name]


def _public(arm: str) -> tuple[str, str, str]:
    name, equals, model = arm.partition("=")
    return name, equals, public_name(model)


def make_plan(spec: EvaluationSpec, file: QuestionFile) -> Plan:
    """Read and check what `evaluate` was given; file: the questions that it names.

    Raises InputError for bad questions and arms, ArtifactError for folders that do not fit together.
    """
    asked, models, settings = file.questions, spec.models, spec.settings
    if not asked:
        raise InputError("there are no questions to evaluate on: give at least one")
    if len({question.id for question in asked}) < len(asked):
        raise InputError("two questions have the same id: give each question its own")
    index_digest = verified(spec.index, Stage.INDEX).digest
    tuned_models = read_tuned_models(models, index_digest)
    base, start = shared_base(tuned_models, spec.base_model), shared_start(tuned_models)
    further: list[Arm] = []
    for text in settings.arms:
        arm = read_arm(text, [arm.name for arm in further])
        further.append(replace(arm, model=_at_hand(arm.model, base, start, models)))
    added = read_added(further, {BASE, GENERAL, *models}, index_digest)
    digests = {one.name: _digest(one) for one in added}
    inputs = {
        "index": index_digest,
        "base model": weights_fingerprint(base),
        "questions": hash_json([question_row(question) for question in asked]),
        **{f"model {one.name}": one.manifest.digest for one in tuned_models},
        # By arm, since two models of the user's own may end in the same folder name, which is all that is public of it.
        **{f"arm {arm.name}": digests[arm.model] for arm in further if arm.model in digests},
    }
    if file.left_out:
        inputs["left out"] = hash_json(file.omissions)
    if start:
        inputs["start"] = weights_fingerprint(start)
    if settings.judge == MINI:
        raise InputError(f"evaluate.judge is '{MINI}', which cannot judge: name a model that follows instructions")
    if settings.judge:
        inputs["judge"] = weights_fingerprint(settings.judge)
    if FEW_SHOT in further:
        if spec.examples is None:
            raise InputError("the arm 'few-shot' takes its worked examples from a training set: give --examples DIR")
        inputs["examples"] = examples_digest(spec.examples, spec.index, index_digest)
    tuned = [*tuned_models, *(one for one in added if isinstance(one, TunedArmModel))]
    unrelated = read_unrelated(settings.forgetting)
    if not any(one.model.base_model == base for one in tuned):
        unrelated = []
    if unrelated:
        inputs["unrelated questions"] = hash_json([question_row(question) for question in unrelated])
    arm_models = [
        ArmModel(BASE, base, None, inputs["base model"]),
        *([ArmModel(GENERAL, start, None, inputs["start"])] if start else []),
        *(one.arm_model if isinstance(one, TunedArmModel) else one for one in (*tuned_models, *added)),
    ]
    choice = find_choice(spec.prompts, spec.index, index_digest, base, inputs["base model"])
    wordings = {
        one.name: wording_of(one.base, spec.answer.prompt, choice if one.name == BASE else None)
        for one in arm_models
        if one.folder is None
    }
    if choice is not None:
        inputs["prompts"] = choice.digest
    silent = [arm_model.base for arm_model in arm_models if is_endpoint(arm_model.base)]
    if spec.answer.min_confidence > 0 and silent:
        raise InputError(f"{silent[0]} does not tell how likely its answers are: set answer.min_confidence to 0")
    arms = arms_for([*models, GENERAL] if start else models, further)
    drawn = stratified(asked, settings.sample) if settings.sample else asked
    left = len(asked) - len(drawn)
    return Plan(
        questions=drawn,
        omissions={**file.omissions, NOT_DRAWN: left} if left else file.omissions,
        tuned_models=tuned,
        arm_models=arm_models,
        arms=arms,
        base_model=base,
        settings=settings,
        answer=spec.answer,
        seed=spec.seed,
        source=spec.source,
        inputs=inputs,
        unrelated=unrelated,
        wordings=wordings,
        choice=choice,
        drawn_from=len(asked) if left else 0,
    )


def _at_hand(model: str, base: str, start: str, given: Mapping[str, Path]) -> str:
    """The name under which a model takes part anyway, so that it is loaded once; else its own."""
    if model == base:
        return BASE
    if model == start:
        return GENERAL
    return next((name for name, folder in given.items() if Path(model).resolve() == folder.resolve()), model)


def _digest(added: TunedArmModel | ArmModel) -> str:
    return added.manifest.digest if isinstance(added, TunedArmModel) else added.identity


def examples_digest(examples: Path, index: Path, index_digest: str) -> str:
    """The digest of a training set. Raises ArtifactError where it is none, or was made for another index."""
    manifest = verified(examples, Stage.EXAMPLES)
    if manifest.inputs["index"] != index_digest:
        raise ArtifactError(
            f"{examples} was made for index {manifest.inputs['index'][:8]}, but {index} is {index_digest[:8]}: "
            "give the training set of this index"
        )
    return manifest.digest
