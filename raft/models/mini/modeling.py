"""The embedded default generator: MiniLM-L6 as a prefix language model with a pointer.

The prompt is read with full attention and the target is written with causal attention (a prefix language model: Raffel
et al. 2020, section 3.2.1). Each next-token distribution mixes the vocabulary with a pointer over every token that was
shown so far (See et al. 2017, section 2.2), because answers and quotes are nearly always copied from a passage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache
from transformers.generation.utils import GenerationMixin
from transformers.modeling_outputs import CausalLMOutputWithPast

from raft.models.mini.layout import is_mark, lay_out
from raft.models.mini.span_reading import (
    Form,
    Lesson,
    Pair,
    PairBatch,
    Reader,
    Scores,
    batch_of,
    in_batches,
    lesson_of,
    reading_loss,
)

# Low enough to be nothing beside any real score, finite so that no gradient becomes NaN.
_MASKED = -1e4
# Token ids travel through the cache as two base-256 digits: bfloat16 holds every integer up to 256 exactly.
_DIGIT = 256
# Padded tokens that are read at once in training: few enough that little of them is padding.
_READ_TOKENS = 2048


class MiniConfig(PreTrainedConfig):
    """Shape of the model; the defaults are those of MiniLM-L6 with 1,024 positions."""

    model_type = "raft-mini"
    keys_to_ignore_at_inference = ["past_key_values"]

    vocab_size: int = 30522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    # How many of the last layers writing has for itself; with none it shares all of them with reading.
    num_writing_layers: int = 0
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 1024
    pointer_size: int = 128
    dropout: float = 0.1
    layer_norm_eps: float = 1e-12
    initializer_range: float = 0.02
    use_cache: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = 102
    tie_word_embeddings: bool = True
    # The tokens that begin a passage; without them a prompt is one text.
    passage_marks: list[int] | tuple[int, ...] = ()
    # The tokens that ask for reading, open and close a quote, and begin an answer; those of a refusal; "yes" and "no".
    form_marks: list[int] | tuple[int, ...] = ()
    refusal: list[int] | tuple[int, ...] = ()
    verdicts: list[int] | tuple[int, ...] = ()
    # What the log-odds of the best passage, less the logarithm of how many there are, must exceed for an answer; set by
    # what held-out questions show (docs/log.md).
    refusal_bias: float = 0.0


class MiniLayer(nn.Module):
    """One post-norm transformer layer; attention has no dropout so that the fused CPU kernel stays in use."""

    def __init__(self, config: MiniConfig, index: int) -> None:
        super().__init__()
        self.index, self.heads = index, config.num_attention_heads
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.attention_output = nn.Linear(config.hidden_size, config.hidden_size)
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)
        self.output_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        batch, length, size = hidden.shape
        heads = self.query_key_value(hidden).view(batch, length, 3, self.heads, size // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        if cache is not None:
            key, value = cache.update(key, value, self.index)
        context = _attend(query, key, value, mask)
        context = context.transpose(1, 2).reshape(batch, length, size)
        hidden = self.attention_norm(hidden + self.attention_output(context))
        output: Tensor = self.output_norm(hidden + self.dropout(self.down(F.gelu(self.up(hidden)))))
        return output


class _Memory(NamedTuple):
    """The tokens so far: keys (batch, seen, 2 x pointer size), ids (batch, seen), and which are of the prompt."""

    keys: Tensor
    ids: Tensor
    allowed: Tensor


class _Targets(NamedTuple):
    """What is to be learnt, each (batch, length): labels, which of them are copies, and how much each counts."""

    labels: Tensor
    copies: Tensor
    weights: Tensor


class MiniPreTrainedModel(PreTrainedModel):
    config_class = MiniConfig
    base_model_prefix = ""
    _supports_sdpa = True
    _no_split_modules = ["MiniLayer"]


class MiniForCausalLM(MiniPreTrainedModel, GenerationMixin):
    """Prefix language model with a pointer; `generate()` works with left-padded batches and a key-value cache."""

    def __init__(self, config: MiniConfig) -> None:
        super().__init__(config)
        size = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, size, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, size)
        self.segment_embeddings = nn.Embedding(2, size)
        self.embedding_norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.embedding_dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(MiniLayer(config, index) for index in range(config.num_hidden_layers))
        own = range(config.num_hidden_layers - config.num_writing_layers, config.num_hidden_layers)
        self.writing_layers = nn.ModuleList(MiniLayer(config, index) for index in own)
        self.head_transform = nn.Linear(size, size)
        self.head_norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.head_bias = nn.Parameter(torch.zeros(config.vocab_size))
        # Two halves: what a token is, and what it follows (see `_pointer`).
        self.pointer_query = nn.Linear(size, 2 * config.pointer_size)
        self.pointer_key = nn.Linear(size, 2 * config.pointer_size)
        self.pointer_gate = nn.Linear(size, 1)
        self.reader = Reader(size)
        self.post_init()  # type: ignore[no-untyped-call]  # transformers leaves it without types
        # Nearly every word of an answer or a quote stands in the prompt: begin with copying.
        nn.init.constant_(self.pointer_gate.bias, -1.5)

    def get_input_embeddings(self) -> nn.Module:
        return self.word_embeddings

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: Tensor | None = None,
        copied: Tensor | None = None,
        weights: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        num_items_in_batch: Tensor | int | None = None,
        **_: object,
    ) -> CausalLMOutputWithPast:
        """Log-probabilities of the next tokens, or the loss where `labels` are given.

        input_ids: (batch, length). attention_mask: (batch, past + length), 1 for real tokens. token_type_ids: (batch,
        length), 0 for prompt and 1 for target, or 1, 2, ... for several targets of one prompt, which do not see each
        other; without it the first call is all prompt and later calls all target, which is what `generate()` needs.
        labels: as input_ids with -100 where nothing is to be learnt. copied: as input_ids, true for target tokens that
        are known to be copies; the pointer alone is then to give them, which bounds their loss from above and spares
        their vocabulary scores. weights: as input_ids, how much each target token counts in the loss (1). The returned
        logits, (batch, logits_to_keep or length, vocabulary), are normalised log-probabilities in float32.
        """
        if labels is not None and (lessons := self._lessons(input_ids, token_type_ids, attention_mask)):
            rows = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
            rows |= {"position_ids": position_ids, "labels": labels, "copied": copied, "weights": weights}
            return CausalLMOutputWithPast(loss=self._mixed_loss(lessons, rows, num_items_in_batch))
        batch, length = input_ids.shape
        past = past_key_values.get_seq_length() if past_key_values is not None else 0
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache()
        if attention_mask is None:
            attention_mask = input_ids.new_ones(batch, past + length)
        if token_type_ids is None:
            token_type_ids = torch.full_like(input_ids, int(past > 0))
        all_ids, all_types = self._with_past(input_ids, token_type_ids, past_key_values)
        layout = lay_out(all_ids, all_types, attention_mask, self.config.passage_marks)
        if position_ids is None:
            position_ids = layout.positions[:, past:]
        visible = layout.visible(past)

        hidden = self.word_embeddings(input_ids) + self.position_embeddings(position_ids)
        hidden = self.embedding_dropout(
            self.embedding_norm(hidden + self.segment_embeddings(token_type_ids.clamp(max=1)))
        )
        mask = None if visible is None else _additive(visible, _compute_dtype(hidden))
        shared = self.config.num_hidden_layers - self.config.num_writing_layers
        for layer in (*self.layers[:shared], *self.writing_layers):
            hidden = layer(hidden, mask, past_key_values)
        memory = self._remember(hidden, input_ids, token_type_ids, attention_mask, past_key_values)

        if labels is not None:
            marks = torch.zeros_like(labels, dtype=torch.bool) if copied is None else copied.bool()
            counts = torch.ones_like(labels, dtype=torch.float32) if weights is None else weights
            loss = self._loss(hidden, memory, _Targets(labels, marks, counts), num_items_in_batch)
            return CausalLMOutputWithPast(loss=loss, past_key_values=past_key_values)
        kept = hidden[:, -logits_to_keep:] if logits_to_keep else hidden
        return CausalLMOutputWithPast(logits=self._next_token(kept, memory), past_key_values=past_key_values)

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What `generate()` hands to `forward`: no positions, since those of transformers know no passages."""
        prepare: Any = GenerationMixin.prepare_inputs_for_generation
        return {name: value for name, value in prepare(self, *args, **kwargs).items() if name != "position_ids"}

    @property
    def form(self) -> Form | None:
        """The tokens of its form; None for a model that has none and only writes."""
        if not self.config.form_marks:
            return None
        config = self.config
        read, begin, end, answer = config.form_marks
        marks, refusal, verdicts = map(tuple, (config.passage_marks, config.refusal, config.verdicts))
        return Form(read, begin, end, answer, marks, refusal, verdicts)

    def read_pairs(self, pairs: Sequence[Pair], most_tokens: int) -> list[Scores]:
        """The scores of each pair, of its own length; pairs of like lengths are read together, up to so many tokens."""
        device, made = self.word_embeddings.weight.device, dict[int, Scores]()
        for places in in_batches(pairs, most_tokens):
            read = self._read(batch_of([pairs[place] for place in places], device))
            for row, place in enumerate(places):
                made[place] = Scores(*(part[row, : len(pairs[place].ids)] for part in read))
        return [made[place] for place in range(len(pairs))]

    def _read(self, batch: PairBatch) -> Scores:
        """Where the answer stands in each of the pairs, read with full attention."""
        hidden = self.word_embeddings(batch.ids) + self.position_embeddings.weight[: batch.ids.shape[1]]
        hidden = self.embedding_dropout(self.embedding_norm(hidden + self.segment_embeddings.weight[0]))
        mask = None if bool(batch.real.all()) else _additive(batch.real[:, None, None], _compute_dtype(hidden))
        for layer in self.layers:
            hidden = layer(hidden, mask, None)
        scores: Scores = self.reader(hidden, batch.words)
        return scores

    def _lessons(self, input_ids: Tensor, types: Tensor | None, attention_mask: Tensor | None) -> dict[int, Lesson]:
        """Of a batch to learn from, the rows whose answers the reader can point at."""
        form = self.form
        if form is None or types is None:
            return {}
        kinds = types if attention_mask is None else types.masked_fill(attention_mask == 0, -1)
        made = {
            row: lesson_of(ids[of == 0].tolist(), ids[of == 1].tolist(), form)
            for row, (ids, of) in enumerate(zip(input_ids, kinds, strict=True))
        }
        return {row: lesson for row, lesson in made.items() if lesson is not None}

    def _mixed_loss(
        self, lessons: Mapping[int, Lesson], rows: Mapping[str, Tensor | None], num_items: Tensor | int | None
    ) -> Tensor:
        """The loss of a batch in which some rows are read, all their pairs together, and the rest are written."""
        given = {name: value for name, value in rows.items() if value is not None}
        labels = given["labels"]
        counts = given.get("weights", (labels != -100).float())
        scores = self.read_pairs([pair for lesson in lessons.values() for pair in lesson.pairs], _READ_TOKENS)
        total, at = counts.new_zeros(()), 0
        for row, lesson in lessons.items():
            # One decision stands for all tokens of the target, so that a row weighs the same however it is learnt.
            total = total + reading_loss(scores[at : at + len(lesson.pairs)], lesson) * counts[row].sum()
            at += len(lesson.pairs)
        rest = [row for row in range(len(labels)) if row not in lessons]
        if rest:
            total = total + self(**{name: value[rest] for name, value in given.items()}, num_items_in_batch=1).loss
        return total / (num_items if num_items is not None else counts.sum().clamp(min=1))

    def _with_past(self, input_ids: Tensor, token_type_ids: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        """Ids and types of all tokens so far, (batch, seen): what went before stands in the cache (see `_remember`)."""
        index = self.config.num_hidden_layers
        if cache is None or len(cache.layers) <= index or not cache.get_seq_length(index):
            return input_ids, token_type_ids
        high, low, types = cache.layers[index].values[:, 0].long().unbind(-1)
        return torch.cat([high * _DIGIT + low, input_ids], -1), torch.cat([types, token_type_ids], -1)

    def _remember(
        self, hidden: Tensor, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor, cache: Cache | None
    ) -> _Memory:
        """What the pointer may point at, from this call and all before it.

        It is kept as one more cache layer, so that whatever reorders or crops the cache treats it alike.
        """
        keys = self.pointer_key(hidden)
        digits = torch.stack([input_ids // _DIGIT, input_ids % _DIGIT, token_type_ids], dim=-1).to(keys.dtype)
        if cache is not None:
            index = self.config.num_hidden_layers
            if len(cache.layers) == index and cache.layer_class_to_replicate is None:
                cache.layers.append(type(cache.layers[0])())
            all_keys, all_digits = cache.update(keys[:, None], digits[:, None], index)
            keys, digits = all_keys[:, 0], all_digits[:, 0]
        high, low, segment = digits.long().unbind(-1)
        return _Memory(keys, high * _DIGIT + low, attention_mask.bool() & (segment == 0))

    def _vocabulary(self, hidden: Tensor) -> Tensor:
        """Scores of every word, (..., vocabulary), float32."""
        transformed = self.head_norm(F.gelu(self.head_transform(hidden)))
        return F.linear(transformed, self.word_embeddings.weight, self.head_bias).float()

    def _pointer(self, hidden: Tensor, memory: _Memory) -> Tensor:
        """Scores of every token of the prompt, (batch, n, seen), float32.

        A token scores by what it is and by what it follows: the second part lets a copy go on from the word that was
        just copied (an induction head: Olsson et al. 2022), which keys of the tokens alone were slow to learn. Only the
        prompt is pointed at: a pointer into its own output repeats itself.
        """
        query = self.pointer_query(hidden) * self.config.pointer_size**-0.5
        (is_query, after_query), (is_key, after_key) = query.chunk(2, dim=-1), memory.keys.chunk(2, dim=-1)
        follows = torch.matmul(after_query, after_key.transpose(1, 2)).masked_fill(~memory.allowed[:, None, :], 0.0)
        # The first token of a passage follows nothing: what stands before it is another passage.
        begins = is_mark(memory.ids, self.config.passage_marks)[:, None, :]
        shifted = F.pad(follows[..., :-1], (1, 0)).masked_fill(begins, 0.0)
        scores = torch.matmul(is_query, is_key.transpose(1, 2)) + shifted
        return scores.float().masked_fill(~memory.allowed[:, None, :], _MASKED)

    def _gate(self, hidden: Tensor) -> Tensor:
        """Log-odds of writing from the vocabulary rather than copying, (batch, n), float32."""
        gate: Tensor = self.pointer_gate(hidden)
        return gate.float().squeeze(-1)

    def _next_token(self, hidden: Tensor, memory: _Memory) -> Tensor:
        gate = self._gate(hidden)[..., None]
        written = torch.sigmoid(gate) * self._vocabulary(hidden).softmax(-1)
        copied = torch.sigmoid(-gate) * self._pointer(hidden, memory).softmax(-1)
        return written.scatter_add(-1, memory.ids[:, None, :].expand_as(copied), copied).clamp_min(1e-30).log()

    def _loss(self, hidden: Tensor, memory: _Memory, targets: _Targets, num_items: Tensor | int | None) -> Tensor:
        """Cross-entropy of the mixture over target tokens alone: no vocabulary scores are made for the prompt."""
        next_labels = F.pad(targets.labels[:, 1:], (0, 1), value=-100)
        is_target = next_labels != -100
        count = max(int(is_target.sum(-1).max()), 1)
        positions = (~is_target).to(torch.int8).argsort(dim=-1, stable=True)[:, :count]
        chosen, wanted = is_target.gather(1, positions), next_labels.gather(1, positions).clamp(min=0)
        rows = hidden.gather(1, positions[..., None].expand(-1, -1, hidden.shape[-1]))
        gate = self._gate(rows)

        pointer = self._pointer(rows, memory)
        matches = (memory.ids[:, None, :] == wanted[..., None]) & memory.allowed[:, None, :]
        copied = pointer.masked_fill(~matches, 2 * _MASKED).logsumexp(-1) - pointer.logsumexp(-1)

        needs_words = chosen & ~F.pad(targets.copies[:, 1:], (0, 1)).gather(1, positions)
        words = self._vocabulary(rows[needs_words])
        of_wanted = words.gather(-1, wanted[needs_words][:, None]).squeeze(-1) - words.logsumexp(-1)
        written = torch.full_like(copied, 2 * _MASKED).masked_scatter(needs_words, of_wanted)

        log_probability = torch.logaddexp(F.logsigmoid(gate) + written, F.logsigmoid(-gate) + copied)
        counted = F.pad(targets.weights[:, 1:], (0, 1)).gather(1, positions) * chosen
        total = -(log_probability * counted).sum()
        return total / (num_items if num_items is not None else counted.sum().clamp(min=1))


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """Attention; in training with bfloat16 on a CPU as plain products, whose backward pass takes 0.4 of the time."""
    if not (query.requires_grad and query.dtype == torch.bfloat16 and query.device.type == "cpu"):
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    scores = torch.matmul(query * query.shape[-1] ** -0.5, key.transpose(-1, -2))
    return torch.matmul((scores if mask is None else scores + mask).softmax(-1), value)


def _additive(visible: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros_like(visible, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min)


def _compute_dtype(hidden: Tensor) -> torch.dtype:
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype


AutoConfig.register(MiniConfig.model_type, MiniConfig)
AutoModelForCausalLM.register(MiniConfig, MiniForCausalLM)
