"""Models behind an endpoint, against a small server on this machine that speaks chat completions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_endpoint import Endpoint, completion, serving

from raft.errors import LimitError, ModelError, TooLongError
from raft.journal import Journal
from raft.models.calls import Calls, Limits, Spending
from raft.models.endpoint import KEY_VARIABLE, requests
from raft.models.generator import Decoding, Failure, Generator
from raft.models.loading import load_generator
from raft.prompts import Prompt, PromptStyle, closed_book_prompt


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    state = Endpoint()
    monkeypatch.setattr("raft.models.endpoint._pause", lambda seconds, _: state.slept.append(seconds))
    monkeypatch.setenv(KEY_VARIABLE, "sk-test-only")
    with serving(state):
        yield state


def prompt(question: str) -> Prompt:
    return closed_book_prompt(question, PromptStyle.CHAT)


def test_answers_come_in_the_order_of_the_prompts_with_their_token_counts(endpoint: Endpoint) -> None:
    told: list[int] = []
    written = endpoint.load().generate([prompt(f"Q{n}?") for n in range(9)], Decoding(max_new_tokens=5), told.append)
    assert [one.text for one in written] == [f"Question: Q{n}?" for n in range(9)]
    assert {(one.prompt_tokens, one.completion_tokens) for one in written} == {(7, 3)}
    assert sum(told) == 9
    assert {(body["model"], body["max_tokens"], body["temperature"]) for body in endpoint.asked} == {
        ("some/model", 5, 0)
    }
    assert endpoint.keys == {"Bearer sk-test-only"}


def test_equal_prompts_are_asked_once_when_decoding_is_greedy_and_each_time_when_it_is_sampled(
    endpoint: Endpoint,
) -> None:
    prompts, told = [prompt("Q1?"), prompt("Q2?"), prompt("Q1?")], list[int]()
    written = endpoint.load().generate(prompts, Decoding(), told.append)
    assert [one.text for one in written] == ["Question: Q1?", "Question: Q2?", "Question: Q1?"]
    assert (len(endpoint.asked), sum(told)) == (2, 3)
    endpoint.asked.clear()
    endpoint.load().generate(prompts, Decoding(temperature=0.7, seed=4))
    assert sorted((body["messages"][1]["content"], body["seed"]) for body in endpoint.asked) == [
        ("Question: Q1?", 4),
        ("Question: Q1?", 5),
        ("Question: Q2?", 4),
    ]


def test_a_fault_that_passes_is_tried_again(endpoint: Endpoint) -> None:
    endpoint.faults = [(500, {"error": {"message": "warming up"}}), (429, {"error": {"message": "slow down"}})]
    (written,) = endpoint.load().generate([prompt("Q?")], Decoding())
    assert written.text == "Question: Q?"
    assert len(endpoint.asked) == 3


@pytest.mark.parametrize(
    ("faults", "message", "asked"),
    [
        ([(500, {"error": {"message": "out of\nmemory"}})] * 3, r"failed 3 times \(.*out of.*memory", 3),
        (
            [(401, {"error": {"message": "no such key"}})],
            "refused .*no such key.*: check the key in OPENAI_API_KEY$",
            1,
        ),
        ([(400, {"error": {"message": "API key not valid"}})], "refused .*: check the key in OPENAI_API_KEY$", 1),
        ([(402, {"error": {"message": "Insufficient credit"}})], "refused .*: check the credit of its account$", 1),
        ([(200, b"<html>Sign in</html>")] * 3, r"failed 3 times \(its reply is not JSON\)", 3),
        ([(200, b'{"choices": [{"mess')] * 3, r"failed 3 times \(its reply is not JSON\)", 3),
        ([(200, b'["not", "an object"]')] * 3, r"failed 3 times \(its reply holds no text\)", 3),
        ([(200, completion("x") | {"choices": []})] * 3, r"failed 3 times \(its reply holds no text\)", 3),
        ([(200, completion("x") | {"choices": [None]})] * 3, r"failed 3 times \(its reply holds no text\)", 3),
        (
            [(200, {"error": {"message": "upstream is gone"}})] * 3,
            r"failed 3 times \(status 500: .*upstream is gone",
            3,
        ),
        ([(200, {"error": {"message": "bad key", "code": 401}})], "refused .*: check the key in OPENAI_API_KEY$", 1),
        (
            [(404, {"error": {"message": "no such model"}})],
            "refused .*no such model.*: check the model's name and the URL",
            1,
        ),
        (
            [(400, {"error": {"message": "no such model"}})],
            "refused .*: check the model's name and what its server takes$",
            1,
        ),
        ([(307, {})], "sends on to another place, which is not followed", 1),
    ],
)
def test_a_fault_that_stays_is_an_error_in_one_line_and_never_an_empty_answer(
    endpoint: Endpoint, faults: list[tuple[int, dict[str, Any]]], message: str, asked: int
) -> None:
    endpoint.faults = list(faults)
    with pytest.raises(ModelError, match=message) as caught:
        endpoint.load().generate([prompt("Q?")], Decoding())
    assert "\n" not in str(caught.value)
    assert "sk-test-only" not in str(caught.value)
    assert len(endpoint.asked) == asked


@pytest.mark.parametrize("text", ["half an ans", None])
def test_what_a_content_filter_holds_back_is_empty_says_so_and_is_not_asked_for_again(
    endpoint: Endpoint, text: str | None
) -> None:
    endpoint.faults = [(200, completion(text, "content_filter"))]
    (held, other) = endpoint.load().generate([prompt("Q?"), prompt("R?")], Decoding())
    assert [held.held_back, other.held_back].count(True) == 1
    assert sorted([held.text, other.text])[0] == ""
    assert len(endpoint.asked) == 2


def test_a_prompt_that_a_content_filter_refuses_is_held_back_too(endpoint: Endpoint) -> None:
    endpoint.faults = [(400, {"error": {"message": "filtered", "param": "prompt", "code": "content_filter"}})]
    (held,) = endpoint.load().generate([prompt("Q?")], Decoding())
    assert (held.text, held.held_back, len(endpoint.asked)) == ("", True, 1)


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 40 tokens. Please reduce the length of the messages.",
        "the request exceeds the available context size, try increasing it",
        "'max_tokens' is too large: 96. This model's maximum context length is 40 tokens.",
    ],
)
def test_a_prompt_that_does_not_fit_the_model_is_told_as_that_by_one_call(endpoint: Endpoint, said: str) -> None:
    endpoint.faults = [(400, {"error": {"message": said, "param": "max_tokens"}})] * 9
    with pytest.raises(TooLongError, match="the prompt does not fit the model's context: show fewer passages"):
        endpoint.load().generate([prompt("Q?")], Decoding())
    assert len(endpoint.asked) == 1


SCHEMA = '{"type": "object", "properties": {"question": {"type": "string"}}}'


def test_a_schema_is_sent_with_the_call_and_only_where_there_is_one(endpoint: Endpoint) -> None:
    (held,) = endpoint.load().generate([prompt("Q?")], Decoding(schema=SCHEMA))
    (free,) = endpoint.load().generate([prompt("Q?")], Decoding())
    first, second = endpoint.asked
    assert first["response_format"]["type"] == "json_schema"
    assert first["response_format"]["json_schema"]["schema"] == json.loads(SCHEMA)
    assert "response_format" not in second
    assert (held.structured, free.structured) == (True, None)


@pytest.mark.parametrize("status", [400, 422])
def test_an_endpoint_that_takes_no_schema_is_asked_without_one_from_then_on(endpoint: Endpoint, status: int) -> None:
    endpoint.faults = [(status, {"error": {"message": "response_format is unknown"}})]
    generator = endpoint.load()
    for question in ("Q1?", "Q2?"):
        (written,) = generator.generate([prompt(question)], Decoding(schema=SCHEMA))
        assert (written.text, written.structured) == (f"Question: {question}", False)
    assert ["response_format" in body for body in endpoint.asked] == [True, False, False]


def test_a_call_that_is_refused_with_and_without_a_schema_is_an_error(endpoint: Endpoint) -> None:
    endpoint.faults = [(400, {"error": {"message": "too long"}})] * 2
    with pytest.raises(ModelError, match=r"refused .*too long"):
        endpoint.load().generate([prompt("Q?")], Decoding(schema=SCHEMA))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, [7.0]),
        ({"Retry-After": "3600"}, [60.0]),
        ({"Retry-After": "-5"}, [0.0]),
        ({"Retry-After": "soon"}, [1.0]),
        ({"Retry-After": "nan"}, [1.0]),
        ({"retry-after-ms": "250"}, [0.25]),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, [0.0]),
        ({}, [1.0]),
    ],
)
def test_an_endpoint_that_asks_to_be_left_for_a_while_is(
    endpoint: Endpoint, headers: dict[str, str], seconds: list[float]
) -> None:
    endpoint.faults, endpoint.headers = [(429, {"error": {"message": "slow down"}})], headers
    endpoint.load().generate([prompt("Q?")], Decoding())
    assert endpoint.slept == seconds


def test_a_reply_that_never_ends_is_given_up(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raft.models.endpoint._DEADLINE_SECONDS", -1.0)
    with pytest.raises(ModelError, match="its reply was not complete after"):
        endpoint.load().generate([prompt("Q?")], Decoding())


@pytest.mark.parametrize("name", ["openai:", "openai:model", "openai:@http://x", "openai:model@localhost:8000"])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match="write openai:MODEL@URL"):
        load_generator(name)


def test_an_endpoint_that_has_too_much_is_asked_less_at_once_and_not_given_up(endpoint: Endpoint) -> None:
    endpoint.faults = [(429, {})] * 5 + [(503, {})] * 5
    written = endpoint.load().generate([prompt(f"Q{n}?") for n in range(9)], Decoding())
    assert len(written) == 9
    assert len(endpoint.asked) == 19


def test_an_endpoint_that_has_too_much_for_ever_is_given_up_at_the_deadline(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raft.models.endpoint._DEADLINE_SECONDS", 0.2)
    endpoint.faults = [(503, {"error": "busy"})] * 10_000
    with pytest.raises(ModelError, match=r"gave no answer in 0\.2 s \("):
        endpoint.load().generate([prompt("Q?")], Decoding())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_wrong_key_or_name_is_told_by_one_call(endpoint: Endpoint, status: int) -> None:
    endpoint.faults = [(status, {"error": {"message": "no such thing: sk-test-only"}})] * 99
    with pytest.raises(ModelError, match=rf"refused \(status {status}: .*no such thing: \*\*\*") as caught:
        endpoint.load().generate([prompt(f"Q{n}?") for n in range(99)], Decoding())
    assert "sk-test-only" not in str(caught.value)
    assert len(endpoint.asked) == 1


def test_a_key_that_no_header_can_hold_is_refused_without_saying_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "sk-one\nsk-two")
    with pytest.raises(ModelError, match=f"{KEY_VARIABLE} holds characters") as caught:
        load_generator("openai:m@http://localhost:1/v1")
    assert "sk-" not in str(caught.value)


def load(endpoint: Endpoint, journal: Journal | None, **limits: float) -> tuple[Generator, Spending]:
    spending = Spending(Limits(**limits))
    return load_generator(f"openai:some/model@{endpoint.url}", calls=Calls(journal, spending, 4)), spending


def test_what_the_journal_holds_is_not_asked_again_unless_anything_of_it_changed(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    prompts, sampled = [prompt(f"Q{n}?") for n in (1, 2, 1)], Decoding(temperature=0.5)
    with Journal(tmp_path / "journal") as journal:
        first, _ = load(endpoint, journal)
        written = first.generate(prompts, sampled)
        assert len(endpoint.asked) == 3
        again, spending = load(endpoint, journal)
        assert again.generate(prompts, sampled) == written
        assert (len(endpoint.asked), spending.known, spending.calls) == (3, 3, 0)
        # One prompt more in front of them changes none of the others.
        again.generate([prompt("Q0?"), *prompts], sampled)
        assert len(endpoint.asked) == 4
        again.generate(prompts, Decoding(temperature=0.6))
        assert len(endpoint.asked) == 7
        other = load_generator(f"openai:other@{endpoint.url}", calls=Calls(journal))
        other.generate(prompts, sampled)
        assert len(endpoint.asked) == 10
    assert "sk-test-only" not in (tmp_path / "journal").read_text()


def test_calls_stop_at_their_limit_and_what_was_answered_is_kept(endpoint: Endpoint, tmp_path: Path) -> None:
    prompts = [prompt(f"Q{n}?") for n in range(20)]
    with Journal(tmp_path / "journal") as journal:
        for asked in (7, 14):
            with pytest.raises(LimitError, match="--max-calls 7"):
                load(endpoint, journal, max_calls=7)[0].generate(prompts, Decoding())
            assert len(endpoint.asked) == asked
        generator, spending = load(endpoint, journal, max_calls=7)
        assert [one.text for one in generator.generate(prompts, Decoding())] == [f"Question: Q{n}?" for n in range(20)]
    assert (spending.calls, spending.known, len(endpoint.asked)) == (6, 14, 20)


def test_calls_never_cost_more_than_they_may(endpoint: Endpoint, tmp_path: Path) -> None:
    # A reply is said to be of 7 and 3 tokens, 13 millionths; before it comes it may be of its bytes and 96 tokens.
    prompts = [prompt(f"Q{n}?") for n in range(99)]
    with Journal(tmp_path / "journal") as journal:
        generator, spending = load(endpoint, journal, max_cost=1e-3, price_in=1, price_out=2)
        with pytest.raises(LimitError, match=r"--max-cost 0\.001"):
            generator.generate(prompts, Decoding())
    assert 4e-4 < spending.cost <= 1e-3
    assert len(endpoint.asked) == spending.calls == round(spending.cost / 13e-6)


def test_calls_that_were_broken_off_count_as_calls(endpoint: Endpoint) -> None:
    endpoint.faults = [(500, {})] * 99
    generator, spending = load(endpoint, None, max_calls=2)
    with pytest.raises(LimitError, match="--max-calls 2"):
        generator.generate([prompt("Q?")], Decoding())
    assert (spending.calls, len(endpoint.asked)) == (2, 2)


REFUSALS: list[tuple[int, dict[str, Any]]] = [
    (400, {"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}}),
    (422, {"message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"]}]}}),
    (400, {"error": {"message": "System role not supported"}}),
]


def test_what_an_endpoint_refuses_is_left_out_of_all_later_calls_and_costs_neither_a_try_nor_a_call(
    endpoint: Endpoint,
) -> None:
    endpoint.faults = [*REFUSALS, (500, {}), (500, {})]
    generator, spending = load(endpoint, None, max_calls=5, price_out=1)
    written = generator.generate([prompt("Q1?"), prompt("Q2?")], Decoding(max_new_tokens=5))
    instruction = prompt("Q1?").messages[0]["content"]
    assert [one.text for one in written] == [f"{instruction}\n\nQuestion: Q{n}?" for n in (1, 2)]
    generator.generate([prompt("Q3?")], Decoding(max_new_tokens=6))
    assert (spending.calls, spending.tokens.new, len(endpoint.asked)) == (5, 9, 8)
    assert ["max_tokens" in body for body in endpoint.asked] == [True] + [False] * 7
    assert ["seed" in body for body in endpoint.asked] == [True] * 2 + [False] * 6
    assert [len(body["messages"]) for body in endpoint.asked] == [2] * 3 + [1] * 5
    assert [body.get("max_completion_tokens") for body in endpoint.asked] == [None] + [5] * 6 + [6]


def test_what_was_paid_for_is_found_by_an_endpoint_that_refuses_and_by_one_that_does_not(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    prompts = [prompt(f"Q{n}?") for n in range(3)]
    with Journal(tmp_path / "journal") as journal:
        endpoint.faults = list(REFUSALS)
        written = load(endpoint, journal)[0].generate(prompts, Decoding())
        generator, spending = load(endpoint, journal)
        assert generator.generate(prompts, Decoding()) == written
        assert (spending.known, len(endpoint.asked)) == (3, 6)
        # The one who asks for no thoughts asks for something else.
        generator.generate(prompts, Decoding(thinking=False))
        assert len(endpoint.asked) == 9


def test_calls_that_are_under_way_together_are_each_refused_once_and_all_answered(endpoint: Endpoint) -> None:
    generator = endpoint.load()
    generator.generate([prompt(f"Q{n}?") for n in range(21)], Decoding())
    endpoint.asked.clear()
    endpoint.refused = {"seed": REFUSALS[1], "max_tokens": REFUSALS[0]}
    written = generator.generate([prompt(f"R{n}?") for n in range(99)], Decoding())
    assert [one.text for one in written] == [f"Question: R{n}?" for n in range(99)]
    # The pace allows 64 at once, of which each can be refused twice.
    refused = len(endpoint.asked) - 99
    assert 2 <= refused <= 2 * 64
    assert ["seed" in body or "max_tokens" in body for body in endpoint.asked].count(True) == refused


def test_a_server_that_refuses_everything_is_an_error_with_its_last_words(endpoint: Endpoint) -> None:
    names = "max_tokens, max_completion_tokens, seed, top_p, temperature, response_format are not supported"
    endpoint.faults = [(400, {"error": {"message": names}})] * 99
    with pytest.raises(ModelError, match=r"refused \(status 400: .*are not supported.*: check the model's name"):
        endpoint.load().generate([prompt("Q?")], Decoding(schema=SCHEMA))
    assert len(endpoint.asked) <= 8


def test_a_model_is_asked_not_to_think_only_where_that_is_wanted(endpoint: Endpoint) -> None:
    generator = endpoint.load()
    generator.generate([prompt("Q?")], Decoding())
    generator.generate([prompt("Q?")], Decoding(thinking=False))
    usual, silent = endpoint.asked
    assert silent == usual | {
        "reasoning_effort": "none",
        "chat_template_kwargs": {"enable_thinking": False, "thinking": False},
    }


def test_a_reply_without_an_answer_is_paid_once_and_kept_with_its_reason(endpoint: Endpoint, tmp_path: Path) -> None:
    thoughts = "<think>\nThe format is <ANSWER>: and the answer"
    replies = [completion(thoughts, "length"), completion("half an ans", "length"), completion(None)]
    endpoint.faults = [(200, reply) for reply in replies]
    prompts = [prompt(f"Q{n}?") for n in range(4)]
    with Journal(tmp_path / "journal") as journal:
        written = load(endpoint, journal)[0].generate(prompts, Decoding())
        assert sorted(str(one.failure) for one in written) == sorted(
            map(str, [Failure.STILL_THINKING, Failure.CUT_OFF, Failure.NO_TEXT, None])
        )
        assert {one.text for one in written if one.failure} == {""}
    with Journal(tmp_path / "journal") as journal:
        generator, spending = load(endpoint, journal)
        assert generator.generate(prompts, Decoding()) == written
        assert (spending.known, len(endpoint.asked)) == (4, 4)


@pytest.mark.parametrize(
    "raw",
    [
        rb'{"choices":[{"message":{"content":"three minutes \ud83d"},"finish_reason":"stop"}]}',
        b'{"choices":[{"message":{"content":"three minutes \xf0\x9f"},"finish_reason":"stop"}]}',
        b'{"choices":[{"message":{"content":"three minutes \xed\xa0\xbd"},"finish_reason":"stop"}]}',
        b'{"choices":[{"message":{"content":"three minutes \x00"},"finish_reason":"stop"}]}',
    ],
)
def test_half_an_emoji_in_a_reply_is_marked_and_the_answer_kept(endpoint: Endpoint, tmp_path: Path, raw: bytes) -> None:
    endpoint.faults = [(200, raw)]
    for _ in range(2):
        with Journal(tmp_path / "journal") as journal:
            (written,) = load(endpoint, journal)[0].generate([prompt("Q?")], Decoding())
            assert written.text == "three minutes \ufffd"
    assert len(endpoint.asked) == 1


def test_what_a_journal_holds_from_before_thoughts_were_taken_out_is_read_without_them(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    texts = ["<think>hm</think>forty", "plain", "<think>then <ANSWER>: and"]
    asked = requests(endpoint.name, [prompt(text) for text in texts], Decoding())
    with Journal(tmp_path / "journal") as journal:
        for text, request in zip(texts, asked, strict=True):
            journal.add({request.key: {"text": text, "seconds": 1.0, "held_back": False, "of_later": 1}})
        written = load(endpoint, journal)[0].generate([prompt(text) for text in texts], Decoding())
    assert [one.text for one in written] == ["forty", "plain", ""]
    assert written[2].failure is Failure.ONLY_THOUGHTS
    assert endpoint.asked == []


def test_keys_of_the_journal_are_those_of_before() -> None:
    (request,) = requests("openai:m@http://x/v1", [prompt("Q?")], Decoding(max_new_tokens=96))
    assert request.key == "paid 3f47b7b5bda09decc41c033a1d6541c8016caf5169565df8ffb25cb27b3c3f22"
    (silent,) = requests("openai:m@http://x/v1", [prompt("Q?")], Decoding(max_new_tokens=96, thinking=False))
    assert silent.key != request.key


def test_a_key_that_was_never_set_is_told_as_that(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE)
    endpoint.faults = [(401, {"error": {"message": "none given"}})]
    with pytest.raises(ModelError, match=rf"none given.*: set {KEY_VARIABLE}$"):
        endpoint.load().generate([prompt("Q?")], Decoding())


def test_a_question_with_half_a_character_is_sent_as_it_is(endpoint: Endpoint) -> None:
    (written,) = endpoint.load().generate([prompt("Q \ud83d?")], Decoding())
    assert endpoint.asked[0]["messages"][1]["content"] == "Question: Q \ud83d?"
    assert written.text == "Question: Q \ufffd?"
