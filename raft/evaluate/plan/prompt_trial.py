"""Which prompt suits an untuned model best: every one of them on the validation split, before anything is evaluated."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

from raft.answering.cases import Case
from raft.answering.journaled import JournaledModel, Models
from raft.answering.prompt_choice import CHOICE, MOST_QUESTIONS, PromptChoice, TriedPrompt, variants_of
from raft.answering.respondent import Respondent
from raft.artifacts import (
    Ledger,
    Stage,
    check_output,
    fingerprint,
    hash_json,
    read_jsonl,
    verified,
    write_jsonl,
    writing,
)
from raft.errors import InputError, TooLongError
from raft.evaluate.evaluation import Loaders, decoding_of
from raft.evaluate.measures.metrics import EXACT_MATCH, F1, SQUAD_F1, score
from raft.evaluate.plan.plan import examples_digest
from raft.evaluate.predictions import predictions_of
from raft.evaluate.statistics.intervals import points
from raft.journal import Journal
from raft.models.names import is_endpoint, public_name
from raft.models.weights import weights_fingerprint
from raft.progress import Progress, Silent
from raft.prompts import PromptStyle, PromptVariant, closed_book_prompt, passages_prompt
from raft.recipe import AnswerSettings
from raft.types import Passage, Prediction, Question


@dataclass(frozen=True, slots=True)
class PromptTrial:
    """All that decides which prompt is found best.

    index, examples: folders of them; the questions are those of the validation split. base_model: the untuned model.
    answer: as in the evaluation that this is for.
    """

    index: Path
    examples: Path
    base_model: str
    answer: AnswerSettings = AnswerSettings()
    seed: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as the manifest holds them."""
        said = self.answer.model_dump(mode="json", exclude={"prompt"})
        return {**said, "base_model": public_name(self.base_model), "questions": MOST_QUESTIONS, "seed": self.seed}

    def inputs(self) -> dict[str, str]:
        """The digests of all that goes in. Raises ArtifactError for folders that do not fit together."""
        index = verified(self.index, Stage.INDEX).digest
        return {
            "index": index,
            "examples": examples_digest(self.examples, self.index, index),
            "base model": weights_fingerprint(self.base_model),
            "prompts": hash_json([_reading(variant) for variant in PromptVariant]),
        }


def trial_fingerprint(trial: PromptTrial) -> str:
    """The fingerprint that `choose_prompt` will record: a folder that has it need not be made again."""
    return fingerprint(Stage.PROMPTS, trial.settings, trial.inputs())


def choose_prompt(
    trial: PromptTrial, out: Path, progress: Progress = Silent(), loaders: Loaders = Loaders()
) -> PromptChoice:
    """Ask the untuned model every prompt that it can be asked with, and write the folder `out` with the best.

    The best has the highest mean F1, as the evaluation scores it; of equal ones the earlier, the default first. A
    killed trial goes on from a journal beside `out`, as an evaluation does. Raises InputError for a model that knows
    one prompt only, ArtifactError for folders that do not fit together, both before the model is loaded.
    """
    check_output(out, Stage.PROMPTS)
    inputs, variants = trial.inputs(), variants_of(trial.base_model)
    if not variants:
        raise InputError(f"{public_name(trial.base_model)} knows one prompt only: there is nothing to choose")
    questions, ledger = _validation(trial.examples / "validation.jsonl", trial.seed)
    said: dict[PromptVariant, list[Prediction]] = {}
    with Journal(Journal.beside(out), durable=is_endpoint(trial.base_model), sync_seconds=1.0) as journal:
        if questions:
            cases = _cases(trial, questions, progress, loaders)
            with progress.task(f"Load {trial.base_model}", 1) as advance:
                decoding = decoding_of(trial.answer, trial.seed)
                models = Models(journal, loaders.load)
                model = models.open(trial.base_model, None, inputs["base model"], decoding)
                advance(1)
            said = _try_all(variants, model, cases, trial.answer, progress)
        choice = _choice(trial, variants, questions, said)
        progress.note(f"prompts: {_told(choice)}")
        with writing(out, Stage.PROMPTS) as draft:
            text = json.dumps(asdict(choice), indent=2, ensure_ascii=False)
            (draft.path / CHOICE).write_text(text + "\n", encoding="utf-8")
            write_jsonl(draft.path / "predictions.jsonl", (_row(one) for rows in said.values() for one in rows))
            counts = {"questions": len(questions), "prompts": len(said)}
            draft.finish(Stage.PROMPTS, trial.settings, inputs, counts, ledger)
        journal.finish()
    return choice


def _validation(path: Path, seed: int) -> tuple[list[Question], Ledger]:
    """The answerable questions of a split, each once and at most so many, drawn by the seed; in the order of the file.

    A question whose passage its row withholds is asked too: what is shown is retrieved anew.
    """
    rows = [row for _, row in read_jsonl(path)]
    found: dict[str, Question] = {}
    rejected: Counter[str] = Counter()
    for row in rows:
        if not row["answers"]:
            rejected["nothing answers it"] += 1
        elif row["question_id"] in found:
            rejected["another row asks it"] += 1
        else:
            documents = tuple(row["document_ids"])
            found[row["question_id"]] = Question(row["question_id"], row["question"], tuple(row["answers"]), documents)
    drawn = set(Random(seed).sample(sorted(found), min(MOST_QUESTIONS, len(found))))
    if len(drawn) < len(found):
        rejected["not drawn"] = len(found) - len(drawn)
    return [one for id_, one in found.items() if id_ in drawn], Ledger(len(rows), len(drawn), dict(rejected))


def _cases(trial: PromptTrial, questions: Sequence[Question], progress: Progress, loaders: Loaders) -> list[Case]:
    """Each question with the passages that an evaluation would show for it."""
    index = loaders.open_index(trial.index)
    with progress.task("Retrieve passages", len(questions)) as advance:
        hits = index.retrieve([question.text for question in questions], trial.answer.top_k)
        advance(len(questions))
    return [
        Case(question, tuple(hit.passage for hit in found)) for question, found in zip(questions, hits, strict=True)
    ]


def _try_all(
    variants: Sequence[PromptVariant],
    model: JournaledModel,
    cases: Sequence[Case],
    settings: AnswerSettings,
    progress: Progress,
) -> dict[PromptVariant, list[Prediction]]:
    """What the model says to every prompt; one that does not fit it is left out, unless none does."""
    said: dict[PromptVariant, list[Prediction]] = {}
    for variant in variants:
        respondent = Respondent(model, settings, variant)
        try:
            replies = respondent.answer(cases, progress, f"Try prompt {variant}")
        except TooLongError as error:
            if not said and variant is variants[-1]:
                raise
            progress.note(f"prompts: '{variant}' is left out: {error}")
        else:
            said[variant] = predictions_of(str(variant), cases, replies)
    return said


def _choice(
    trial: PromptTrial,
    variants: Sequence[PromptVariant],
    questions: Sequence[Question],
    said: dict[PromptVariant, list[Prediction]],
) -> PromptChoice:
    by_id = {question.id: question for question in questions}
    tried = {}
    for variant, predictions in said.items():
        scores = [score(by_id[one.question_id], one) for one in predictions]
        f1, exact, squad = (
            sum(one[metric.name] for one in scores) / len(scores) for metric in (F1, EXACT_MATCH, SQUAD_F1)
        )
        tried[variant] = TriedPrompt(f1, exact, squad, *_reading(variant))
    best = max(tried, key=lambda variant: tried[variant].f1, default=variants[0])
    return PromptChoice(public_name(trial.base_model), best, len(questions), tried)


def _told(choice: PromptChoice) -> str:
    if not choice.questions:
        return f"no question to validate on, so the default '{choice.chosen}' is used"
    scores = ", ".join(f"{variant} {points(one.f1)}" for variant, one in choice.tried.items())
    return (
        f"'{choice.chosen}' suits {choice.base_model} best, by F1 on {choice.questions} validation questions ({scores})"
    )


def _reading(variant: PromptVariant) -> tuple[str, str]:
    """A prompt around placeholders, with passages and from memory."""
    placeholder = Passage("", "", "", "PASSAGE", 0, 0)
    return (
        passages_prompt("QUESTION", [placeholder], PromptStyle.CHAT, variant).text,
        closed_book_prompt("QUESTION", PromptStyle.CHAT, variant).text,
    )


def _row(prediction: Prediction) -> dict[str, Any]:
    """A prediction with its prompt, and without its time, so that the same work gives the same bytes."""
    row = asdict(prediction)
    del row["seconds"]
    return {"variant": row.pop("arm"), **row}
