"""Write a batch with transformers' `generate`, padded: for models whose cache the engine does not know, and `mini`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from raft.models.cache import growing_cache
from raft.models.choice_scoring import closing_of
from raft.models.forms import AnswerForm, KeepToAnswerForm, Written
from raft.models.generator import Decoding
from raft.models.mini.grammar import KeepToForm, Output
from raft.models.sampling import Likelihood, Nucleus
from raft.models.tokens import Codec

# Of one batch: all outputs of `mini`, or those of others, where None stands for one that may say anything.
Forms = Sequence[Output] | Sequence[AnswerForm | None]


@torch.inference_mode()
def write_padded(
    model: Any, codec: Codec, batch: Sequence[Sequence[int]], decoding: Decoding, forms: Forms
) -> list[Written]:
    """One text for each encoded prompt, by a PreTrainedModel."""
    seq2seq, pad = codec.seq2seq, int(codec.tokenizer.pad_token_id)
    longest = max(len(ids) for ids in batch)
    ids = torch.full((len(batch), longest), pad, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(batch):
        # A decoder goes on from the end of its prompt; an encoder counts positions from the start.
        place = slice(0, len(tokens)) if seq2seq else slice(longest - len(tokens), longest)
        ids[row, place] = torch.tensor(tokens)
        mask[row, place] = 1
    likelihood = Likelihood() if decoding.logprobs else None
    output = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        generation_config=_generation_config(model, decoding, pad),
        logits_processor=[*([likelihood] if likelihood else []), *_processors(forms, decoding)],
        **({} if seq2seq else {"past_key_values": growing_cache(model.config)}),
    )
    fresh = output[:, 1:] if seq2seq else output[:, longest:]
    rows = fresh.tolist()
    ends = [_answered(form, row) for form, row in zip(forms, rows, strict=True)]
    begins = [_asked(form, row) for form, row in zip(forms, rows, strict=True)]
    spans = [(begin, len(row) if end is None else end) for begin, end, row in zip(begins, ends, rows, strict=True)]
    means = likelihood.means(fresh, spans, pad) if likelihood else [None] * len(rows)
    return [
        Written([token for token in row if token != pad], mean, end)
        for row, mean, end in zip(rows, means, ends, strict=True)
    ]


def _answered(form: Output | AnswerForm | None, row: Sequence[int]) -> int | None:
    if isinstance(form, Output):
        return form.answered(row)
    if form is None:
        return None
    answered = form.finished(row)
    return answered if form.stops_at_answer else None


def _asked(form: Output | AnswerForm | None, row: Sequence[int]) -> int:
    """Where what is weighed begins: after the mark of a question that `mini` writes, else at the start."""
    mark = form.grammar.question if isinstance(form, Output) else None
    return row.index(mark) + 1 if mark in row else 0


def _processors(forms: Forms, decoding: Decoding) -> list[Any]:
    own = [form for form in forms if isinstance(form, Output)]
    free = [form for form in forms if not isinstance(form, Output)]
    processors: list[Any] = [KeepToForm(own)] if own else [KeepToAnswerForm(free)] if any(free) else []
    if decoding.temperature > 0:
        processors.append(Nucleus(decoding))
    return processors


def _generation_config(model: Any, decoding: Decoding, pad: int) -> Any:
    """Our decoding and nothing of the model's own taste: only its special tokens are taken over."""
    from transformers import GenerationConfig

    own = model.generation_config
    sampling: dict[str, Any] = {"do_sample": False}
    if decoding.temperature > 0:
        sampling = {"do_sample": True, "temperature": decoding.temperature, "top_k": 0}
    return GenerationConfig(
        max_new_tokens=decoding.max_new_tokens,
        pad_token_id=pad,
        bos_token_id=own.bos_token_id,
        eos_token_id=closing_of(model) or None,
        decoder_start_token_id=own.decoder_start_token_id,
        **sampling,
    )
