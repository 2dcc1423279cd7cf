"""A reply is read whatever a server sends: an answer, or why there is none, in text that any file can hold."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.choices import parse_choice
from raft.models.generator import Failure, Generation
from raft.models.replies import clean, parse_body, read_reply, without_old_thoughts, without_thoughts
from raft.outputs import parse_json_question
from raft.prompts import ANSWER, BEGIN_QUOTE, END_QUOTE

MINUTES = f"{ANSWER} three minutes"


def reply(content: object, reason: object = "stop", usage: object = None, **message: object) -> dict[str, Any]:
    choice = {"finish_reason": reason, "message": {"role": "assistant", "content": content, **message}}
    return {"choices": [choice], "usage": usage}


def read(content: object, reason: object = "stop", shown: str = "", **others: Any) -> Generation:
    return read_reply(reply(content, reason, **others), 0.5, shown)


@pytest.mark.parametrize("reason", ["stop", "eos", "end_turn", "STOP", None, 7, ["stop"]])
def test_a_reply_that_ended_by_itself_is_an_answer_whatever_its_server_calls_that(reason: object) -> None:
    assert read(MINUTES, reason, usage={"prompt_tokens": 7, "completion_tokens": 3}) == Generation(MINUTES, 0.5, 7, 3)


@pytest.mark.parametrize("reason", ["length", "LENGTH", "max_tokens", "MAX_TOKENS", "model_length"])
def test_a_reply_that_was_cut_off_is_no_answer_even_where_it_holds_the_mark_of_one(reason: str) -> None:
    cut = read(MINUTES, reason)
    assert (cut.text, cut.failure, cut.unused) == ("", Failure.CUT_OFF, MINUTES)


@pytest.mark.parametrize(
    "written",
    [
        "<think>\nLet me see [1].\n</think>\n\n" + MINUTES,
        "\n <THINKING>hm</THINKING>" + MINUTES,
        f"<thought>hm</thought>{MINUTES}",
        f"<reasoning>It says {ANSWER} first.</reasoning>\n{MINUTES}",
        f"<think></think><think>again</think> {MINUTES}",
        f"<think>a <think>b</think> c</think>{MINUTES}",
        f"◁think▷hm◁/think▷{MINUTES}",
        f"[THINK]hm[/THINK]{MINUTES}",
        f"<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>{MINUTES}<|END_RESPONSE|>",
        f"<think>hm</think>\n<answer>\n{MINUTES}\n</answer>",
        # What a template opened in the prompt ends in the reply.
        f"Okay, passage [1] says so.\n</think>\n\n{MINUTES}",
        f"\n</think>\n\n{MINUTES}",
        f"It says [1] {BEGIN_QUOTE}so{END_QUOTE}.</think>{MINUTES}",
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>" + MINUTES,
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary<|message|>so<|end|>"
        f"<|start|>assistant<|channel|>final <|constrain|>json<|message|>{MINUTES}<|return|>",
        f"analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>{MINUTES}<|end|>",
        f"analysisWe need the time.assistantfinal{MINUTES}",
    ],
)
def test_thoughts_before_an_answer_are_taken_out(written: str) -> None:
    assert read(written) == Generation(MINUTES, 0.5)


@pytest.mark.parametrize(
    "written",
    [
        f"[1] {BEGIN_QUOTE}A block begins with <think> and ends with </think>.{END_QUOTE} {ANSWER} <think>",
        f"{ANSWER} the tag <think> opens it, </think> closes it",
        f"The tag <reasoning> is older.\n{ANSWER} <reasoning>",
        f"Analysis, then: {MINUTES}",
        f"analysis: {MINUTES}",
        "<thinker>",
    ],
)
def test_an_answer_that_speaks_of_thoughts_stays_as_it_is(written: str) -> None:
    assert read(written).text == written


CLOSING = f"[1] {BEGIN_QUOTE}A block ends with </think>\nalone.{END_QUOTE} {ANSWER} </think>"


def test_the_end_of_a_block_in_a_quote_of_the_passages_ends_no_thoughts() -> None:
    shown = "Passages:\n[1] A block ends with </think>\nalone.\n"
    assert read(CLOSING, shown=shown).text == CLOSING
    assert read(f"Let me quote it.\n</think>\n\n{CLOSING}", shown=shown).text == CLOSING


@pytest.mark.parametrize(
    "written",
    [
        "<think>\nOkay, the user asks how long. Let me look at passage [1], which says",
        f"<think>\nThe format is [n] {BEGIN_QUOTE}exact words{END_QUOTE} then {ANSWER} and the answer. Let me see",
        "<|channel|>analysis<|message|>The user asks",
        "[THINK]The user asks",
        "<think>done</think>\n",
    ],
)
def test_thoughts_alone_are_never_an_answer(written: str) -> None:
    cut, stopped = read(written, "length"), read(written, "stop")
    assert (cut.text, cut.unused, cut.failure) == ("", "", Failure.STILL_THINKING)
    assert (stopped.text, stopped.unused, stopped.failure) == ("", "", Failure.ONLY_THOUGHTS)


@pytest.mark.parametrize(
    ("said", "failure", "unused"),
    [
        (reply(None, "length", reasoning_content="hm"), Failure.STILL_THINKING, ""),
        (reply(None, "length", reasoning="hm"), Failure.STILL_THINKING, ""),
        (reply("", "length", {"completion_tokens_details": {"reasoning_tokens": 64}}), Failure.STILL_THINKING, ""),
        (reply([{"type": "thinking", "thinking": "hm"}], "length"), Failure.STILL_THINKING, ""),
        (reply(None, "length"), Failure.CUT_OFF, ""),
        (reply(None, "stop", reasoning_content="hm"), Failure.ONLY_THOUGHTS, ""),
        (reply(None, "stop", refusal="I cannot."), Failure.DECLINED, "I cannot."),
        (reply([{"type": "refusal", "refusal": "I cannot."}]), Failure.DECLINED, "I cannot."),
        (reply("", "refusal"), Failure.DECLINED, ""),
        (reply(None, "tool_calls"), Failure.CALLED_TOOL, ""),
        (reply("", "function_call"), Failure.CALLED_TOOL, ""),
        (reply(None, "stop", tool_calls=[{"id": "1"}]), Failure.CALLED_TOOL, ""),
        (reply(None), Failure.NO_TEXT, ""),
        (reply(" \n"), Failure.NO_TEXT, ""),
        (reply({"a": 1}), Failure.NO_TEXT, ""),
        (reply(7), Failure.NO_TEXT, ""),
    ],
)
def test_a_reply_without_an_answer_says_why(said: dict[str, Any], failure: Failure, unused: str) -> None:
    assert read_reply(said, 0.5, "") == Generation("", 0.5, failure=failure, unused=unused)


def test_the_parts_of_a_text_are_joined_and_its_thoughts_left_out() -> None:
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": f"{ANSWER} three "}, "minutes", None]
    assert read(parts) == Generation(MINUTES, 0.5)


def test_an_answer_beside_a_call_of_a_tool_is_an_answer() -> None:
    assert read(MINUTES, "tool_calls", tool_calls=[{"id": "1"}]).text == MINUTES


@pytest.mark.parametrize("said", [None, [], {}, {"choices": []}, {"choices": [None]}, {"choices": [{"message": 1}]}])
def test_what_is_no_reply_of_a_chat_is_an_error(said: object) -> None:
    with pytest.raises(ValueError, match="its reply holds no text"):
        read_reply(said, 0.5, "")


@pytest.mark.parametrize("count", [None, "7", -1, True, 1.5, 10**400])
def test_a_count_that_can_be_none_is_none(count: object) -> None:
    made = read("x", usage={"prompt_tokens": count, "completion_tokens": 3})
    assert (made.prompt_tokens, made.completion_tokens) == (None, 3)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("three \ud83d", "three \ufffd"),
        ("\ude00 three", "\ufffd three"),
        ("\ud83d\ude00", "\U0001f600"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("a\x00b\x1b[2J\x9b\x7f", "a\ufffdb\ufffd[2J\ufffd\ufffd"),
        ("page\x0cnext\tline\r\n\x85\U0001f6df", "page\x0cnext\tline\r\n\x85\U0001f6df"),
    ],
)
def test_halves_of_characters_and_controls_become_the_mark_for_what_cannot_be_read(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert read(text).text == cleaned


@given(st.text(st.characters(), max_size=40))
def test_what_is_cleaned_is_utf8_and_stays_as_it_is(text: str) -> None:
    text.encode(errors="surrogatepass")
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert cleaned.encode().decode() == cleaned


def test_half_an_emoji_in_an_answer_that_is_json_itself_is_read_too() -> None:
    choice = read(r'{"quotes": "a \ud83d \u0000", "answer": "yes"}').text
    assert parse_choice(choice, ("yes", "no")) == f"a \ufffd \ufffd {ANSWER} yes"
    asked = parse_json_question(read(r'Here: {"answer": "\udead 40", "question": "How \ud83d long?"}.').text)
    assert asked == ("How \ufffd long?", "\ufffd 40")
    whole = r'{"quotes": "\ud83d\ude00 \\ud83d", "answer": "yes"}'
    assert read(whole).text == whole


def test_an_answer_nested_deeper_than_anybody_reads_is_a_failure() -> None:
    for written in ('{"a": ' + "[" * 9000 + "]" * 9000 + "}", "[" * 9000):
        assert read(written).failure is Failure.NO_TEXT
    with pytest.raises(ValueError, match="nested too deep"):
        parse_body(b"[" * 99_999)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (rb'{"a": "\ud83d"}', {"a": "\ud83d"}),
        (b'{"a": "\xf0\x9f"}', {"a": "\ufffd"}),
        (b'\xef\xbb\xbf{"a": "\xff"}', {"a": "\ufffd"}),
        (b'{"a": "\x00\n"}', {"a": "\x00\n"}),
    ],
)
def test_a_body_with_bytes_that_are_no_text_is_read(raw: bytes, said: object) -> None:
    assert parse_body(raw) == said


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one, max_size=3)))
def test_whatever_stands_in_the_place_of_the_text_a_generation_comes_out_that_can_be_written(content: object) -> None:
    made = read(content, reasoning=content, refusal=content)
    assert (made.text == "") == (made.failure is not None)
    json.dumps([made.text, made.unused], ensure_ascii=False).encode()


def test_thoughts_that_an_older_journal_holds_are_taken_out() -> None:
    assert without_old_thoughts(Generation(MINUTES, 1.0), "") == Generation(MINUTES, 1.0)
    assert without_old_thoughts(Generation(f"<think>a</think>{MINUTES}", 1.0), "") == Generation(MINUTES, 1.0)
    thoughts = without_old_thoughts(Generation(f"<think>then {MINUTES}", 1.0), "")
    assert thoughts == Generation("", 1.0, failure=Failure.ONLY_THOUGHTS)


def test_a_generation_comes_back_from_a_journal_of_an_older_or_newer_version() -> None:
    assert Generation.restored({"text": "a", "seconds": 1.0}) == Generation("a", 1.0)
    newer = {"text": "", "seconds": 1.0, "failure": "of a later kind", "colour": "red"}
    assert Generation.restored(newer) == Generation("", 1.0, failure=Failure.NO_TEXT)
    cut = Generation("", 1.0, failure=Failure.CUT_OFF, unused="a")
    assert Generation.restored(json.loads(json.dumps(asdict(cut)))) == cut


def test_without_thoughts_tells_a_block_that_does_not_end() -> None:
    assert without_thoughts("<think>a", "") is None
    assert without_thoughts("a", "") == "a"
