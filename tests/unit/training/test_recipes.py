"""The table of recipes."""

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.training.config import TrainConfig
from tiepoint.training.recipes import DEFAULT_RECIPE, RECIPES, find_recipe


def test_documented_recipes_exist() -> None:
    assert set(RECIPES) == {"homography", "finetune", "distill"}
    assert DEFAULT_RECIPE in RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_row_has_command_and_results(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.about
    assert recipe.results
    assert recipe.command.startswith("tiepoint train photos/ out/")
    assert name == DEFAULT_RECIPE or f"--recipe {name}" in recipe.command
    assert recipe.config.recipe == name


def test_default_config_is_the_default_recipe() -> None:
    assert RECIPES[DEFAULT_RECIPE].config == TrainConfig()


def test_finetuning_covers_all_rotations() -> None:
    assert RECIPES["finetune"].config.data.warps.homography.max_angle_deg == 180.0


def test_only_distillation_has_a_teacher() -> None:
    assert [name for name, recipe in RECIPES.items() if recipe.config.model.teacher] == ["distill"]


def test_unknown_recipe_is_refused_with_a_suggestion() -> None:
    with pytest.raises(InvalidInput, match=r"'finetun'.*homography.*did you mean 'finetune'"):
        find_recipe("finetun")
