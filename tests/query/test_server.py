"""The routes answer with verified quotes, and every error is one line of JSON."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from raft.answering import Answerer
from raft.errors import InputError
from raft.query import create_app, serve
from raft.query.server import MAX_BODY_BYTES

QUOTED = "[1] ##begin_quote## it may run dry for 40 seconds ##end_quote## <ANSWER>: 40 seconds"
BOTH = QUOTED.replace("[1]", "[2] ##begin_quote## no such words ##end_quote## [1]")
ASKED = {"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "How long?"}]}


@pytest.fixture
def client(answerer: Answerer) -> Iterator[TestClient]:
    with TestClient(create_app(answerer), raise_server_exceptions=False) as client:
        yield client


def test_an_answer_brings_verified_quotes_only(client: TestClient, model: Any, documents: dict[str, str]) -> None:
    model.text = BOTH
    reply = client.post("/api/answer", json={"question": "How long?", "top_k": 2}).json()
    (quote,) = reply["quotes"]
    assert (reply["answer"], reply["abstained"], reply["unverified"]) == ("40 seconds", False, 1)
    assert documents[quote["document_id"]][quote["start"] : quote["end"]] == quote["text"]
    assert [passage["score"] for passage in reply["passages"]] == [1.0, 0.9]
    for passage in reply["passages"]:
        assert documents[passage["document_id"]][passage["start"] : passage["end"]] == passage["text"]


def test_markup_in_a_document_travels_as_text(client: TestClient) -> None:
    response = client.post("/api/answer", json={"question": "How long?"})
    assert response.headers["content-type"] == "application/json"
    assert "<script>" in response.json()["passages"][0]["text"]


def test_the_page_never_makes_markup_of_what_it_is_sent(client: TestClient) -> None:
    page, script = client.get("/"), client.get("/page/app.js").text
    assert page.status_code == 200
    assert "textContent" in script
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "setAttribute"):
        assert way not in script + page.text


def test_the_page_may_load_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "http" not in page.text


def test_an_openai_client_gets_choices_usage_and_citations(client: TestClient, model: Any) -> None:
    model.text = QUOTED
    reply = client.post("/v1/chat/completions", json={**ASKED, "model": "any", "temperature": 0}).json()
    assert reply["object"] == "chat.completion"
    assert reply["choices"][0]["message"]["content"] == "40 seconds"
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"] == {"prompt_tokens": 30, "completion_tokens": 9, "total_tokens": 39}
    assert [citation["source"] for citation in reply["citations"]] == ["docs/pump.md"]
    assert "How long?" in model.prompts[0].text
    assert "Be kind." not in model.prompts[0].text


def test_the_openai_library_reads_our_reply(client: TestClient, model: Any) -> None:
    completions = pytest.importorskip("openai.types.chat")
    model.text = QUOTED
    reply = client.post("/v1/chat/completions", json=ASKED).json()
    parsed = completions.ChatCompletion.model_validate(reply)
    assert parsed.choices[0].message.content == "40 seconds"


def test_a_question_in_parts_is_read_as_one(client: TestClient, model: Any) -> None:
    parts = [{"type": "text", "text": "How long"}, {"type": "text", "text": "may it run?"}]
    assert (
        client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": parts}]}).status_code == 200
    )
    assert "How long may it run?" in model.prompts[0].text


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/api/answer", "{", 400, "body: Invalid JSON"),
        ("/api/answer", "[]", 400, "body: Input should be"),
        ("/api/answer", "{}", 400, "question: Field required"),
        ("/api/answer", '{"question": 3}', 400, "question: Input should be a valid string"),
        ("/api/answer", '{"question": " "}', 400, "the question is empty"),
        ("/api/answer", json.dumps({"question": "x" * 2001}), 400, "at most 2000"),
        ("/api/answer", '{"question": "Tea?", "top_k": 99}', 400, "top_k is 99"),
        ("/api/answer", '{"question": "Tea?", "topk": 2}', 400, "topk: Extra inputs"),
        ("/api/answer", json.dumps({"question": "x" * MAX_BODY_BYTES}), 413, "above 65536 bytes"),
        ("/v1/chat/completions", '{"messages": []}', 400, "no message of role 'user'"),
        ("/v1/chat/completions", json.dumps({**ASKED, "stream": True}), 400, "'stream' is not supported"),
        ("/v1/chat/completions", json.dumps({**ASKED, "n": 2}), 400, "'n' is not supported"),
        (
            "/v1/chat/completions",
            json.dumps({**ASKED, "response_format": {"type": "json_object"}}),
            400,
            "'response_format'",
        ),
        ("/nowhere", "{}", 404, "Not Found"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    client: TestClient, model: Any, path: str, body: str, status: int, message: str
) -> None:
    response = client.post(path, content=body, headers={"Content-Type": "application/json"})
    error = response.json()["error"]
    assert response.status_code == status
    assert message in error["message"]
    assert "\n" not in error["message"]
    assert error["type"] == "invalid_request_error"
    assert model.prompts == []


def test_a_form_of_another_site_is_refused(client: TestClient) -> None:
    response = client.post("/api/answer", content='{"question": "Tea?"}', headers={"Content-Type": "text/plain"})
    assert response.status_code == 415


def test_a_fault_of_ours_is_an_error_without_its_details(client: TestClient, answerer: Answerer) -> None:
    class Broken:
        model_name = "broken"

        def answer(self, question: str, top_k: int | None = None) -> Any:
            raise ZeroDivisionError("secret")

    with TestClient(create_app(Broken()), raise_server_exceptions=False) as broken:
        response = broken.post("/api/answer", json={"question": "Tea?"})
    assert response.status_code == 500
    assert response.json()["error"]["type"] == "server_error"
    assert "secret" not in response.text


def test_questions_go_to_the_model_one_at_a_time(answerer: Answerer) -> None:
    busy, most = 0, 0
    guard = threading.Lock()

    class Counting:
        model_name = "counting"

        def answer(self, question: str, top_k: int | None = None) -> Any:
            nonlocal busy, most
            with guard:
                busy += 1
                most = max(most, busy)
            threading.Event().wait(0.02)
            with guard:
                busy -= 1
            return answerer.answer(question, top_k)

    with TestClient(create_app(Counting())) as client, ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda n: client.post("/api/answer", json={"question": f"Tea {n}?"}), range(6)))
    assert [reply.json()["question"] for reply in replies] == [f"Tea {n}?" for n in range(6)]
    assert most == 1


def test_health_names_the_model(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "model": "scripted"}


def test_a_taken_port_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"127\.0\.0\.1:{port} cannot be served on .*--port"):
            serve(lambda: pytest.fail("the port comes first"), port=port)
