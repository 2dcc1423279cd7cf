"""Messages in the form of chat APIs: the roles, and the words of a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_TEXT_PARTS = ("text", "input_text", "output_text")


def spoken(content: Any) -> tuple[str, bool]:
    """The words of a message, and whether the message is nothing but words.

    content: a text, None (as in messages that only call tools), or a list of parts. A part is a text, an object with a
    `text` and a `type` that says so or is missing, or something without words, such as an image.
    """
    if content is None or isinstance(content, str):
        return content or "", True
    if not isinstance(content, list):
        return "", False
    words = [_words(part) for part in content]
    return "".join(word for word in words if word is not None), None not in words


def _words(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in _TEXT_PARTS:
        return None
    text = part.get("text")
    # In the Assistants API the text is an object of its own.
    value = text.get("value") if isinstance(text, Mapping) else text
    return value if isinstance(value, str) else None
