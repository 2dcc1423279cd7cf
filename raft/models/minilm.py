"""MiniLM in plain torch: what the embedded default embedder computes, without seconds of imports.

The architecture is BERT (Devlin et al. 2018) with mean pooling (Reimers and Gurevych 2019); a test holds it equal to
sentence-transformers. Texts stand one after another in rows of tokens, so that nothing is spent on padding.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate, groupby
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor


class MiniLm:
    """The encoder: token ids in, one unit vector a text out."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        """folder: holds `config.json` and `model.safetensors` of a BERT model."""
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "model.safetensors")
        self._weights = {name: value.to(device, dtype) for name, value in weights.items() if value.is_floating_point()}
        self._layers: int = config["num_hidden_layers"]
        self._heads: int = config["num_attention_heads"]
        self._epsilon: float = config["layer_norm_eps"]
        self._device = device
        self.dimension: int = config["hidden_size"]
        for layer in map("encoder.layer.{}.attention.self".format, range(self._layers)):
            # One product for all three reads the states once.
            for kind in ("weight", "bias"):
                parts = [self._weights.pop(f"{layer}.{name}.{kind}") for name in ("query", "key", "value")]
                self._weights[f"{layer}.{kind}"] = torch.cat(parts)

    @torch.inference_mode()
    def embed(self, batch: Sequence[Sequence[int]], rows: int | None = None) -> Tensor:
        """Mean of the token states, scaled to length 1: float32, shape (n, dimension).

        batch: the token ids of each text, with [CLS] and [SEP]; fastest where texts of one length stand together.
        rows: the tokens that the products run over, no fewer than there are. A product rounds otherwise when its shape
        changes; with the same `rows` a text has the same vector whatever it is embedded with.
        """
        lengths = [len(text) for text in batch]
        spare = 0 if rows is None else rows - sum(lengths)
        ids = torch.tensor([token for text in batch for token in text] + [0] * spare, device=self._device)
        places = torch.tensor([place for length in lengths for place in range(length)] + [0] * spare)
        states = self._encode(ids, places.to(self._device), lengths).float()
        sums = [states[end - length : end].sum(0) for end, length in zip(accumulate(lengths), lengths, strict=True)]
        means = torch.stack(sums) / torch.tensor(lengths, device=self._device)[:, None]
        return F.normalize(means, dim=1).cpu()

    def _encode(self, ids: Tensor, places: Tensor, lengths: Sequence[int]) -> Tensor:
        table = "embeddings.{}_embeddings.weight"
        states = F.embedding(ids, self._weights[table.format("word")])
        states = states + self._weights[table.format("position")][places]
        states = states + self._weights[table.format("token_type")][0]
        states = self._norm(states, "embeddings.LayerNorm")
        for layer in map("encoder.layer.{}".format, range(self._layers)):
            mixed = self._mix(self._linear(states, f"{layer}.attention.self"), lengths)
            mixed = self._linear(mixed, f"{layer}.attention.output.dense")
            # In place, as below: what is read once should not push the rest out of the cache.
            states = self._norm(mixed.add_(states), f"{layer}.attention.output.LayerNorm")
            wide = torch.ops.aten.gelu_(self._linear(states, f"{layer}.intermediate.dense"))
            states = self._norm(self._linear(wide, f"{layer}.output.dense").add_(states), f"{layer}.output.LayerNorm")
        return states

    def _mix(self, heads: Tensor, lengths: Sequence[int]) -> Tensor:
        """Attention of every text to itself. heads: queries, keys and values side by side, (rows, 3 x dimension)."""
        mixed = heads.new_zeros(len(heads), self.dimension)
        begin = 0
        for length, run in groupby(lengths):
            texts = len(list(run))
            span = slice(begin, begin + texts * length)
            query, key, value = heads[span].view(texts, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
            context = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
            mixed[span] = context.reshape(texts * length, self.dimension)
            begin = span.stop
        return mixed

    def _linear(self, states: Tensor, name: str) -> Tensor:
        return F.linear(states, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, states: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(states, weight.shape, weight, bias, self._epsilon)
