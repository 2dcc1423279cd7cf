"""Models behind an OpenAI-compatible endpoint: vLLM, llama.cpp, Ollama, `transformers serve`, or a hosted one."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from raft.errors import MissingExtraError, ModelError
from raft.models.generator import Decoding, Generation
from raft.progress import Advance
from raft.prompts import Prompt, PromptStyle

if TYPE_CHECKING:
    from openai import OpenAI

# The key is read from here alone: never from a flag, never into a file.
KEY_VARIABLE = "OPENAI_API_KEY"
_TIMEOUT_SECONDS = 120.0
# For a whole reply, of which each part comes in time.
_DEADLINE_SECONDS = 300.0
_LONGEST_WAIT = 60.0
_LARGEST_REPLY = 16 << 20
_TRIES = 3
# Besides 5xx: time-out, conflict, too early, too many requests.
_MAY_PASS = (408, 409, 425, 429)
_AT_ONCE = 4
# What servers say to a form of reply that they do not know.
_UNKNOWN_FIELD = (400, 422)


def parse_endpoint(name: str) -> tuple[str, str]:
    """Model and URL of `openai:MODEL@URL`. Raises ModelError where the name has another form."""
    model, at, url = name.removeprefix("openai:").rpartition("@")
    if not (model and at and url.startswith(("http://", "https://"))):
        raise ModelError(
            f"{name!r} names no endpoint: write openai:MODEL@URL, such as openai:llama@http://localhost:8000/v1"
        )
    return model, url


class EndpointGenerator:
    """A chat model reached over HTTP."""

    style = PromptStyle.CHAT

    def __init__(self, name: str, model: str, client: OpenAI) -> None:
        self.name = name
        self._model, self._client = model, client
        self._takes_schema = True

    @classmethod
    def from_name(cls, name: str) -> EndpointGenerator:
        """From `openai:MODEL@URL`. Raises ModelError where the name has another form."""
        model, url = parse_endpoint(name)
        try:
            from openai import DefaultHttpxClient, OpenAI
        except ImportError as error:
            raise MissingExtraError("a model behind an endpoint", "endpoints") from error
        # Servers on one's own machine need no key, but the client insists on one.
        key = os.environ.get(KEY_VARIABLE, "none")
        # A redirect could take prompts to a host that nobody named.
        http = DefaultHttpxClient(follow_redirects=False)
        client = OpenAI(base_url=url, api_key=key, max_retries=0, timeout=_TIMEOUT_SECONDS, http_client=http)
        return cls(name, model, client)

    def generate(
        self, prompts: Sequence[Prompt], decoding: Decoding, advance: Advance | None = None
    ) -> list[Generation]:
        # Greedy answers to equal prompts are equal, so each is paid for once; sampled ones differ by their row.
        greedy = decoding.temperature == 0
        rows: dict[Prompt | int, list[int]] = {}
        for row, prompt in enumerate(prompts):
            rows.setdefault(prompt if greedy else row, []).append(row)
        groups = list(rows.values())
        written: dict[int, Generation] = {}
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            replies = pool.map(lambda group: self._ask(prompts[group[0]], decoding, group[0]), groups)
            for group, generation in zip(groups, replies, strict=True):
                written |= dict.fromkeys(group, generation)
                if advance is not None:
                    advance(len(group))
        return [written[row] for row in range(len(prompts))]

    def _ask(self, prompt: Prompt, decoding: Decoding, row: int) -> Generation:
        """One call with its retries; a fault that stays is an error, never an empty answer."""
        for attempt in range(1, _TRIES + 1):
            began = time.perf_counter()
            try:
                reply = self._call(prompt, decoding, row)
            except _PassingError as fault:
                if attempt == _TRIES:
                    raise ModelError(f"{self.name} failed {_TRIES} times ({fault}): check that it runs") from fault
                time.sleep(2.0 ** (attempt - 1) if fault.wait is None else fault.wait)
                continue
            generation = self._generation(reply, time.perf_counter() - began)
            return generation if decoding.schema is None else replace(generation, structured=self._takes_schema)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _call(self, prompt: Prompt, decoding: Decoding, row: int) -> Any:
        """The body of one reply as plain values.

        Raises _PassingError for what may have passed at the next call, ModelError for what will not.
        """
        from openai import APIConnectionError, APIStatusError, OpenAIError

        messages: Any = prompt.messages  # the client's own type is a union of six
        deadline = time.monotonic() + _DEADLINE_SECONDS
        schema = decoding.schema if self._takes_schema else None
        try:
            with self._client.chat.completions.with_streaming_response.create(
                model=self._model,
                messages=messages,
                max_tokens=decoding.max_new_tokens,
                temperature=decoding.temperature,
                top_p=decoding.top_p,
                seed=decoding.seed + row,
                response_format=_form(schema),
            ) as reply:
                return json.loads(_read(reply.iter_bytes(), deadline))
        except APIConnectionError as error:
            raise _PassingError(_line(error)) from error
        except APIStatusError as error:
            if error.status_code in _UNKNOWN_FIELD and schema is not None:
                self._takes_schema = False
                raise _PassingError(_line(error), 0.0) from error
            if error.status_code in _MAY_PASS or error.status_code >= 500:
                raise _PassingError(_line(error), _wait(error.response.headers)) from error
            if 300 <= error.status_code < 400:
                raise ModelError(
                    f"{self.name} sends on to another place, which is not followed: name that URL itself"
                ) from error
            raise ModelError(
                f"{self.name} refused ({_line(error)}): check the model's name and {KEY_VARIABLE}"
            ) from error
        except OpenAIError as error:
            raise ModelError(f"{self.name} failed ({_line(error)}): check the endpoint") from error
        except ValueError as error:
            raise _PassingError("its reply is not JSON") from error

    def _generation(self, reply: Any, seconds: float) -> Generation:
        choices = reply.get("choices") if isinstance(reply, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        if choice.get("finish_reason") == "content_filter":
            raise ModelError(f"{self.name} held its answer back (content filter): use a model without one")
        message = choice.get("message")
        text = message.get("content") if isinstance(message, dict) else None
        if not isinstance(text, str):
            raise ModelError(f"{self.name} sent a reply without text: check the endpoint")
        usage = reply.get("usage")
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")] if isinstance(usage, dict) else []
        prompt, new = (count if isinstance(count, int) else None for count in (*counts, None, None)[:2])
        return Generation(text, seconds, prompt, new)


def _form(schema: str | None) -> Any:
    """What holds a reply to a JSON Schema; leaves the request as it is where there is none."""
    from openai import omit

    if schema is None:
        return omit
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": json.loads(schema)}}


class _PassingError(Exception):
    """A fault that may have passed when the call is made again; `wait`: seconds that the endpoint asked to be left."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def _read(chunks: Iterator[bytes], deadline: float) -> bytes:
    """The whole body. Each chunk has a limit of its own; this one ends what drips on for ever or never ends."""
    body = b""
    for chunk in chunks:
        body += chunk
        if time.monotonic() > deadline:
            raise _PassingError(f"its reply was not complete after {_DEADLINE_SECONDS:g} s")
        if len(body) > _LARGEST_REPLY:
            raise _PassingError(f"its reply is larger than {_LARGEST_REPLY >> 20} MB")
    return body


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


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
