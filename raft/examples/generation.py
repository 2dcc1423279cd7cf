"""`raft generate`: an index in, a verified RAFT training set out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from raft.artifacts import Draft, Ledger, Manifest, Stage, check_output, fingerprint, hash_path, write_jsonl, writing
from raft.corpus.duplicates import document_clusters
from raft.errors import InputError
from raft.examples.asking import Rejected, round_trip, write_questions
from raft.examples.assembling import Helpers, assemble
from raft.examples.balance import Balance, measure_balance, rebalance
from raft.examples.card import dataset_card
from raft.examples.composing import Candidate, Reason
from raft.examples.content_filters import unwanted
from raft.examples.estimate import Estimate, Work, estimate_calls
from raft.examples.further_oracles import further_oracles, linked
from raft.examples.kinds import follows_instructions, neighbours, paraphrase, write_kinds
from raft.examples.leakage import find_leaks, leak_counts
from raft.examples.near_misses import write_near_misses
from raft.examples.reader import reading_model
from raft.examples.recording import public_settings
from raft.examples.splits import (
    Split,
    joined_by_questions,
    seen_passages,
    split_by_document,
    with_those_alike,
    write_splits,
)
from raft.index import Index
from raft.journal import Journal
from raft.models.calls import Calls, Limits, Spending, is_paid
from raft.models.generator import Generator
from raft.models.loading import load_generator
from raft.models.names import is_writer
from raft.models.weights import weights_fingerprint
from raft.progress import Progress, Silent
from raft.questions import LeftOut, QuestionFile, evidence_pools, find_oracle, read_question_file, settle_evidence
from raft.recipe import BY_MODEL, EXTRACTIVE, ExampleSettings
from raft.types import Example, Passage, Question

# How deep to look for the passage that answers a question which names none.
_EVIDENCE_DEPTH = 16


def examples_fingerprint(index_digest: str, questions: Path | None, settings: ExampleSettings, seed: int) -> str:
    """Names the work of `generate_examples` before it is done."""
    return fingerprint(Stage.EXAMPLES, *_work(index_digest, questions, settings, seed))


def generate_examples(
    index_dir: Path,
    out: Path,
    questions: Path | None = None,
    settings: ExampleSettings = ExampleSettings(),
    seed: int = 0,
    progress: Progress = Silent(),
    generator: Generator | None = None,
    limits: Limits = Limits(),
) -> Manifest:
    """Write `train.jsonl`, `validation.jsonl`, `test.jsonl`, `rejected.jsonl`, `splits.jsonl` and a dataset card.

    questions: to train on, in any form that `read_question_file` reads; documents that none of them speaks of are the
    unseen ones. Without it the model writes questions for the documents that are not held out as unseen. Every
    candidate ends as a row or in `rejected.jsonl` with its reason, and so does what was left out of the question file.
    generator: instead of the models of the settings, and without a journal. limits: on what the models' calls come to.

    What models write is kept in a journal beside `out`, from which a run that was stopped goes on to the same bytes.
    When the folder stands there, what an endpoint wrote stays in the journal and the rest goes. Raises InputError,
    ArtifactError, ModelError, or LimitError where a limit is reached; nothing is half-written.
    """
    _check_models(settings)
    check = unwanted(settings)
    file = read_question_file(questions) if questions is not None else QuestionFile(())
    index = Index.open(index_dir)
    file = file.readable(index.reads)
    with Journal(Journal.beside(out), durable=True, sync_seconds=1.0) as journal, writing(out, Stage.EXAMPLES) as draft:
        rng = Random(seed)
        calls = Calls(journal, Spending(limits), settings.max_concurrency, settings.thinking)
        alike = _alike(index, settings)
        if generator is None:
            work = _planned(index, file if questions is not None else None, alike, settings, seed)
            progress.note(str(estimate_calls(work, limits, journal)))
            generator, reader = _models(questions, settings, calls)
        else:
            reader = generator
        helpers = _helpers(settings, generator, reader, calls)
        if questions is None:
            splits, clusters = split_by_document(sorted(alike), alike, settings, rng), alike
            assert generator is not None and reader is not None
            candidates, rejected = _written(index, splits, _Asker(generator, reader), settings, seed, progress)
        else:
            settings = _without_unseen(settings)
            given = settle_evidence(file.questions, index.documents, index.repeats, index.folder)
            candidates, rejected = _brought(index, given, settings)
            asked = {oracle.document_id for candidate in candidates for oracle in candidate.oracles}
            asked |= {document_id for question in given for document_id in question.document_ids}
            clusters = joined_by_questions(alike, given, asked) if settings.join_questions else alike
            splits = with_those_alike(split_by_document(sorted(asked), clusters, settings, rng), clusters)
        candidates = _within_one_split(_wanted(candidates, check, rejected), splits, rejected)
        if reader is not None:
            changed, unchanged = write_near_misses(candidates, index, reader, settings, rng, progress)
            candidates += changed
            rejected += unchanged
        composed, lost = assemble(index, candidates, settings, rng, helpers, progress)
        rejected += lost
        rows: dict[Split, list[Example]] = {split: [] for split in Split}
        for candidate, example in composed:
            # A question that nothing answers belongs to no document; refusing is learnt in training.
            home = candidate.oracle.document_id if candidate.oracle is not None else candidate.home
            rows[splits[home] if home is not None else Split.TRAIN].append(example)
        if settings.rebalance:
            composed = _rebalanced(composed, rows, settings, seed, rejected)
        made = _TrainingSet(rows, splits, clusters, rejected, file)
        balance = _write(draft, made, *_work(index.manifest.digest, questions, settings, seed))
    journal.keep(is_paid)
    assert draft.manifest is not None
    progress.note(f"models: {calls.spending}")
    progress.note(f"examples: {draft.manifest.ledger}")
    for warning in balance.warnings(settings.largest_share):
        progress.note(f"examples: {warning}; `--rebalance` drops what is more")
    return draft.manifest


@dataclass(frozen=True, slots=True)
class _TrainingSet:
    """All that is to be written: the rows of each split, side and cluster of every document, and what was lost."""

    rows: Mapping[Split, Sequence[Example]]
    splits: Mapping[str, Split]
    clusters: Mapping[str, str]
    rejected: Sequence[Rejected]
    file: QuestionFile


def _write(draft: Draft, made: _TrainingSet, recorded: Mapping[str, Any], inputs: Mapping[str, str]) -> Balance:
    """Write the folder, its reports and its card. Raises InputError where there is no row to train on."""
    rows = made.rows
    reasons = Counter(str(reason) for _, _, reason in made.rejected) + Counter(made.file.omissions)
    if not rows[Split.TRAIN]:
        raise InputError(_nothing_left(reasons))
    for split in (Split.TRAIN, Split.VALIDATION, Split.TEST):
        write_jsonl(draft.path / f"{split}.jsonl", rows[split])
    left_out = map(_left_out_row, made.file.left_out)
    write_jsonl(draft.path / "rejected.jsonl", [*left_out, *(_rejected_row(*item) for item in made.rejected)])
    write_splits(draft.path, made.splits, made.clusters)
    kept = sum(map(len, rows.values()))
    ledger = Ledger(kept + reasons.total(), kept, dict(reasons))
    counts = {str(split): len(rows[split]) for split in (Split.TRAIN, Split.VALIDATION, Split.TEST)}
    counts |= {f"{split}_documents": sum(s is split for s in made.splits.values()) for split in Split}
    leaks, balance = find_leaks(rows, made.splits), measure_balance(rows[Split.TRAIN])
    write_jsonl(draft.path / "leakage.jsonl", leaks)
    counts |= leak_counts(leaks)
    card = dataset_card(rows, counts, ledger, recorded, balance)
    (draft.path / "README.md").write_text(card, encoding="utf-8")
    draft.finish(Stage.EXAMPLES, recorded, inputs, counts, ledger)
    return balance


def estimate_examples(
    index_dir: Path,
    out: Path,
    questions: Path | None = None,
    settings: ExampleSettings = ExampleSettings(),
    seed: int = 0,
    limits: Limits = Limits(),
) -> Estimate:
    """What `generate_examples` with these arguments would ask of its models; nothing is asked and nothing written.

    Raises InputError, ArtifactError or ModelError where that would.
    """
    _check_models(settings)
    check_output(out, Stage.EXAMPLES)
    file = read_question_file(questions) if questions is not None else None
    index = Index.open(index_dir)
    if file is not None:
        settle_evidence(file.questions, index.documents, index.repeats, index.folder)
    work = _planned(index, file, _alike(index, settings), settings, seed)
    with Journal(Journal.beside(out)) as journal:
        return estimate_calls(work, limits, journal)


def _alike(index: Index, settings: ExampleSettings) -> Mapping[str, str]:
    """The cluster of every document that has passages."""
    documents = sorted({passage.document_id for passage in index.passages})
    return document_clusters([index.documents[id_] for id_ in documents], settings.cluster_similarity)


def _planned(
    index: Index, file: QuestionFile | None, alike: Mapping[str, str], settings: ExampleSettings, seed: int
) -> Work:
    """What models are to write about, by the same splits that `generate_examples` will make."""
    if file is not None:
        return Work(index.passages, (), len(file.questions), settings, seed)
    splits = split_by_document(sorted(alike), alike, settings, Random(seed))
    return Work(index.passages, seen_passages(index.passages, splits), 0, settings, seed)


def _without_unseen(settings: ExampleSettings) -> ExampleSettings:
    """Who brings questions has chosen the documents: no other is held out as unseen."""
    return settings.model_copy(update={"unseen_fraction": 0.0})


def _work(
    index_digest: str, questions: Path | None, settings: ExampleSettings, seed: int
) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings and inputs as the manifest holds them: what decides the result, without paths."""
    inputs = {"index": index_digest}
    if questions is not None:
        settings = _without_unseen(settings)
        inputs["questions"] = hash_path(questions)
    if _needs_writer(questions, settings):
        inputs["model"] = weights_fingerprint(settings.model)
    if reading_model(settings) != settings.model and _needs_reader(questions, settings):
        inputs["reader"] = weights_fingerprint(reading_model(settings))
    if settings.targets not in (EXTRACTIVE, BY_MODEL):
        inputs["teacher"] = weights_fingerprint(settings.targets)
    if settings.for_model:
        inputs["for_model"] = weights_fingerprint(settings.for_model)
    if settings.blocked_words:
        inputs["blocked_words"] = hash_path(Path(settings.blocked_words))
    return {**public_settings(settings), "seed": seed}, inputs


def _check_models(settings: ExampleSettings) -> None:
    """Refuse to have a question writer do what it was not trained for."""
    targets = settings.model if settings.targets == BY_MODEL else settings.targets
    for name, model in (("targets", targets), ("reader", settings.reader)):
        if is_writer(model):
            raise InputError(f"{model} writes questions and nothing else: name another model as generate.{name}")


def _needs_writer(questions: Path | None, settings: ExampleSettings) -> bool:
    """Whether `settings.model` has anything to do: write questions or targets, or all that a reader does."""
    reads = reading_model(settings) == settings.model and _needs_reader(questions, settings)
    return questions is None or reads or settings.targets == BY_MODEL


def _needs_reader(questions: Path | None, settings: ExampleSettings) -> bool:
    """Whether there are questions or distractors for a model to read."""
    changes = settings.unanswerable_fraction * settings.near_miss_fraction > 0
    return questions is None or changes or settings.read_distractors


def _models(
    questions: Path | None, settings: ExampleSettings, calls: Calls
) -> tuple[Generator | None, Generator | None]:
    """The writer and the reader, which may be the same; None for one that has nothing to do.

    They are loaded before any work is done that a wrong name would waste.
    """
    writer = load_generator(settings.model, calls=calls) if _needs_writer(questions, settings) else None
    if not _needs_reader(questions, settings):
        return writer, None
    name = reading_model(settings)
    return writer, writer if name == settings.model else load_generator(name, calls=calls)


def _helpers(settings: ExampleSettings, generator: Generator | None, reader: Generator | None, calls: Calls) -> Helpers:
    """What rows are made and checked with."""
    writer = None if settings.targets == EXTRACTIVE else generator
    if settings.targets not in (EXTRACTIVE, BY_MODEL):
        writer = load_generator(settings.targets, calls=calls)
    fits = None
    if settings.for_model:
        # Late: it loads transformers.
        from raft.models.tokens import load_codec

        fits = load_codec(settings.for_model)
    return Helpers(reader, writer, fits)


def _wanted(
    candidates: Sequence[Candidate], check: Callable[[Candidate], Reason | None], rejected: list[Rejected]
) -> list[Candidate]:
    """The candidates that no filter turns away."""
    found = [(candidate, check(candidate)) for candidate in candidates]
    rejected += [(candidate, candidate.question.text, reason) for candidate, reason in found if reason is not None]
    return [candidate for candidate, reason in found if reason is None]


def _rebalanced(
    composed: Sequence[tuple[Candidate, Example]],
    rows: dict[Split, list[Example]],
    settings: ExampleSettings,
    seed: int,
    rejected: list[Rejected],
) -> list[tuple[Candidate, Example]]:
    """The rows without the surplus of those for training, which goes from `rows` too."""
    surplus = rebalance(rows[Split.TRAIN], settings.largest_share, Random(f"rebalance {seed}"))
    rows[Split.TRAIN] = [row for row in rows[Split.TRAIN] if row.id not in surplus]
    rejected += [(c, row.question, surplus[row.id]) for c, row in composed if row.id in surplus]
    return [(candidate, row) for candidate, row in composed if row.id not in surplus]


def _within_one_split(
    candidates: Sequence[Candidate], splits: Mapping[str, Split], rejected: list[Rejected]
) -> list[Candidate]:
    """Candidates whose documents all stand in one split: a question over two would carry one across."""
    kept = []
    for candidate in candidates:
        if len({splits[document_id] for document_id in candidate.document_ids}) > 1:
            rejected.append((candidate, candidate.question.text, Reason.SPANS_SPLITS))
        else:
            kept.append(candidate)
    return kept


class _Asker(NamedTuple):
    """The model that writes questions, and the one that checks them by answering them."""

    writer: Generator
    reader: Generator


def _written(
    index: Index,
    splits: Mapping[str, Split],
    asker: _Asker,
    settings: ExampleSettings,
    seed: int,
    progress: Progress,
) -> tuple[list[Candidate], list[Rejected]]:
    passages, (writer, reader) = seen_passages(index.passages, splits), asker
    if not follows_instructions(settings, writer):
        candidates, malformed = write_questions(passages, writer, settings, seed, progress)
        kept, failed = round_trip(candidates, index, reader, settings, progress)
        return kept, [*malformed, *failed]
    near = neighbours(passages, index, splits, settings)
    candidates, malformed = write_kinds(passages, near, writer, settings, seed, progress)
    kept, failed = round_trip(candidates, index, reader, settings, progress)
    others, unlike = paraphrase(kept, writer, settings, seed, progress)
    kept_too, lost = round_trip(others, index, reader, settings, progress)
    return [*kept, *kept_too], [*malformed, *failed, *unlike, *lost]


def _brought(
    index: Index, questions: Sequence[Question], settings: ExampleSettings
) -> tuple[list[Candidate], list[Rejected]]:
    """Each given question with the passage that answers it: in its documents if it names them, else found by search."""
    evidence = evidence_pools(questions, index.documents, index.passages)
    retrieved = index.retrieve([question.text for question in questions], _EVIDENCE_DEPTH)
    kept: list[Candidate] = []
    rejected: list[Rejected] = []
    for question, known, scored in zip(questions, evidence, retrieved, strict=True):
        pools = known.pools or [[hit.passage for hit in scored]]
        asked = linked(question, pools) if settings.max_oracles > 1 and len(pools) > 1 else question
        oracle = find_oracle([passage for pool in pools for passage in pool], asked)
        further = further_oracles(question, oracle, pools, settings.max_oracles) if oracle is not None else ()
        candidate = Candidate(
            question, oracle, {"source": "given", "evidence": known.known_by or "found by search"}, further
        )
        if question.all_of:
            rejected.append((candidate, question.text, Reason.SEVERAL_ANSWERS))
        elif oracle is None and not question.unanswerable:
            rejected.append((candidate, question.text, Reason.NO_EVIDENCE))
        else:
            kept.append(candidate)
    return kept, rejected


def _rejected_row(candidate: Candidate | Passage, text: str, reason: Reason) -> dict[str, Any]:
    """What was rejected, why, and where it came from."""
    passage = candidate if isinstance(candidate, Passage) else candidate.oracle
    return {
        "reason": str(reason),
        "text": text,
        "question_id": None if isinstance(candidate, Passage) else candidate.question.id,
        "answers": [] if isinstance(candidate, Passage) else list(candidate.question.answers),
        "passage_id": passage.id if passage is not None else None,
        "document_id": passage.document_id if passage is not None else None,
    }


def _left_out_row(item: LeftOut) -> dict[str, Any]:
    """What the question file holds and is no question, in the form of the other rejected rows."""
    nothing: dict[str, Any] = {"question_id": None, "answers": [], "passage_id": None, "document_id": None}
    return {"reason": str(item.reason), "text": item.text, **nothing, "place": item.place}


def _nothing_left(reasons: Counter[str]) -> str:
    listed = ", ".join(f"{count} x {reason}" for reason, count in reasons.most_common(3))
    return (
        f"no training row is left of {reasons.total()} candidates ({listed}): "
        "add documents or questions, or lower num_distractors"
    )
