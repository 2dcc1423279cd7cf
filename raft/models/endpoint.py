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
from raft.errors import MissingExtraError, ModelError, TooLongError
from raft.models.calls import PAID, Calls, Tokens
from raft.models.dialect import FORM, THINKING, Dialect, Refusal
from raft.models.generator import Decoding, Generation
from raft.models.pace import Pace
from raft.models.replies import clean, error_status, parse_body, read_reply, without_old_thoughts
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
_NO_KEY = "none"
_JSON = {"Content-Type": "application/json"}
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
    """One call: its body, the key of all that decides its answer, and the rows that asked for it.

    Neither body nor key depends on what the endpoint refuses (see `Dialect`), so that a resumed run finds what was paid
    for.
    """

    key: str
    body: Mapping[str, Any]
    rows: list[int] = field(default_factory=list)

    @property
    def most(self) -> Tokens:
        """The most that it can read and write: no token stands for less than a byte."""
        return Tokens(len(self.shown.encode(errors="replace")) + _TEMPLATE_TOKENS, self.body["max_tokens"])

    @property
    def shown(self) -> str:
        """All that the model is shown."""
        return "\n\n".join(message["content"] for message in self.body["messages"])


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
                **({} if decoding.thinking else {THINKING: False}),
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
        self._dialect = Dialect()

    @classmethod
    def from_name(cls, name: str, calls: Calls | None = None) -> EndpointGenerator:
        """From `openai:MODEL@URL`. Raises ModelError where the name has another form or the key cannot be one."""
        parse_endpoint(name)
        try:
            import httpx
        except ImportError as error:
            raise MissingExtraError("a model behind an endpoint", "endpoints") from error
        # Servers on one's own machine need no key, but some insist on one.
        key = os.environ.get(KEY_VARIABLE, "").strip() or _NO_KEY
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

        So does a reply that holds no answer, such as one that was cut off, with its reason: it was paid for, and would
        come out the same again. Raises LimitError at a limit of the calls, and ModelError for a fault that stays: what
        was answered until then is in the journal.
        """
        decoding = replace(decoding, thinking=decoding.thinking and self._calls.thinking)
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
                generation = Generation.restored(known)
                done(request, generation if "failure" in known else without_old_thoughts(generation, request.shown))
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
            reply, sent = self._call(request, deadline)
            generation = self._generation(reply, time.perf_counter() - began, request)
            if FORM in request.body:
                generation = replace(generation, structured=FORM in sent)
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

    def _call(self, request: Request, deadline: float) -> tuple[Any, Mapping[str, Any]]:
        """The body of one reply as plain values, and the call in the form that the endpoint accepted.

        What the endpoint refuses is left out at once. Nothing was written then, so it costs neither a try nor money.
        Raises _PassingError for what may have passed at the next call, ModelError for what will not.
        """
        while True:
            sent = self._dialect.spoken(request.body)
            status, headers, said = self._post(sent, deadline)
            if 200 <= status < 300:
                try:
                    reply = parse_body(said)
                except ValueError as error:
                    raise _PassingError("its reply is not JSON") from error
                wrong = error_status(reply)
                if wrong is None:
                    return reply, sent
                status = wrong
            refusal = Refusal(status, said)
            if refusal.is_filtered:
                return {"choices": [{"finish_reason": "content_filter"}]}, sent
            if not self._dialect.learn(request.body, sent, refusal):
                raise self._refusal(refusal, headers)

    def _post(self, sent: Mapping[str, Any], deadline: float) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of what comes back. Raises _PassingError or ModelError where nothing does."""
        import httpx

        timeout = min(_TIMEOUT_SECONDS, max(1.0, deadline - time.monotonic()))
        # A lone surrogate in a question is sent as its JSON escape.
        body = json.dumps(sent, ensure_ascii=False).encode(errors="backslashreplace")
        try:
            with (
                self._client() as client,
                client.stream("POST", self._url, content=body, headers=_JSON, timeout=timeout) as reply,
            ):
                return reply.status_code, reply.headers, _read(reply.iter_bytes(), deadline)
        except httpx.ConnectError as error:
            raise _PassingError(self._line(error), refused=True) from error
        except httpx.TransportError as error:
            raise _PassingError(self._line(error) or type(error).__name__) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelError(f"{self.name} failed ({self._line(error)}): check the endpoint") from error

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

    def _refusal(self, refusal: Refusal, headers: Mapping[str, str]) -> Exception:
        """What a reply that is no success means."""
        status = refusal.status
        if 300 <= status < 400:
            return ModelError(f"{self.name} sends on to another place, which is not followed: name that URL itself")
        said = self._line(f"status {status}: {refusal.said.decode(errors='replace')}")
        if refusal.is_too_long:
            return TooLongError(
                f"{self.name} refused ({said}): the prompt does not fit the model's context: show fewer passages "
                "(top_k, num_distractors) or index smaller ones (passage_tokens)"
            )
        if status in _MAY_PASS or status >= 500:
            return _PassingError(said, _wait(headers), refused=True, too_much=status in _TOO_MUCH)
        advice = "check the model's name and what its server takes"
        if refusal.is_about_key:
            advice = f"set {KEY_VARIABLE}" if self._key == _NO_KEY else f"check the key in {KEY_VARIABLE}"
        elif status == 402:
            advice = "check the credit of its account"
        elif status in (404, 405):
            advice = "check the model's name and the URL"
        return ModelError(f"{self.name} refused ({said}): {advice}")

    def _generation(self, reply: Any, seconds: float, request: Request) -> Generation:
        try:
            return read_reply(reply, seconds, request.shown)
        except ValueError as error:
            raise _PassingError(self._line(error)) from error

    def _line(self, said: object) -> str:
        # Some servers repeat the key that they refuse.
        text = clean(str(said))
        return " ".join((text if self._key == _NO_KEY else text.replace(self._key, "***")).split())[:200]


def _form(schema: str | None) -> dict[str, Any]:
    """What holds a reply to a JSON Schema; nothing where there is none."""
    if schema is None:
        return {}
    return {
        FORM: {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": json.loads(schema)}}
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
