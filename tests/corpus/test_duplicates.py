from __future__ import annotations

import random

from raft.corpus.duplicates import document_clusters, without_duplicates
from raft.corpus.sketches import Sketches
from raft.types import Document

WORDS = [f"word{number}" for number in range(400)]


def document(id_: str, text: str) -> Document:
    return Document(id_, id_, text, id_)


def prose(seed: int, length: int = 120) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=length))


def test_copies_go_whatever_their_case_and_marks_and_the_first_stays() -> None:
    kept, dropped = without_duplicates(
        [document("a", "Close the valve."), document("b", "close the  VALVE"), document("c", "Open the valve.")],
        Sketches(0.9),
    )
    assert [one.id for one in kept] == ["a", "c"]
    assert [(one.id, one.kept, one.similarity) for one in dropped] == [("b", "a", 1.0)]


def test_a_revision_with_one_changed_word_is_a_near_duplicate_and_says_how_near() -> None:
    text = prose(0)
    revised = text.replace(text.split()[60], "changed", 1)
    kept, dropped = without_duplicates(
        [document("a", text), document("b", revised), document("c", prose(1))], Sketches(0.9)
    )
    assert [one.id for one in kept] == ["a", "c"]
    assert dropped[0].kept == "a" and 0.9 <= dropped[0].similarity < 1


def test_a_third_revision_points_at_the_document_that_was_kept() -> None:
    text = prose(0, 400)
    versions = [text.replace(text.split()[at], "changed", 1) for at in (50, 200)]
    _, dropped = without_duplicates([document("a", text), *map(document, "bc", versions)], Sketches(0.9))
    assert {one.kept for one in dropped} == {"a"}


def test_documents_below_the_threshold_and_short_forms_stay() -> None:
    half = prose(0, 60)
    forms = [document("x", "Invoice 17 of 3 May: 40 crowns"), document("y", "Invoice 18 of 3 May: 40 crowns")]
    different = [document("a", f"{half} {prose(1, 60)}"), document("b", f"{half} {prose(2, 60)}")]
    assert without_duplicates([*forms, *different], Sketches(0.9))[1] == ()


def test_with_a_threshold_of_one_only_copies_go() -> None:
    text = prose(0)
    kept, dropped = without_duplicates(
        [document("a", text), document("b", text + " more"), document("c", text)], Sketches(1.0)
    )
    assert ([one.id for one in kept], [one.id for one in dropped]) == (["a", "b"], ["c"])


def clusters(*texts: str, threshold: float = 0.5) -> list[set[str]]:
    """The ids of each cluster of several documents, which are called a, b, c, ..."""
    named = document_clusters([document(id_, text) for id_, text in zip("abcdefgh", texts, strict=False)], threshold)
    together = [{id_ for id_, other in named.items() if other == cluster} for cluster in sorted(set(named.values()))]
    assert all(min(one) in named.values() for one in together)
    return [one for one in together if len(one) > 1]


def test_documents_that_share_half_of_their_text_are_one_cluster_and_others_are_not() -> None:
    half = prose(0, 120)
    assert clusters(f"{half} {prose(1, 40)}", f"{prose(2, 40)} {half}", prose(3)) == [{"a", "b"}]
    assert clusters(f"{half} {prose(1, 120)}", f"{half} {prose(2, 400)}") == []


def test_a_part_joins_the_document_that_contains_it_however_much_longer_that_is() -> None:
    part = prose(0, 60)
    assert clusters(part, prose(1), f"{prose(2, 600)} {part}") == [{"a", "c"}]


def test_a_notice_that_stands_in_many_documents_does_not_make_one_cluster_of_them() -> None:
    notice = prose(0, 30)
    assert clusters(*(f"{prose(seed, 200)} {notice}" for seed in (1, 2, 3, 4)), notice) == [{"a", "e"}]


def test_forms_that_differ_in_a_number_are_one_cluster_and_short_lines_are_alone() -> None:
    form = "Invoice {} of the third of May for winch grease and pump seals delivered to the yard at Dunmarra in one box"
    assert clusters(form.format(17), form.format(18)) == [{"a", "b"}]
    assert clusters("Close the valve before the pump", "Close the valve before the pump runs") == []


def test_clusters_do_not_depend_on_the_order_of_the_documents() -> None:
    base = prose(0)
    made = [document("a", base), document("b", base + " more"), document("c", prose(1)), document("d", prose(1, 60))]
    assert (
        document_clusters(made, 0.5) == document_clusters(made[::-1], 0.5) == {"a": "a", "b": "a", "c": "c", "d": "c"}
    )
