"""Closed sets of answers in prompts and replies: how a model that can only be asked is told them, and what it says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from raft.prompts import ANSWER, REFUSAL, Prompt, Segment

_TOLD = (
    " The answer is one of the choices below, word for word. Give all this as one JSON object and nothing else: "
    f'{{"quotes": "the quotes in the form above, or nothing", "answer": "one of the choices, or: {REFUSAL}"}}'
)


def tell_choices(prompt: Prompt) -> Prompt:
    """The prompt with its choices spelt out, asking for JSON; `choice_schema` holds a back-end to that form."""
    listed = [part for one in prompt.choices for part in (Segment("\n- ", content=False), Segment(one, content=True))]
    return replace(
        prompt,
        system=(*prompt.system, Segment(_TOLD, content=False)),
        user=(*prompt.user, Segment("\nChoices:", content=False), *listed),
    )


def choice_schema(choices: Sequence[str]) -> str:
    """JSON Schema, as text, of the reply that `tell_choices` asks for."""
    fields = {"quotes": {"type": "string"}, "answer": {"type": "string", "enum": [*choices, REFUSAL]}}
    shape = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return json.dumps(shape, ensure_ascii=False)


def parse_choice(text: str, choices: Sequence[str]) -> str | None:
    """Such a reply in the form of all other answers; None where it is no such reply, or gives none of the choices."""
    try:
        said = json.loads(text)
    except ValueError:
        return None
    if not isinstance(said, dict) or said.get("answer") not in (*choices, REFUSAL):
        return None
    return with_choice(str(said.get("quotes") or ""), said["answer"])


def with_choice(text: str, choice: str) -> str:
    """What a model wrote, with the choice that it made as the answer, spelt as the question has it."""
    return f"{text.partition(ANSWER)[0].strip()} {ANSWER} {choice}".strip()
