"""Make the untrained `mini`: MiniLM-L6's weights and vocabulary in the shape of our model class.

Only `scripts/train_mini` and the tests call this; the package ships the trained weights.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from raft.models.mini.modeling import MiniConfig, MiniForCausalLM
from raft.prompts import ANSWER, ASK, BEGIN_QUOTE, CONTROL_TOKENS, END_QUOTE, PASSAGE_NUMBERS, READ, RECALL, REFUSAL


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


def form_of(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """What the configuration says of the tokens that give prompts and targets their form."""
    words = tokenizer.get_vocab()
    return {
        "passage_marks": [words[number] for number in PASSAGE_NUMBERS],
        "form_marks": [words[mark] for mark in (READ, BEGIN_QUOTE, END_QUOTE, ANSWER)],
        "refusal": tokenizer.encode(REFUSAL, add_special_tokens=False),
        "verdicts": [words["yes"], words["no"]],
    }


def build_model(source: Path) -> MiniForCausalLM:
    """The model before any training of ours, float32. source: a folder with MiniLM's `model.safetensors`."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(source)
    model = MiniForCausalLM(MiniConfig(**form_of(tokenizer)))
    weights = load_file(source / "model.safetensors")
    state = model.state_dict()
    words = weights["embeddings.word_embeddings.weight"].clone()
    vocabulary = tokenizer.get_vocab()
    # What opens a prompt and what parts question and passage begin as what did so in MiniLM's own training.
    words[[vocabulary[mark] for mark in (READ, RECALL, ASK)]] = words[vocabulary["[CLS]"]].clone()
    words[[vocabulary[number] for number in PASSAGE_NUMBERS]] = words[vocabulary["[SEP]"]].clone()
    state["word_embeddings.weight"] = words
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


def with_own_writer(model: MiniForCausalLM, layers: int) -> MiniForCausalLM:
    """The same model with so many last layers for writing alone, which begin as those that reading has.

    Only what writing has for itself learns then: its layers, its vocabulary head and its pointer.
    """
    config = MiniConfig(**{**model.config.to_dict(), "num_writing_layers": layers})
    made = MiniForCausalLM(config)
    state = model.state_dict()
    if not model.config.num_writing_layers:
        for name in [name for name in state if name.startswith("layers.")]:
            number, _, part = name.removeprefix("layers.").partition(".")
            if (own := int(number) - config.num_hidden_layers + layers) >= 0:
                state[f"writing_layers.{own}.{part}"] = state[name].clone()
    made.load_state_dict(state)
    for name, parameter in made.named_parameters():
        parameter.requires_grad_(name.startswith(("writing_layers.", "head_", "pointer_")))
    return made


def _copy(state: dict[str, torch.Tensor], ours: str, weights: dict[str, torch.Tensor], theirs: str) -> None:
    for part in ("weight", "bias"):
        state[f"{ours}.{part}"] = weights[f"{theirs}.{part}"]
