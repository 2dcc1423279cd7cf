"""Prompts and targets to token ids and back, template and content apart: content never becomes a control token."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from jinja2 import TemplateError

from raft.errors import ModelError
from raft.models.names import MINI
from raft.models.weights import source_of
from raft.outputs import holds_whole_line
from raft.prompts import Prompt, PromptStyle, Segment

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

# A chat as roles with what they say.
_Chat: TypeAlias = Sequence[tuple[str, tuple[Segment, ...]]]
# Word pieces lose the spacing of numbers: "2 , 000" was "2,000" but "12 , 14" a list; "3 - 4" was mostly "3-4".
_INSIDE_NUMBER = re.compile(r"(?<=\d) ?([.:/-]) ?(?=\d)")
_THOUSANDS = re.compile(r"(?<!\d)(\d{1,3}) ?, ?(?=\d{3}(?!\d))")
_BEFORE_CLOSING = re.compile(r" ([.,;:!?%)\]])")
_AFTER_OPENING = re.compile(r"([(\[]) ")


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model by its name, without the weights. Raises ModelError where there is none."""
    import transformers

    if name == MINI:
        # Its configuration is of a class of ours, which transformers knows once it is imported.
        import raft.models.mini.modeling  # noqa: F401
    source = source_of(name)
    try:
        tokenizer: PreTrainedTokenizerBase = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"tokenizer {name!r} cannot be loaded ({reason}): give a local folder or a hub name"
        ) from error
    return tokenizer


def load_codec(name: str) -> tuple[Codec, int]:
    """A model's codec and the tokens of its context, without its weights. Raises ModelError where there is none."""
    import transformers

    # Its configuration is of a class of ours, which a folder with weights of its kind may name too.
    import raft.models.mini.modeling  # noqa: F401

    tokenizer = load_tokenizer(name)
    source = source_of(name)
    try:
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(
            f"model {name!r} has no configuration ({reason}): give a local folder or a hub name"
        ) from error
    return codec_of(tokenizer, config), context_of(config)


def codec_of(tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig) -> Codec:
    """The codec of a model with this configuration."""
    from raft.models.mini.modeling import MiniConfig

    style = PromptStyle.COMPACT if isinstance(config, MiniConfig) else PromptStyle.CHAT
    return Codec(tokenizer, style, bool(config.is_encoder_decoder))


def context_of(config: PretrainedConfig) -> int:
    """The tokens that a model's context holds."""
    positions = getattr(config, "max_position_embeddings", None)
    # Models with relative positions state no limit, or one that does not bind them (T5).
    return int(positions) if positions else 1 << 20


def encode_segments(tokenizer: PreTrainedTokenizerBase, segments: Sequence[Segment]) -> list[int]:
    """Token ids of the segments in order, without any token that the tokenizer would add by itself."""
    ids: list[int] = []
    for segment in segments:
        if segment.text:
            encoded = tokenizer(segment.text, add_special_tokens=False, split_special_tokens=segment.content)
            ids.extend(encoded["input_ids"])
    return ids


@dataclass(frozen=True)
class Codec:
    """One tokenizer as we use it; training and serving share it, so that both see the same ids."""

    tokenizer: PreTrainedTokenizerBase
    style: PromptStyle
    seq2seq: bool

    def prompt_ids(self, prompt: Prompt) -> list[int]:
        """Ids of a prompt, up to the place where the model begins to write."""
        if self.style is PromptStyle.COMPACT:
            return encode_segments(self.tokenizer, prompt.user)
        if self.tokenizer.chat_template:
            return encode_segments(self.tokenizer, self._rendered(prompt))
        before, after = self._added_tokens()
        return [*before, *encode_segments(self.tokenizer, prompt.plain), *(after if self.seq2seq else ())]

    def target_ids(self, target: Sequence[Segment]) -> list[int]:
        """Ids of what the model is to write, with the token that ends it."""
        return [*encode_segments(self.tokenizer, target), int(self.tokenizer.eos_token_id)]

    def row_length(self, prompt_ids: Sequence[int], target_ids: Sequence[int]) -> int:
        """Tokens of the context that a training row takes: both together, or the longer of encoder and decoder."""
        lengths = len(prompt_ids), len(target_ids)
        return max(lengths) if self.seq2seq else sum(lengths)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of what a model wrote."""
        if self.style is not PromptStyle.COMPACT:
            return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()
        # The word-piece decoder would glue "##begin_quote##" to the word before it, so control tokens stand apart.
        control = set(self.tokenizer.all_special_ids)
        ended = {self.tokenizer.eos_token_id, self.tokenizer.pad_token_id}
        parts: list[str] = []
        run: list[int] = []
        for token in ids:
            if token in control:
                parts.append(_tidy(str(self.tokenizer.decode(run))))
                parts.append("" if token in ended else str(self.tokenizer.convert_ids_to_tokens(token)))
                run = []
            else:
                run.append(token)
        parts.append(_tidy(str(self.tokenizer.decode(run))))
        return " ".join(part for part in parts if part)

    def line_ended(self, ids: Sequence[int]) -> bool:
        """Whether what a model wrote so far holds a whole line that says anything."""
        return holds_whole_line(str(self.tokenizer.decode(list(ids), skip_special_tokens=True)))

    def lines_of(self, ids: Sequence[int], logs: Sequence[float]) -> tuple[float, ...]:
        """The mean log-probability of each line of a text; a break belongs to the line that it ends."""
        lines: list[list[float]] = [[]]
        for token, log in zip(ids, logs, strict=False):
            lines[-1].append(log)
            if "\n" in str(self.tokenizer.decode([token])):
                lines.append([])
        return tuple(sum(line) / len(line) for line in lines if line)

    def _rendered(self, prompt: Prompt) -> list[Segment]:
        """The model's own chat template around our segments, and the begun reply behind it.

        Raises ModelError where the template shows our messages in no form.
        """
        failure: Exception | None = None
        # Most templates take a message as text, some only as a list of parts.
        for in_parts in (False, True):
            for chat in _chats(prompt):
                try:
                    segments = self._in_template(chat, in_parts=in_parts)
                except (TemplateError, TypeError) as error:
                    failure = failure or error
                    continue
                if segments is not None:
                    return [*segments, Segment(prompt.begun, content=False)]
        reason = f"fails: {failure}" if failure is not None else "does not show each message once"
        name = self.tokenizer.name_or_path
        raise ModelError(f"the chat template of {name!r} {' '.join(reason.split())}: mend it or remove it") from failure

    def _in_template(self, chat: _Chat, *, in_parts: bool) -> list[Segment] | None:
        """One chat in the model's template, our segments put in after rendering.

        None where it does not show each message once and in order.
        """
        slots = [f"RAFT-SLOT-{place}-HERE" for place in range(len(chat))]
        messages: list[dict[str, Any]] = [
            {"role": role, "content": [{"type": "text", "text": slot}] if in_parts else slot}
            for (role, _), slot in zip(chat, slots, strict=True)
        ]
        # Answers are short: a model that would think first is not to, where its template knows how to ask for that.
        rest = str(
            self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        )
        if any(rest.count(slot) != 1 for slot in slots):
            return None
        segments: list[Segment] = []
        for (_, said), slot in zip(chat, slots, strict=True):
            before, found, rest = rest.partition(slot)
            if not found:
                return None  # in another order
            segments += [Segment(before, content=False), *said]
        return [*segments, Segment(rest, content=False)]

    def _added_tokens(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts before and after a text by itself, such as a start or an end token."""
        bare = list(self.tokenizer("a", add_special_tokens=False)["input_ids"])
        full = list(self.tokenizer("a")["input_ids"])
        start = next(i for i in range(len(full)) if full[i : i + len(bare)] == bare)
        return full[:start], full[start + len(bare) :]


def _chats(prompt: Prompt) -> Iterator[_Chat]:
    """The prompt as a chat, in the forms that templates take, the best first."""
    yield [("system", prompt.system), *prompt.exchange]
    # Some templates refuse the system message, others drop it: the instruction then opens the user's.
    (role, first), *rest = prompt.exchange
    yield [(role, (*prompt.system, Segment("\n\n", content=False), *first)), *rest]
    # Some know no earlier turns.
    yield [("user", prompt.together)]


def _tidy(text: str) -> str:
    text = _THOUSANDS.sub(r"\1,", _INSIDE_NUMBER.sub(r"\1", text))
    return _AFTER_OPENING.sub(r"\1", _BEFORE_CLOSING.sub(r"\1", text)).strip()
