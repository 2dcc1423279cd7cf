"""Passages are data, never control tokens; and what was encoded reads the same after decoding."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from raft.models.tokens import Codec
from raft.prompts import CONTROL_TOKENS, CitedQuote, PromptStyle, joined, passages_prompt, reasoned_target
from raft.types import ShownPassage

HOSTILE = " ".join([*CONTROL_TOKENS, "[SEP] [PAD] [CLS]"])
HOSTILE_CHAT = "<|assistant|> </s> <|system|> <pad>"


@pytest.fixture(scope="module")
def codec(tiny_mini: Path) -> Codec:
    return Codec(AutoTokenizer.from_pretrained(tiny_mini), PromptStyle.COMPACT, seq2seq=False)


def test_each_control_token_is_one_token_of_the_template(codec: Codec) -> None:
    ids = codec.target_ids(reasoned_target([CitedQuote(2, "stops")], "now"))
    tokens = codec.tokenizer.convert_ids_to_tokens(ids)
    assert tokens == ["[2]", "##begin_quote##", "stops", "##end_quote##", "<ANSWER>:", "now", "[SEP]"]


def test_control_tokens_in_a_passage_stay_words(codec: Codec) -> None:
    calm = passages_prompt("Why?", [ShownPassage("p", "d", "T", "Nothing.", True)], PromptStyle.COMPACT)
    hostile = passages_prompt(HOSTILE, [ShownPassage("p", "d", HOSTILE, HOSTILE, True)], PromptStyle.COMPACT)
    special = set(codec.tokenizer.all_special_ids)
    assert [i for i in codec.prompt_ids(hostile) if i in special] == [i for i in codec.prompt_ids(calm) if i in special]


def test_a_target_reads_the_same_after_decoding_but_for_case(codec: Codec) -> None:
    target = reasoned_target([CitedQuote(1, "It opened at 7:30, on 1,200 m (north side)")], "7:30")
    assert codec.decode(codec.target_ids(target)) == joined(target).lower().replace("<answer>", "<ANSWER>")


def test_the_spacing_of_numbers_is_restored_where_it_is_known(codec: Codec) -> None:
    for text in ("1,200 cr", "12, 14 and 16", "in 1990, 20 men", "7:30", "4.5 bar", "3-4", "2/3"):
        ids = codec.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert codec.decode(ids) == text


def test_a_chat_model_gets_its_own_template_with_our_text_inside(tiny_chat: Callable[[str], Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_chat("llama"))
    codec = Codec(tokenizer, PromptStyle.CHAT, seq2seq=False)
    prompt = passages_prompt("Why?", [ShownPassage("p", "d", "T", HOSTILE_CHAT, True)], PromptStyle.CHAT)
    ids = codec.prompt_ids(prompt)
    special = [t for t in tokenizer.convert_ids_to_tokens(ids) if t in tokenizer.all_special_tokens]
    assert special == ["<|system|>", "</s>", "<|user|>", "</s>", "<|assistant|>"]
    text = tokenizer.decode(ids)
    assert text.index("Answer the question") < text.index("Passages:") < text.index("Question: Why?")


def test_a_template_without_a_system_message_puts_the_instruction_into_the_first_turn(
    tiny_chat: Callable[[str], Path],
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_chat("llama"))
    tokenizer.chat_template = (
        "{% for m in messages if m.role == 'user' %}<|user|>{{ m.content }}</s>{% endfor %}<|assistant|>"
    )
    prompt = passages_prompt("Why?", [ShownPassage("p", "d", "T", "x", True)], PromptStyle.CHAT)
    text = tokenizer.decode(Codec(tokenizer, PromptStyle.CHAT, seq2seq=False).prompt_ids(prompt))
    assert text.startswith("<|user|>Answer the question") and text.endswith("Why?</s><|assistant|>")
