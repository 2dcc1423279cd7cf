"""What a chat endpoint takes of a call: a field or role that it refuses is left out of this call and all later ones."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from raft.models.replies import parse_body

FORM = "response_format"
# In the body of a call: false where the model is not to think. Each server has its own words for that.
THINKING = "thinking"
_SYSTEM = "system"
_EFFORT, _TEMPLATE = "reasoning_effort", "chat_template_kwargs"
# Tried in turn: none at all, then the least effort of models that always think.
_EFFORTS = ("none", "minimal", "low")
_LIMIT, _NEWER_LIMIT = "max_tokens", "max_completion_tokens"
# What servers call the fields that can be left out. A name within another word, such as a model's, does not count.
_NAMES = {
    name: re.compile(rf"(?<![\w@-])(?<!\w/)(?:{said})(?![\w/@-])", re.IGNORECASE)
    for name, said in {
        _LIMIT: "max[_ ]?tokens",
        _NEWER_LIMIT: "max[_ ]?completion[_ ]?tokens",
        "temperature": "temperature",
        "top_p": "top[_ -]?p",
        "seed": "(?:random[_ ]?)?seed",
        FORM: "response[_ ]?format|json[_ ]?(?:schema|object|mode)|structured[_ ]outputs?",
        _EFFORT: "reasoning[_ .]?effort|reasoning|thinking",
        _TEMPLATE: "chat[_ ]?template[_ ]?kwargs|enable_thinking|thinking",
    }.items()
}
_ROLE = re.compile(
    r"\b(?:system|developer)\b['\"` ]*(?:roles?|messages?|prompts?|instructions?)|"
    r"\broles?\b.{0,60}\b(?:system|developer|assistant)\b|\bonly\b.{0,20}\buser\b.{0,20}\bassistant\b|"
    r"\balternate\b.{0,20}\buser\b|support.{0,20}['\"` ](?:system|developer)\b(?! error)",
    re.IGNORECASE | re.DOTALL,
)
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|size|window)|maximum (?:model|sequence|input|prompt) length|(?:prompt|input) is too long|"
    r"too many (?:input |prompt )?tokens|token count.{0,40}exceed|reduce the length|tokens \+ `?max_new_tokens|"
    r"longer than the (?:maximum|model)",
    re.IGNORECASE,
)
_FILTERED = re.compile(r"content_filter|content management policy|ResponsibleAIPolicy", re.IGNORECASE)
_KEY = re.compile(r"\bapi[ _-]?key\b|authenticat|unauthori[sz]ed|credentials", re.IGNORECASE)
_NOT_BOTH = re.compile(r"\bboth\b|\bonly one\b|\btogether\b", re.IGNORECASE)
_OTHER_VALUE = re.compile(
    r"unsupported.?value|invalid.?value|(?:supported|valid|allowed|possible) values|input should be|literal_error|"
    r"(?:must|should) be one of|unknown variant|does not support '",
    re.IGNORECASE,
)
_REFUSES = re.compile(
    r"support|unexpected|unknown|unrecogni[sz]ed|\binvalid\b|\bextra|not (?:permitted|allowed|enabled)|must alternate",
    re.IGNORECASE,
)
_REFUSING = (400, 404, 405, 415, 422, 501)
# Some servers fail where the template of a model raises an error.
_FAILING = 500
# What some say to a form of reply that they do not know, without a word on why.
_NO_FORM = (400, 422)
_POINTERS = ("param", "parameter", "argument", "field", "loc", "path", "instancePath", "pointer", "property")
# Keys under which servers echo the call.
_ECHOES = ("input", "ctx", "url", "body", "request")
_LOCATIONS = re.compile(r"""["']loc["']\s*:\s*[(\[]([^)\]]*)[)\]]""")
_READ = 20_000


def spoken(body: Mapping[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    """A call in the words that a server takes. refused: what `Refusal.refused` named."""
    said = dict(body)
    if said.pop(THINKING, True) is False:
        # The first is for chat templates (vLLM, SGLang, llama.cpp, `transformers serve`), the second for hosted models.
        said[_TEMPLATE] = {"enable_thinking": False, "thinking": False}
        efforts = [effort for effort in _EFFORTS if f"{_EFFORT}={effort}" not in refused]
        if efforts:
            said[_EFFORT] = efforts[0]
    if _LIMIT in refused:
        said = {_NEWER_LIMIT if name == _LIMIT else name: value for name, value in said.items()}
    if _SYSTEM in refused:
        said["messages"] = _without_system(said["messages"])
    return {name: value for name, value in said.items() if name not in refused}


def _without_system(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The messages with the instruction at the head of the first one of the user."""
    instructions = [one["content"] for one in messages if one["role"] == _SYSTEM]
    first, *others = [dict(one) for one in messages if one["role"] != _SYSTEM]
    return [{**first, "content": "\n\n".join([*instructions, first["content"]])}, *others]


class Refusal(NamedTuple):
    """A reply that is no success."""

    status: int
    said: bytes

    @property
    def is_too_long(self) -> bool:
        """Whether the prompt does not fit the model's context."""
        spoken_of = self.status in (*_REFUSING, _FAILING) and _TOO_LONG.search(self._text) is not None
        return spoken_of or self.status == 413

    @property
    def is_filtered(self) -> bool:
        """Whether a content filter kept the prompt from the model."""
        return self.status == 400 and _FILTERED.search(self._text) is not None

    @property
    def is_about_key(self) -> bool:
        """Whether the key is wrong, or may not do this."""
        return self.status in (401, 403) or (self.status == 400 and _KEY.search(self._text) is not None)

    @property
    def _text(self) -> str:
        return self.said[:_READ].decode(errors="replace")

    def refused(self, sent: Mapping[str, Any]) -> str | None:
        """The field or role that it refuses, as `spoken` knows it; None where it is about something else."""
        if self.status not in (*_REFUSING, _FAILING) or self.is_too_long or self.is_about_key:
            return None
        pointed, text = self._heard(str(sent["model"]))
        if self.status == _FAILING and not _REFUSES.search(text):
            return None
        found = _pointed_at(pointed, text, sent)
        if found is None and "model" not in pointed:
            found = _named(text, sent)
            if found is None and self.status in _NO_FORM and FORM in sent:
                found = FORM
        if found == _EFFORT and _OTHER_VALUE.search(text):
            return f"{_EFFORT}={sent[_EFFORT]}"
        # A call without any limit could write, and cost, anything.
        return None if found == _NEWER_LIMIT else found

    def _heard(self, model: str) -> tuple[list[str], str]:
        """The words of all places of the call that it points at, and what it says, without the model's name."""
        try:
            said = list(_strings(parse_body(self.said[:_READ])))
        except (ValueError, RecursionError):
            said = [("", self._text)]
        text = re.sub(re.escape(model), "", "\n".join(one for _, one in said), flags=re.IGNORECASE)
        places = [one for name, one in said if name in _POINTERS]
        return re.findall(r"\w+", " ".join([*places, *_LOCATIONS.findall(text)])), text


def _strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every string of plain values with the name that it stands under."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key in _NAMES and isinstance(one, str | list):
                # {"seed": ["Unknown field."]}
                yield "field", key
            if key not in _ECHOES:
                yield from _strings(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one, name)
    elif isinstance(value, str):
        yield name, value


def _has_system(sent: Mapping[str, Any]) -> bool:
    return any(message["role"] == _SYSTEM for message in sent["messages"])


def _pointed_at(words: Sequence[str], text: str, sent: Mapping[str, Any]) -> str | None:
    """The field or role that the words of a place in the call name."""
    for word in words:
        if word == "messages" and _has_system(sent) and ("role" in words or _ROLE.search(text)):
            return _SYSTEM
        for name, pattern in _NAMES.items():
            if name in sent and pattern.fullmatch(word):
                return name
    return None


def _named(text: str, sent: Mapping[str, Any]) -> str | None:
    """The field or role that a sentence names first: after it some list what they do take."""
    found = {name: match.start() for name in _NAMES if name in sent and (match := _NAMES[name].search(text))}
    if _has_system(sent) and (match := _ROLE.search(text)):
        found[_SYSTEM] = match.start()
    if {"temperature", "top_p"} <= found.keys() and _NOT_BOTH.search(text):
        # Greedy decoding hangs on the other.
        return "top_p"
    return min(found, key=lambda name: found[name], default=None)


class Dialect:
    """What one endpoint has refused so far; threads may share it."""

    def __init__(self) -> None:
        self._refused: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def spoken(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A call as the endpoint takes it, for all that is known."""
        return spoken(body, self._refused)

    def learn(self, body: Mapping[str, Any], sent: Mapping[str, Any], refusal: Refusal) -> bool:
        """Note what was refused of `sent`, the form in which `body` was sent; whether there is another form to try.

        That comes to an end: each time, something is left out that was not left out before.
        """
        refused = refusal.refused(sent)
        if refused is None:
            return False
        with self._lock:
            self._refused |= {refused}
        return self.spoken(body) != sent
