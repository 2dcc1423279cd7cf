"""Make the untrained `mini`: MiniLM-L6's weights and vocabulary in the shape of our model class.

Only `scripts/train_mini` and the tests call this; the package ships the trained weights.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from raft.models.mini.modeling import MiniConfig, MiniForCausalLM
from raft.prompts import CONTROL_TOKENS, PASSAGE_NUMBERS


def build_tokenizer(source: Path) -> PreTrainedTokenizerFast:
    """MiniLM's word pieces, with `[unused…]` entries renamed so that each control token is one token.

    source: a folder with MiniLM's `tokenizer.json`. Ids of all other words stay as they are.
    """
    description = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    description.update(truncation=None, padding=None, post_processor=None)
    vocabulary = description["model"]["vocab"]
    for index, token in enumerate(CONTROL_TOKENS):
        vocabulary[token] = vocabulary.pop(f"[unused{index}]")
        entry = {"id": vocabulary[token], "content": token, "special": True, "normalized": False}
        description["added_tokens"].append({**entry, "single_word": False, "lstrip": False, "rstrip": False})
    description["added_tokens"].sort(key=lambda entry: entry["id"])
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(description)),
        pad_token="[PAD]",
        unk_token="[UNK]",
        eos_token="[SEP]",
        additional_special_tokens=list(CONTROL_TOKENS),
        padding_side="left",
        model_max_length=MiniConfig.max_position_embeddings,
    )


def passage_marks(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The ids of the tokens that begin a passage."""
    return [tokenizer.get_vocab()[number] for number in PASSAGE_NUMBERS]


def build_model(source: Path) -> MiniForCausalLM:
    """The model before any training of ours, float32. source: a folder with MiniLM's `model.safetensors`."""
    torch.manual_seed(0)
    model = MiniForCausalLM(MiniConfig(passage_marks=passage_marks(build_tokenizer(source))))
    weights = load_file(source / "model.safetensors")
    state = model.state_dict()
    state["word_embeddings.weight"] = weights["embeddings.word_embeddings.weight"]
    positions = weights["embeddings.position_embeddings.weight"]
    # Repeating the table keeps every short distance as MiniLM knows it; training tells the two halves apart.
    state["position_embeddings.weight"] = positions.repeat(MiniConfig.max_position_embeddings // len(positions), 1)
    state["segment_embeddings.weight"] = weights["embeddings.token_type_embeddings.weight"]
    _copy(state, "embedding_norm", weights, "embeddings.LayerNorm")
    for index in range(MiniConfig.num_hidden_layers):
        ours, theirs = f"layers.{index}", f"encoder.layer.{index}"
        for part in ("weight", "bias"):
            state[f"{ours}.query_key_value.{part}"] = torch.cat(
                [weights[f"{theirs}.attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            )
        _copy(state, f"{ours}.attention_output", weights, f"{theirs}.attention.output.dense")
        _copy(state, f"{ours}.attention_norm", weights, f"{theirs}.attention.output.LayerNorm")
        _copy(state, f"{ours}.up", weights, f"{theirs}.intermediate.dense")
        _copy(state, f"{ours}.down", weights, f"{theirs}.output.dense")
        _copy(state, f"{ours}.output_norm", weights, f"{theirs}.output.LayerNorm")
    # A word that was just written looks like the word it was copied from: begin with that likeness as the score.
    half = MiniConfig.pointer_size
    state["pointer_query.weight"][half:] = state["pointer_key.weight"][half:]
    model.load_state_dict(state)
    return model


def _copy(state: dict[str, torch.Tensor], ours: str, weights: dict[str, torch.Tensor], theirs: str) -> None:
    for part in ("weight", "bias"):
        state[f"{ours}.{part}"] = weights[f"{theirs}.{part}"]
