"""Read the replies of chat endpoints: the answer without the thoughts before it, or why there is none. Pure functions.

Whatever a server sends, what comes out is text that can be hashed and written to any file, since a reply is paid for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from raft.models.generator import Failure, Generation
from raft.prompts import BEGIN_QUOTE, END_QUOTE

_NO_REPLY = "its reply holds no text"
# The words of OpenAI, Anthropic, Gemini, Mistral and Zhipu.
_CUT = ("length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length")
_HELD_BACK = ("content_filter", "safety", "sensitive")
_TOOLS = ("tool_calls", "function_call")
# Where servers put the thoughts that they take out of the text.
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking")
_THOUGHT_PARTS = ("thinking", "redacted_thinking", "reasoning", "reasoning_content")
_SURROGATES = re.compile("[\ud800-\udfff]")
# Blanks among them, such as the form feed of a page, may stand in a quote.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")

_TAGS = ("think", "thinking", "thought", "thoughts", "reasoning", "seed:think")
_BLOCKS = (
    *((f"<{tag}>", f"</{tag}>") for tag in _TAGS),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("<|channel>thought", "<channel|>"),
)
_CLOSING = {begin.lower(): end for begin, end in _BLOCKS}
_OPENING = {end.lower(): begin for begin, end in _BLOCKS}
_OPENS = re.compile(rf"\s*({'|'.join(re.escape(begin) for begin, _ in _BLOCKS)})", re.IGNORECASE)
_CLOSES = re.compile("|".join(re.escape(end) for _, end in _BLOCKS), re.IGNORECASE)
# What some models write around the answer after their thoughts; with a colon it is our own mark.
_WRAPPED = re.compile(
    r"\s*(?:<(?:answer|response)>(?!:)|<\|START_RESPONSE\|>|<\|begin_of_solution\|>)(.*?)"
    r"(?:</(?:answer|response)>|<\|END_RESPONSE\|>|<\|end_of_solution\|>)?\s*",
    re.IGNORECASE | re.DOTALL,
)
# The channels of gpt-oss, and what is left of them where a server takes its special tokens out.
_CHANNELS = re.compile(r"\s*(?:<\|start\|>assistant)?\s*(?:<\|channel\|>|(?:analysis|commentary)\s*<\|message\|>)")
_FINAL = re.compile(r"<\|channel\|>\s*final\b.*?<\|message\|>(.*?)(?:<\|(?:return|end|call|start)\|>|$)", re.DOTALL)
_BARE_CHANNELS = re.compile(r"\s*analysis(?=[^\s,.:;]).*?assistantfinal", re.DOTALL)


def parse_body(raw: bytes) -> Any:
    """The plain values of a reply, with half a character in it or raw control characters too.

    Raises ValueError where it is no JSON, or is nested too deep to be read.
    """
    try:
        try:
            return json.loads(raw, strict=False)
        except UnicodeDecodeError:
            return json.loads(raw.decode("utf-8-sig", errors="replace"), strict=False)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def clean(text: str) -> str:
    """Text that any file can hold: halves of surrogate pairs and control characters become U+FFFD."""
    if _SURROGATES.search(text):
        # Two halves that came apart are one character again.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROLS.sub("\ufffd", text)


def error_status(reply: Any) -> int | None:
    """The status of an error that a server sends as if it were a success; None where it is a reply."""
    if not isinstance(reply, dict) or not reply.get("error") or reply.get("choices"):
        return None
    error = reply["error"]
    code = error.get("code", error.get("status")) if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def read_reply(reply: Any, seconds: float, shown: str) -> Generation:
    """What a model wrote, or why it wrote no answer. shown: the prompt that it replied to.

    A reply that was cut off is no answer even if it holds the mark of one: nobody knows what was still to come. Raises
    ValueError where nothing was written: an error of the server in the form of a reply.
    """
    reply = reply if isinstance(reply, dict) else {}
    choices = reply.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    message, reason = choice.get("message"), str(choice.get("finish_reason")).lower()
    usage = reply.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    generation = Generation("", seconds, _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
    if reason in _HELD_BACK:
        # It would be held back again. What stands there until then is cut off anywhere.
        return replace(generation, held_back=True)
    if not isinstance(message, dict) or reason == "error" or choice.get("error"):
        raise ValueError(_NO_REPLY)
    said = _Said.of(message, usage)
    answer = without_thoughts(said.text, shown)
    thought = said.thought or answer != said.text
    if answer is None or not answer.strip():
        why = Failure.NO_TEXT
        if reason in _CUT:
            why = Failure.STILL_THINKING if thought else Failure.CUT_OFF
        elif said.refusal or reason == "refusal":
            why = Failure.DECLINED
        elif reason in _TOOLS or any(message.get(name) for name in _TOOLS):
            why = Failure.CALLED_TOOL
        elif thought:
            why = Failure.ONLY_THOUGHTS
        return replace(generation, failure=why, unused=said.refusal)
    if reason in _CUT:
        return replace(generation, failure=Failure.CUT_OFF, unused=answer)
    readable = _with_clean_json(answer)
    if readable is None:
        return replace(generation, failure=Failure.NO_TEXT, unused=answer)
    return replace(generation, text=readable)


def without_old_thoughts(generation: Generation, shown: str) -> Generation:
    """An answer that was written to a journal before thoughts were taken out."""
    answer = without_thoughts(generation.text, shown)
    if answer == generation.text:
        return generation
    if answer is None or not answer.strip():
        return replace(generation, text="", failure=Failure.ONLY_THOUGHTS)
    return replace(generation, text=answer)


def without_thoughts(text: str, shown: str) -> str | None:
    """The text without the thoughts that it begins with; None where they do not end.

    shown: the prompt. A block that its template opened has an end alone; where the prompt speaks of that end, it counts
    at an edge of a line outside quotes only, since an answer may speak of it too.
    """
    rest = text
    if _CHANNELS.match(rest):
        final = _FINAL.search(rest)
        return final[1] if final else None
    if bare := _BARE_CHANNELS.match(rest):
        return rest[bare.end() :]
    while True:
        if opened := _OPENS.match(rest):
            end = re.compile(re.escape(_CLOSING[opened[1].lower()]), re.IGNORECASE).search(rest, opened.end())
            if end is None:
                return None
            rest = rest[end.end() :]
        elif at := _end_of_opened_by_template(rest, shown):
            rest = rest[at:]
        else:
            break
    if rest == text:
        return text
    wrapped = _WRAPPED.fullmatch(rest)
    return (wrapped[1] if wrapped else rest).strip()


def _end_of_opened_by_template(text: str, shown: str) -> int:
    """Where thoughts end whose beginning the prompt holds; 0 where there are none."""
    for end in _CLOSES.finditer(text):
        before = text[: end.start()]
        if _OPENING[end[0].lower()].lower() in before.lower():
            continue
        if end[0].lower() in shown.lower():
            after = text[end.end() :].lstrip(" ")
            at_edge = before.rstrip(" ").endswith("\n") or after.startswith("\n")
            if not at_edge or before.count(BEGIN_QUOTE) > before.count(END_QUOTE):
                continue
        return end.end()
    return 0


@dataclass(frozen=True, slots=True)
class _Said:
    """The parts of one message. thought: whether the server took thoughts out of the text."""

    text: str
    refusal: str
    thought: bool

    @classmethod
    def of(cls, message: Mapping[str, Any], usage: Mapping[str, Any]) -> _Said:
        content = message.get("content")
        parts = content if isinstance(content, list) else [content]
        texts, refusals, thought = [], [message.get("refusal")], any(message.get(name) for name in _THOUGHTS)
        for part in parts:
            if not isinstance(part, dict):
                texts.append(part)
            elif part.get("type") in _THOUGHT_PARTS:
                thought = True
            else:
                texts.append(part.get("text"))
                refusals.append(part.get("refusal"))
        details = usage.get("completion_tokens_details")
        thought = thought or bool(isinstance(details, dict) and _count(details.get("reasoning_tokens")))
        return cls(_joined(texts), _joined(refusals), thought)


def _joined(parts: list[Any]) -> str:
    return clean("".join(part for part in parts if isinstance(part, str)))


def _count(value: Any) -> int | None:
    """A count of tokens as a server tells it; None where it can be none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None


def _with_clean_json(text: str) -> str | None:
    """The text with `clean` applied to what its JSON escapes stand for; None where it is nested too deep to be read."""
    for start in (len(text) - len(text.lstrip()), text.find("{")):
        if start < 0:
            continue
        try:
            said, end = json.JSONDecoder().raw_decode(text, start)
            cleaned = _cleaned(said)
        except ValueError:
            continue
        except RecursionError:
            return None
        if cleaned != said:
            text = text[:start] + json.dumps(cleaned, ensure_ascii=False) + text[end:]
    return text


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    return {clean(name): _cleaned(one) for name, one in value.items()} if isinstance(value, dict) else value
