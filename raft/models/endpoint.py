"""Models behind an OpenAI-compatible endpoint: vLLM, llama.cpp, Ollama, `transformers serve`, or a hosted one."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
_TRIES = 3
_AT_ONCE = 4


class EndpointGenerator:
    """A chat model reached over HTTP."""

    style = PromptStyle.CHAT

    def __init__(self, name: str, model: str, client: OpenAI) -> None:
        self.name = name
        self._model, self._client = model, client

    @classmethod
    def from_name(cls, name: str) -> EndpointGenerator:
        """From `openai:MODEL@URL`. Raises ModelError where the name has another form."""
        model, at, url = name.removeprefix("openai:").rpartition("@")
        if not (model and at and url.startswith(("http://", "https://"))):
            raise ModelError(
                f"{name!r} names no endpoint: write openai:MODEL@URL, such as openai:llama@http://localhost:8000/v1"
            )
        try:
            from openai import OpenAI
        except ImportError as error:
            raise MissingExtraError("a model behind an endpoint", "endpoints") from error
        # Servers on one's own machine need no key, but the client insists on one.
        key = os.environ.get(KEY_VARIABLE, "none")
        return cls(name, model, OpenAI(base_url=url, api_key=key, max_retries=0, timeout=_TIMEOUT_SECONDS))

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
        from openai import APIConnectionError, APIStatusError, InternalServerError, OpenAIError, RateLimitError

        messages: Any = prompt.messages  # the client's own type is a union of six
        for attempt in range(_TRIES):
            began = time.perf_counter()
            try:
                reply = self._client.chat.completions.create(
                    model=self._model,
                    messages=messages,
                    max_tokens=decoding.max_new_tokens,
                    temperature=decoding.temperature,
                    top_p=decoding.top_p,
                    seed=decoding.seed + row,
                )
            except (APIConnectionError, InternalServerError, RateLimitError) as error:
                if attempt + 1 == _TRIES:
                    raise ModelError(
                        f"{self.name} failed {_TRIES} times ({_line(error)}): check that it runs"
                    ) from error
                time.sleep(2.0**attempt)
                continue
            except APIStatusError as error:
                raise ModelError(
                    f"{self.name} refused ({_line(error)}): check the model's name and {KEY_VARIABLE}"
                ) from error
            except OpenAIError as error:
                raise ModelError(f"{self.name} failed ({_line(error)}): check the endpoint") from error
            choice = reply.choices[0] if reply.choices else None
            if choice is not None and choice.finish_reason == "content_filter":
                raise ModelError(f"{self.name} held its answer back (content filter): use a model without one")
            text = choice.message.content if choice is not None else None
            if text is None:
                raise ModelError(f"{self.name} sent a reply without text: check the endpoint")
            counts = (reply.usage.prompt_tokens, reply.usage.completion_tokens) if reply.usage else ()
            return Generation(text, time.perf_counter() - began, *counts)
        raise AssertionError("unreachable: the last attempt returns or raises")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
