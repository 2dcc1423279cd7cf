"""MiniLM in plain torch: what the embedded default embedder computes, without seconds of imports.

The architecture is BERT (Devlin et al. 2018) with mean pooling (Reimers and Gurevych 2019); a test holds it equal to
sentence-transformers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
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

    @torch.inference_mode()
    def embed(self, batch: Sequence[Sequence[int]], shape: tuple[int, int] | None = None) -> Tensor:
        """Mean of the token states, scaled to length 1: float32, shape (n, dimension).

        batch: the token ids of each text, with [CLS] and [SEP]. shape: texts and tokens that the batch is padded to.
        """
        texts, longest = shape or (len(batch), max(map(len, batch)))
        # A text that is only padding still needs a token, or its mean would be no number.
        lengths = torch.tensor([*map(len, batch), *[1] * (texts - len(batch))], device=self._device)
        ids = torch.zeros(texts, longest, dtype=torch.long)
        for row, text in enumerate(batch):
            ids[row, : len(text)] = torch.tensor(text)
        mask = torch.arange(ids.shape[1], device=self._device) < lengths[:, None]
        states = self._encode(ids.to(self._device), mask).float() * mask[..., None]
        return F.normalize(states.sum(1) / lengths[:, None], dim=1).cpu()[: len(batch)]

    def _encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        table = "embeddings.{}_embeddings.weight"
        states = F.embedding(ids, self._weights[table.format("word")])
        states = states + self._weights[table.format("position")][: ids.shape[1]]
        states = states + self._weights[table.format("token_type")][0]
        states = self._norm(states, "embeddings.LayerNorm")
        for index in range(self._layers):
            layer = f"encoder.layer.{index}"
            query, key, value = (
                self._linear(states, f"{layer}.attention.self.{name}").unflatten(-1, (self._heads, -1)).transpose(1, 2)
                for name in ("query", "key", "value")
            )
            mixed = F.scaled_dot_product_attention(query, key, value, mask[:, None, None])
            mixed = self._linear(mixed.transpose(1, 2).flatten(2), f"{layer}.attention.output.dense")
            states = self._norm(states + mixed, f"{layer}.attention.output.LayerNorm")
            wide = F.gelu(self._linear(states, f"{layer}.intermediate.dense"))
            states = self._norm(states + self._linear(wide, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return states

    def _linear(self, states: Tensor, name: str) -> Tensor:
        return F.linear(states, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, states: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(states, weight.shape, weight, bias, self._epsilon)
