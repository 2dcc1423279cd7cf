from __future__ import annotations

import random

from raft.corpus.duplicates import without_duplicates
from raft.types import Document

WORDS = [f"word{number}" for number in range(400)]


def document(id_: str, text: str) -> Document:
    return Document(id_, id_, text, id_)


def prose(seed: int, length: int = 120) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=length))


def test_copies_go_whatever_their_case_and_marks_and_the_first_stays() -> None:
    kept, dropped = without_duplicates(
        [document("a", "Close the valve."), document("b", "close the  VALVE"), document("c", "Open the valve.")], 0.9
    )
    assert [one.id for one in kept] == ["a", "c"]
    assert [(one.id, one.kept, one.similarity) for one in dropped] == [("b", "a", 1.0)]


def test_a_revision_with_one_changed_word_is_a_near_duplicate_and_says_how_near() -> None:
    text = prose(0)
    revised = text.replace(text.split()[60], "changed", 1)
    kept, dropped = without_duplicates([document("a", text), document("b", revised), document("c", prose(1))], 0.9)
    assert [one.id for one in kept] == ["a", "c"]
    assert dropped[0].kept == "a" and 0.9 <= dropped[0].similarity < 1


def test_a_third_revision_points_at_the_document_that_was_kept() -> None:
    text = prose(0, 400)
    versions = [text.replace(text.split()[at], "changed", 1) for at in (50, 200)]
    _, dropped = without_duplicates([document("a", text), *map(document, "bc", versions)], 0.9)
    assert {one.kept for one in dropped} == {"a"}


def test_documents_below_the_threshold_and_short_forms_stay() -> None:
    half = prose(0, 60)
    forms = [document("x", "Invoice 17 of 3 May: 40 crowns"), document("y", "Invoice 18 of 3 May: 40 crowns")]
    different = [document("a", f"{half} {prose(1, 60)}"), document("b", f"{half} {prose(2, 60)}")]
    assert without_duplicates([*forms, *different], 0.9)[1] == ()


def test_with_a_threshold_of_one_only_copies_go() -> None:
    text = prose(0)
    kept, dropped = without_duplicates([document("a", text), document("b", text + " more"), document("c", text)], 1.0)
    assert ([one.id for one in kept], [one.id for one in dropped]) == (["a", "b"], ["c"])
