"""The embedded model's class: one distribution however it is computed, and it loads, saves, tunes like any other."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

from raft.models.mini.layout import lay_out
from raft.models.mini.modeling import MiniConfig, MiniForCausalLM
from raft.models.mini.span_reading import Pair
from raft.models.mini.untrained import with_own_writer

LENGTH, NEW = 20, 6
MARKS = [150, 151, 152]


@pytest.fixture(scope="module", params=[0, 1], ids=["shared", "own writing layer"])
def model(request: pytest.FixtureRequest) -> MiniForCausalLM:
    torch.manual_seed(0)
    config = MiniConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_writing_layers=request.param,
        num_attention_heads=2,
        intermediate_size=48,
        pointer_size=16,
        passage_marks=MARKS,
    )
    return MiniForCausalLM(config).eval()


@pytest.fixture(scope="module")
def prompt() -> dict[str, torch.Tensor]:
    """Three prompts, the second left-padded, the last two with passages."""
    torch.manual_seed(1)
    ids = torch.randint(200, 30_000, (3, LENGTH))
    mask = torch.ones_like(ids)
    ids[1, :5], mask[1, :5] = 0, 0
    ids[1, 9], ids[1, 15], ids[2, 4], ids[2, 8], ids[2, 12] = MARKS[0], MARKS[1], *MARKS
    return {"input_ids": ids, "attention_mask": mask}


def generated(model: MiniForCausalLM, prompt: dict[str, torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    out = model.generate(
        **prompt,
        max_new_tokens=NEW,
        min_new_tokens=NEW,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    return out.sequences, list(out.logits)


def whole(prompt: dict[str, torch.Tensor], sequences: torch.Tensor) -> dict[str, torch.Tensor]:
    new = torch.ones(len(sequences), NEW, dtype=torch.long)
    return {
        "input_ids": sequences,
        "attention_mask": torch.cat([prompt["attention_mask"], new], 1),
        "token_type_ids": torch.cat([torch.zeros_like(prompt["input_ids"]), new], 1),
    }


def test_decoding_with_the_cache_gives_what_one_full_pass_gives(
    model: MiniForCausalLM, prompt: dict[str, torch.Tensor]
) -> None:
    sequences, logits = generated(model, prompt)
    full = model(**whole(prompt, sequences)).logits
    for step in range(NEW):
        torch.testing.assert_close(full[:, LENGTH - 1 + step], logits[step], atol=1e-4, rtol=1e-4)


def test_padding_on_the_left_changes_nothing(model: MiniForCausalLM, prompt: dict[str, torch.Tensor]) -> None:
    padded = generated(model, prompt)[0][1, LENGTH:]
    bare = generated(model, {key: value[1:2, 5:] for key, value in prompt.items()})[0][0, LENGTH - 5 :]
    assert padded.tolist() == bare.tolist()


def test_passages_stand_side_by_side_and_see_the_question_and_themselves() -> None:
    #           pad  question  first passage  second      target
    ids = [[0, 7, 8, 150, 9, 151, 9, 10, 11, 9], [0, 7, 8, 150, 9, 151, 9, 10, 150, 9]]
    targets = torch.tensor([[0, 0, 0, 0, 0, 0, 0, 0, 1, 1]] * 2)
    mask = torch.tensor([[0, 1, 1, 1, 1, 1, 1, 1, 1, 1]] * 2)
    layout = lay_out(torch.tensor(ids), targets, mask, MARKS)
    for row in range(2):
        # A mark in a target cites a passage, and begins none.
        assert layout.passages[row].tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 0, 0]
        assert layout.positions[row, 1:].tolist() == [0, 1, 2, 3, 2, 3, 4, 5, 6]
    seen = layout.visible(0)
    assert seen is not None
    sees = [[key for key in range(10) if seen[0, 0, token, key]] for token in range(1, 10)]
    question = [1, 2, 3, 4, 5, 6, 7]
    assert sees[:2] == [question, question]
    assert sees[2:4] == [[1, 2, 3, 4]] * 2
    assert sees[4:7] == [[1, 2, 5, 6, 7]] * 3
    assert sees[7:] == [[*question, 8], [*question, 8, 9]]


def test_a_passage_is_read_alike_wherever_it_stands(model: MiniForCausalLM) -> None:
    question, first, second = [7, 8, 9], [150, 300, 301, 302], [150, 400, 401]
    one, other = (torch.tensor([[*question, *texts]]) for texts in ([*first, *second], [*second, *first]))
    before, after = model(input_ids=one).logits[0, 3:7], model(input_ids=other).logits[0, -4:]
    torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-4)


def test_logits_are_normalised_log_probabilities(model: MiniForCausalLM, prompt: dict[str, torch.Tensor]) -> None:
    total = model(**prompt).logits.exp().sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-4, rtol=0)


def test_the_loss_is_that_of_the_target_tokens_alone(model: MiniForCausalLM, prompt: dict[str, torch.Tensor]) -> None:
    sequences, _ = generated(model, prompt)
    inputs = whole(prompt, sequences)
    labels = sequences.masked_fill(inputs["token_type_ids"] == 0, -100)
    wanted = model(**inputs).logits[:, LENGTH - 1 : -1].gather(-1, sequences[:, LENGTH:, None])
    torch.testing.assert_close(model(**inputs, labels=labels).loss, -wanted.mean(), atol=1e-4, rtol=1e-4)


def test_the_loss_of_known_copies_is_an_upper_bound(model: MiniForCausalLM, prompt: dict[str, torch.Tensor]) -> None:
    ids = torch.cat([prompt["input_ids"], prompt["input_ids"][:, 8 : 8 + NEW]], 1)
    inputs = whole(prompt, ids)
    labels = ids.masked_fill(inputs["token_type_ids"] == 0, -100)
    bound = model(**inputs, labels=labels, copied=inputs["token_type_ids"]).loss
    assert bound >= model(**inputs, labels=labels).loss
    assert torch.isfinite(bound)


def test_the_prompt_is_read_in_both_directions_and_the_target_in_one(
    model: MiniForCausalLM, prompt: dict[str, torch.Tensor]
) -> None:
    sequences, _ = generated(model, prompt)
    inputs = whole(prompt, sequences)
    before = model(**inputs).logits
    late = {**inputs, "input_ids": sequences.clone()}
    late["input_ids"][:, -1] = 777
    after = model(**late).logits
    # Without the padded row: what a padding position sees is nobody's concern.
    torch.testing.assert_close(before[::2, : LENGTH + NEW - 1], after[::2, : LENGTH + NEW - 1])
    early = {**inputs, "input_ids": sequences.clone()}
    early["input_ids"][:, LENGTH - 1] = 777
    assert not torch.allclose(before[0, 0], model(**early).logits[0, 0])


def test_a_model_that_only_copies_gives_no_chance_to_a_word_that_was_not_shown(
    model: MiniForCausalLM, prompt: dict[str, torch.Tensor]
) -> None:
    bias = model.pointer_gate.bias.detach().clone()
    try:
        model.pointer_gate.bias.data.fill_(-50.0)
        chances = model(**prompt, logits_to_keep=1).logits[0, -1].exp()
        shown = prompt["input_ids"][0].unique()
        assert chances[shown].sum() > 0.999
    finally:
        model.pointer_gate.bias.data.copy_(bias)


def test_it_saves_loads_and_beams_through_the_auto_class(
    model: MiniForCausalLM, prompt: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert type(loaded) is MiniForCausalLM
    assert torch.equal(generated(loaded, prompt)[0], generated(model, prompt)[0])
    beams = loaded.generate(**prompt, max_new_tokens=NEW, num_beams=3, do_sample=False)
    assert beams.shape[0] == 3


def test_it_takes_lora_matrices(model: MiniForCausalLM, prompt: dict[str, torch.Tensor], tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    fresh = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    adapted = get_peft_model(fresh, LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=4))
    assert torch.equal(generated(adapted, prompt)[0], generated(model, prompt)[0])


def test_a_writer_with_its_own_layers_begins_as_it_was_and_leaves_reading_alone(
    model: MiniForCausalLM, prompt: dict[str, torch.Tensor]
) -> None:
    sequences, _ = generated(model, prompt)
    rows, pair = whole(prompt, sequences), [Pair([7, 300, 8, 301, 302], 3)]
    made = with_own_writer(model, 1).eval()
    torch.testing.assert_close(made(**rows).logits, model(**rows).logits)
    labels = rows["input_ids"].masked_fill(rows["token_type_ids"] == 0, -100)
    made(**rows, labels=labels).loss.backward()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.grad is not None:
                parameter -= parameter.grad
    assert not torch.allclose(made(**rows).logits, model(**rows).logits, atol=1e-3)
    (after,), (before,) = made.read_pairs(pair, 100), model.read_pairs(pair, 100)
    for part, other in zip(after, before, strict=True):
        torch.testing.assert_close(part, other, atol=0, rtol=0)


def test_targets_that_share_a_prompt_do_not_see_each_other(model: MiniForCausalLM) -> None:
    prompt, first, second = [5, 6, 7, 8], [9, 10, 11], [12, 9, 13, 14]

    def summed(*targets: list[int]) -> torch.Tensor:
        ids = torch.tensor([[*prompt, *(token for target in targets for token in target)]])
        types = torch.tensor([[0] * 4 + [n for n, target in enumerate(targets, 1) for _ in target]])
        places = torch.tensor([[*range(4), *(4 + place for target in targets for place in range(len(target)))]])
        weights = torch.tensor([[0.0] * 4 + [float(place > 0) for target in targets for place in range(len(target))]])
        loss: torch.Tensor = model(
            input_ids=ids,
            token_type_ids=types,
            position_ids=places,
            labels=ids.masked_fill(weights == 0, -100),
            weights=weights,
            num_items_in_batch=1,
        ).loss
        return loss

    assert torch.isclose(summed(first, second), summed(first) + summed(second), rtol=1e-4)
    assert not torch.isclose(summed(first, second), summed(first), rtol=1e-2)
