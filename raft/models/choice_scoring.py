"""The answer of a model on this machine to a prompt with choices: the one that it finds likeliest as a whole.

The model writes up to the mark of its answer. Then each choice is weighed in that place, with the end of the output
behind it, by the sum of the log-probabilities of its tokens. Token by token a model would often begin with "The", as
many answers do, and could then only go on to "The passages do not answer this."
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from inspect import signature
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from raft.choices import with_choice
from raft.models.forms import Spelling
from raft.models.generator import Generation
from raft.models.tokens import encode_segments
from raft.outputs import parse_answer
from raft.prompts import REFUSAL, Segment, reasoned_target

# Token ids of each choice, in every spelling that a model may prefer.
Spellings = Mapping[str, Sequence[tuple[int, ...]]]


def spellings(tokenizer: PreTrainedTokenizerBase, choices: Sequence[str]) -> Spellings | None:
    """The choices and the refusal, each after a blank, with a capital or without.

    None where the tokenizer cannot spell a choice, or not two of them apart.
    """
    wanted = [*choices, REFUSAL]
    plain = [tuple(encode_segments(tokenizer, [Segment(choice, content=True)])) for choice in wanted]
    if len(set(plain)) < len(plain) or any(not ids or tokenizer.unk_token_id in ids for ids in plain):
        return None
    taken = dict(zip(plain, wanted, strict=True))
    spelt: dict[str, list[tuple[int, ...]]] = {choice: [] for choice in wanted}
    for choice in wanted:
        for written in (choice, choice[0].upper() + choice[1:]):
            # Targets of a tuned model are tokenised apart from the blank before them.
            for parts in ((f" {written}",), (" ", written)):
                ids = tuple(encode_segments(tokenizer, [Segment(part, content=True) for part in parts]))
                if taken.setdefault(ids, choice) == choice and ids not in spelt[choice]:
                    spelt[choice].append(ids)
    return spelt


def closing_of(model: Any) -> list[int]:
    """The tokens that end what a model writes; some have none."""
    own = model.generation_config.eos_token_id
    ids = own if own is not None else model.config.eos_token_id
    return list(ids) if isinstance(ids, list | tuple) else [] if ids is None else [ids]


class Chooser:
    """One model with the spellings of the choices that it has met."""

    def __init__(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> None:
        """model: a PreTrainedModel, whose own types do not cover what its mixins add."""
        self._model, self._tokenizer = model, tokenizer
        self.spelling = Spelling(tokenizer, closing_of(model))
        self._spellings: dict[tuple[str, ...], Spellings | None] = {}

    def spelt(self, choices: tuple[str, ...]) -> Spellings | None:
        """How choices are weighed; None where there are none, or this model cannot be held to them."""
        if choices not in self._spellings:
            able = choices and self.spelling.closing and self.spelling.can_mark
            self._spellings[choices] = spellings(self._tokenizer, choices) if able else None
        return self._spellings[choices]

    def offered(self, choices: tuple[str, ...], *, may_refuse: bool) -> Spellings | None:
        """The same without the refusal, where that is no choice."""
        spelt = self.spelt(choices)
        return None if spelt is None else {one: ids for one, ids in spelt.items() if may_refuse or one != REFUSAL}

    def chosen(
        self,
        written: Generation,
        prompt: Sequence[int],
        said: Sequence[int] | None,
        offered: Spellings | None,
        decisions: int,
    ) -> Generation:
        """With the likeliest choice for an answer, behind what was said before it; `structured`: whether there is one.

        said: the tokens up to the answer; None where the output was cut off before. decisions: how many of the model's
        the likelihood so far is the mean of.
        """
        if said is None or offered is None:
            return replace(written, structured=False)
        began = time.perf_counter()
        best = likeliest(self._model, prompt, said, offered, self.spelling.closing)
        mean, count = written.likelihood, decisions + best.tokens
        return replace(
            written,
            text=with_choice(written.text, best.choice),
            seconds=written.seconds + time.perf_counter() - began,
            completion_tokens=len(said) + best.tokens,
            likelihood=None if mean is None else (mean * decisions + best.log_probability) / count,
            structured=True,
        )

    def behind_quote(self, pointed: Generation, prompt: Sequence[int], choices: tuple[str, ...]) -> Generation:
        """With a choice in place of the words that `mini` pointed at, behind its quote; a refusal stays one."""
        if not choices:
            return pointed
        if parse_answer(pointed.text).abstained:
            return replace(pointed, structured=True)
        said = encode_segments(self._tokenizer, reasoned_target(parse_answer(pointed.text).quotes, ""))
        # To point is one decision, however many words that says.
        return self.chosen(pointed, prompt, said, self.offered(choices, may_refuse=False), 1)


class Weighed(NamedTuple):
    """A choice with the tokens of its likeliest spelling and its end, and their log-probability."""

    choice: str
    tokens: int
    log_probability: float


@torch.inference_mode()
def likeliest(
    model: Any, prompt: Sequence[int], written: Sequence[int], spelt: Spellings, closing: Sequence[int]
) -> Weighed:
    """The choice with the most probability over its spellings, behind what was written to the prompt."""
    rows = [(choice, ids) for choice, found in spelt.items() for ids in found]
    logs = _weigh(model, prompt, written, [ids for _, ids in rows], closing)
    found: dict[str, list[tuple[float, int]]] = {}
    for (choice, ids), log in zip(rows, logs, strict=True):
        found.setdefault(choice, []).append((log, len(ids) + 1))
    best = max(found, key=lambda choice: float(torch.tensor([log for log, _ in found[choice]]).logsumexp(0)))
    log, tokens = max(found[best])
    return Weighed(best, tokens, log)


def _weigh(
    model: Any, prompt: Sequence[int], written: Sequence[int], rows: Sequence[tuple[int, ...]], closing: Sequence[int]
) -> list[float]:
    """The log-probability of each row of tokens with an end behind it."""
    longest = max(map(len, rows))
    padded = [[*written, *row, *[0] * (longest - len(row))] for row in rows]
    ids = torch.tensor(padded, device=model.device)
    # At each place the scores of what comes next: first of the first token of a row, last of what ends the longest.
    logs = _scores(model, torch.tensor([list(prompt)], device=model.device), ids, longest + 1).float().log_softmax(-1)
    sums = []
    for number, row in enumerate(rows):
        said = logs[number, range(len(row)), list(row)].sum()
        sums.append(float(said + logs[number, len(row), list(closing)].logsumexp(-1)))
    return sums


def _scores(model: Any, prompt: torch.Tensor, ids: torch.Tensor, kept: int) -> torch.Tensor:
    """Scores behind the last `kept` tokens of each row of `ids` (rows, length), which follow the prompt (1, length)."""
    few = {"logits_to_keep": kept} if "logits_to_keep" in signature(model.forward).parameters else {}
    if model.config.is_encoder_decoder:
        start = ids.new_full((len(ids), 1), model.generation_config.decoder_start_token_id)
        logits = model(input_ids=prompt.expand(len(ids), -1), decoder_input_ids=torch.cat([start, ids], dim=1)).logits
    else:
        # Apart, because what is prompt and what is output is not the same to `mini`.
        cache = model(input_ids=prompt, use_cache=True, **({"logits_to_keep": 1} if few else {})).past_key_values
        cache.batch_repeat_interleave(len(ids))
        mask = ids.new_ones(len(ids), prompt.shape[1] + ids.shape[1])
        logits = model(input_ids=ids, attention_mask=mask, past_key_values=cache, **few).logits
    scores: torch.Tensor = logits[:, -kept:]
    return scores
