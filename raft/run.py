"""`raft run`: the whole way from documents to a verdict, without the stages whose inputs and settings are unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from raft.answering.prompt_choice import variants_of
from raft.artifacts import Stage, check_output, is_current, mark, read_jsonl, read_manifest
from raft.corpus.entries import Location
from raft.corpus.locations import is_remote
from raft.corpus.reading import find_files
from raft.errors import ArtifactError, InputError
from raft.examples import examples_fingerprint, generate_examples
from raft.index import Index, build_index, index_fingerprint
from raft.models.calls import Limits
from raft.models.names import SMOLLM2, is_endpoint
from raft.models.weights import source_of
from raft.progress import Progress, Silent
from raft.questions import QuestionFile, read_question_file, settle_evidence
from raft.recipe import Recipe, TuneSettings, TuningMethod
from raft.remaining import WholeRun, expected_costs
from raft.swap import write_whole
from raft.text import normalise_answer
from raft.tune import check_tunable, model_fingerprint, tune
from raft.tune.checkpoints import Checkpoints
from raft.types import VARIANTS, Question, QuestionSource, Targets

if TYPE_CHECKING:
    from raft.evaluate.summary import Summary

RECIPE = "recipe.json"
_STAGES = {
    "index": Stage.INDEX,
    "examples": Stage.EXAMPLES,
    "prompts": Stage.PROMPTS,
    "models/dsf": Stage.MODEL,
    "models/dsf-cot": Stage.MODEL,
    "models/raft-no-cot": Stage.MODEL,
    "models/raft": Stage.MODEL,
    "evaluation": Stage.EVALUATION,
}
_OURS = {RECIPE, *(Path(folder).parts[0] for folder in _STAGES)}


def run(
    paths: Sequence[Location],
    out: Path,
    questions: Path | None = None,
    train_questions: Path | None = None,
    recipe: Recipe = Recipe(),
    progress: Progress = Silent(),
    limits: Limits = Limits(),
) -> Summary:
    """Index, generate, choose a prompt, tune twice and evaluate below `out`; returns the summary of the evaluation.

    questions: for the evaluation alone, never trained on; without it the evaluation takes the held-out split of the
    others and says so. train_questions: to train on instead of written ones. limits: on the calls of generation.
    Raises a RaftError before the work that it spoils begins; a stage that is done stays done.
    """
    job = _Job(paths, out, questions, train_questions, recipe, limits)
    _check_output(out, paths)
    _check_tunable(recipe.tune)
    given = job.read_given(progress)
    whole = WholeRun(progress)
    for stage in _stages(job, given, whole):
        name = stage.folder.relative_to(out).as_posix()
        if is_current(stage.folder, _STAGES[name], stage.fingerprint):
            whole.skip(name)
            whole.note(f"{name}: unchanged, skipped")
        else:
            with whole.stage(name):
                stage.work()
    summary: Summary = json.loads((out / "evaluation" / "summary.json").read_text(encoding="utf-8"))
    return summary


@dataclass(frozen=True, slots=True)
class _StageWork:
    """One stage of a run: where its result goes, what tells this piece of work from any other, and the work."""

    folder: Path
    fingerprint: str
    work: Callable[[], object]


@dataclass(frozen=True, slots=True)
class _Job:
    """What `run` was given."""

    paths: Sequence[Location]
    out: Path
    questions: Path | None
    train_questions: Path | None
    recipe: Recipe
    limits: Limits

    def read_given(self, progress: Progress) -> dict[Path, QuestionFile]:
        """The files of questions. Refuses those that ask for training what the evaluation asks."""
        files = (self.questions, self.train_questions)
        given = {path: read_question_file(path) for path in files if path is not None}
        if self.questions is not None and self.train_questions is not None:
            _check_apart(self.questions, self.train_questions, given)
        for path, file in given.items():
            if file.left_out:
                progress.note(f"{path}: {file}")
        return given

    @property
    def source(self) -> QuestionSource:
        """Where the questions of the evaluation come from."""
        if self.questions is not None:
            return QuestionSource.GIVEN
        return QuestionSource.HELD_OUT_WRITTEN if self.train_questions is None else QuestionSource.HELD_OUT_GIVEN


def _stages(job: _Job, given: dict[Path, QuestionFile], whole: WholeRun) -> Iterator[_StageWork]:
    """The stages in order. Each is planned when those before it are done: their digests are part of its fingerprint."""
    from raft.evaluate import (
        EvaluationSpec,
        PromptTrial,
        choose_prompt,
        evaluate,
        evaluation_fingerprint,
        trial_fingerprint,
    )

    out, recipe, seed, trained = job.out, job.recipe, job.recipe.seed, job.train_questions
    index, examples, evaluation = out / "index", out / "examples", out / "evaluation"
    # Found once for both, so that what comes from far away is fetched once.
    found = find_files(job.paths)
    work: Callable[[], object] = partial(build_index, found, index, recipe.index, seed, whole)
    yield _StageWork(index, index_fingerprint(found, recipe.index), work)
    # What was kept of it may go: the stages below take hours.
    del found, work
    mark(out, Stage.RUN)
    write_whole(out / RECIPE, json.dumps(recipe.model_dump(mode="json"), indent=2) + "\n")
    given = _settled(given, index, whole)
    generating = recipe.generating
    yield _StageWork(
        examples,
        examples_fingerprint(read_manifest(index).digest, trained, generating, seed),
        lambda: generate_examples(index, examples, trained, generating, seed, whole, limits=job.limits),
    )
    asked: QuestionFile | list[Question] = (
        given[job.questions] if job.questions is not None else _held_out(examples / "test.jsonl")
    )
    names = VARIANTS if recipe.ablations else (TuningMethod.DSF, TuningMethod.RAFT)
    count = len(asked.questions if isinstance(asked, QuestionFile) else asked)
    whole.plan(expected_costs(examples, list(names), count, recipe))
    base, prompts = recipe.tune.model, None
    # Where the recipe names a prompt, or the model knows only one, there is nothing to choose.
    if not recipe.answer.prompt and variants_of(base):
        prompts = out / "prompts"
        trial = PromptTrial(index, examples, base, recipe.answer, seed)
        yield _StageWork(prompts, trial_fingerprint(trial), partial(choose_prompt, trial, prompts, whole))
    else:
        whole.skip("prompts")
    models = {str(name): out / "models" / name for name in names}
    examples_digest = read_manifest(examples).digest
    for name, folder in models.items():
        method, targets = VARIANTS[name]
        settings = recipe.tune.model_copy(update={"targets": Targets.OWN if name == method else targets})
        fingerprint = model_fingerprint(examples_digest, method, settings, seed)
        work = partial(tune, examples, folder, method, settings, seed, whole)
        yield _StageWork(folder, fingerprint, work)
        # A kill may have come between the model and this, and whoever skips the stage would leave them for ever.
        with Checkpoints(folder, whole.note) as left:
            left.finish()
    spec = EvaluationSpec(
        index, asked, models, recipe.evaluate, recipe.answer, base, seed, job.source, examples, prompts
    )
    fingerprint = evaluation_fingerprint(spec)
    yield _StageWork(evaluation, fingerprint, partial(evaluate, spec, evaluation, whole))


def _check_output(out: Path, paths: Sequence[Location]) -> None:
    """Refuse an output folder that holds anything but a former run, or any of the documents."""
    if out.exists() and not out.is_dir():
        raise ArtifactError(f"{out} is not a folder: give --out another path")
    entries = {path.name for path in out.iterdir()} if out.is_dir() else set()
    foreign = sorted(name for name in entries - _OURS if not name.startswith("."))
    if foreign:
        raise ArtifactError(f"{out} holds {foreign[0]!r}, which raft did not make: give --out a new or empty folder")
    for folder, kind in _STAGES.items():
        check_output(out / folder, kind)
    for path in paths:
        if not is_remote(path) and Path(path).resolve().is_relative_to(out.resolve()):
            raise InputError(f"{path} is in {out}, where the results go: give --out a folder beside the documents")
    if entries & _OURS:
        # A run of an older version, or one that was stopped early: nothing in it may be read as a document.
        mark(out, Stage.RUN)


def _check_tunable(settings: TuneSettings) -> None:
    if settings.targets is not Targets.OWN:
        raise InputError(
            f"tune.targets is '{settings.targets}', but `raft run` compares both methods with their own targets: "
            "leave it out, and add --ablations for the other two"
        )
    if is_endpoint(settings.model):
        raise InputError(
            f"tune.model is {settings.model!r}, but a model behind an endpoint cannot be tuned: give 'smollm2', a "
            "folder or a hub name"
        )
    check_tunable(settings)
    if settings.model == SMOLLM2:
        # Whether it has been fetched is found out now, and not when the index is made.
        source_of(settings.model)


def _check_apart(questions: Path, train_questions: Path, given: Mapping[Path, QuestionFile]) -> None:
    """Refuse to train on a question of the evaluation, however it is spelt."""
    trained = {
        normalise_answer(question.text) or question.text: question for question in given[train_questions].questions
    }
    for question in given[questions].questions:
        same = trained.get(normalise_answer(question.text) or question.text)
        if same is not None:
            raise InputError(
                f"question '{question.id}' of {questions} is also question '{same.id}' of {train_questions}: remove it "
                "from one of them, or the evaluation would test what was trained on"
            )


def _settled(given: Mapping[Path, QuestionFile], folder: Path, progress: Progress) -> dict[Path, QuestionFile]:
    """The files without the questions that are longer than the embedder reads, which are told.

    Refuses evidence that the index does not hold, and a file of which no question is left.
    """
    if not given:
        return {}
    index = Index.open(folder)
    settled = {}
    for path, file in given.items():
        settle_evidence(file.questions, index.documents, index.repeats, folder, path)
        settled[path] = kept = file.readable(index.reads)
        if not kept.questions:
            raise InputError(f"{path} holds no question that can be used ({kept}): shorten them")
        for item in kept.left_out[len(file.left_out) :]:
            progress.note(f"{path}: {item.place} is left out: {item.reason}")
    return settled


def _held_out(path: Path) -> list[Question]:
    """The test split as questions, each once though it may have two rows. Raises InputError where it is empty."""
    rows = {row["question_id"]: row for _, row in read_jsonl(path)}.values()
    if not rows:
        raise InputError(f"{path} is empty, so there is nothing to evaluate on: give --questions, or add documents")
    # The documents of a question that nothing answers are those that it was made from: no evidence.
    return [
        Question(row["question_id"], row["question"], tuple(row["answers"]), tuple(row["document_ids"]))
        if row["answers"]
        else Question(row["question_id"], row["question"], unanswerable=True)
        for row in rows
    ]
