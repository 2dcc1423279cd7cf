"""Models behind an endpoint, against a small server on this machine that speaks chat completions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_endpoint import Endpoint, completion, serving

from raft.errors import LimitError, ModelError
from raft.journal import Journal
from raft.models.calls import Calls, Limits, Spending
from raft.models.endpoint import KEY_VARIABLE
from raft.models.generator import Decoding, Generator, load_generator
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
        ([(401, {"error": {"message": "no such key"}})], "refused .*no such key.*check the model's name", 1),
        ([(200, b"<html>Sign in</html>")] * 3, r"failed 3 times \(its reply is not JSON\)", 3),
        ([(200, b'{"choices": [{"mess')] * 3, r"failed 3 times \(its reply is not JSON\)", 3),
        ([(200, b'["not", "an object"]')] * 3, r"failed 3 times \(its reply holds no text\)", 3),
        ([(200, completion("x") | {"choices": []})] * 3, r"failed 3 times \(its reply holds no text\)", 3),
        ([(200, completion("x") | {"choices": [None]})] * 3, r"failed 3 times \(its reply holds no text\)", 3),
        ([(200, completion(["x"]))] * 3, r"failed 3 times \(its reply holds no text\)", 3),
        ([(404, {"error": {"message": "no such model"}})], "refused .*no such model", 1),
        ([(307, {})], "sends on to another place, which is not followed", 1),
        ([(200, completion(None))] * 3, r"failed 3 times \(its reply holds no text\)", 3),
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
