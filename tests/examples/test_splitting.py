"""Documents stand on one side only."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from raft.examples.splitting import Split, split_by_document
from raft.recipe import ExampleSettings

SHARES = st.floats(0, 0.5)


@given(st.integers(1, 60), SHARES, SHARES, SHARES, st.integers())
def test_every_document_has_one_split_and_training_always_has_one(
    count: int, unseen: float, validation: float, test: float, seed: int
) -> None:
    chosen = ExampleSettings(unseen_fraction=unseen, validation_fraction=validation, test_fraction=test)
    ids = [f"d{n}" for n in range(count)]
    splits = split_by_document(ids, chosen, Random(seed))
    assert sorted(splits) == sorted(ids)
    assert Split.TRAIN in splits.values()


def test_the_shares_are_those_of_the_settings() -> None:
    chosen = ExampleSettings(unseen_fraction=0.3, validation_fraction=0.1, test_fraction=0.1)
    values = list(split_by_document([f"d{n}" for n in range(100)], chosen, Random(1)).values())
    assert [values.count(split) for split in Split] == [56, 7, 7, 30]


def test_a_share_of_zero_takes_no_document() -> None:
    chosen = ExampleSettings(unseen_fraction=0, validation_fraction=0, test_fraction=0)
    assert set(split_by_document(["a", "b", "c"], chosen, Random(1)).values()) == {Split.TRAIN}


def test_the_order_in_which_documents_are_named_does_not_matter() -> None:
    ids = [f"d{n}" for n in range(20)]
    assert split_by_document(ids, ExampleSettings(), Random(1)) == split_by_document(
        ids[::-1], ExampleSettings(), Random(1)
    )
