"""What a server refuses of a call is told from what it says, and left out; nothing else is, and never for ever."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft.models.dialect import Dialect, Refusal, spoken

MESSAGES = [{"role": "system", "content": "Answer."}, {"role": "user", "content": "Q?"}]
BODY = {
    "model": "org/seed-oss", "messages": MESSAGES, "max_tokens": 9, "temperature": 0.0, "top_p": 1.0, "seed": 0,
    "response_format": {"type": "json_schema"},
}  # fmt: skip
WITHOUT_FORM = {name: value for name, value in BODY.items() if name != "response_format"}
SILENT = BODY | {"thinking": False}
SYSTEM = "system"


def refusal(said: object, status: int = 400) -> Refusal:
    return Refusal(status, said.encode() if isinstance(said, str) else json.dumps(said).encode())


def error(message: str, **more: object) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None} | more}


EXTRA = {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted", "input": 0}
ROLE = "Unsupported value: 'messages[0].role' does not support 'system' with this model."
NEWER = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."


@pytest.mark.parametrize(
    ("said", "status", "refused"),
    [
        (error(f"Unsupported parameter: {NEWER}"), 400, "max_tokens"),
        (error("Not for this model.", param="max_tokens", code="unsupported_parameter"), 400, "max_tokens"),
        (error("Unsupported value: 'temperature' does not support 0 with this model."), 400, "temperature"),
        (error("Unrecognized request argument supplied: seed"), 400, "seed"),
        (error("Unrecognized request arguments supplied: top_p, seed"), 400, "top_p"),
        ("seed: unknown field", 422, "seed"),
        ("json: unknown field `seed`, expected one of `model`, `messages`, `max_tokens`, `temperature`", 400, "seed"),
        ('Invalid JSON payload received. Unknown name "seed": Cannot find field.', 400, "seed"),
        ("Seed is not supported by this model", 501, "seed"),
        ("Malformed input request: #: extraneous key [seed] is not permitted", 400, "seed"),
        ({"detail": [EXTRA]}, 422, "seed"),
        ({"message": {"detail": [EXTRA]}, "request_id": "temperature"}, 422, "seed"),
        ({"object": "error", "message": str([EXTRA | {"loc": ("body", "seed")}]), "code": 400}, 400, "seed"),
        ({"detail": [{"loc": ["body", "response_format", "json_schema"], "msg": "x"}]}, 422, "response_format"),
        ({"seed": ["Unknown field."]}, 400, "seed"),
        ({"errors": [{"field": "topP", "reason": "x"}]}, 400, "top_p"),
        ([{"instancePath": "/seed", "message": "is no property"}], 400, "seed"),
        ("#/temperature: extra property", 400, "temperature"),
        (error("Provider returned error", metadata={"raw": json.dumps(error("'top_p' is not allowed"))}), 400, "top_p"),
        (error("`temperature` and `top_p` cannot both be specified for this model."), 400, "top_p"),
        (error("Internal: create() got an unexpected keyword argument 'seed'"), 500, "seed"),
        (error("json_schema is not supported by this model"), 400, "response_format"),
        (error("no such field"), 400, "response_format"),
        (error("System role not supported"), 400, SYSTEM),
        (error("Only user and assistant roles are supported!"), 400, SYSTEM),
        ("Conversation roles must alternate user/assistant/user/assistant/...", 400, SYSTEM),
        (error("Developer instruction is not enabled for models/gemma"), 400, SYSTEM),
        (error("This model does not support system messages"), 422, SYSTEM),
        (error(ROLE, param="messages[0].role", code="unsupported_value"), 400, SYSTEM),
        (error(ROLE), 400, SYSTEM),
        (error('messages: Unexpected role "system". The Messages API takes a `system` parameter.'), 400, SYSTEM),
        (error("Jinja Exception: System role not supported", type="server_error"), 500, SYSTEM),
        ({"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Input should be 'user'"}]}, 422, SYSTEM),
    ],
)
def test_what_a_server_refuses_of_a_call_is_told_from_its_words(said: object, status: int, refused: str) -> None:
    assert refusal(said, status).refused(BODY) == refused


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (error("The model `org/seed-oss` does not exist", param="model"), 404),
        (error("No model org/seed-oss, but other/seed-oss-2 with temperature-9"), 400),
        (error("Incorrect API key provided: seed"), 401),
        (error("API key not valid. Please pass a valid API key."), 400),
        (error("You can only afford 20 max_tokens"), 402),
        (error("Rate limit: temperature"), 429),
        (error("'max_tokens' is too large: 9. This model's maximum context length is 8 tokens"), 400),
        (error("`inputs` tokens + `max_new_tokens` must be <= 8. Given: max_tokens 9"), 422),
        (error("the request exceeds the available context size", type="exceed_context_size_error"), 400),
        (error("out of memory: lower max_tokens"), 500),
        (error("operating system error"), 400),
        ({"detail": "Bad request", "body": BODY, "input": ["seed"]}, 400),
        ("", 400),
        ("<html>404</html>", 404),
    ],
)
def test_what_names_nothing_that_can_be_left_out_is_no_such_refusal(said: object, status: int) -> None:
    assert refusal(said, status).refused(WITHOUT_FORM) is None


def test_a_call_is_said_in_the_words_that_are_taken() -> None:
    assert spoken(BODY, frozenset()) == BODY
    said = spoken(BODY, frozenset({"max_tokens", "seed", "temperature", SYSTEM}))
    assert said == {
        "model": "org/seed-oss", "messages": [{"role": "user", "content": "Answer.\n\nQ?"}],
        "max_completion_tokens": 9, "top_p": 1.0, "response_format": {"type": "json_schema"},
    }  # fmt: skip
    assert BODY["messages"] == MESSAGES and "max_tokens" in BODY


def test_a_model_is_asked_not_to_think_in_the_words_of_several_servers_or_to_think_little() -> None:
    dialect, values = Dialect(), []
    while "reasoning_effort" in (sent := dialect.spoken(SILENT)):
        values.append(sent["reasoning_effort"])
        assert sent["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False}
        said = f"'reasoning_effort' does not support '{sent['reasoning_effort']}'. Supported values are: 'high'"
        assert dialect.learn(SILENT, sent, refusal(error(said)))
    assert values == ["none", "minimal", "low"]
    assert dialect.learn(SILENT, sent, refusal(error("Unknown argument: chat_template_kwargs")))
    assert dialect.spoken(SILENT) == BODY
    other = Dialect()
    assert other.learn(SILENT, other.spoken(SILENT), refusal(error("Unrecognized argument: reasoning_effort")))
    assert "reasoning_effort" not in other.spoken(SILENT)


def test_without_any_limit_to_what_is_written_nothing_is_asked() -> None:
    dialect = Dialect()
    assert dialect.learn(BODY, BODY, refusal(error(NEWER)))
    sent = dialect.spoken(BODY)
    assert not dialect.learn(BODY, sent, refusal(error("Unknown argument: max_completion_tokens")))
    assert dialect.spoken(BODY) == sent


def test_what_another_call_was_refused_meanwhile_is_left_out_too() -> None:
    dialect = Dialect()
    assert dialect.learn(BODY, BODY, refusal(error("Unknown argument: seed")))
    assert dialect.learn(BODY, BODY, refusal(error("Unknown argument: seed")))
    assert not dialect.learn(BODY, dialect.spoken(BODY), refusal(error("Unknown argument: seed"), 404))


WORDS = [*SILENT, "max_completion_tokens", "reasoning_effort", "chat_template_kwargs", "system role", "not supported"]


@given(st.data())
def test_a_server_that_refuses_for_ever_is_left_after_a_few_calls(data: st.DataObject) -> None:
    dialect, calls = Dialect(), 0
    while True:
        calls += 1
        said = " ".join(data.draw(st.lists(st.sampled_from(WORDS), max_size=4)))
        if not dialect.learn(
            SILENT, dialect.spoken(SILENT), refusal(error(said), data.draw(st.sampled_from([400, 500])))
        ):
            break
    assert calls <= 13
    left = dialect.spoken(SILENT)
    assert left["model"] == BODY["model"] and {"max_tokens", "max_completion_tokens"} & left.keys()
    assert "Q?" in left["messages"][-1]["content"]


@given(st.recursive(st.none() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_whatever_a_refusal_says_it_is_read(said: object) -> None:
    for status in (400, 404, 500):
        refusal(said, status).refused(BODY)
    assert Refusal(400, b"[" * 19_000).refused(WITHOUT_FORM) is None
    assert Refusal(400, b"\xff\xfe seed").refused(BODY) == "seed"
