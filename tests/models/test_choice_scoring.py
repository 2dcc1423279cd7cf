"""Answers to closed questions are one of their choices, whatever the weights say: here they are random."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from raft.choices import choice_schema, parse_choice, tell_choices, with_choice
from raft.citations import check_citations
from raft.journal import Journal
from raft.models.calls import Calls
from raft.models.choice_scoring import likeliest, spellings
from raft.models.generator import Decoding, Generation, Generator
from raft.models.loading import load_generator
from raft.models.local import LocalGenerator
from raft.models.tokens import encode_segments, load_tokenizer
from raft.outputs import parse_answer
from raft.prompts import (
    ANSWER,
    BEGIN_QUOTE,
    END_QUOTE,
    REFUSAL,
    Prompt,
    PromptStyle,
    Segment,
    closed_book_prompt,
    passages_prompt,
)
from raft.types import ShownPassage

VERDICTS = ("yes", "no", "maybe")
SIDES = ("port", "port side", "Élan & Co., aft")
PASSAGES = [
    ShownPassage(str(n), "d", "", text, False)
    for n, text in enumerate(["The lamp of pier 4 is port side, aft.", "No lamp burns at -5 °C; maybe 36.5 bar."])
]


@pytest.fixture(scope="module")
def mini(tiny_mini: Path) -> Generator:
    return load_generator(str(tiny_mini))


def asked(style: PromptStyle, choices: tuple[str, ...], count: int = 8) -> list[Prompt]:
    """With passages and from memory by turns."""
    prompts = [
        passages_prompt(f"Is it {n}?", PASSAGES, style) if n % 2 else closed_book_prompt(f"Is it {n}?", style)
        for n in range(count)
    ]
    return [replace(prompt, choices=choices) for prompt in prompts]


def answers(written: list[Generation]) -> list[str]:
    return [parse_answer(one.text).answer for one in written]


@pytest.mark.parametrize("choices", [VERDICTS, SIDES])
@pytest.mark.parametrize("temperature", [0.0, 3.0])
def test_mini_answers_with_a_choice_or_a_refusal(mini: Generator, choices: tuple[str, ...], temperature: float) -> None:
    said = set()
    for seed in range(2):
        written = mini.generate(asked(mini.style, choices), Decoding(temperature=temperature, seed=seed))
        assert all(one.structured for one in written)
        said |= set(answers(written))
        for one in written:
            parsed = parse_answer(one.text)
            assert not (parsed.quotes and parsed.abstained)
            assert not check_citations(parsed, PASSAGES).unverified
    assert said <= {*choices, REFUSAL}


def test_mini_chooses_behind_the_quote_that_it_points_at(mini: Generator) -> None:
    held = asked(mini.style, VERDICTS)[1::2]
    for chose, free in zip(
        mini.generate(held, Decoding()),
        mini.generate([replace(prompt, choices=()) for prompt in held], Decoding()),
        strict=True,
    ):
        ours, theirs = parse_answer(chose.text), parse_answer(free.text)
        assert (ours.quotes, ours.abstained) == (theirs.quotes, theirs.abstained)


@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5"])
@pytest.mark.parametrize("choices", [VERDICTS, SIDES])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_any_other_model_ends_in_a_choice_or_a_refusal(
    kind: str, choices: tuple[str, ...], temperature: float, tiny_chat: Callable[[str], Path]
) -> None:
    model = load_generator(str(tiny_chat(kind)))
    written = model.generate(asked(model.style, choices), Decoding(max_new_tokens=90, temperature=temperature))
    assert all(one.structured and one.text.count(ANSWER) == 1 for one in written)
    assert set(answers(written)) <= {*choices, REFUSAL}


def test_what_has_no_choices_is_written_as_ever_beside_what_has(
    mini: Generator, tiny_chat: Callable[[str], Path]
) -> None:
    for model in (mini, load_generator(str(tiny_chat("llama")))):
        free = [replace(prompt, choices=()) for prompt in asked(model.style, ())]
        both = model.generate([*free, *asked(model.style, VERDICTS)], Decoding(max_new_tokens=40))
        alone = model.generate(free, Decoding(max_new_tokens=40))
        assert [one.text for one in both[:8]] == [one.text for one in alone]
        assert [one.structured for one in both] == [None] * 8 + [one.structured for one in both[8:]]
        assert None not in [one.structured for one in both[8:]]


@pytest.mark.parametrize("kind", ["mini", "llama", "gpt2", "t5"])
def test_the_choice_is_the_one_with_the_most_probability_in_its_place(
    kind: str, tiny_mini: Path, tiny_chat: Callable[[str], Path]
) -> None:
    """Held against a forward pass over prompt, output and choice as one text."""
    model = LocalGenerator.load(str(tiny_mini if kind == "mini" else tiny_chat(kind)))
    loaded, codec = model._loaded, model._loaded.codec
    ends = [int(codec.tokenizer.eos_token_id)]
    spelt = spellings(codec.tokenizer, SIDES)
    assert spelt is not None
    prompt = codec.prompt_ids(asked(model.style, SIDES)[1])
    written = encode_segments(codec.tokenizer, [Segment(f"[1] {BEGIN_QUOTE} The lamp {END_QUOTE} {ANSWER}", False)])

    def weight(ids: tuple[int, ...]) -> torch.Tensor:
        said = [*written, *ids, *ends]
        if kind == "t5":
            decoder = torch.tensor([[loaded.model.config.decoder_start_token_id, *said[:-1]]])
            logits = loaded.model(input_ids=torch.tensor([prompt]), decoder_input_ids=decoder).logits[0]
        else:
            types = {"token_type_ids": torch.tensor([[0] * len(prompt) + [1] * len(said)])} if kind == "mini" else {}
            logits = loaded.model(input_ids=torch.tensor([[*prompt, *said]]), **types).logits[0, len(prompt) - 1 : -1]
        logs = logits.float().log_softmax(-1).gather(-1, torch.tensor(said)[:, None])[:, 0]
        return logs[len(written) :].sum()

    with torch.inference_mode():
        weights = {choice: [weight(ids) for ids in found] for choice, found in spelt.items()}
    totals = {choice: float(torch.stack(found).logsumexp(0)) for choice, found in weights.items()}
    best = likeliest(loaded.model, prompt, written, spelt, ends)
    assert best.choice == max(totals, key=lambda choice: totals[choice])
    assert best.log_probability == pytest.approx(float(max(weights[best.choice])), abs=0.02)
    without = {choice: found for choice, found in spelt.items() if choice != best.choice}
    assert likeliest(loaded.model, prompt, written, without, ends).choice in without


def test_the_likelihood_counts_the_choice_and_not_what_was_cut_for_it(mini: Generator) -> None:
    weighed = mini.generate(asked(mini.style, VERDICTS), Decoding(logprobs=True))
    plain = mini.generate(asked(mini.style, VERDICTS), Decoding())
    assert [one.text for one in weighed] == [one.text for one in plain]
    assert all(one.likelihood is not None and -30 < one.likelihood < 0 for one in weighed)
    assert [one.completion_tokens for one in weighed] == [one.completion_tokens for one in plain]


def test_room_for_the_choice_is_kept_where_the_text_goes_on_and_on(tiny_chat: Callable[[str], Path]) -> None:
    model = load_generator(str(tiny_chat("gpt2")))
    # Of single bytes the mark takes 9 and the end 1.
    for room, held in ((30, True), (8, False)):
        written = model.generate(asked(model.style, VERDICTS, 2), Decoding(max_new_tokens=room))
        assert [one.structured for one in written] == [held, held]


def test_choices_that_a_vocabulary_cannot_tell_apart_are_not_held_to_and_that_is_said(mini: Generator) -> None:
    for choices in (("Us", "US"), ("\N{SNOWMAN}", "b"), ("...", "\u200b")):
        written = mini.generate(asked(mini.style, choices, 2), Decoding())
        assert [one.structured for one in written] == [False, False]


def test_an_answer_that_cites_cannot_be_a_refusal_and_any_other_can(mini: Generator) -> None:
    # Weights that know nothing find nothing as likely as few words: only where those are ruled out is the refusal left.
    spelt = spellings(load_tokenizer(str(mini.name)), ("yes", "no"))
    assert spelt is not None and set(spelt) == {"yes", "no", REFUSAL}
    for one in mini.generate(asked(mini.style, ("a " * 30, "b " * 30), 16), Decoding(temperature=3.0, seed=1)):
        parsed = parse_answer(one.text)
        assert parsed.abstained != bool(parsed.quotes)


def test_equal_prompts_with_other_choices_are_other_prompts(tiny_mini: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        model = load_generator(str(tiny_mini), calls=Calls(journal))
        (prompt,) = asked(model.style, (), 1)
        for choices in (("yes", "no"), ("aft", "fore")):
            both = [replace(prompt, choices=choices), replace(prompt, choices=(*choices, "amidships"))]
            assert set(answers(model.generate(both, Decoding()))) <= {*choices, "amidships", REFUSAL}


def test_a_model_that_is_told_replies_in_json() -> None:
    prompt = replace(closed_book_prompt("Which side?", PromptStyle.CHAT), choices=SIDES)
    told = tell_choices(prompt)
    assert told.text.endswith("Question: Which side?\nChoices:\n- port\n- port side\n- Élan & Co., aft")
    assert [one.text for one in told.user if one.content] == ["Which side?", *SIDES]
    assert json.loads(choice_schema(SIDES))["properties"]["answer"]["enum"] == [*SIDES, REFUSAL]
    reply = json.dumps({"quotes": "[1] ##begin_quote## aft ##end_quote##", "answer": "port"})
    assert parse_choice(reply, SIDES) == f"[1] ##begin_quote## aft ##end_quote## {ANSWER} port"
    assert parse_choice('{"answer": "port side"}', SIDES) == f"{ANSWER} port side"
    for other in ("port", "{}", "[]", '{"answer": "Port"}', '{"answer": ["port"]}', '{"answer": "port"'):
        assert parse_choice(other, SIDES) is None
    assert with_choice(f"so {ANSWER} YES", "yes") == f"so {ANSWER} yes"
