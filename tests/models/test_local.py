"""Models on this machine: the same answers in any order, nothing cut, adapters put on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from raft.answering.prompt_choice import variants_of
from raft.errors import ModelError
from raft.models.generator import Decoding, Generator
from raft.models.loading import load_generator
from raft.models.local import load_model
from raft.models.weights import weights_fingerprint
from raft.outputs import parse_answer
from raft.prompts import PromptStyle, PromptVariant, ask_prompt, closed_book_prompt, list_prompt, passages_prompt
from raft.tune.training import save_adapter
from raft.types import ShownPassage

QUESTIONS = ["What stops at 36 bar?", "Who?", "When did the Tessaly run aground near Hask Landing?", "Who?"]


@pytest.fixture(scope="module")
def mini(tiny_mini: Path) -> Generator:
    return load_generator(str(tiny_mini))


def test_the_order_of_prompts_does_not_change_what_is_written(mini: Generator) -> None:
    prompts = [closed_book_prompt(question, mini.style) for question in QUESTIONS]
    forward = [g.text for g in mini.generate(prompts, Decoding(max_new_tokens=8))]
    backward = [g.text for g in mini.generate(prompts[::-1], Decoding(max_new_tokens=8))]
    assert forward == backward[::-1]
    assert forward[1] == forward[3]


def test_progress_counts_every_prompt_once_though_equal_ones_are_answered_once(mini: Generator) -> None:
    done: list[int] = []
    prompts = [closed_book_prompt(question, mini.style) for question in QUESTIONS]
    mini.generate(prompts, Decoding(max_new_tokens=2), done.append)
    assert sum(done) == len(QUESTIONS)


def test_sampling_repeats_under_one_seed_and_varies_between_equal_prompts(mini: Generator) -> None:
    prompts = [closed_book_prompt("Who?", mini.style)] * 4
    decoding = Decoding(max_new_tokens=12, temperature=1.5, seed=3)
    first = [g.text for g in mini.generate(prompts, decoding)]
    assert first == [g.text for g in mini.generate(prompts, decoding)]
    assert len(set(first)) > 1


def test_a_prompt_that_does_not_fit_is_an_error_and_never_cut(mini: Generator) -> None:
    passage = ShownPassage("p", "d", "", "word " * 1200, True)
    with pytest.raises(ModelError, match="does not fit"):
        mini.generate([passages_prompt("Who?", [passage], mini.style)], Decoding())


def test_passages_that_mini_reads_apart_need_not_fit_together() -> None:
    mini = load_generator("mini")
    right = ShownPassage("p", "d", "", "The yard at Skerrivane was founded in 1871 by Ann Moore.", True)
    others = [ShownPassage(f"p{n}", "d", "", f"Ropes of grade {n} were kept dry. " * 40, False) for n in range(9)]
    prompts = [passages_prompt("Who founded the yard?", shown, mini.style) for shown in ([right], [*others, right])]
    alone, together = mini.generate(prompts, Decoding())
    assert together.prompt_tokens is not None and together.prompt_tokens > 1024
    assert parse_answer(together.text).answer == parse_answer(alone.text).answer == "Ann Moore"
    labelled = replace(prompts[1], choices=("Ann Moore", "nobody"))
    with pytest.raises(ModelError, match="does not fit"):
        mini.generate([labelled], Decoding())


@pytest.mark.parametrize("kind", ["llama", "gpt2", "t5"])
def test_any_causal_or_seq2seq_model_of_transformers_can_write(kind: str, tiny_chat: Callable[[str], Path]) -> None:
    generator = load_generator(str(tiny_chat(kind)))
    assert generator.style is PromptStyle.CHAT
    prompts = [closed_book_prompt(question, generator.style) for question in QUESTIONS]
    written = generator.generate(prompts, Decoding(max_new_tokens=4))
    assert len(written) == len(QUESTIONS)
    assert written[1].text == written[3].text


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_the_likelihood_of_a_text_is_the_mean_of_what_the_model_gave_its_tokens(
    kind: str, tiny_chat: Callable[[str], Path]
) -> None:
    generator = load_generator(str(tiny_chat(kind)))
    prompt = closed_book_prompt("Who?", generator.style)
    (plain,), (weighed,) = (
        generator.generate([prompt], Decoding(max_new_tokens=5, logprobs=weigh)) for weigh in (0, 1)
    )
    assert plain.likelihood is None
    assert weighed.text == plain.text
    loaded = generator._loaded
    ids = torch.tensor([loaded.codec.prompt_ids(prompt)])
    output = loaded.model.generate(
        ids, max_new_tokens=5, do_sample=False, output_logits=True, return_dict_in_generate=True
    )
    chosen = output.sequences[0, -len(output.logits) :]
    expected = [
        float(logits[0].float().log_softmax(-1)[token]) for logits, token in zip(output.logits, chosen, strict=True)
    ]
    assert weighed.likelihood == pytest.approx(sum(expected) / len(expected), abs=1e-3)


def test_a_reply_of_one_line_is_complete_with_it_unless_it_is_to_make_a_choice(
    tiny_chat: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = load_generator(str(tiny_chat("llama")))
    line, quoting = (
        closed_book_prompt("Who?", generator.style, variant) for variant in (PromptVariant.SHORT, PromptVariant.QUOTE)
    )
    prompts, decoding = [line, quoting, replace(line, choices=("yes", "no"))], Decoding(max_new_tokens=20)
    free = [one.completion_tokens for one in generator.generate(prompts, decoding)]
    monkeypatch.setattr("raft.models.tokens.Codec.line_ended", lambda codec, ids: len(ids) == 2)
    assert [one.completion_tokens for one in generator.generate(prompts, decoding)] == [2, *free[1:]]
    assert min(free) > 2


def test_only_the_question_of_a_draft_is_weighed_and_equal_prompts_are_told_apart(mini: Generator) -> None:
    passage = ShownPassage("p", "d", "", "The Merrow 45 stops at 36 bar, and the winch lifts two tonnes.", True)
    prompts = [ask_prompt(passage, mini.style)] * 4
    drafts = mini.generate(prompts, Decoding(max_new_tokens=40, temperature=1.0, logprobs=True))
    assert all(draft.likelihood is not None and draft.likelihood < 0 for draft in drafts)
    assert len({draft.likelihood for draft in drafts}) == len({draft.text for draft in drafts}) > 1


def test_a_model_that_is_not_there_is_an_error_that_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="give 'mini'"):
        load_generator(str(tmp_path / "nothing"))
    with pytest.raises(ModelError, match="is no folder, and no hub name either: check its path"):
        weights_fingerprint(str(tmp_path / "nothing"))
    with pytest.raises(ModelError, match="names no endpoint"):
        load_generator("openai:gpt")


@pytest.fixture
def adapted(tiny_chat: Callable[[str], Path], tmp_path: Path) -> tuple[str, str]:
    """A small model by its name, and that of an adapter on it."""
    base = str(tiny_chat("llama"))
    model = get_peft_model(load_model(base).model, LoraConfig(target_modules="all-linear", init_lora_weights=False))
    save_adapter(model, base, tmp_path / "adapter")
    return base, str(tmp_path / "adapter")


def test_the_folder_of_an_adapter_is_its_model_with_the_matrices(adapted: tuple[str, str]) -> None:
    base, name = adapted
    prompt, decoding = closed_book_prompt("Who?", PromptStyle.CHAT), Decoding(max_new_tokens=12)
    (plain,), (said,) = (load_generator(one).generate([prompt], decoding) for one in (base, name))
    assert said.text != plain.text
    assert weights_fingerprint(name) != weights_fingerprint(base)
    # It has practised one wording.
    assert variants_of(base) and not variants_of(name)
    with pytest.raises(ModelError, match=f"give it as tune.start and '{base}' as tune.model"):
        load_model(name)
    Path(name, "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"adapter_config.json names no model below the adapter .*: train it again"):
        load_generator(name)


def test_a_question_writer_is_good_for_nothing_else(adapted: tuple[str, str]) -> None:
    base, name = adapted
    Path(name, "writer.json").write_text("{}")
    passage = ShownPassage("p", "d", "Pumps", "The Merrow 45 stops at 36 bar.", True)
    decoding = Decoding(max_new_tokens=12, logprobs=True)
    (plain,), (said,) = (load_generator(one).generate([list_prompt(passage)], decoding) for one in (base, name))
    assert said.text != plain.text
    # A line for each break in what was written, each with its likelihood.
    assert said.lines and all(likelihood < 0 for likelihood in said.lines)
    with pytest.raises(ModelError, match=f"{name} writes questions and nothing else: give '{base}'"):
        load_model(name)
