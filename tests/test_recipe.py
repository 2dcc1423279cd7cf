"""Settings say what is wrong with them."""

import runpy
from pathlib import Path

import pytest

from raft.errors import InputError
from raft.prompts import CONTROL_TOKENS
from raft.recipe import MAX_PASSAGES, Recipe, Schedule, commented_recipe, load_recipe, parse_settings


def test_the_written_recipe_reads_back_as_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(commented_recipe())
    assert load_recipe(path) == Recipe()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tune:\n  learning_rat: 1\n", "tune.learning_rat"),
        ("generate:\n  oracle_fraction: 1.5\n", "generate.oracle_fraction"),
        ("index: [", "not readable YAML"),
        ("seed: -1\n", "seed"),
        ("- 1\n", "recipe"),
        ("tune:\n  lr_scheduler_type: cosin\n", "tune.lr_scheduler_type"),
        ("answer:\n  top_k: 0\n", "answer.top_k"),
        ("answer:\n  top_k: 17\n", "answer.top_k"),
        ("generate:\n  num_distractors: 16\n", "generate.num_distractors"),
        ("generate:\n  num_distractors: 4-1\n", "generate.num_distractors: .*a range of such numbers like 1-4"),
        ("generate:\n  num_distractors: true\n", "generate.num_distractors"),
        ("generate:\n  num_distractors: 1-14\n  max_oracles: 3\n", "num_distractors and max_oracles together"),
        ("generate:\n  distractors:\n    hard: 0\n", "generate.distractors: .*every weight is 0"),
        ("evaluate:\n  top_k: 3\n", r"evaluate.top_k is now answer.top_k: rename"),
        ("evaluate:\n  min_confidence: 0.3\n", r"evaluate.min_confidence is now answer.min_confidence: rename"),
        ("generate:\n  unanswerable_fraction: 1\n  near_miss_fraction: 1\n", "no row is left as it is"),
    ],
)
def test_a_wrong_recipe_is_an_error_that_names_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "adapter"),
    [
        ({}, "smollm2-reader"),
        ({"start": ""}, ""),
        ({"model": "mini"}, ""),
        ({"full": True}, ""),
        ({"start": "ours", "full": True}, "ours"),
        ({"model": "mini", "start": "ours"}, "ours"),
    ],
)
def test_tuning_goes_on_from_the_reader_where_nothing_else_is_asked_for(given: dict[str, object], adapter: str) -> None:
    assert parse_settings(Recipe, {"tune": given}, "settings").tune.adapter == adapter


def test_the_most_passages_that_a_prompt_can_number_are_allowed() -> None:
    recipe = parse_settings(Recipe, {"answer": {"top_k": 16}, "generate": {"num_distractors": 15}}, "settings")
    assert (recipe.answer.top_k, recipe.generate.num_distractors) == (16, 15)
    assert f"[{MAX_PASSAGES}]" in CONTROL_TOKENS and f"[{MAX_PASSAGES + 1}]" not in CONTROL_TOKENS


@pytest.mark.parametrize(("given", "recorded"), [(3, 3), ("3", 3), ("2-2", 2), (" 0 - 4 ", "0-4")])
def test_a_number_of_distractors_is_recorded_in_one_form(given: int | str, recorded: int | str) -> None:
    chosen = parse_settings(Recipe, {"generate": {"num_distractors": given}}, "settings").generate
    assert chosen.num_distractors == recorded
    assert parse_settings(Recipe, {"generate": chosen.model_dump()}, "settings").generate == chosen


@pytest.mark.parametrize("schedule", Schedule)
def test_every_schedule_is_one_that_transformers_makes_without_further_settings(schedule: Schedule) -> None:
    import torch
    from transformers import get_scheduler

    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    rates = []
    made = get_scheduler(str(schedule), optimiser, num_warmup_steps=2, num_training_steps=10)
    for _ in range(10):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        made.step()
    assert max(rates) == 1.0


def test_a_missing_recipe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_recipe(tmp_path / "none.yaml")


def test_the_page_of_the_recipe_is_what_the_settings_say() -> None:
    made = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "recipe_page"))
    assert made["PAGE"].read_text(encoding="utf-8") == made["page"](), "run scripts/recipe_page"
