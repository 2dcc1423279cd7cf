"""Laws of splitting: exact slices, nothing lost, never too long, no heading alone."""

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.corpus import searchable_text, split_documents
from raft.corpus.headings import heading_lines
from raft.errors import InputError
from raft.models.embedder import Embedder
from raft.recipe import IndexSettings
from raft.types import Document, Passage


def count_words(texts: Sequence[str]) -> list[int]:
    """A stand-in tokenizer: words and signs; not additive, since `a-b` is one token and its halves are two."""
    return [len(re.findall(r"\w+(?:-\w+)*|[^\w\s]", text)) for text in texts]


def split(text: str, passage_tokens: int = 20, overlap_tokens: int = 0, title: str = "Title") -> list[Passage]:
    settings = IndexSettings(passage_tokens=passage_tokens, overlap_tokens=overlap_tokens)
    return split_documents([Document("a.md", title, text, "a.md")], count_words, 254, settings)


words = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
lines = st.lists(words, min_size=1, max_size=30).map(" ".join)
parts = st.one_of(
    lines,
    lines.map(lambda line: f"# {line}"),
    st.lists(lines, min_size=1, max_size=4).map(lambda cells: "| " + " | ".join(cells) + " |"),
    lines.map(lambda line: line + "."),
    st.sampled_from(["", "---", "a" * 900, "same words again", "same words again", "- item", "1. SCOPE"]),
)
breaks = st.sampled_from(["\n", "\n\n", "\r\n", "\r\n\r\n", "\n \t\n", "\n\f\n", ". "])
texts = st.lists(st.tuples(parts, breaks), max_size=25).map(lambda found: "".join(a + b for a, b in found))


@given(texts, st.sampled_from([(16, 0), (25, 0), (40, 0), (40, 12)]))
def test_passages_are_trimmed_slices_that_hold_all_of_the_text_within_the_limit(
    text: str, sizes: tuple[int, int]
) -> None:
    passages = split(text, *sizes)
    covered = [False] * len(text)
    for passage in passages:
        assert passage.text == text[passage.start : passage.end] == passage.text.strip() != ""
        assert count_words([passage.text])[0] <= sizes[0]
        covered[passage.start : passage.end] = [True] * len(passage.text)
    assert all(done or character.isspace() for done, character in zip(covered, text, strict=True))
    starts = [passage.start for passage in passages]
    assert starts == sorted(set(starts))
    if not sizes[1]:
        assert all(before.end <= after.start for before, after in pairwise(passages))


@given(texts)
def test_splitting_again_gives_the_same_ids_and_no_id_twice(text: str) -> None:
    ids = [passage.id for passage in split(text)]
    assert ids == [passage.id for passage in split(text)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("heading", ["## Fire doors", "FIRE DOORS", "Fire doors\n----", "7. Fire doors"])
def test_a_heading_stays_with_what_follows_it(heading: str) -> None:
    body = " ".join(f"Door {number} closes by itself." for number in range(1, 9))
    passages = split(f"{'Words before. ' * 6}\n\n{heading}\n\n{body}\n")
    first = next(passage for passage in passages if heading in passage.text)
    assert "Door 1 closes by itself." in first.text
    for passage in passages:
        kinds = heading_lines(passage.text.splitlines())
        assert not kinds[-1] or len(passages) == 1, passage.text


def test_sections_are_kept_whole_where_they_fit_and_small_ones_share_a_passage() -> None:
    text = "# A\n\none two three.\n\n# B\n\nfour five.\n\n# C\n\n" + "many words here. " * 4
    assert [passage.text for passage in split(text)] == [
        "# A\n\none two three.\n\n# B\n\nfour five.",
        "# C\n\nmany words here. many words here. many words here. many words here.",
    ]


def test_long_text_is_cut_between_sentences_and_long_rows_between_cells() -> None:
    assert [passage.text for passage in split("One two three four five. " * 6, 16)] == [
        "One two three four five. One two three four five."
    ] * 3
    cells = [passage.text for passage in split("; ".join(f"name {n}: some long value" for n in range(9)), 16)]
    assert all(cell.startswith("name") for cell in cells)


def test_wrapped_text_is_cut_between_sentences_and_not_at_the_ends_of_its_lines() -> None:
    text = (
        "The fee for a night at the pier of Inver is seven crowns for each metre\n"
        "of length. Boats without an engine of their own pay half of the fee, and\n"
        "those of the rescue service pay nothing at all."
    )
    assert [passage.text for passage in split(text, 24)] == [
        "The fee for a night at the pier of Inver is seven crowns for each metre\nof length.",
        "Boats without an engine of their own pay half of the fee, and\n"
        "those of the rescue service pay nothing at all.",
    ]


def test_a_passage_keeps_the_limit_of_a_tokenizer_that_counts_line_breaks() -> None:
    def count(texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"\w+|\n", text)) for text in texts]

    text = "\n".join("every vessel of the fleet of Inver announces its arrival on channel nine" for _ in range(20))
    made = split_documents([Document("a.md", "T", text, "a.md")], count, 254, IndexSettings(passage_tokens=40))
    assert len(made) > 1 and max(count([passage.text for passage in made])) <= 40


def test_lines_of_programs_and_logs_are_kept() -> None:
    line = "the worker has finished what it was to do in so many seconds and sleeps a while"
    text = "\n".join([line] * 4)
    settings = IndexSettings(passage_tokens=20)
    made = split_documents([Document("a.log", "T", text, "a.log")], count_words, 254, settings)
    assert [passage.text for passage in made] == [line] * 4


def test_overlapping_passages_begin_with_the_last_words_of_the_one_before() -> None:
    passages = split(" ".join(f"w{number}" for number in range(100)), 30, 10)
    assert [passage.text.split()[0] for passage in passages[:3]] == ["w0", "w10", "w30"]
    assert passages[1].text.startswith(" ".join(f"w{number}" for number in range(10, 20)))


def test_the_same_words_twice_are_two_passages_with_their_own_offsets() -> None:
    passages = split("same words again and again here now.\n\n" * 6, 16)
    assert [passage.start for passage in passages] == [0, 76, 152]
    assert len({passage.text for passage in passages}) == 1
    assert len({passage.id for passage in passages}) == 3


def test_title_and_text_together_stay_within_the_window_of_the_embedder(minilm: Embedder) -> None:
    title = "A title of many words " * 5
    text = "Pressure, temperature and 12 valves; unbelievably hyphenated-words everywhere. " * 60
    settings = IndexSettings(passage_tokens=250)
    passages = split_documents([Document("a", title, text, "a")], minilm.count_tokens, minilm.window, settings)
    sizes = minilm.count_tokens([searchable_text(passage.title, passage.text) for passage in passages])
    assert 200 < max(sizes) <= minilm.window == 254


@pytest.mark.parametrize("letter", ["x", "\u9053"])
def test_a_run_without_white_space_costs_about_as_much_as_other_text_of_its_length(letter: str) -> None:
    counted = 0

    def count(texts: Sequence[str]) -> list[int]:
        nonlocal counted
        counted += sum(map(len, texts))
        return [len(text) if letter in "\u9053" else 1 for text in texts]

    text = letter * 200_000
    passages = split_documents([Document("a", "Title", text, "a")], count, 254, IndexSettings())
    assert "".join(passage.text for passage in passages) == text
    assert counted < 20 * len(text)


def test_settings_that_do_not_fit_are_refused_with_both_numbers() -> None:
    with pytest.raises(InputError, match="passage_tokens is 300, but embedder 'minilm' reads at most 254"):
        split("text", 300)
    with pytest.raises(InputError, match="overlap_tokens is 20, but passage_tokens is 30"):
        split("text", 30, 20)
    with pytest.raises(
        InputError, match=r"document 'a\.md': its title and headings leave 3 of the embedder's 254 tokens"
    ):
        split("text", title="word " * 250)
