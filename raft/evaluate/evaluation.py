"""The verb `raft evaluate`: read index, questions and models, run every arm, and commit what came out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Protocol

from raft.answering.cases import Case
from raft.answering.journaled import Models
from raft.answering.prompt_choice import ONLY
from raft.answering.respondent import Respondent
from raft.artifacts import (
    Ledger,
    Stage,
    check_output,
    fingerprint,
    write_jsonl,
    writing,
)
from raft.errors import InputError, ModelError, TooLongError
from raft.evaluate.asked_prompts import prompts_of
from raft.evaluate.details import by_document, detail, outcomes
from raft.evaluate.measures.forgetting import answer_rows, forgetting, unrelated_cases
from raft.evaluate.measures.judging import JUDGEMENT, Judge, judge_all
from raft.evaluate.measures.metrics import retrieval_score, score_all
from raft.evaluate.measures.outcomes import Outcome
from raft.evaluate.measures.retrieval import CONSIDERED, SearchedInWays
from raft.evaluate.measures.right_passages import Evidence, evidence_score
from raft.evaluate.measures.robustness import (
    DEPTH,
    Probes,
    Setting,
    Subject,
    Trial,
    judge,
    sample,
    summarise_trials,
    surface,
)
from raft.evaluate.plan.arms import BASE, FEW_SHOT, Shown, cases_for
from raft.evaluate.plan.plan import HELD_BACK, EvaluationSpec, Plan, make_plan
from raft.evaluate.predictions import failures_of, held_back, predictions_of
from raft.evaluate.report.browse import Record
from raft.evaluate.report.report import Provenance, report_html, report_markdown
from raft.evaluate.summary import Ruler, Summary, summarise
from raft.examples.training_rows import worked_examples
from raft.journal import Journal
from raft.models.generator import Decoding, Failure, Generator
from raft.models.names import public_name
from raft.progress import Progress, Silent
from raft.prompts import WorkedExample
from raft.questions import EvidencePools, evidence_pools, find_oracle, settle_evidence
from raft.recipe import AnswerSettings
from raft.types import Arm, Context, Document, Passage, Prediction, ScoredPassage


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


def _open_index(folder: Path) -> Searchable:
    from raft.index import Index

    return Index.open(folder)


@dataclass(frozen=True, slots=True)
class Loaders:
    """How indexes and models are opened: by default the package's own. load: takes a base model and a tuned folder."""

    open_index: Callable[[Path], Searchable] = _open_index
    load: Callable[[str, Path | None], Generator] | None = None


def evaluate(
    spec: EvaluationSpec, out: Path, progress: Progress = Silent(), loaders: Loaders = Loaders()
) -> Evaluation:
    """Ask every arm the same questions, compare the answers, and write the folder `out`.

    Answers and verdicts are kept in a journal beside `out` until the folder is whole, so that an evaluation that was
    killed goes on where it stopped and ends with the same answers.

    Raises InputError for bad questions and ArtifactError for folders that do not fit together, both before a model is
    loaded, and ModelError where a prompt does not fit a model.
    """
    check_output(out, Stage.EVALUATION)
    file = spec.read_questions()
    plan = make_plan(spec, file)
    settings, seed = plan.settings, plan.seed
    worked = _worked(plan, spec.examples)
    if file.left_out:
        progress.note(f"evaluation: {file}")
    for name, wording in plan.worded.items():
        progress.note(f"evaluation: {name} is asked with the prompt '{wording.variant}', {wording.why}")
    index = loaders.open_index(spec.index)
    plan = replace(plan, questions=settle_evidence(plan.questions, index.documents, index.repeats, spec.index))
    with progress.task("Retrieve passages", len(plan.questions)) as advance:
        retrieved = index.retrieve([question.text for question in plan.questions], plan.answer.top_k)
        advance(len(plan.questions))
    ids = [question.id for question in plan.questions]
    found = {id_: tuple(hit.passage for hit in hits) for id_, hits in zip(ids, retrieved, strict=True)}
    pools = dict(zip(ids, evidence_pools(plan.questions, index.documents, index.passages), strict=True))
    shown = Shown(found, _oracles(plan, pools), worked)
    subjects = _subjects(plan, index, shown.oracles)
    probes = surface(subjects, index.passages, max(2, plan.answer.top_k), Random(seed))
    with Journal(Journal.beside(out), durable=plan.is_paid, sync_seconds=1.0) as journal:
        asking = _Asking(Models(journal, loaders.load), progress)
        predictions, tried = _predict(plan, shown, probes, asking)
        plan, predictions = _without(tried.held_back, plan, predictions, progress)
        retrieved = [hits for id_, hits in zip(ids, retrieved, strict=True) if id_ in plan.ids]
        by_id = {question.id: question for question in plan.questions}
        evidence = Evidence(pools, {passage.id: passage for passage in index.passages})
        scores = score_all(
            by_id,
            predictions,
            lambda one, said: evidence_score(one, said, evidence.right_passages(one, said.passage_ids)),
        )
        judged_by: Judge | None = None
        if settings.judge:
            decoding = replace(JUDGEMENT, thinking=plan.answer.thinking)
            second = asking.models.open(settings.judge, None, plan.inputs["judge"], decoding)
            judged = judge_all(by_id, predictions, scores, second, progress)
            scores = judged.scores
            judged_by = Judge(model=public_name(settings.judge), asked=judged.asked, failed=judged.failed)
        seen = frozenset[str]().union(*(one.model.document_ids for one in plan.tuned_models))
        ruler = Ruler(settings, seed)
        retrieval = {
            question.id: retrieval_score(question, hits)
            for question, hits in zip(plan.questions, retrieved, strict=True)
        }
        overview = summarise(plan.questions, predictions, scores, retrieval, seen, ruler, plan.source)
        texts = [question.text for question in plan.questions]
        rankings = index.rankings(texts, CONSIDERED) if isinstance(index, SearchedInWays) else {}
        told = outcomes(plan.questions, evidence, predictions, scores, plan.unmarked)
        details = detail(plan.questions, told, scores, rankings, ruler)
        summary: Summary = {**overview, **details, "top_k": plan.answer.top_k, "judge": judged_by}
        if plan.drawn_from:
            summary["drawn_from"] = plan.drawn_from
        if settings.robustness:
            summary["robustness"] = summarise_trials(tried.trials, subjects, tried.left_out, ruler)
        if plan.unrelated:
            tuned = {name: some for name, some in tried.elsewhere.items() if name != BASE}
            before = tried.elsewhere[BASE]
            summary["forgetting"] = forgetting(plan.forgetting_source, plan.unrelated, before, tuned, ruler)
        if plan.worded:
            summary["prompts"] = prompts_of(plan.worded, plan.choice)
        summary["training"] = {plan.called(one.name): one.training for one in plan.tuned_models}
        further = {one.id: one for one in shown.oracles.values()}
        became = {(one.question_id, one.arm): str(outcome) for one, outcome in told}
        record = Record(plan.questions, retrieved, predictions, scores, seen, further, became, pools)
        _write(plan, record, _Rows(told, tried), summary, out)
        journal.finish()
    return Evaluation(summary, out)


def evaluation_fingerprint(spec: EvaluationSpec) -> str:
    """The fingerprint that `evaluate` will record for this spec: a folder that has it need not be made again."""
    plan = make_plan(spec, spec.read_questions())
    return fingerprint(Stage.EVALUATION, plan.recorded, plan.inputs)


def _worked(plan: Plan, examples: Path | None) -> tuple[WorkedExample, ...]:
    if examples is None or FEW_SHOT not in plan.arms:
        return ()
    asked = [question.text for question in plan.questions]
    return tuple(worked_examples(examples / "train.jsonl", plan.settings.shots, asked, plan.seed))


def _oracles(plan: Plan, pools: Mapping[str, EvidencePools]) -> dict[str, Passage]:
    """The passage that answers each question, by its id, where it is known; looked for only where an arm shows it."""
    if not plan.settings.robustness and not any(arm.context is Context.ORACLE for arm in plan.arms):
        return {}
    found = ((one.id, find_oracle(pools[one.id].passages, one)) for one in plan.questions)
    return {id_: oracle for id_, oracle in found if oracle is not None}


def _subjects(plan: Plan, index: Searchable, oracles: Mapping[str, Passage]) -> list[Subject]:
    """The questions on which robustness is measured. Raises InputError where none is fit for it."""
    if not plan.settings.robustness:
        return []
    drawn = sample(oracles.keys(), plan.questions, plan.settings.robustness_questions, Random(plan.seed))
    if not drawn:
        raise InputError(
            "robustness is measured on questions whose oracle is known, and there is none: give the questions "
            "document_ids, or leave out --robustness"
        )
    hits = index.retrieve([question.text for question in drawn], DEPTH)
    return [Subject(one, oracles[one.id], [hit.passage for hit in some]) for one, some in zip(drawn, hits, strict=True)]


@dataclass(slots=True)
class _Tried:
    """What was asked beside the arms: the trials of the robustness surface, the settings at which a prompt did not fit
    an arm's model, by model the answers to questions that are not about the documents, and by arm the questions that a
    content filter kept it from answering."""

    trials: list[Trial] = field(default_factory=list)
    left_out: dict[str, list[Setting]] = field(default_factory=dict)
    elsewhere: dict[str, list[Prediction]] = field(default_factory=dict)
    held_back: dict[str, set[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Asking:
    """Where models come from and what they said is kept, and who is told how far it is."""

    models: Models
    progress: Progress


def decoding_of(settings: AnswerSettings, seed: int) -> Decoding:
    """How every model of an evaluation writes."""
    return Decoding(settings.max_new_tokens, seed=seed, logprobs=True, thinking=settings.thinking)


def _predict(plan: Plan, shown: Shown, probes: Probes, asking: _Asking) -> tuple[list[Prediction], _Tried]:
    """All arms in their order, one model in memory at a time and each loaded once."""
    progress = asking.progress
    settings = plan.answer
    decoding = decoding_of(settings, plan.seed)
    by_arm: dict[str, list[Prediction]] = {}
    tried = _Tried()
    for arm_model in plan.arm_models:
        tuned = f" tuned as {public_name(arm_model.name)}" if arm_model.folder else ""
        with progress.task(f"Load {arm_model.base}{tuned}", 1) as advance:
            model = asking.models.open(arm_model.base, arm_model.folder, arm_model.identity, decoding)
            advance(1)
        respondent = Respondent(model, settings, plan.wordings.get(arm_model.name, ONLY).variant)
        if plan.is_asked_elsewhere(arm_model):
            name = plan.called(arm_model.name)
            tried.elsewhere[name] = _elsewhere(name, plan, respondent, progress)
        for arm in plan.using(arm_model):
            cases = cases_for(arm, plan.questions, shown)
            replies = respondent.answer(cases, progress, f"Answer as {arm.name}")
            by_arm[arm.name] = predictions_of(arm.name, cases, replies)
            if lost := held_back(cases, replies):
                tried.held_back[arm.name] = lost
            _tell_failures(arm.name, failures_of(replies), respondent.max_new_tokens, progress)
            if probes and arm.context is Context.RETRIEVED and not arm.worked:
                _try(arm, probes, respondent, tried, progress)
        del model, respondent
    return [prediction for arm in plan.arms for prediction in by_arm[arm.name]], tried


def _tell_failures(name: str, failures: Mapping[Failure, int], max_new_tokens: int, progress: Progress) -> None:
    """Say how many answers hold none, which count as wrong, with the reason and what to do about it."""
    for failure, count in failures.items():
        count_as = "answer counts" if count == 1 else "answers count"
        why = failure.told(max_new_tokens)
        progress.note(f"evaluation: {count} {count_as} as wrong for {name} ({why}): {failure.advice}")


def _without(
    held_back: Mapping[str, set[str]], plan: Plan, predictions: list[Prediction], progress: Progress
) -> tuple[Plan, list[Prediction]]:
    """The plan without the questions that a content filter kept any arm from answering, and the answers that are left.

    What nobody saw is missing, not wrong, and arms are compared on the same questions. Raises ModelError where nothing
    is left.
    """
    if not held_back:
        return plan, predictions
    lost, arms = set[str]().union(*held_back.values()), ", ".join(held_back)
    left = [question for question in plan.questions if question.id not in lost]
    if not left:
        raise ModelError(f"a content filter held back answers of {arms} to every question: ask another model")
    progress.note(f"evaluation: {len(lost)} questions left out of every arm, {HELD_BACK} ({arms})")
    kept = [one for one in predictions if one.question_id not in lost]
    return replace(plan, questions=left, omissions={**plan.omissions, HELD_BACK: len(lost)}), kept


def _elsewhere(name: str, plan: Plan, respondent: Respondent, progress: Progress) -> list[Prediction]:
    """Ask one model what is not about the documents; before its arms, so that too long a passage is told soon."""
    try:
        cases = unrelated_cases(plan.unrelated)
        replies = respondent.answer(cases, progress, f"Ask {name} what is not in the documents")
        return predictions_of(name, cases, replies)
    except TooLongError as error:
        raise InputError(
            f"a question of evaluate.forgetting does not fit the model: shorten its context ({error})"
        ) from error


def _try(arm: Arm, probes: Probes, respondent: Respondent, tried: _Tried, progress: Progress) -> None:
    """Ask one arm at every setting of the robustness surface."""
    failures: Counter[Failure] = Counter()
    with progress.task(f"Vary the passages of {arm.name}", sum(map(len, probes.values()))) as advance:
        for setting, asked in probes.items():
            cases = [Case(question, passages) for question, passages in asked]
            try:
                replies = respondent.answer(cases, Silent(), "")
            except TooLongError:
                tried.left_out.setdefault(arm.name, []).append(setting)
            else:
                said = predictions_of(arm.name, cases, replies)
                tried.trials += [judge(setting, one.question, text) for one, text in zip(cases, said, strict=True)]
                failures += failures_of(replies)
            advance(len(cases))
    _tell_failures(f"{arm.name} with other passages", failures, respondent.max_new_tokens, progress)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What stands in files of its own besides the record: predictions with their outcomes, and what else was asked."""

    told: Sequence[tuple[Prediction, Outcome]]
    tried: _Tried


def _write(plan: Plan, record: Record, rows: _Rows, summary: Summary, out: Path) -> None:
    provenance = Provenance(plan.recorded, plan.inputs, plan.tuned_models, plan.meanings)
    with writing(out, Stage.EVALUATION) as draft:
        write_jsonl(draft.path / "predictions.jsonl", record.predictions)
        write_jsonl(
            draft.path / "scores.jsonl",
            (
                {"question_id": one.question_id, "document_id": one.document_id, "arm": one.arm, **one.metrics}
                for one in record.scores
            ),
        )
        write_jsonl(
            draft.path / "outcomes.jsonl",
            ({"question_id": one.question_id, "arm": one.arm, "outcome": str(outcome)} for one, outcome in rows.told),
        )
        write_jsonl(draft.path / "documents.jsonl", by_document(record.scores))
        if rows.tried.trials:
            write_jsonl(draft.path / "robustness.jsonl", (trial.row() for trial in rows.tried.trials))
        if rows.tried.elsewhere:
            write_jsonl(draft.path / "forgetting.jsonl", answer_rows(plan.unrelated, rows.tried.elsewhere))
        text = json.dumps(summary, indent=2, ensure_ascii=False)
        (draft.path / "summary.json").write_text(text + "\n", encoding="utf-8")
        (draft.path / "report.md").write_text(report_markdown(summary, provenance, record), encoding="utf-8")
        (draft.path / "report.html").write_text(report_html(summary, provenance, record), encoding="utf-8")
        count = len(plan.questions)
        counts = {"questions": count, "arms": len(summary["arms"]), "predictions": len(record.predictions)}
        ledger = Ledger(count + sum(plan.omissions.values()), count, plan.omissions)
        draft.finish(Stage.EVALUATION, plan.recorded, plan.inputs, counts, ledger)
