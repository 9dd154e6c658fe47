"""The table of recipes: what is promised is there, and a wrong name gets help."""

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.io.config import from_dict, to_dict
from tiepoint.training.recipes import DEFAULT_RECIPE, RECIPES, Recipe, find_recipe


def test_the_promised_recipes_are_there() -> None:
    assert set(RECIPES) == {"homography", "finetune", "distill"}
    assert DEFAULT_RECIPE in RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_a_row_names_its_command_and_what_to_expect(name: str) -> None:
    recipe = find_recipe(name)
    assert recipe.about
    assert recipe.expects
    assert recipe.command.startswith("tiepoint train photos/ out/")
    assert name == DEFAULT_RECIPE or f"--recipe {name}" in recipe.command


@pytest.mark.parametrize("name", RECIPES)
def test_a_row_survives_json(name: str) -> None:
    assert from_dict(Recipe, to_dict(RECIPES[name])) == RECIPES[name]


def test_sizes_belong_to_random_weights_only() -> None:
    for recipe in RECIPES.values():
        assert (recipe.layers is None) == (recipe.init == "official")


def test_finetuning_sees_any_turn() -> None:
    assert RECIPES["finetune"].views.warp.max_angle_deg == 180.0


def test_only_a_student_has_a_teacher() -> None:
    assert [name for name, recipe in RECIPES.items() if recipe.teacher] == ["distill"]


def test_a_slip_of_the_pen_is_told_what_was_meant() -> None:
    with pytest.raises(InvalidInput, match=r"'finetun'.*did you mean 'finetune'\?.*homography"):
        find_recipe("finetun")
