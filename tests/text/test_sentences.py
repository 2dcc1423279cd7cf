"""Where sentences end, in every script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.text import ends_sentence, sentences


@given(st.text())
def test_every_sentence_is_a_trimmed_slice_and_only_white_space_lies_between(text: str) -> None:
    end = 0
    for start, stop in sentences(text):
        assert not text[end:start].strip()
        assert text[start:stop] == text[start:stop].strip() != ""
        end = stop
    assert not text[end:].strip()


@pytest.mark.parametrize(
    "parts",
    [
        ["Dr. Ashgrove wrote to J. Mabb.", "No. 5 leaks!", "See rev. 3.", "A new line"],
        ["Der Sitz ist Köln.", "Übrigens arbeiten dort 42.", "Ältere Pumpen nicht."],
        ["Die Schleuse schließt am 3. Mai.", "Sie öffnet im 2. Quartal.", "Im 19. Jahrhundert war sie offen."],
        ["Manche Pumpen, z. B. diese, halten ca. 5 Minuten.", "Danach nicht."],
        ["It was built in 12.", "The lock shuts."],
        ["He left.[1]", "She came.¹", "**It** rained.", "Wait…", "€5 was paid."],
        ["See p. 5, Vol. 3.", "The 2nd Gen. Smith left."],
        ["1. Open the valve.", "2. Close it."],
        ["Es kostet 5 Mio. Euro, siehe Abb. 3.", "Am 3. 5. 2020 war Schluss."],
        ["水泵最多可以空转三分钟。", "然后关闭电源！", "为什么？", "因为。"],
        ["هل تعمل المضخة؟", "نعم.", "الرقم ٥."],
        ["पंप तीन मिनट चलता है।", "फिर बंद करें।"],
        ["Τι είναι;", "Είναι αντλία."],
        ["Насос стоит.", "Ёлка растёт.", "Кто там?"],
        ["¿Cuánto dura?", "¡Tres minutos!", "«Bien.»", "Él se va."],
    ],
)
def test_a_sentence_ends_where_a_reader_of_its_language_ends_it(parts: list[str]) -> None:
    text = ("" if parts[0].endswith("。") else " ").join(parts)
    assert [text[a:b] for a, b in sentences(text)] == parts


def test_a_line_break_ends_a_sentence_and_a_wrapped_line_does_not() -> None:
    assert [b - a for a, b in sentences("See rev. 3.\nA new line")] == [11, 10]
    text = (
        "Vessels that are longer than the ferry of Dunmarra announce themselves on\nchannel nine. The others whistle."
    )
    assert [text[a:b] for a, b in sentences(text)] == [text[: text.index(" The")], "The others whistle."]


def test_a_line_that_ends_as_a_sentence_does_is_told_in_every_script() -> None:
    for line in ("Shut it down.", "打开二号阀门！", "「好。」", "पंप चलता है।", "هل تعمل؟", "first, second;", "然后，"):
        assert ends_sentence(line)
    for line in ("The pump", "水泵", "पंप", "Chapter 3", "Contents:"):
        assert not ends_sentence(line)
