from __future__ import annotations

import pytest

from raft.examples.spelling import respell

PASSAGE = (
    "The O'Neill ferry left Skerri in 1973. Harold Wilson's government let full-sized cars aboard. "
    "It carried 16,000 people, and the Skerrivane Board ran it (until 1990). WHO RAN IT"
)


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("what did harold wilson ' s government let aboard?", "What did Harold Wilson's government let aboard?"),
        ("when did the o ' neill ferry leave skerri?", "When did the O'Neill ferry leave Skerri?"),
        ("who let full - sized cars aboard?", "Who let full-sized cars aboard?"),
        ("who let it go?", "Who let it go?"),
        ("did it carry 16,000 people?", "Did it carry 16,000 people?"),
        ("when did it carry people?", "When did it carry people?"),
        ("who ran the skerrivane board until 1990?", "Who ran the Skerrivane Board until 1990?"),
        ("what is well - known?", "What is well-known?"),
        ("?", "?"),
    ],
)
def test_a_question_is_spelt_as_its_passage_is(written: str, spelt: str) -> None:
    assert respell(written, PASSAGE) == spelt
