"""The verb `raft evaluate`: read index, questions and models, run every arm, and commit what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from raft.artifacts import (
    Ledger,
    Stage,
    check_output,
    fingerprint,
    hash_json,
    verified,
    write_jsonl,
    writing,
)
from raft.errors import ArtifactError, InputError
from raft.evaluate.answering import Respondent
from raft.evaluate.arms import BASE, FEW_SHOT, Shown, arms_for, cases_for, meaning, read_arm
from raft.evaluate.metrics import retrieval_score, score_all
from raft.evaluate.models import Contestant, Entrant, read_added, read_contestants, shared_base
from raft.evaluate.report import Provenance, report_html, report_markdown
from raft.evaluate.summary import Ruler, Summary, summarise
from raft.examples.evidence import evidence_pools, find_oracle
from raft.examples.rows import worked_examples
from raft.journal import Journal
from raft.models.generator import Decoding, Generator, load_generator
from raft.models.weights import public_name, weights_fingerprint
from raft.progress import Progress, Silent
from raft.prompts import WorkedExample
from raft.questions import QuestionFile, question_row, read_question_file, settle_evidence
from raft.recipe import EvaluateSettings
from raft.types import Arm, Context, Document, Passage, Prediction, Question, QuestionSource, Score, ScoredPassage

# A file, what was read from one, or questions that were never in one.
Questions = Sequence[Question] | QuestionFile | Path


class Searchable(Protocol):
    """What the evaluation needs of an index."""

    @property
    def documents(self) -> Mapping[str, Document]: ...

    @property
    def passages(self) -> Sequence[Passage]: ...

    @property
    def repeats(self) -> Mapping[str, str]:
        """The id of the document that was kept, by the id of each that repeats it."""
        ...

    def retrieve(self, questions: Sequence[str], top_k: int, /) -> Sequence[Sequence[ScoredPassage]]:
        """The best `top_k` passages for each question, best first."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A finished evaluation: what it says, and the folder that holds the rest."""

    summary: Summary
    out: Path

    @property
    def report(self) -> Path:
        """The page to open."""
        return self.out / "report.html"


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that decides the result, checked and read, before anything heavy is loaded."""

    questions: Sequence[Question]
    omissions: Mapping[str, int]
    contestants: Sequence[Contestant]
    entrants: Sequence[Entrant]
    arms: Sequence[Arm]
    base_model: str
    settings: EvaluateSettings
    seed: int
    source: QuestionSource
    inputs: Mapping[str, str]

    @property
    def recorded(self) -> dict[str, Any]:
        """The settings as the manifest holds them; of a model in a folder only the name, since paths are private."""
        said: dict[str, Any] = {**self.settings.model_dump(mode="json"), "base_model": public_name(self.base_model)}
        # An arm of the user's own may name a folder.
        named = (text.rpartition(",") for text in self.settings.arms)
        said["arms"] = ["".join((*_public(before), comma, after)) if comma else after for before, comma, after in named]
        return {**said, "seed": self.seed, "source": str(self.source)}

    @property
    def meanings(self) -> Mapping[str, str]:
        """What each arm is, by its name."""
        return {arm.name: meaning(arm, public_name(arm.model)) for arm in self.arms}

    @property
    def is_paid(self) -> bool:
        """Whether any model is behind an endpoint, whose answers somebody may pay for."""
        return any(entrant.base.startswith("openai:") for entrant in self.entrants)

    def using(self, entrant: Entrant) -> list[Arm]:
        """The arms of one model."""
        return [arm for arm in self.arms if arm.model == entrant.name]


def _public(arm: str) -> tuple[str, str, str]:
    name, equals, model = arm.partition("=")
    return name, equals, public_name(model)


def evaluate(
    index_dir: Path,
    questions: Questions,
    models: Mapping[str, Path],
    out: Path,
    settings: EvaluateSettings,
    base_model: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    source: QuestionSource = QuestionSource.GIVEN,
    *,
    examples: Path | None = None,
    open_index: Callable[[Path], Searchable] | None = None,
    load: Callable[[str, Path | None], Generator] = load_generator,
) -> Evaluation:
    """Ask every arm the same questions, compare the answers, and write the folder `out`.

    models: folders that `raft tune` made, under the names 'dsf', 'raft', 'dsf-cot' and 'raft-no-cot'; any may be left
    out. base_model: the untuned model; by default the one that was tuned, or 'mini'. source: where the questions come
    from, which every verdict says unless they were given. examples: the training set that the arm 'few-shot' takes its
    worked examples from. open_index and load bring other indexes and models than the package's own.

    Answers are kept in a journal beside `out` until the folder is whole, so that an evaluation that was killed goes on
    where it stopped and ends with the same answers.

    Raises InputError for bad questions and ArtifactError for folders that do not fit together, both before a model is
    loaded, and ModelError where a prompt does not fit a model.
    """
    progress = progress or Silent()
    check_output(out, Stage.EVALUATION)
    file = _question_file(questions)
    plan = _plan(index_dir, file, models, settings, base_model, seed, source, examples)
    worked = _worked(plan, examples)
    if file.left_out:
        progress.note(f"evaluation: {file}")
    index = (open_index or _open_index)(index_dir)
    plan = replace(plan, questions=settle_evidence(plan.questions, index.documents, index.repeats, index_dir))
    with progress.task("Retrieve passages", len(plan.questions)) as advance:
        retrieved = index.retrieve([question.text for question in plan.questions], settings.top_k)
        advance(len(plan.questions))
    ids = [question.id for question in plan.questions]
    found = {id_: tuple(hit.passage for hit in hits) for id_, hits in zip(ids, retrieved, strict=True)}
    shown = Shown(found, _oracles(plan, index), worked)
    notes = out.absolute().with_name(f".{out.name}.journal.jsonl")
    with Journal(notes, durable=plan.is_paid) as journal:
        predictions = _predict(plan, shown, journal, load, progress)
        scores = score_all({question.id: question for question in plan.questions}, predictions)
        seen = frozenset[str]().union(*(one.model.document_ids for one in plan.contestants))
        summary = summarise(
            plan.questions,
            predictions,
            scores,
            {
                question.id: retrieval_score(question, found)
                for question, found in zip(plan.questions, retrieved, strict=True)
            },
            seen,
            Ruler(settings, seed),
            source,
        )
        _write(plan, retrieved, predictions, scores, seen, summary, out)
        journal.finish()
    return Evaluation(summary, out)


def evaluation_fingerprint(
    index_dir: Path,
    questions: Questions,
    models: Mapping[str, Path],
    settings: EvaluateSettings,
    base_model: str | None = None,
    seed: int = 0,
    source: QuestionSource = QuestionSource.GIVEN,
    examples: Path | None = None,
) -> str:
    """The fingerprint that `evaluate` with these arguments will record: a folder that has it need not be made again."""
    plan = _plan(index_dir, _question_file(questions), models, settings, base_model, seed, source, examples)
    return fingerprint(Stage.EVALUATION, plan.recorded, plan.inputs)


def _plan(
    index_dir: Path,
    file: QuestionFile,
    models: Mapping[str, Path],
    settings: EvaluateSettings,
    base_model: str | None,
    seed: int,
    source: QuestionSource,
    examples: Path | None,
) -> _Plan:
    asked = file.questions
    if not asked:
        raise InputError("there are no questions to evaluate on: give at least one")
    if len({question.id for question in asked}) < len(asked):
        raise InputError("two questions have the same id: give each question its own")
    index_digest = verified(index_dir, Stage.INDEX).digest
    contestants = read_contestants(models, index_digest)
    base = shared_base(contestants, base_model)
    further: list[Arm] = []
    for text in settings.arms:
        further.append(read_arm(text, [arm.name for arm in further]))
    added = read_added(further, {BASE, *models}, index_digest)
    inputs = {
        "index": index_digest,
        "base model": weights_fingerprint(base),
        "questions": hash_json([question_row(question) for question in asked]),
        **{f"model {one.name}": one.manifest.digest for one in contestants},
        **{f"model {public_name(one.name)}": _digest(one) for one in added},
    }
    if file.left_out:
        inputs["left out"] = hash_json(file.omissions)
    if FEW_SHOT in further:
        inputs["examples"] = _examples_digest(examples, index_dir, index_digest)
    tuned = [*contestants, *(one for one in added if isinstance(one, Contestant))]
    entrants = [
        Entrant(BASE, base, None, inputs["base model"]),
        *(one.entrant if isinstance(one, Contestant) else one for one in (*contestants, *added)),
    ]
    arms = arms_for(models, further)
    return _Plan(asked, file.omissions, tuned, entrants, arms, base, settings, seed, source, inputs)


def _digest(added: Contestant | Entrant) -> str:
    return added.manifest.digest if isinstance(added, Contestant) else added.identity


def _examples_digest(examples: Path | None, index_dir: Path, index_digest: str) -> str:
    if examples is None:
        raise InputError("the arm 'few-shot' takes its worked examples from a training set: give --examples DIR")
    manifest = verified(examples, Stage.EXAMPLES)
    if manifest.inputs["index"] != index_digest:
        raise ArtifactError(
            f"{examples} was made for index {manifest.inputs['index'][:8]}, but {index_dir} is {index_digest[:8]}: "
            "give the training set of this index"
        )
    return manifest.digest


def _worked(plan: _Plan, examples: Path | None) -> tuple[WorkedExample, ...]:
    if examples is None or FEW_SHOT not in plan.arms:
        return ()
    asked = [question.text for question in plan.questions]
    return tuple(worked_examples(examples / "train.jsonl", plan.settings.shots, asked, plan.seed))


def _oracles(plan: _Plan, index: Searchable) -> dict[str, Passage]:
    """The passage that answers each question, by its id, where it is known; looked for only where an arm shows it."""
    if not any(arm.context is Context.ORACLE for arm in plan.arms):
        return {}
    pools = evidence_pools(plan.questions, index.documents, index.passages)
    found = ((one.id, find_oracle(pool.passages, one)) for one, pool in zip(plan.questions, pools, strict=True))
    return {id_: oracle for id_, oracle in found if oracle is not None}


def _question_file(questions: Questions) -> QuestionFile:
    if isinstance(questions, Path):
        return read_question_file(questions)
    return questions if isinstance(questions, QuestionFile) else QuestionFile(tuple(questions))


def _open_index(folder: Path) -> Searchable:
    from raft.index import Index

    return Index.open(folder)


def _predict(
    plan: _Plan,
    shown: Shown,
    journal: Journal,
    load: Callable[[str, Path | None], Generator],
    progress: Progress,
) -> list[Prediction]:
    """All arms in their order, one model in memory at a time and each loaded once."""
    decoding = Decoding(max_new_tokens=plan.settings.max_new_tokens, seed=plan.seed)
    by_arm: dict[str, list[Prediction]] = {}
    for entrant in plan.entrants:
        tuned = f" tuned as {public_name(entrant.name)}" if entrant.folder else ""
        with progress.task(f"Load {entrant.base}{tuned}", 1) as advance:
            generator = load(entrant.base, entrant.folder)
            advance(1)
        respondent = Respondent(generator, entrant.identity, decoding, journal)
        for arm in plan.using(entrant):
            cases = cases_for(arm, plan.questions, shown)
            by_arm[arm.name] = respondent.answer(cases, progress, f"Answer as {arm.name}")
        del generator, respondent
    return [prediction for arm in plan.arms for prediction in by_arm[arm.name]]


def _write(
    plan: _Plan,
    retrieved: Sequence[Sequence[ScoredPassage]],
    predictions: Sequence[Prediction],
    scores: Sequence[Score],
    seen: frozenset[str],
    summary: Summary,
    out: Path,
) -> None:
    provenance = Provenance(plan.recorded, plan.inputs, plan.contestants, plan.meanings)
    with writing(out, Stage.EVALUATION) as draft:
        write_jsonl(draft.path / "predictions.jsonl", (asdict(prediction) for prediction in predictions))
        write_jsonl(
            draft.path / "scores.jsonl",
            (
                {"question_id": one.question_id, "document_id": one.document_id, "arm": one.arm, **one.metrics}
                for one in scores
            ),
        )
        text = json.dumps(summary, indent=2, ensure_ascii=False)
        (draft.path / "summary.json").write_text(text + "\n", encoding="utf-8")
        (draft.path / "report.md").write_text(report_markdown(summary, provenance), encoding="utf-8")
        page = report_html(summary, provenance, plan.questions, retrieved, predictions, scores, seen)
        (draft.path / "report.html").write_text(page, encoding="utf-8")
        count = len(plan.questions)
        counts = {"questions": count, "arms": len(summary["arms"]), "predictions": len(predictions)}
        ledger = Ledger(count + sum(plan.omissions.values()), count, plan.omissions)
        draft.finish(Stage.EVALUATION, plan.recorded, plan.inputs, counts, ledger)
