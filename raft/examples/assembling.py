"""Make the rows of all candidates: plan each, choose its passages, have its target written, see that it fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random

from raft.examples.composing import Candidate, Reason, RowPlan, compose, which_show_their_oracle
from raft.examples.distractors import Pool, choose_distractors, draw_kinds
from raft.examples.near_misses import withheld_share
from raft.examples.reader import answering_passages
from raft.examples.sources import Sources
from raft.examples.training_rows import raft_row
from raft.examples.written_targets import write_targets
from raft.index import Index
from raft.models.generator import Generator
from raft.models.tokens import Codec
from raft.progress import Progress
from raft.recipe import ExampleSettings, NoOracle
from raft.types import DistractorKind, Example

# How deep to look for distractors: enough to fill a row after the guards have thrown out what answers the question.
_DISTRACTOR_DEPTH = 16

Made = tuple[Candidate, Example]
Lost = tuple[Candidate, str, Reason]


@dataclass(frozen=True, slots=True)
class Helpers:
    """What rows are checked with. reader: reads distractors. writer: writes targets. fits: the codec of the model to be
    tuned, and the tokens that it holds. None where the settings do not ask for it."""

    reader: Generator | None = None
    writer: Generator | None = None
    fits: tuple[Codec, int] | None = None


@dataclass(frozen=True, slots=True)
class _Draft:
    """One row before its passages are chosen; rows of one `group` are the pair of one question."""

    group: int
    candidate: Candidate
    plan: RowPlan
    pool: Pool


def assemble(
    index: Index,
    candidates: Sequence[Candidate],
    settings: ExampleSettings,
    rng: Random,
    helpers: Helpers,
    progress: Progress,
) -> tuple[list[Made], list[Lost]]:
    """A row for each candidate, two where they are paired; every row that cannot be ends with its reason."""
    drafts = _drafts(index, candidates, settings, rng)
    banned: dict[str, set[str]] = {}
    if helpers.reader is not None and settings.read_distractors:
        drafts = iter(read := list(drafts))
        banned = _read(read, helpers.reader, progress)
    # Without a reader a draft is made when the one before is composed: both draw from one random generator.
    planned: list[_Draft] = []
    rows: list[Example | Reason] = []
    for draft in drafts:
        planned.append(draft)
        banned_here = banned.get(draft.candidate.question.id, set())
        rows.append(compose(draft.candidate, draft.pool, draft.plan, rng, banned_here))
    _tell_what_lacks(planned, rows, progress)
    if helpers.writer is not None:
        rows = _with_targets(rows, helpers.writer, settings, progress)
    if helpers.fits is not None:
        rows = [row if isinstance(row, Reason) or _fits(row, *helpers.fits) else Reason.TOO_LONG for row in rows]
    return _sorted_out(planned, rows)


def plan_rows(candidates: Sequence[Candidate], settings: ExampleSettings, rng: Random) -> list[list[RowPlan]]:
    """For each candidate the plans of its rows; a row shows as many passages with its oracle as without.

    `oracle_fraction`, the rows that withhold, and `both` are each exact to the row.
    """
    answerable = sum(candidate.oracle is not None for candidate in candidates)
    withheld = _share(answerable, withheld_share(settings), rng)
    left = withheld.count(False)
    shown = [True, False] * left if settings.paired else which_show_their_oracle(left, settings.oracle_fraction, rng)
    share = {NoOracle.MEMORISE: 1.0, NoOracle.REFUSE: 0.0, NoOracle.BOTH: 0.5}[settings.no_oracle]
    memorise = iter(_share(shown.count(False), share, rng) if 0 < share < 1 else [bool(share)] * shown.count(False))
    withholds, shows = iter(withheld), iter(shown)
    plans: list[list[RowPlan]] = []
    for candidate in candidates:
        low, high = settings.distractor_range
        beside = low if low == high else rng.randint(low, high)
        if candidate.oracle is None or next(withholds):
            plans.append([_plan(candidate, settings, beside, rng, withheld=candidate.oracle is not None)])
            continue
        each = []
        for _ in range(2 if settings.paired else 1):
            plan = _plan(candidate, settings, beside, rng, shows_oracle=next(shows))
            if not plan.shows_oracle and next(memorise):
                plan = replace(plan, no_oracle=NoOracle.MEMORISE)
            each.append(plan)
        plans.append(each)
    return plans


def _share(count: int, share: float, rng: Random) -> list[bool]:
    """Which of `count` rows are among a share of them; nothing is drawn where none is asked for."""
    return which_show_their_oracle(count, share, rng) if share else [False] * count


def _plan(
    candidate: Candidate,
    settings: ExampleSettings,
    beside: int,
    rng: Random,
    *,
    shows_oracle: bool = False,
    withheld: bool = False,
) -> RowPlan:
    count = beside if shows_oracle else beside + max(1, len(candidate.oracles))
    kinds = draw_kinds(settings.distractors, count, rng, beside_oracle=shows_oracle)
    return RowPlan(kinds, shows_oracle, NoOracle.REFUSE, withheld)


def _drafts(index: Index, candidates: Sequence[Candidate], settings: ExampleSettings, rng: Random) -> Iterator[_Draft]:
    retrieved = index.retrieve([candidate.question.text for candidate in candidates], _DISTRACTOR_DEPTH)
    plans = plan_rows(candidates, settings, rng)
    kinds = {kind for kind, weight in settings.distractors.weights.items() if weight}
    answered = ((one.question, one.oracle) for one in candidates if one.oracle is not None)
    sources = Sources(index.passages, kinds, answered, _DISTRACTOR_DEPTH)
    for group, (candidate, scored, own) in enumerate(zip(candidates, retrieved, plans, strict=True)):
        for plan in own:
            found, false = [hit.passage for hit in scored], plan.kinds.count(DistractorKind.COUNTERFACTUAL)
            pool = sources.pool(candidate.question, candidate.oracles, found, false, rng)
            yield _Draft(group, candidate, plan, pool)


def _read(drafts: Sequence[_Draft], reader: Generator, progress: Progress) -> dict[str, set[str]]:
    """By question id, the passages that may not be its distractors: a reader gives the right answer from them.

    What takes the place of one that is dropped is read in turn, until nothing new is left to read.
    """
    banned: dict[str, set[str]] = {}
    seen: set[tuple[str, str]] = set()
    while True:
        fresh = []
        for draft in drafts:
            question, plan = draft.candidate.question, draft.plan
            dropped = banned.get(question.id, set())
            chosen = choose_distractors(question, draft.candidate.oracles, draft.pool, plan.kinds, dropped)
            unread = [d.passage for d in chosen if (question.id, d.passage.id) not in seen and question.answers]
            seen |= {(question.id, passage.id) for passage in unread}
            if unread:
                fresh.append((question, unread))
        if not fresh:
            break
        for question_id, passage_ids in answering_passages(fresh, reader, progress).items():
            banned.setdefault(question_id, set()).update(passage_ids)
    if dropped_count := sum(map(len, banned.values())):
        progress.note(f"distractors: {dropped_count} of {len(seen)} dropped, since the reader answers from them")
    return banned


def _tell_what_lacks(drafts: Sequence[_Draft], rows: Sequence[Example | Reason], progress: Progress) -> None:
    """Say which kinds of distractors there were too few of, so that others stand in their place."""
    lacking: Counter[DistractorKind] = Counter()
    for draft, row in zip(drafts, rows, strict=True):
        if isinstance(row, Example):
            given = Counter(passage.distractor for passage in row.passages if passage.distractor is not None)
            lacking += Counter(draft.plan.kinds) - given
    for kind, count in sorted(lacking.items()):
        progress.note(f"distractors: {count} of kind {kind} could not be had; others stand in their place")


def _with_targets(
    rows: Sequence[Example | Reason], writer: Generator, settings: ExampleSettings, progress: Progress
) -> list[Example | Reason]:
    composed = [row for row in rows if isinstance(row, Example)]
    written = iter(write_targets(composed, writer, settings.quote_similarity, progress))
    return [next(written) if isinstance(row, Example) else row for row in rows]


def _fits(row: Example, codec: Codec, context_tokens: int) -> bool:
    learnt = raft_row(asdict(row), codec.style, f"row {row.id}")
    return codec.row_length(codec.prompt_ids(learnt.prompt), codec.target_ids(learnt.target)) <= context_tokens


def _sorted_out(drafts: Sequence[_Draft], rows: Sequence[Example | Reason]) -> tuple[list[Made], list[Lost]]:
    """What became a row, and what did not: of a pair both or neither."""
    broken = {draft.group for draft, row in zip(drafts, rows, strict=True) if isinstance(row, Reason)}
    made: list[Made] = []
    lost: list[Lost] = []
    for draft, row in zip(drafts, rows, strict=True):
        if isinstance(row, Example) and draft.group not in broken:
            made.append((draft.candidate, row))
        else:
            reason = row if isinstance(row, Reason) else Reason.OTHER_OF_PAIR
            lost.append((draft.candidate, draft.candidate.question.text, reason))
    return made, lost
