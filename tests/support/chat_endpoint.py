"""A small server on this machine that speaks chat completions."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from raft.models.endpoint import EndpointGenerator
from raft.models.loading import load_generator


def last_words(body: dict[str, Any]) -> str:
    """What was said last, said again."""
    return str(body["messages"][-1]["content"])


@dataclass
class Endpoint:
    """Answers with `faults` first, each a status and a body, then with what its rule makes of the call.

    refused: a field of the call with what is said to any call that has it.
    """

    url: str = ""
    faults: list[tuple[int, dict[str, Any] | bytes]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    slept: list[float] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str | None] = field(default_factory=set)
    rule: Callable[[dict[str, Any]], str] = last_words
    refused: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of its model."""
        return f"openai:some/model@{self.url}"

    def load(self) -> EndpointGenerator:
        generator = load_generator(self.name)
        assert isinstance(generator, EndpointGenerator)
        return generator


def completion(text: object, reason: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


class _Server(ThreadingHTTPServer):
    # As many as may connect at once; the default of 5 resets connections.
    request_queue_size = 128


@contextmanager
def serving(state: Endpoint) -> Iterator[Endpoint]:
    """The endpoint at work, with its URL, until the end of the block."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                state.asked.append(body)
                state.keys.add(self.headers["Authorization"])
                fault = state.faults.pop(0) if state.faults else None
                fault = fault or next((said for name, said in state.refused.items() if name in body), None)
            status, reply = fault or (200, completion(state.rule(body)))
            raw = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(reply, bytes) else "application/json")
            for name, value in state.headers.items() if status != 200 else ():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
