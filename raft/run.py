"""`raft run`: the whole way from documents to a verdict, without the stages whose inputs and settings are unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from raft.artifacts import MANIFEST, Stage, check_output, is_current, read_jsonl, read_manifest
from raft.errors import ArtifactError, InputError
from raft.examples import examples_fingerprint, generate_examples
from raft.index import build_index, index_fingerprint
from raft.progress import Progress, Silent
from raft.questions import read_questions
from raft.recipe import Recipe, TuningMethod
from raft.tune import model_fingerprint, tune
from raft.types import Question

if TYPE_CHECKING:
    from raft.evaluate.summary import Summary

_OURS = {"index", "examples", "models", "evaluation", "recipe.json"}


def run(
    paths: Sequence[Path],
    out: Path,
    questions: Path | None = None,
    train_questions: Path | None = None,
    recipe: Recipe = Recipe(),
    progress: Progress = Silent(),
) -> Summary:
    """Index, generate, tune twice and evaluate below `out`; returns the summary of the evaluation.

    questions: for the evaluation alone, never trained on; without it the evaluation takes the held-out split of the
    written questions and says so. train_questions: to train on instead of written ones. Raises a RaftError before the
    work that it spoils begins; a stage that is done stays done.
    """
    from raft.evaluate import evaluate, evaluation_fingerprint

    _check(out)
    asked = read_questions(questions) if questions is not None else None
    if train_questions is not None:
        read_questions(train_questions)
    index_work = index_fingerprint(paths, recipe.index)
    out.mkdir(parents=True, exist_ok=True)
    (out / "recipe.json").write_text(json.dumps(recipe.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    index, examples, evaluation = out / "index", out / "examples", out / "evaluation"

    def stage(folder: Path, kind: Stage, work: str, do: Callable[[], object]) -> str:
        """Do the work unless the folder already holds its result; the digest of what the folder then holds."""
        if is_current(folder, kind, work):
            progress.note(f"{folder.relative_to(out)}: unchanged, skipped")
        else:
            do()
        return read_manifest(folder).digest

    index_digest = stage(
        index,
        Stage.INDEX,
        index_work,
        lambda: build_index(paths, index, recipe.index, recipe.seed, progress),
    )
    examples_digest = stage(
        examples,
        Stage.EXAMPLES,
        examples_fingerprint(index_digest, train_questions, recipe.generate, recipe.seed),
        lambda: generate_examples(index, examples, train_questions, recipe.generate, recipe.seed, progress),
    )
    (out / "models").mkdir(exist_ok=True)
    models = {str(method): out / "models" / method for method in (TuningMethod.DSF, TuningMethod.RAFT)}
    for method in (TuningMethod.DSF, TuningMethod.RAFT):
        work = model_fingerprint(examples_digest, method, recipe.tune, recipe.seed)
        arguments = (examples, models[method], method, recipe.tune, recipe.seed, progress)
        stage(models[method], Stage.MODEL, work, partial(tune, *arguments))
    held_out = asked is None
    asked = asked if asked is not None else _held_out(examples / "test.jsonl")
    base = recipe.tune.model
    work = evaluation_fingerprint(index, asked, models, recipe.evaluate, base, recipe.seed, held_out)
    stage(
        evaluation,
        Stage.EVALUATION,
        work,
        lambda: evaluate(index, asked, models, evaluation, recipe.evaluate, base, recipe.seed, progress, held_out),
    )
    summary: Summary = json.loads((evaluation / "summary.json").read_text(encoding="utf-8"))
    return summary


def _check(out: Path) -> None:
    """Refuse an output folder that holds anything but a former run, before any work."""
    if out.exists() and not out.is_dir():
        raise ArtifactError(f"{out} is not a folder: give --out another path")
    if out.is_dir():
        foreign = sorted(
            path.name for path in out.iterdir() if path.name not in _OURS and not path.name.startswith(".")
        )
        if foreign:
            raise ArtifactError(
                f"{out} holds {foreign[0]!r}, which raft did not make: give --out a new or empty folder"
            )
    for name, kind in (("index", Stage.INDEX), ("examples", Stage.EXAMPLES), ("evaluation", Stage.EVALUATION)):
        if (out / name / MANIFEST).exists() or (out / name).exists():
            check_output(out / name, kind)


def _held_out(path: Path) -> list[Question]:
    """The test split as questions. Raises InputError where it is empty."""
    rows = [row for _, row in read_jsonl(path)]
    if not rows:
        raise InputError(f"{path} is empty, so there is nothing to evaluate on: give --questions, or add documents")
    return [
        Question(row["question_id"], row["question"], tuple(row["answers"]), tuple(row["document_ids"])) for row in rows
    ]
