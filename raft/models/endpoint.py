"""Models behind an OpenAI-compatible endpoint: vLLM, llama.cpp, Ollama, `transformers serve`, or a hosted one."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from raft.artifacts import hash_json
from raft.choices import choice_schema
from raft.errors import MissingExtraError, ModelError
from raft.models.calls import PAID, Calls, Tokens
from raft.models.generator import Decoding, Generation
from raft.models.pace import Pace
from raft.progress import Advance
from raft.prompts import Prompt, PromptStyle

if TYPE_CHECKING:
    import httpx

# The key is read from here alone: never from a flag, never into a file.
KEY_VARIABLE = "OPENAI_API_KEY"
# For the next part of a reply to come.
_TIMEOUT_SECONDS = 120.0
# For one answer, with all the calls that it takes.
_DEADLINE_SECONDS = 300.0
_LONGEST_WAIT = 60.0
_LARGEST_REPLY = 16 << 20
_TRIES = 3
# Besides 5xx: time-out, conflict, too early, too many requests.
_MAY_PASS = (408, 409, 425, 429)
# Too much at once (RFC 6585, RFC 9110): asked again until the deadline, and less at once.
_TOO_MUCH = (429, 503)
_FORM = "response_format"
# What servers say to a form of reply that they do not know.
_UNKNOWN_FIELD = (400, 422)
# What a server's own template may add to the two messages.
_TEMPLATE_TOKENS = 64


def parse_endpoint(name: str) -> tuple[str, str]:
    """Model and URL of `openai:MODEL@URL`. Raises ModelError where the name has another form."""
    model, at, url = name.removeprefix("openai:").rpartition("@")
    if not (model and at and url.startswith(("http://", "https://"))):
        raise ModelError(
            f"{name!r} names no endpoint: write openai:MODEL@URL, such as openai:llama@http://localhost:8000/v1"
        )
    return model, url


@dataclass(frozen=True, slots=True)
class Request:
    """One call: its body, the key of all that decides its answer, and the rows that asked for it."""

    key: str
    body: Mapping[str, Any]
    rows: list[int] = field(default_factory=list)

    @property
    def most(self) -> Tokens:
        """The most that it can read and write: no token stands for less than a byte."""
        length = sum(len(message["content"].encode()) for message in self.body["messages"])
        return Tokens(length + _TEMPLATE_TOKENS, self.body["max_tokens"])


def requests(name: str, prompts: Sequence[Prompt], decoding: Decoding) -> list[Request]:
    """The calls that prompts take. Greedy answers to equal prompts are equal, so each is asked for once.

    Sampled answers to one prompt have a seed each, which counts them: a prompt more or less changes no other call.
    """
    given: Counter[Prompt] = Counter()
    made: dict[tuple[Prompt, int], Request] = {}
    for row, prompt in enumerate(prompts):
        turn = given[prompt] if decoding.temperature > 0 else 0
        given[prompt] += 1
        if (prompt, turn) not in made:
            body = {
                "model": parse_endpoint(name)[0],
                "messages": prompt.messages,
                "max_tokens": decoding.max_new_tokens,
                "temperature": decoding.temperature,
                "top_p": decoding.top_p,
                "seed": decoding.seed + turn,
                **_form(choice_schema(prompt.choices) if prompt.choices else decoding.schema),
            }
            made[prompt, turn] = Request(PAID + hash_json([name, body]), body)
        made[prompt, turn].rows.append(row)
    return list(made.values())


class EndpointGenerator:
    """A chat model reached over HTTP."""

    style = PromptStyle.CHAT

    def __init__(self, name: str, connect: Callable[[], httpx.Client], key: str, calls: Calls) -> None:
        self.name = name
        self._url = parse_endpoint(name)[1].rstrip("/") + "/chat/completions"
        self._connect, self._key, self._calls = connect, key, calls
        self._pace = Pace(calls.max_concurrency)
        # One for each call under way: a pool of connections that all share takes a third more of a core.
        self._idle: list[httpx.Client] = []
        self._takes_schema = True

    @classmethod
    def from_name(cls, name: str, calls: Calls | None = None) -> EndpointGenerator:
        """From `openai:MODEL@URL`. Raises ModelError where the name has another form or the key cannot be one."""
        parse_endpoint(name)
        try:
            import httpx
        except ImportError as error:
            raise MissingExtraError("a model behind an endpoint", "endpoints") from error
        # Servers on one's own machine need no key, but some insist on one.
        key = os.environ.get(KEY_VARIABLE, "").strip() or "none"
        if not (key.isascii() and key.isprintable()):
            raise ModelError(f"{KEY_VARIABLE} holds characters that no key has: set it again")
        certificates = httpx.create_ssl_context()

        def connect() -> httpx.Client:
            # A redirect could take prompts to a host that nobody named.
            headers = {"Authorization": f"Bearer {key}"}
            return httpx.Client(follow_redirects=False, headers=headers, verify=certificates)

        return cls(name, connect, key, calls or Calls())

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        """One text a prompt, in the same order; what a content filter holds back is empty, and says so.

        Raises LimitError at a limit of the calls, and ModelError for a fault that stays: what was answered until then
        is in the journal.
        """
        written: dict[int, Generation] = {}

        def done(request: Request, generation: Generation) -> None:
            written.update(dict.fromkeys(request.rows, generation))
            if advance is not None:
                advance(len(request.rows))

        unknown = []
        for request in requests(self.name, prompts, decoding):
            known = self._calls.known(request.key)
            if known is None:
                unknown.append(request)
            else:
                done(request, Generation(**known))
        stopped = threading.Event()
        with ThreadPoolExecutor(self._calls.max_concurrency) as pool:
            replies = {pool.submit(self._answer, request, stopped): request for request in unknown}
            try:
                for reply in as_completed(replies):
                    # What stopped the others is told by the one that it befell.
                    if not isinstance(reply.exception(), _StoppedError):
                        done(replies[reply], reply.result())
            except BaseException:
                # Those under way are paid for: leaving the pool waits for them, and they are kept.
                stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [written[row] for row in range(len(prompts))]

    def _answer(self, request: Request, stopped: threading.Event) -> Generation:
        """One answer, kept in the journal; a fault that stays is an error, never an empty answer."""
        with self._pace.slot():
            try:
                return self._ask(request, stopped)
            except BaseException:
                # Before the slot is free: the next call would meet the same.
                stopped.set()
                raise

    def _ask(self, request: Request, stopped: threading.Event) -> Generation:
        tries, pauses, deadline = 0, 0, time.monotonic() + _DEADLINE_SECONDS
        while not stopped.is_set():
            shrunk = self._pace.shrunk
            try:
                generation = self._paid(request, deadline)
            except _PassingError as fault:
                if fault.too_much:
                    self._pace.refused(shrunk)
                tries += not fault.too_much
                if tries == _TRIES:
                    raise ModelError(f"{self.name} failed {_TRIES} times ({fault}): check that it runs") from fault
                if time.monotonic() > deadline:
                    raise ModelError(
                        f"{self.name} gave no answer in {_DEADLINE_SECONDS:g} s ({fault}): check that it runs"
                    ) from fault
                _pause(min(2.0**pauses, _LONGEST_WAIT) if fault.wait is None else fault.wait, stopped)
                pauses += 1
                continue
            self._pace.answered(generation.seconds)
            return generation
        raise _StoppedError

    def _paid(self, request: Request, deadline: float) -> Generation:
        """One call within the limits, written down as soon as it is answered."""
        most = request.most
        self._calls.spending.reserve(1, most)
        began, used = time.perf_counter(), Tokens(0, 0)
        try:
            generation = self._generation(self._call(request, deadline), time.perf_counter() - began)
            if _FORM in request.body:
                generation = replace(generation, structured=self._takes_schema)
            self._calls.keep(request.key, asdict(generation))
            used = Tokens(
                most.prompt if generation.prompt_tokens is None else generation.prompt_tokens,
                most.new if generation.completion_tokens is None else generation.completion_tokens,
            )
            return generation
        except _PassingError as fault:
            used = used if fault.refused else most
            raise
        finally:
            self._calls.spending.pay(most, used)

    def _call(self, request: Request, deadline: float) -> Any:
        """The body of one reply as plain values.

        Raises _PassingError for what may have passed at the next call, ModelError for what will not.
        """
        import httpx

        asked_for_form = _FORM in request.body and self._takes_schema
        body = request.body if asked_for_form else {name: request.body[name] for name in request.body if name != _FORM}
        timeout = min(_TIMEOUT_SECONDS, max(1.0, deadline - time.monotonic()))
        try:
            with (
                self._client() as client,
                client.stream("POST", self._url, json=body, timeout=timeout) as reply,
            ):
                said = _read(reply.iter_bytes(), deadline)
                if reply.status_code in _UNKNOWN_FIELD and asked_for_form:
                    self._takes_schema = False
                    raise _PassingError(self._line(said.decode(errors="replace")), 0.0, refused=True)
                if not reply.is_success:
                    raise self._refusal(reply.status_code, reply.headers, said)
                return json.loads(said)
        except httpx.ConnectError as error:
            raise _PassingError(self._line(error), refused=True) from error
        except httpx.TransportError as error:
            raise _PassingError(self._line(error) or type(error).__name__) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelError(f"{self.name} failed ({self._line(error)}): check the endpoint") from error
        except ValueError as error:
            raise _PassingError("its reply is not JSON") from error

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        """A connection that nobody else uses, kept for the next call."""
        try:
            client = self._idle.pop()
        except IndexError:
            client = self._connect()
        try:
            yield client
        finally:
            self._idle.append(client)

    def _refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> Exception:
        """What a reply that is no success means."""
        if 300 <= status < 400:
            return ModelError(f"{self.name} sends on to another place, which is not followed: name that URL itself")
        said = self._line(f"status {status}: {body.decode(errors='replace')}")
        if status in _MAY_PASS or status >= 500:
            return _PassingError(said, _wait(headers), refused=True, too_much=status in _TOO_MUCH)
        return ModelError(f"{self.name} refused ({said}): check the model's name and {KEY_VARIABLE}")

    def _generation(self, reply: Any, seconds: float) -> Generation:
        choices = reply.get("choices") if isinstance(reply, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        message = choice.get("message")
        text = message.get("content") if isinstance(message, dict) else None
        # It would be held back again. What stands there until then is cut off anywhere.
        held_back = choice.get("finish_reason") == "content_filter"
        if not held_back and not isinstance(text, str):
            raise _PassingError("its reply holds no text")
        usage = reply.get("usage")
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else []
        prompt, new = (count if isinstance(count, int) else None for count in (*counts, None, None)[:2])
        return Generation("" if held_back else str(text), seconds, prompt, new, held_back=held_back)

    def _line(self, said: object) -> str:
        # Some servers repeat the key that they refuse.
        return " ".join(str(said).replace(self._key, "***").split())[:200]


def _form(schema: str | None) -> dict[str, Any]:
    """What holds a reply to a JSON Schema; nothing where there is none."""
    if schema is None:
        return {}
    return {
        _FORM: {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": json.loads(schema)}}
    }


class _PassingError(Exception):
    """A fault that may have passed when the call is made again.

    wait: seconds that the endpoint asked to be left. refused: nothing was written, so nothing is to pay. too_much: it
    was called too often.
    """

    def __init__(
        self, reason: str, wait: float | None = None, *, refused: bool = False, too_much: bool = False
    ) -> None:
        super().__init__(reason)
        self.wait, self.refused, self.too_much = wait, refused, too_much


class _StoppedError(Exception):
    """A call that was not made, because another showed that it could not be."""


def _pause(seconds: float, stopped: threading.Event) -> None:
    stopped.wait(seconds)


def _read(chunks: Iterator[bytes], deadline: float) -> bytes:
    """The whole body. Each chunk has a limit of its own; this one ends what drips on for ever or never ends."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if time.monotonic() > deadline:
            raise _PassingError(f"its reply was not complete after {_DEADLINE_SECONDS:g} s")
        if len(body) > _LARGEST_REPLY:
            raise _PassingError(f"its reply is larger than {_LARGEST_REPLY >> 20} MB")
    return bytes(body)


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the headers of a reply (RFC 9110, section 10.2.3, or milliseconds), at most a minute."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            seconds = float(milliseconds) / 1000
        else:
            seconds = float(headers.get("retry-after", ""))
    except ValueError:
        try:
            seconds = parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if math.isfinite(seconds) else None
