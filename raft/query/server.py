"""The HTTP server: one page, a plain JSON route, and the OpenAI-compatible route that other tools speak."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint

from raft.answering import Answer
from raft.errors import InputError, RaftError

PAGE = Path(__file__).parent / "page"
MAX_BODY_BYTES = 64 * 1024
# The page loads its own two files and talks to its own server; whatever a document smuggled in could not load or run.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Answers(Protocol):
    """What answers a question; `Answerer` does."""

    @property
    def model_name(self) -> str: ...

    def answer(self, question: str, top_k: int | None = None) -> Answer: ...


class AskRequest(BaseModel):
    """Body of `POST /api/answer`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    question: str
    top_k: int | None = None


class TextPart(BaseModel):
    """One text part of a message."""

    model_config = ConfigDict(strict=True)

    type: str
    text: str


class Message(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(strict=True)

    role: str
    content: str | list[TextPart] | None = None


class ChatRequest(BaseModel):
    """Body of `POST /v1/chat/completions`: what changes the answer's form is known here, so that it can be refused."""

    model_config = ConfigDict(strict=True)

    messages: list[Message]
    stream: bool | None = None
    n: int | None = None
    tools: list[Any] | None = None
    logprobs: bool | None = None
    response_format: dict[str, Any] | None = None


def create_app(answerer: Answers) -> FastAPI:
    """The application around one answerer; questions go to it one at a time."""
    # No generated documentation pages: they load scripts from elsewhere.
    app = FastAPI(title="raft", openapi_url=None)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    one_at_a_time = threading.Lock()

    def answer(question: str, top_k: int | None = None) -> Answer:
        with one_at_a_time:
            return answerer.answer(question, top_k)

    @app.middleware("http")
    async def add_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers.update(_HEADERS)
        return response

    @app.exception_handler(RaftError)
    async def on_bad_request(_: Request, error: RaftError) -> Response:
        return JSONResponse(_error(str(error)), status_code=400)

    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: HTTPException) -> Response:
        return JSONResponse(_error(str(error.detail)), status_code=error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    async def on_fault(_: Request, error: Exception) -> Response:
        message = f"the server failed ({type(error).__name__}): its log has the details"
        return JSONResponse(_error(message, "server_error"), status_code=500, headers=_HEADERS)

    @app.get("/")
    async def page() -> Response:
        return FileResponse(PAGE / "index.html")

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "model": answerer.model_name}

    @app.post("/api/answer")
    async def api_answer(request: Request) -> dict[str, Any]:
        asked = _parse(AskRequest, await _body(request))
        return answer_body(await run_in_threadpool(answer, asked.question, asked.top_k))

    @app.post("/v1/chat/completions")
    async def chat_completions(request: Request) -> dict[str, Any]:
        question = chat_question(_parse(ChatRequest, await _body(request)))
        return completion(await run_in_threadpool(answer, question), answerer.model_name, int(time.time()))

    return app


def serve(open_answerer: Callable[[], Answers], host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve until interrupted. open_answerer: such as `Answerer.open` with its arguments, called once the port is had.

    Raises InputError where the address cannot be had, before the model is loaded.
    """
    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{host}:{port} cannot be served on ({reason}): give another --port or --host") from error
    with listener:
        app = create_app(open_answerer())
        uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False)).run(sockets=[listener])


def chat_question(request: ChatRequest) -> str:
    """The last user message. Raises InputError for what this server cannot do, rather than leave it undone."""
    refused = {
        "stream": bool(request.stream),
        "n": request.n not in (None, 1),
        "tools": bool(request.tools),
        "logprobs": bool(request.logprobs),
        "response_format": request.response_format not in (None, {"type": "text"}),
    }
    for name, asked in refused.items():
        if asked:
            raise InputError(f"'{name}' is not supported here: leave it out")
    asked_last = next((message for message in reversed(request.messages) if message.role == "user"), None)
    if asked_last is None:
        raise InputError("messages holds no message of role 'user': add one with the question")
    if isinstance(asked_last.content, str):
        return asked_last.content
    parts = asked_last.content or []
    other = next((part.type for part in parts if part.type != "text"), None)
    if other is not None:
        raise InputError(f"a message part of type '{other}' cannot be read: send text")
    return "\n".join(part.text for part in parts)


def answer_body(answer: Answer) -> dict[str, Any]:
    """An answer as JSON; the offsets of quotes and passages are characters of the document."""
    passages = [{**asdict(scored.passage), "score": scored.score} for scored in answer.passages]
    return {**asdict(answer), "passages": passages}


def completion(answer: Answer, model: str, created: int) -> dict[str, Any]:
    """An answer as an OpenAI chat completion with `citations` beside it. created: seconds since 1970."""
    message = {"role": "assistant", "content": answer.answer, "refusal": None}
    body = {
        "id": f"chatcmpl-{secrets.token_hex(12)}",
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "citations": [asdict(quote) for quote in answer.quotes],
    }
    if answer.prompt_tokens is not None and answer.completion_tokens is not None:
        total = answer.prompt_tokens + answer.completion_tokens
        counts = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.completion_tokens}
        body["usage"] = {**counts, "total_tokens": total}
    return body


Body = TypeVar("Body", bound=BaseModel)


async def _body(request: Request) -> bytes:
    """The body, read no further than the limit. Raises HTTPException 413 or 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # Also keeps out forms of other sites, which a browser sends without asking.
        raise HTTPException(415, f"the body is '{kind or 'untyped'}', but must be application/json: set Content-Type")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"the body is above {MAX_BODY_BYTES} bytes: send less")
    return bytes(body)


def _parse(kind: type[Body], body: bytes) -> Body:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "body"
        raise InputError(f"{place}: {' '.join(first['msg'].split())}: correct the request") from error


def _error(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"error": {"message": " ".join(message.split()), "type": kind, "param": None, "code": None}}
