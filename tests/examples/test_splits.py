"""Documents stand on one side only."""

from collections.abc import Mapping, Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from raft.examples.splits import Split, joined_by_questions, split_by_document, with_those_alike
from raft.recipe import ExampleSettings
from raft.types import Question

SHARES = st.floats(0, 0.5)


def split(ids: Sequence[str], chosen: ExampleSettings, seed: int) -> Mapping[str, Split]:
    """The splits of documents of which no two are alike."""
    return split_by_document(ids, {id_: id_ for id_ in ids}, chosen, Random(seed))


@given(st.integers(1, 60), SHARES, SHARES, SHARES, st.integers())
def test_every_document_has_one_split_and_training_always_has_one(
    count: int, unseen: float, validation: float, test: float, seed: int
) -> None:
    chosen = ExampleSettings(unseen_fraction=unseen, validation_fraction=validation, test_fraction=test)
    ids = [f"d{n}" for n in range(count)]
    splits = split(ids, chosen, seed)
    assert sorted(splits) == sorted(ids)
    assert Split.TRAIN in splits.values()


def test_the_shares_are_those_of_the_settings() -> None:
    chosen = ExampleSettings(unseen_fraction=0.3, validation_fraction=0.1, test_fraction=0.1)
    values = list(split([f"d{n}" for n in range(100)], chosen, 1).values())
    assert [values.count(split) for split in Split] == [56, 7, 7, 30]


def test_a_share_of_zero_takes_no_document() -> None:
    chosen = ExampleSettings(unseen_fraction=0, validation_fraction=0, test_fraction=0)
    assert set(split(["a", "b", "c"], chosen, 1).values()) == {Split.TRAIN}


def test_the_order_in_which_documents_are_named_does_not_matter() -> None:
    ids = [f"d{n}" for n in range(20)]
    assert split(ids, ExampleSettings(), 1) == split(ids[::-1], ExampleSettings(), 1)


def test_where_no_documents_are_alike_the_cut_is_by_order_as_it_always_was() -> None:
    ids = [f"d{n}" for n in range(20)]
    order = sorted(ids)
    Random(3).shuffle(order)
    expected = [*[Split.UNSEEN] * 6, Split.VALIDATION, Split.TEST, *[Split.TRAIN] * 12]
    assert split(ids, ExampleSettings(), 3) == dict(sorted(zip(order, expected, strict=True)))


@given(st.lists(st.integers(0, 8), min_size=1, max_size=40), SHARES, SHARES, SHARES, st.integers())
def test_documents_of_one_cluster_stand_in_one_split(
    names: list[int], unseen: float, validation: float, test: float, seed: int
) -> None:
    clusters = {f"d{n}": f"c{name}" for n, name in enumerate(names)}
    chosen = ExampleSettings(unseen_fraction=unseen, validation_fraction=validation, test_fraction=test)
    splits = split_by_document(list(clusters), clusters, chosen, Random(seed))
    assert Split.TRAIN in splits.values()
    for cluster in clusters.values():
        assert len({splits[id_] for id_ in clusters if clusters[id_] == cluster}) == 1


def test_a_cluster_that_is_too_large_for_a_share_is_left_for_training() -> None:
    clusters = {f"d{n}": "large" if n < 30 else f"d{n}" for n in range(100)}
    chosen = ExampleSettings(unseen_fraction=0.2, validation_fraction=0.1, test_fraction=0.1)
    splits = split_by_document(list(clusters), clusters, chosen, Random(1))
    assert [list(splits.values()).count(each) for each in Split] == [64, 8, 8, 20]
    assert {splits[f"d{n}"] for n in range(30)} == {Split.TRAIN}


def test_documents_of_one_question_are_brought_together_unless_that_would_be_most_of_them() -> None:
    clusters = {name: name for name in "abcdef"}
    asked = [Question("1", "?", document_ids=("a", "b")), Question("2", "?", document_ids=("b", "c"))]
    joined = joined_by_questions(clusters, asked, set(clusters))
    assert joined == clusters | dict.fromkeys("abc", "a")
    further = Question("3", "?", document_ids=("c", "d"))
    assert joined_by_questions(clusters, [*asked, further], set(clusters)) == joined


def test_a_document_that_nobody_asks_about_stands_with_those_that_it_is_like() -> None:
    clusters = {"a": "a", "b": "a", "c": "c", "d": "d"}
    splits = with_those_alike({"a": Split.TEST, "c": Split.TRAIN}, clusters)
    assert splits == {"a": Split.TEST, "b": Split.TEST, "c": Split.TRAIN, "d": Split.UNSEEN}
