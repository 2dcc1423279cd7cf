"""The laws of a training row, over whatever passages and settings there are."""

import hashlib
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from raft.examples.assembling import plan_rows
from raft.examples.composing import Candidate, Reason, compose, which_show_their_oracle
from raft.examples.distractors import Pool, choose_distractors
from raft.outputs import parse_answer
from raft.prompts import REFUSAL
from raft.recipe import ExampleSettings, NoOracle
from raft.text import contains_answer
from raft.types import DistractorKind, Example, ExampleKind, Passage, Question

ORACLE = Passage("oracle", "pumps", "Pumps", "A preface. The Merrow 45 stops at 36 bar. It is blue.", 0, 53)
QUESTION = Question("q", "When does the Merrow 45 stop?", ("36 bar",), ("pumps",))


def passage(number: int, text: str) -> Passage:
    return Passage(f"p{number}", f"d{number}", "", text, 0, len(text))


OTHERS = [passage(n, f"Winch {n} lifts {n} tonnes at pier {n * 7}.") for n in range(8)]
BAD = [
    ORACLE,
    passage(90, "The old sheet said 36 bar too."),
    passage(91, "A preface. The Merrow 45 stops at 36 kPa. It is blue."),
    OTHERS[0],
]
RETRIEVED = st.permutations([*OTHERS, *BAD])
SETTINGS = st.builds(
    ExampleSettings,
    num_distractors=st.integers(0, 5),
    oracle_fraction=st.floats(0, 1),
    no_oracle=st.sampled_from(NoOracle),
)


def composed(retrieved: list[Passage], chosen: ExampleSettings, seed: int) -> Example:
    row = row_of(Candidate(QUESTION, ORACLE, {}), retrieved, chosen, seed)
    assert isinstance(row, Example)
    return row


def row_of(candidate: Candidate, retrieved: list[Passage], chosen: ExampleSettings, seed: int) -> Example | Reason:
    rng = Random(seed)
    [[plan]] = plan_rows([candidate], chosen, rng)
    return compose(candidate, Pool.of(retrieved), plan, rng)


@given(RETRIEVED, SETTINGS, st.integers())
def test_no_distractor_holds_the_answer_or_repeats_the_oracle_and_nothing_is_shown_twice(
    retrieved: list[Passage], chosen: ExampleSettings, seed: int
) -> None:
    row = composed(retrieved, chosen, seed)
    ids = [shown.id for shown in row.passages]
    assert len(set(ids)) == len(ids)
    assert "p91" not in ids
    for shown in row.passages:
        assert shown.oracle == (shown.id == "oracle")
        assert shown.oracle or not contains_answer(shown.text, QUESTION.answers)


@given(RETRIEVED, SETTINGS, st.integers())
def test_a_row_shows_as_many_passages_with_its_oracle_as_without(
    retrieved: list[Passage], chosen: ExampleSettings, seed: int
) -> None:
    assert len(composed(retrieved, chosen, seed).passages) == chosen.num_distractors + 1


@given(RETRIEVED, st.integers())
def test_an_oracle_fraction_of_0_and_1_means_never_and_always(retrieved: list[Passage], seed: int) -> None:
    never = composed(retrieved, ExampleSettings(oracle_fraction=0), seed)
    always = composed(retrieved, ExampleSettings(oracle_fraction=1), seed)
    assert (never.kind, any(p.oracle for p in never.passages)) == (ExampleKind.NO_ORACLE, False)
    assert (always.kind, any(p.oracle for p in always.passages)) == (ExampleKind.ORACLE, True)


@given(st.integers(0, 300), st.floats(0, 1), st.integers())
def test_the_share_of_rows_with_their_oracle_is_the_oracle_fraction_to_the_row(
    count: int, fraction: float, seed: int
) -> None:
    shown = which_show_their_oracle(count, fraction, Random(seed))
    assert len(shown) == count
    assert abs(sum(shown) - count * fraction) < 1


def test_no_place_in_the_order_of_rows_is_without_its_oracle_more_often() -> None:
    counts = [sum(which_show_their_oracle(10, 0.8, Random(seed))[place] for seed in range(1000)) for place in range(10)]
    # Four standard deviations of a binomial of 1,000 at 0.8.
    assert all(abs(count - 800) < 51 for count in counts)


def test_the_oracle_stands_in_every_position_equally_often() -> None:
    counts = [0, 0, 0, 0]
    for seed in range(1000):
        row = composed(OTHERS, ExampleSettings(oracle_fraction=1, num_distractors=3), seed)
        counts[[shown.oracle for shown in row.passages].index(True)] += 1
    assert all(abs(count - 250) < 55 for count in counts)


@given(RETRIEVED, SETTINGS, st.integers())
@settings(max_examples=50)
def test_the_same_seed_makes_the_same_row(retrieved: list[Passage], chosen: ExampleSettings, seed: int) -> None:
    assert composed(retrieved, chosen, seed) == composed(retrieved, chosen, seed)


def test_the_target_quotes_the_oracle_by_its_number_and_the_answer_follows_from_the_quote() -> None:
    row = composed(OTHERS, ExampleSettings(oracle_fraction=1), 5)
    (quote,) = row.quotes
    oracle = next(shown for shown in row.passages if shown.oracle)
    assert quote.text == oracle.text[quote.start : quote.end] == "The Merrow 45 stops at 36 bar."
    parsed = parse_answer(row.target)
    assert row.passages[parsed.quotes[0].number - 1].oracle
    assert parsed.quotes[0].text == quote.text
    assert row.answer == parsed.answer == "36 bar"
    assert row.answer in quote.text
    assert row.reasoning == f"[{parsed.quotes[0].number}] ##begin_quote## {quote.text} ##end_quote##"


def test_a_row_without_its_oracle_quotes_nothing_and_teaches_what_was_chosen() -> None:
    memorise = composed(OTHERS, ExampleSettings(oracle_fraction=0, no_oracle=NoOracle.MEMORISE), 1)
    refuse = composed(OTHERS, ExampleSettings(oracle_fraction=0, no_oracle=NoOracle.REFUSE), 1)
    assert (memorise.answer, memorise.quotes, memorise.reasoning) == ("36 bar", (), "")
    assert (refuse.answer, refuse.quotes, refuse.reasoning) == (REFUSAL, (), "")


def test_an_unanswerable_question_shows_passages_and_teaches_refusal() -> None:
    asked = Question("u", "Who painted the Merrow?", unanswerable=True)
    row = row_of(Candidate(asked, None, {}), [ORACLE, *OTHERS], ExampleSettings(), 0)
    assert isinstance(row, Example)
    assert (row.kind, row.answer) == (ExampleKind.UNANSWERABLE, REFUSAL)
    assert not any(shown.oracle for shown in row.passages)


def test_too_few_harmless_passages_reject_the_row_instead_of_shortening_it() -> None:
    row = row_of(Candidate(QUESTION, ORACLE, {}), OTHERS[:1], ExampleSettings(num_distractors=2), 0)
    assert row is Reason.TOO_FEW_DISTRACTORS


def test_distractors_come_in_the_order_of_retrieval() -> None:
    chosen = choose_distractors(QUESTION, [ORACLE], Pool.of([*BAD, *OTHERS]), [DistractorKind.HARD] * 3)
    assert [distractor.passage for distractor in chosen] == [OTHERS[0], OTHERS[1], OTHERS[2]]


def test_rows_of_plain_settings_are_those_of_the_first_version() -> None:
    # Ids hash question, passages in order and target. The digest was taken before distractors had kinds.
    plain = [
        composed([*BAD, *OTHERS], ExampleSettings(num_distractors=n, oracle_fraction=0.6, no_oracle=taught), seed).id
        for seed in range(40)
        for n in (1, 3)
        for taught in (NoOracle.REFUSE, NoOracle.MEMORISE)
    ]
    digest = hashlib.sha256("\n".join(plain).encode()).hexdigest()
    assert digest == "04bdad31e06c3ba4f7c467937ab4723e5fc31861a02769f96cb91ef74befedcf"


def test_a_shown_passage_tells_its_kind_and_its_place_in_the_retrieval() -> None:
    row = composed([OTHERS[3], ORACLE, OTHERS[1]], ExampleSettings(num_distractors=2), 0)
    told = {shown.id: (shown.oracle, shown.distractor, shown.rank) for shown in row.passages}
    assert told == {
        "p3": (False, DistractorKind.HARD, 1),
        "oracle": (True, None, 2),
        "p1": (False, DistractorKind.HARD, 3),
    }


@given(st.integers(0, 60), st.floats(0, 1), st.floats(0, 0.9), st.sampled_from(NoOracle), st.booleans(), st.integers())
def test_every_share_of_rows_is_exact_to_the_row(
    count: int, oracle_fraction: float, unanswerable: float, taught: NoOracle, paired: bool, seed: int
) -> None:
    chosen = ExampleSettings(
        oracle_fraction=oracle_fraction,
        unanswerable_fraction=unanswerable,
        near_miss_fraction=0,
        no_oracle=taught,
        paired=paired,
    )
    plans = plan_rows([Candidate(QUESTION, ORACLE, {})] * count, chosen, Random(seed))
    withheld = [plan for each in plans for plan in each if plan.withheld]
    others = [each for each in plans if not each[0].withheld]
    assert abs(len(withheld) - count * unanswerable) < 1
    assert not any(plan.shows_oracle for plan in withheld)
    if paired:
        assert all([plan.shows_oracle for plan in each] == [True, False] for each in others)
    else:
        assert abs(sum(each[0].shows_oracle for each in others) - len(others) * oracle_fraction) < 1
    hidden = [plan for each in others for plan in each if not plan.shows_oracle]
    share = {NoOracle.MEMORISE: 1.0, NoOracle.REFUSE: 0.0, NoOracle.BOTH: 0.5}[taught]
    assert abs(sum(plan.no_oracle is NoOracle.MEMORISE for plan in hidden) - share * len(hidden)) < 1


@given(st.integers(0, 4), st.integers(0, 4), st.integers(1, 3), st.integers())
def test_a_pair_shows_as_many_passages_twice_and_their_number_is_in_the_range(
    low: int, more: int, oracles: int, seed: int
) -> None:
    chosen = ExampleSettings(num_distractors=f"{low}-{low + more}", paired=True)
    candidate = Candidate(QUESTION, ORACLE, {}, tuple(OTHERS[: oracles - 1]))
    [[shown, hidden]] = plan_rows([candidate], chosen, Random(seed))
    assert low <= len(shown.kinds) <= low + more
    assert len(hidden.kinds) == len(shown.kinds) + oracles


def test_every_number_of_a_range_is_drawn() -> None:
    plans = plan_rows([Candidate(QUESTION, ORACLE, {})] * 200, ExampleSettings(num_distractors="1-4"), Random(0))
    assert {len(plan.kinds) for [plan] in plans} == {1, 2, 3, 4}


def test_a_withheld_row_refuses_and_keeps_the_answers_that_nothing_shown_may_hold() -> None:
    chosen = ExampleSettings(unanswerable_fraction=1, near_miss_fraction=0, no_oracle=NoOracle.MEMORISE)
    row = composed([*BAD, *OTHERS], chosen, 3)
    assert (row.kind, row.answer, row.quotes) == (ExampleKind.UNANSWERABLE, REFUSAL, ())
    assert row.answers == QUESTION.answers
    assert not any(shown.oracle or contains_answer(shown.text, row.answers) for shown in row.passages)


def test_several_oracles_are_all_shown_and_quoted_the_answer_last() -> None:
    maker = Passage("maker", "makers", "Makers", "Rain is wet. The Merrow 45 is made in Ullay.", 0, 44)
    question = Question("q", "When does the pump made in Ullay stop?", ("36 bar",), ("makers", "pumps"))
    row = row_of(Candidate(question, ORACLE, {}, (maker,)), [maker, *OTHERS], ExampleSettings(num_distractors=3), 1)
    assert isinstance(row, Example)
    assert {shown.id for shown in row.passages if shown.oracle} == {"oracle", "maker"}
    assert len(row.passages) == 5
    assert [quote.text for quote in row.quotes] == ["The Merrow 45 is made in Ullay.", "The Merrow 45 stops at 36 bar."]
    assert row.document_ids == ("makers", "pumps")
    numbers = {shown.id: number for number, shown in enumerate(row.passages, 1)}
    assert [quote.number for quote in parse_answer(row.target).quotes] == [numbers["maker"], numbers["oracle"]]
