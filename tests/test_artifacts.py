"""Artefact folders are whole or not there."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from raft.artifacts import (
    MANIFEST,
    MARKER,
    RULES,
    TIMING,
    Ledger,
    Stage,
    check_output,
    hash_json,
    is_current,
    read_jsonl,
    read_manifest,
    verified,
    write_jsonl,
    writing,
)
from raft.errors import ArtifactError, InputError
from raft.types import Passage, ScoredPassage


def make(folder: Path, text: str = "hello") -> None:
    with writing(folder, Stage.INDEX) as draft:
        (draft.path / "sub").mkdir()
        (draft.path / "sub" / "a.txt").write_text(text)
        draft.finish(Stage.INDEX, {"size": 1}, {"in": "0" * 64}, {"rows": 1}, Ledger(3, 1, {"empty": 2}))


def test_a_finished_folder_is_verified_and_names_its_work(tmp_path: Path) -> None:
    make(tmp_path / "a")
    manifest = verified(tmp_path / "a", Stage.INDEX)
    assert list(manifest.outputs) == ["sub/a.txt"]
    assert str(manifest.ledger) == "3 read = 1 kept + 2 rejected (2 empty)"
    assert is_current(tmp_path / "a", Stage.INDEX, manifest.fingerprint)
    assert not is_current(tmp_path / "a", Stage.INDEX, "other")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_the_same_work_makes_the_same_manifest(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()
    assert str(tmp_path) not in (tmp_path / "a" / MANIFEST).read_text()


def test_an_error_while_writing_leaves_the_old_folder_as_it_was(tmp_path: Path) -> None:
    make(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "a", Stage.INDEX) as draft:
        (draft.path / "a.txt").write_text("new")
        _ = 1 / 0
    verified(tmp_path / "a", Stage.INDEX)
    assert (tmp_path / "a" / "sub" / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_new_result_replaces_the_old_one_whole(tmp_path: Path) -> None:
    make(tmp_path / "a", "old")
    make(tmp_path / "a", "new")
    verified(tmp_path / "a", Stage.INDEX)
    assert (tmp_path / "a" / "sub" / "a.txt").read_text() == "new"


@pytest.mark.parametrize("name", ["sub/a.txt", MANIFEST])
def test_every_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    make(tmp_path / "a")
    path = tmp_path / "a" / name
    path.write_bytes(bytes([path.read_bytes()[0] ^ 0x40]) + path.read_bytes()[1:])
    with pytest.raises(ArtifactError, match="damaged"):
        verified(tmp_path / "a", Stage.INDEX)


@pytest.mark.parametrize(("stage", "verb"), [(Stage.INDEX, "index"), (Stage.EVALUATION, "evaluate")])
def test_what_older_rules_made_says_so_and_how_to_make_it_anew(tmp_path: Path, stage: Stage, verb: str) -> None:
    with writing(tmp_path / "a", stage) as draft:
        draft.finish(stage, {}, {}, {}, Ledger(0, 0))
    path = tmp_path / "a" / MANIFEST
    # As it was before the rules were counted.
    said = {name: value for name, value in json.loads(path.read_text()).items() if name not in ("rules", "digest")}
    path.write_text(json.dumps(said | {"digest": hash_json(said)}))
    assert read_manifest(tmp_path / "a").rules == 1
    with pytest.raises(ArtifactError, match=rf"older rules for splitting and comparing text: .*`raft {verb}`") as error:
        verified(tmp_path / "a", stage)
    assert "\n" not in str(error.value)
    check_output(tmp_path / "a", stage)
    path.write_text(json.dumps(said | {"rules": RULES + 1, "digest": hash_json(said | {"rules": RULES + 1})}))
    with pytest.raises(ArtifactError, match=r"newer rules .*: update raft"):
        verified(tmp_path / "a", stage)


def test_a_folder_without_a_manifest_is_no_artefact(tmp_path: Path) -> None:
    make(tmp_path / "a")
    (tmp_path / "a" / MANIFEST).unlink()
    with pytest.raises(ArtifactError, match="no finished artefact"):
        read_manifest(tmp_path / "a")


def test_nothing_is_written_over_what_raft_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match="raft did not make"):
        make(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    make(tmp_path / "index")
    with pytest.raises(ArtifactError, match="stage 'index', not 'examples'"):
        check_output(tmp_path / "index", Stage.EXAMPLES)


@pytest.mark.parametrize("text", ["", "{", '{"stage": "index"}', "\x00"])
def test_a_folder_with_a_damaged_manifest_can_be_made_again(tmp_path: Path, text: str) -> None:
    make(tmp_path / "a", "old")
    (tmp_path / "a" / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match="stage 'index', not 'examples'"):
        check_output(tmp_path / "a", Stage.EXAMPLES)
    make(tmp_path / "a", "new")
    assert list(verified(tmp_path / "a", Stage.INDEX).outputs) == ["sub/a.txt"]


def test_a_folder_of_an_older_version_has_no_marker_and_is_known_by_its_manifest(tmp_path: Path) -> None:
    make(tmp_path / "a", "old")
    (tmp_path / "a" / MARKER).unlink()
    make(tmp_path / "a", "new")
    assert (tmp_path / "a" / MARKER).read_text() == "index\n"


@pytest.mark.parametrize("name", ["notes.txt", "sub/notes.txt"])
def test_a_file_that_somebody_added_is_never_deleted(tmp_path: Path, name: str) -> None:
    make(tmp_path / "a", "old")
    (tmp_path / "a" / name).write_text("mine")
    with pytest.raises(ArtifactError, match=f"holds '{name}', which raft did not make"):
        make(tmp_path / "a", "new")
    assert (tmp_path / "a" / name).read_text() == "mine"
    assert (tmp_path / "a" / "sub" / "a.txt").read_text() == "old"


def test_what_a_file_browser_leaves_behind_stands_in_nobodys_way(tmp_path: Path) -> None:
    make(tmp_path / "a", "old")
    (tmp_path / "a" / "sub" / ".DS_Store").write_bytes(b"\0")
    make(tmp_path / "a", "new")
    assert not (tmp_path / "a" / "sub" / ".DS_Store").exists()


def test_timing_is_neither_hashed_nor_foreign(tmp_path: Path) -> None:
    for seconds in ("1", "2"):
        with writing(tmp_path / "a", Stage.MODEL) as draft:
            (draft.path / TIMING).write_text(seconds)
            draft.finish(Stage.MODEL, {}, {}, {}, Ledger(0, 0))
        assert verified(tmp_path / "a", Stage.MODEL).outputs == {}


def test_checking_an_output_makes_nothing(tmp_path: Path) -> None:
    check_output(tmp_path / "n1" / "n2" / "a", Stage.INDEX)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.md").write_text("words")
    with pytest.raises(ArtifactError, match=r"a\.md is a file"):
        check_output(tmp_path / "a.md" / "sub", Stage.INDEX)


def test_a_ledger_that_does_not_add_up_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="does not add up"):
        Ledger(3, 1, {"empty": 1})


def test_rows_come_back_with_their_line_numbers_and_bad_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert write_jsonl(path, [{"a": "é"}, {"a": 2}]) == 2
    assert list(read_jsonl(path)) == [(1, {"a": "é"}), (2, {"a": 2})]
    path.write_text('{"a": 1}\n\n{"a": \n')
    with pytest.raises(InputError, match="line 3: not valid JSON"):
        list(read_jsonl(path))
    path.write_text("[1]\n")
    with pytest.raises(InputError, match="line 1: expected a JSON object"):
        list(read_jsonl(path))


def test_records_are_written_with_the_records_in_them_as_objects(tmp_path: Path) -> None:
    passage = Passage("p", "d", "Título", "Text", 0, 4)
    rows = [ScoredPassage(passage, 0.5), {"found": (passage,), "none": None}]
    assert write_jsonl(tmp_path / "rows.jsonl", rows) == 2
    (_, first), (_, second) = read_jsonl(tmp_path / "rows.jsonl")
    assert first == {"passage": asdict(passage), "score": 0.5}
    assert second == {"found": [asdict(passage)], "none": None}
    with pytest.raises(TypeError):
        write_jsonl(tmp_path / "rows.jsonl", [{"path": tmp_path}])


def test_half_a_character_is_hashed_and_written_and_comes_back(tmp_path: Path) -> None:
    row = {"a": "three \ud83d", "b": "\U0001f6df"}
    assert write_jsonl(tmp_path / "rows.jsonl", [row]) == 1
    assert list(read_jsonl(tmp_path / "rows.jsonl")) == [(1, row)]
    assert hash_json(row) != hash_json(row | {"a": "three \udead"})
    assert hash_json({"b": "\U0001f6df"}) == hashlib.sha256('{"b": "\U0001f6df"}'.encode()).hexdigest()
