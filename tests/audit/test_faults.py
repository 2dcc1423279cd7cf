"""Each fault is sown into clean rows and found in its row; clean rows have none, in any layout."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raft.artifacts import Ledger, Stage, write_jsonl, writing
from raft.audit import audit_file
from raft.audit.checks import _FAULTS
from raft.audit.faults import ABOUT, Fault
from raft.audit.layouts import Layout
from raft.quality.flaws import Flaw

Row = dict[str, Any]
# The fifth row of the file, counted from 1.
SOWN = 4
BEGIN, END = "##begin_quote##", "##end_quote##"


def found(path: Path, **settings: Any) -> set[tuple[Fault, int | None]]:
    return {(finding.fault, finding.row) for finding in audit_file(path, **settings).findings}


@pytest.mark.parametrize("layout", [layout for layout in Layout if layout is not Layout.PACK])
def test_clean_rows_have_no_fault_in_any_layout(layout: Layout, rows: list[Row], written_as, lines) -> None:
    assert audit_file(lines(written_as[layout](rows))).findings == ()


def test_every_fault_says_what_it_means() -> None:
    assert set(ABOUT) == set(Fault)


def oracle_of(row: Row) -> Row:
    return next(passage for passage in row["passages"] if passage["oracle"])


def distractor_of(row: Row) -> Row:
    return next(passage for passage in row["passages"] if not passage["oracle"])


def other(row: Row) -> Row:
    return [passage for passage in row["passages"] if not passage["oracle"]][1]


def drop_oracle(row: Row) -> None:
    oracle_of(row).update(text="Brindle Point sells rope on Fridays. It is shut in winter.", oracle=False, id="x")


def retarget(old: str, new: str) -> Callable[[Row], None]:
    def sow(row: Row) -> None:
        assert old in row["target"]
        row["target"] = row["target"].replace(old, new)

    return sow


def answer(words: str) -> Callable[[Row], None]:
    return lambda row: row.update(target=f"{row['reasoning']} <ANSWER>: {words}")


def question(words: str) -> Callable[[Row], None]:
    return lambda row: row.update(question=words)


def distractor(words: str) -> Callable[[Row], None]:
    return lambda row: distractor_of(row).update(text=words)


SEEDS: list[tuple[Fault, Callable[[Row], None]]] = [
    (Fault.ORACLE_MISSING, drop_oracle),
    (Fault.ORACLE_MISSING, lambda row: row.update(kind="no_oracle")),
    (Fault.DISTRACTOR_ANSWERS, lambda row: distractor_of(row).update(text=row["answer"])),
    (Fault.DISTRACTOR_ANSWERS, lambda row: distractor_of(row).update(text=f"An old crane bore {row['answer']} too.")),
    (
        Fault.DISTRACTOR_NEAR_ORACLE,
        lambda row: distractor_of(row).update(text=oracle_of(row)["text"].replace("kilograms", "pounds")),
    ),
    (Fault.PASSAGE_TWICE, lambda row: distractor_of(row).update(text=other(row)["text"])),
    (Fault.PASSAGE_COUNT, lambda row: row["passages"].remove(distractor_of(row))),
    (Fault.NO_PASSAGES, lambda row: row.update(passages=[])),
    (Fault.QUOTE_NOT_VERBATIM, retarget(" carries ", " lifts ")),
    (Fault.QUOTE_NOT_VERBATIM, lambda row: row["quotes"][0].update(start=3)),
    (Fault.QUOTE_NOT_VERBATIM, retarget(" carries ", " ... ")),
    (Fault.QUOTE_ELSEWHERE, retarget("] ##begin", "9] ##begin")),
    (Fault.QUOTE_ELSEWHERE, lambda row: row["quotes"][0].update(passage_id="p99")),
    (Fault.QUOTE_MARKS, retarget(END, "")),
    (Fault.QUOTE_MARKS, retarget(BEGIN, "")),
    (Fault.QUOTE_MARKS, retarget(END, "##end_quote#")),
    (Fault.QUOTE_MARKS, retarget("<ANSWER>", f"{BEGIN}{END} <ANSWER>")),
    (Fault.NO_QUOTE, lambda row: row.update(target=f"<ANSWER>: {row['answer']}")),
    (Fault.ANSWER_MISSING, lambda row: row.update(target=row["reasoning"])),
    (Fault.ANSWER_MISSING, answer("")),
    (Fault.ANSWER_UNSUPPORTED, answer("a red lantern on the roof")),
    (Fault.ANSWER_UNSUPPORTED, answer("9000 kilograms")),
    (Fault.ANSWER_NOT_ACCEPTED, lambda row: row.update(answers=["two herrings"])),
    (Fault.EMPTY, question(" ")),
    (Fault.EMPTY, lambda row: row.update(target="")),
    (Fault.EMPTY, distractor("")),
    (Fault.QUESTION_FORM, question("3. How much does the boiler at Ostrand carry?")),
    (Fault.QUESTION_FORM, question("Here are five questions about boilers:")),
    (Fault.QUESTION_FORM, question("Boilers?")),
    (Fault.QUESTION_FORM, question("How much does the boiler at at Ostrand carry?")),
    (Fault.QUESTION_FORM, question('How much does the "boiler at Ostrand carry?')),
    (Fault.QUESTION_LEANS, question("When was it lit at Ostrand?")),
    (Fault.QUESTION_LEANS, question("How much does this boiler at Ostrand carry?")),
    (Fault.ANSWER_KIND, lambda row: row.update(question="When is the boiler at Ostrand lit?", answers=["by the cook"])),
    (Fault.QUESTION_REFERS, question("What does the boiler in the passage carry?")),
    (Fault.QUESTION_REFERS, question("According to the given context, what does the boiler carry?")),
    (Fault.TEMPLATE_TOKEN, distractor("Ropes are coiled.<|im_end|>\n<|im_start|>system")),
    (Fault.TEMPLATE_TOKEN, distractor(f"Ropes are {BEGIN} coiled {END} daily.")),
    (Fault.TEMPLATE_TOKEN, question("How much does the {context} boiler carry?")),
    (Fault.TEMPLATE_TOKEN, retarget("<ANSWER>", "[/INST] <ANSWER>")),
    (Fault.TRUNCATED, lambda row: row.update(target=row["target"][: row["target"].index(END) - 9])),
    (Fault.TRUNCATED, lambda row: row.update(target="The records of the shed say that the boiler at")),
    (Fault.TRUNCATED, retarget("<ANSWER>", "[truncated]\n<ANSWER>")),
    (Fault.TRUNCATED, question("How much does the boiler at Ostrand...")),
    (Fault.REFUSAL, answer("The passages do not answer this.")),
    (Fault.REFUSAL, answer("I cannot answer from the given context.")),
    (Fault.REFUSAL, answer("Not mentioned.")),
    (Fault.PLACEHOLDER, answer("$answer")),
    (Fault.PLACEHOLDER, lambda row: row.update(target="None")),
    (Fault.PLACEHOLDER, distractor("Lorem ipsum dolor sit amet.")),
    (Fault.ERROR_TEXT, distractor("404 Not Found. The page has moved.")),
    (Fault.ERROR_TEXT, distractor("<!DOCTYPE html><title>Sheds</title>")),
    (Fault.ERROR_TEXT, lambda row: row.update(target="Error code: 429 - too many requests")),
    (Fault.MODEL_TALK, lambda row: row.update(target="assistant: " + row["target"])),
    (Fault.MODEL_TALK, lambda row: row.update(target="As an AI language model, I weigh nothing. " + row["target"])),
    (Fault.MODEL_TALK, question("Sure! How much does the boiler at Ostrand carry?")),
]


@pytest.mark.parametrize(("fault", "sow"), SEEDS, ids=[f"{fault}-{place}" for place, (fault, _) in enumerate(SEEDS)])
def test_a_fault_sown_into_one_row_is_found_there_and_in_no_other_row(
    fault: Fault, sow: Callable[[Row], None], rows: list[Row], lines
) -> None:
    sow(rows[SOWN])
    seen = found(lines(rows))
    assert (fault, SOWN + 1) in seen
    assert {row for _, row in seen} == {SOWN + 1}


@pytest.mark.parametrize("fault", [Fault.QUESTION_TWICE, Fault.ID_TWICE])
def test_what_stands_twice_is_named_where_it_comes_again(fault: Fault, rows: list[Row], lines) -> None:
    again = copy.deepcopy(rows[2])
    if fault is Fault.ID_TWICE:
        rows[SOWN]["id"] = again["id"]
    else:
        rows[SOWN] = again | {"id": "other", "question": again["question"].lower().rstrip("?")}
    report = audit_file(lines(rows))
    assert [(f.fault, f.row, f.detail) for f in report.findings] == [(fault, SOWN + 1, "as row 3")]


@pytest.mark.parametrize("layout", [Layout.RAFT, Layout.GORILLA_HF, Layout.GORILLA_CHAT, Layout.MESSAGES])
def test_an_oracle_that_always_stands_first_gives_itself_away(
    layout: Layout, rows: list[Row], written_as, lines
) -> None:
    for row in rows:
        row["passages"].sort(key=lambda passage: not passage["oracle"])
        row["target"] = row["target"].replace("[2]", "[1]").replace("[3]", "[1]")
    assert found(lines(written_as[layout](rows))) == {(Fault.ORACLE_POSITION, None)}


def test_the_share_of_rows_with_their_oracle_is_held_against_what_was_asked(rows: list[Row], written_as, lines) -> None:
    for row in rows[4:-1]:
        row["kind"], row["quotes"], row["target"] = "no_oracle", [], "<ANSWER>: The passages do not answer this."
        drop_oracle(row)
    path = lines(rows)
    assert found(path) == found(path, oracle_fraction=0.2) == set()
    report = audit_file(path, oracle_fraction=0.8)
    ((fault, row, detail),) = [(f.fault, f.row, f.detail) for f in report.findings]
    assert (fault, row) == (Fault.ORACLE_FRACTION, None)
    assert detail == "4 of 19 rows show their oracle, where 0.8 was asked: it looks inverted"
    assert (report.oracle_shown, report.oracle_known) == (4, 19)
    assert {row for fault, row in found(path, oracle_fraction=1) if fault is Fault.ORACLE_MISSING} == set(range(5, 20))


def test_a_foreign_row_that_quotes_the_oracle_it_does_not_show_is_found(rows: list[Row], written_as, lines) -> None:
    made = written_as[Layout.GORILLA_HF](rows)
    shown = made[SOWN]["context"]["sentences"][0]
    shown[shown.index(made[SOWN]["oracle_context"])] = "Brindle Point sells rope on Fridays."
    assert found(lines(made)) == {(Fault.ORACLE_MISSING, SOWN + 1)}
    # The same row from memory, without the quote, is what the paper calls for.
    made[SOWN]["cot_answer"] = "##Reason: It is known. <ANSWER>: " + rows[SOWN]["answer"]
    assert found(lines(made)) == set()


def test_a_passage_that_is_a_part_of_its_oracle_was_cut(rows: list[Row], written_as, lines) -> None:
    made = written_as[Layout.GORILLA_HF](rows)
    shown = made[SOWN]["context"]["sentences"][0]
    oracle = made[SOWN]["oracle_context"]
    shown[shown.index(oracle)] = oracle[:-20]
    assert (Fault.TRUNCATED, SOWN + 1) in found(lines(made))


@pytest.mark.parametrize("layout", [Layout.GORILLA_CHAT, Layout.GORILLA_COMPLETION])
def test_a_prompt_that_ends_within_a_passage_was_cut(layout: Layout, rows: list[Row], written_as, lines) -> None:
    sown = written_as[layout](rows)
    row = sown[SOWN]
    place = row["messages"][1] if layout is Layout.GORILLA_CHAT else row
    field = "content" if layout is Layout.GORILLA_CHAT else "prompt"
    place[field] = place[field][: place[field].rindex("</DOCUMENT>") - 5]
    assert (Fault.TRUNCATED, SOWN + 1) in found(lines(sown))


def test_a_chat_whose_context_was_dropped_shows_no_passage(rows: list[Row], written_as, lines) -> None:
    sown = written_as[Layout.MESSAGES](rows)
    sown[SOWN]["messages"][1]["content"] = rows[SOWN]["question"]
    sown[SOWN]["messages"].pop(0)
    assert (Fault.NO_PASSAGES, SOWN + 1) in found(lines(sown))


def test_the_distractor_of_a_chat_is_whatever_its_quotes_do_not_stand_in(rows: list[Row], written_as, lines) -> None:
    distractor(f"An old crane bore {rows[SOWN]['answer']} too.")(rows[SOWN])
    for layout in (Layout.GORILLA_CHAT, Layout.MESSAGES, Layout.ALPACA):
        assert found(lines(written_as[layout](rows))) == {(Fault.DISTRACTOR_ANSWERS, SOWN + 1)}


def test_the_speaker_that_the_pack_leaves_in_every_answer_is_found(rows: list[Row], written_as, lines) -> None:
    report = audit_file(lines(written_as[Layout.PACK](rows)))
    assert {(f.fault, f.row) for f in report.findings} == {(Fault.MODEL_TALK, n) for n in range(1, len(rows) + 1)}


def test_a_file_that_quotes_nothing_is_one_fault_and_not_one_a_row(rows: list[Row], lines) -> None:
    for row in rows:
        row["target"], row["quotes"] = f"<ANSWER>: {row['answer']}", []
    assert found(lines(rows)) == {(Fault.NO_QUOTE, None)}


def test_subjects_that_sound_like_the_passage_are_no_fault(rows: list[Row], lines) -> None:
    for place, words in enumerate(
        (
            "Which article of the charter covers boilers?",
            "What is the context of the boiler ban?",
            "Which document must a stoker carry?",
            "How long is the passage of the ferry to Brae?",
            "In what year did the author of the boiler log retire?",
        )
    ):
        rows[place]["question"] = words
    assert found(lines(rows)) == set()


def manifest_of(folder: Path, rows: list[Row], **counts: int) -> Path:
    with writing(folder, Stage.EXAMPLES) as draft:
        write_jsonl(draft.path / "train.jsonl", rows)
        settings = {"oracle_fraction": 1.0, "num_distractors": 2}
        draft.finish(Stage.EXAMPLES, settings, {}, {"train": len(rows)} | counts, Ledger(len(rows), len(rows)))
    return folder / "train.jsonl"


def test_a_file_of_ours_is_held_against_the_manifest_beside_it(rows: list[Row], tmp_path: Path) -> None:
    path = manifest_of(tmp_path / "made", rows)
    assert found(path) == set()
    assert found(manifest_of(tmp_path / "short", rows, train=21)) == {(Fault.ROW_COUNT, None)}
    for row in rows:
        row["passages"].remove(distractor_of(row))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[1:]))
    seen = found(path)
    assert {(Fault.NOT_AS_MADE, None), (Fault.ROW_COUNT, None), (Fault.PASSAGE_COUNT, 1)} <= seen
    (path.parent / "manifest.json").write_text("{}")
    assert (Fault.NOT_AS_MADE, None) in found(path)


def test_passages_that_stand_in_no_document_of_the_index_are_named(
    rows: list[Row], written_as, lines, tmp_path: Path
) -> None:
    from raft.index import build_index
    from raft.recipe import IndexSettings

    notes = tmp_path / "notes"
    notes.mkdir()
    for passage in {p["document_id"]: p for row in rows for p in row["passages"]}.values():
        (notes / passage["document_id"]).write_text(f"# Sheds: {passage['document_id'][:-3]}\n\n{passage['text']}\n")
    build_index([notes], tmp_path / "index", IndexSettings())
    distractor("Brindle Point sells rope on Fridays. It is shut in winter.")(rows[SOWN])
    # A prompt shows titles before their texts.
    rows[0]["passages"][0]["title"] = f"Sheds: {rows[0]['passages'][0]['document_id'][:-3]}"
    for layout in (Layout.RAFT, Layout.GORILLA_HF, Layout.MESSAGES):
        path = lines(written_as[layout](rows))
        assert found(path) == set()
        assert found(path, index=tmp_path / "index") == {(Fault.NOT_IN_INDEX, SOWN + 1)}


def test_the_command_prints_a_page_or_json_and_says_by_its_code_whether_all_is_well(
    rows: list[Row], lines, call
) -> None:
    code, out, _ = call("audit", lines(rows))
    assert code == 0
    assert out.startswith("train.jsonl: examples of `raft generate`, 20 rows\n19 of 19 rows show their oracle\n")
    assert out.endswith("no faults found\n")
    for row in rows[:15]:
        distractor("404 Not Found")(row)
    other(rows[SOWN])["text"] = ""
    path = lines(rows)
    code, out, _ = call("audit", path)
    assert code == 1
    assert "faults in 15 of 20 rows\n" in out
    assert "empty-field: a field that should hold text is empty\n    row 5\n    row 5: passage " in out
    assert "    15 rows: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 3 more (--json names all)\n" in out
    assert len(out.splitlines()) < 60
    code, out, _ = call("audit", path, "--json")
    said = json.loads(out)
    assert code == 1
    assert (said["layout"], said["rows"], said["rows_with_faults"]) == ("examples of `raft generate`", 20, 15)
    assert said["counts"] == {"empty-field": 1, "error-text": 15}
    assert [fault["row"] for fault in said["faults"]] == [5, *range(1, 16)]


def test_a_file_or_index_that_is_none_is_one_line(rows: list[Row], lines, tmp_path: Path, call) -> None:
    path = lines(rows)
    (tmp_path / "other.json").write_text('{"a": 1}')
    for arguments, said in (
        ((tmp_path / "gone.jsonl",), "is not there"),
        ((tmp_path / "other.json",), "fields of no layout that is known"),
        ((path, "--index", tmp_path), "has no manifest.json"),
    ):
        code, out, err = call("audit", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err


def test_quotes_are_not_judged_where_no_passage_can_be_told_apart(lines) -> None:
    said = "[1] ##begin_quote##It stops.##end_quote## <ANSWER>: it stops"
    asked = {"role": "user", "content": "What does it do? It stops."}
    rows = [{"messages": [asked, {"role": "assistant", "content": said}]}]
    details = {finding.fault: finding.detail for finding in audit_file(lines(rows)).findings}
    assert details[Fault.NO_PASSAGES] == "none could be told apart in it, so its quotes were not judged"
    assert Fault.QUOTE_NOT_VERBATIM not in details


def test_every_flaw_is_a_fault() -> None:
    assert set(_FAULTS) == set(Flaw)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("Who lit the boiler at Ostrand?", "In the shed, the cook lit it."),
        ("When was the boiler at Ostrand lit?", "He lit it in the morning."),
        ("What happens when the boiler at Ostrand cools?", "If it cools, the cook lights it."),
    ],
)
def test_an_answer_in_a_sentence_is_not_held_to_what_short_answers_look_like(
    asked: str, answered: str, rows: list[Row], lines
) -> None:
    rows[SOWN].update(question=asked, answers=[answered])
    seen = {fault for fault, row in found(lines(rows)) if row == SOWN + 1}
    assert not seen & {Fault.ANSWER_KIND, Fault.QUESTION_LEANS}
