"""Settings say what is wrong with them."""

from pathlib import Path

import pytest

from raft.errors import InputError
from raft.recipe import Recipe, commented_recipe, load_recipe


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
    ],
)
def test_a_wrong_recipe_is_an_error_that_names_the_key(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)


def test_a_missing_recipe_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_recipe(tmp_path / "none.yaml")
