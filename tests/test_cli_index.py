"""The verbs that make an index and look into it: every file accounted for, every hit with its score."""

import json
from pathlib import Path

import pytest

from raft.index import build_index
from raft.index.inspection import highlighted
from raft.recipe import IndexSettings


@pytest.fixture(scope="module")
def small_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "notes").mkdir()
    (folder / "notes" / "valve.md").write_text("# Valve\n\nThe relief valve opens at 40 bar.\n")
    (folder / "notes" / "tide.md").write_text("# Tide\n\nHigh water comes twice a day. Mail ida@example.org.\n")
    (folder / "notes" / "empty.md").write_text("")
    build_index([folder / "notes"], folder / "index", IndexSettings())
    return folder / "index"


def test_index_accounts_for_every_file(small_index: Path, tmp_path: Path, call) -> None:
    code, out, _ = call("index", small_index.parent / "notes", "--out", tmp_path / "index", "--redact", "-q")
    assert code == 0
    *_, personal, last = out.splitlines()
    assert personal.startswith("1 pieces of personal data and secrets masked, by file in ")
    assert last == "files found 3 = indexed 2 + skipped 1"


def test_index_verify_and_stats_look_and_change_nothing(small_index: Path, call) -> None:
    code, out, _ = call("index", "--verify", "--out", small_index)
    assert code == 0 and " is whole: " in out
    stats = json.loads(call("index", "--stats", "--out", small_index)[1])
    assert (stats["documents"], stats["passages"], stats["skipped_because"]) == (2, 2, {"it is empty": 1})
    assert stats["passages_per_document"] == {"least": 1, "median": 1, "most": 1}
    code, _, err = call("index", "notes", "--verify", "--out", small_index)
    assert code == 2 and "leave out notes" in err


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_search_shows_passages_with_scores(small_index: Path, mode: str, call) -> None:
    first, text, *_ = call("search", "relief valves", "--index", small_index, "--mode", mode)[1].splitlines()
    assert first.startswith("[1] ") and "valve.md, characters 0 to " in first
    assert text == "    # Valve"
    rows = json.loads(call("search", "relief valves", "--index", small_index, "--mode", mode, "--json")[1])
    assert rows[0]["document_id"] == "valve.md" and rows[0]["score"] > 0


def test_search_marks_the_words_that_match_whatever_their_form() -> None:
    assert highlighted("The valve opens.", "opening of valves", "<", ">") == "The <valve> <opens>."


def test_search_without_a_hit_says_so_and_bad_input_is_one_line(small_index: Path, call) -> None:
    code, out, _ = call("search", "zeppelin", "--index", small_index, "--mode", "lexical")
    assert (code, out) == (0, "nothing was found: no passage shares a word with it\n")
    for words, mode, said in (
        ("x", "fuzzy", "'fuzzy' is unknown: give dense, lexical, hybrid"),
        (" ", "dense", "empty"),
    ):
        code, out, err = call("search", words, "--index", small_index, "--mode", mode)
        assert (code, out, err.count("\n")) == (2, "", 1) and said in err
