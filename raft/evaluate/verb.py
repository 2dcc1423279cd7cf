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
from raft.errors import InputError
from raft.evaluate.arms import BASE, arms_for, predict
from raft.evaluate.metrics import retrieval_score, score_all
from raft.evaluate.models import Contestant, read_contestants, shared_base
from raft.evaluate.report import Provenance, report_html, report_markdown
from raft.evaluate.summary import Ruler, Summary, summarise
from raft.models.generator import Decoding, Generator, load_generator
from raft.models.weights import public_name, weights_fingerprint
from raft.progress import Progress, Silent
from raft.questions import QuestionFile, question_row, read_question_file, settle_evidence
from raft.recipe import EvaluateSettings
from raft.types import Document, Prediction, Question, QuestionSource, Score, ScoredPassage

# A file, what was read from one, or questions that were never in one.
Questions = Sequence[Question] | QuestionFile | Path


class Searchable(Protocol):
    """What the evaluation needs of an index."""

    @property
    def documents(self) -> Mapping[str, Document]: ...

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
    base_model: str
    settings: EvaluateSettings
    seed: int
    source: QuestionSource
    inputs: Mapping[str, str]

    @property
    def recorded(self) -> dict[str, Any]:
        """The settings as the manifest holds them; of a model in a folder only the name, since paths are private."""
        base = public_name(self.base_model)
        return {**self.settings.model_dump(), "base_model": base, "seed": self.seed, "source": str(self.source)}


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
    open_index: Callable[[Path], Searchable] | None = None,
    load: Callable[[str, Path | None], Generator] = load_generator,
) -> Evaluation:
    """Ask every arm the same questions, compare the answers, and write the folder `out`.

    models: folders that `raft tune` made, under the names 'dsf' and 'raft'; either may be left out. base_model: the
    untuned model; by default the one that was tuned, or 'mini'. source: where the questions come from, which every
    verdict says unless they were given. open_index and load bring other indexes and models than the package's own.

    Raises InputError for bad questions and ArtifactError for folders that do not fit together, both before a model is
    loaded, and ModelError where a prompt does not fit a model.
    """
    progress = progress or Silent()
    check_output(out, Stage.EVALUATION)
    file = _question_file(questions)
    plan = _plan(index_dir, file, models, settings, base_model, seed, source)
    if file.left_out:
        progress.note(f"evaluation: {file}")
    index = (open_index or _open_index)(index_dir)
    plan = replace(plan, questions=settle_evidence(plan.questions, index.documents, index.repeats, index_dir))
    with progress.task("Retrieve passages", len(plan.questions)) as advance:
        retrieved = index.retrieve([question.text for question in plan.questions], settings.top_k)
        advance(len(plan.questions))
    predictions = _predict(plan, retrieved, load, progress)
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
    return Evaluation(summary, out)


def evaluation_fingerprint(
    index_dir: Path,
    questions: Questions,
    models: Mapping[str, Path],
    settings: EvaluateSettings,
    base_model: str | None = None,
    seed: int = 0,
    source: QuestionSource = QuestionSource.GIVEN,
) -> str:
    """The fingerprint that `evaluate` with these arguments will record: a folder that has it need not be made again."""
    plan = _plan(index_dir, _question_file(questions), models, settings, base_model, seed, source)
    return fingerprint(Stage.EVALUATION, plan.recorded, plan.inputs)


def _plan(
    index_dir: Path,
    file: QuestionFile,
    models: Mapping[str, Path],
    settings: EvaluateSettings,
    base_model: str | None,
    seed: int,
    source: QuestionSource,
) -> _Plan:
    asked = file.questions
    if not asked:
        raise InputError("there are no questions to evaluate on: give at least one")
    if len({question.id for question in asked}) < len(asked):
        raise InputError("two questions have the same id: give each question its own")
    index_digest = verified(index_dir, Stage.INDEX).digest
    contestants = read_contestants(models, index_digest)
    base = shared_base(contestants, base_model)
    inputs = {
        "index": index_digest,
        "base model": weights_fingerprint(base),
        "questions": hash_json([question_row(question) for question in asked]),
        **{f"model {one.name}": one.manifest.digest for one in contestants},
    }
    if file.left_out:
        inputs["left out"] = hash_json(file.omissions)
    return _Plan(asked, file.omissions, contestants, base, settings, seed, source, inputs)


def _question_file(questions: Questions) -> QuestionFile:
    if isinstance(questions, Path):
        return read_question_file(questions)
    return questions if isinstance(questions, QuestionFile) else QuestionFile(tuple(questions))


def _open_index(folder: Path) -> Searchable:
    from raft.index import Index

    return Index.open(folder)


def _predict(
    plan: _Plan,
    retrieved: Sequence[Sequence[ScoredPassage]],
    load: Callable[[str, Path | None], Generator],
    progress: Progress,
) -> list[Prediction]:
    """All arms, one model in memory at a time."""
    folders: dict[str, Path | None] = {BASE: None, **{one.name: one.folder for one in plan.contestants}}
    decoding = Decoding(max_new_tokens=plan.settings.max_new_tokens, seed=plan.seed)
    arms = arms_for(folders)
    predictions: list[Prediction] = []
    for model, folder in folders.items():
        with progress.task(f"Load {plan.base_model}" + (f" tuned as {model}" if folder else ""), 1) as advance:
            generator = load(plan.base_model, folder)
            advance(1)
        using = [arm for arm in arms if arm.model == model]
        predictions += predict(using, plan.questions, retrieved, {model: generator}, decoding, progress)
        del generator
    return predictions


def _write(
    plan: _Plan,
    retrieved: Sequence[Sequence[ScoredPassage]],
    predictions: Sequence[Prediction],
    scores: Sequence[Score],
    seen: frozenset[str],
    summary: Summary,
    out: Path,
) -> None:
    provenance = Provenance(plan.recorded, plan.inputs, plan.contestants)
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
