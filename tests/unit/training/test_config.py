"""TrainConfig: validation, replacement of single values, and JSON round trip."""

import json
from pathlib import Path
from typing import Any

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.io.config import from_dict, to_dict
from tiepoint.training.config import DataConfig, ModelConfig, OptimConfig, RunConfig, TrainConfig
from tiepoint.training.data.homographic_warps import WarpConfig
from tiepoint.training.recipes import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_json_round_trip(name: str) -> None:
    config = TrainConfig.from_recipe(name, data={"val": Path("val")}, run={"minutes": 5.0})
    assert from_dict(TrainConfig, json.loads(json.dumps(to_dict(config)))) == config


def test_from_recipe_replaces_single_values() -> None:
    config = TrainConfig.from_recipe(
        "finetune", model={"layers": 2}, data={"warps": {"resize": 320}}, optim={"schedule": {"hold": 0.1}}
    )
    assert config.model == ModelConfig(init="official", layers=2)
    assert (config.data.warps.resize, config.data.warps.homography.max_angle_deg) == (320, 180.0)
    assert (config.optim.schedule.hold, config.optim.schedule.decay) == (0.1, "exponential")
    assert config.optim.learning_rate == RECIPES["finetune"].config.optim.learning_rate


def test_replace_leaves_the_original_unchanged() -> None:
    config = TrainConfig()
    assert config.replace(run={"pairs": 8}).run.pairs == 8
    assert config == TrainConfig()


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ({"optimizer": {}}, "did you mean 'optim'"),
        ({"optim": {"learning_rat": 1}}, "did you mean 'learning_rate'"),
        ({"data": {"warps": {"size": 1}}}, "'size'"),
    ],
    ids=str,
)
def test_unknown_field_is_refused(parts: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        TrainConfig().replace(**parts)


@pytest.mark.parametrize(
    ("part", "values"),
    [
        (ModelConfig, {"layers": 0}),
        (ModelConfig, {"teacher": "scratch"}),
        (ModelConfig, {"lora": 8}),
        (ModelConfig, {"lora": 0, "init": "official"}),
        (ModelConfig, {"lora": 8, "init": "official", "layers": 2}),
        (DataConfig, {"negatives": 1.5}),
        (DataConfig, {"depth_maps": "depth"}),
        (DataConfig, {"warp_fraction": -0.1}),
        (DataConfig, {"collection": "out", "colmap": "sparse"}),
        (DataConfig, {"collection": "out", "val": "photos"}),
        (OptimConfig, {"batch_size": 0}),
        (OptimConfig, {"learning_rate": -1.0}),
        (OptimConfig, {"teacher_weight": 2.0}),
        (RunConfig, {"pairs": 1, "minutes": 1.0}),
        (RunConfig, {"pairs": 0}),
        (RunConfig, {"seed": -1}),
        (RunConfig, {"checkpoint_seconds": -1.0}),
    ],
    ids=str,
)
def test_invalid_values_are_refused(part: type, values: dict[str, Any]) -> None:
    name = next(iter(values)).replace("depth_maps", "depth maps")
    with pytest.raises(InvalidInput, match=name):
        part(**values)


def test_warps_per_image_and_a_reconstruction_exclude_each_other() -> None:
    with pytest.raises(InvalidInput, match="per_image=4 has no effect with a reconstruction"):
        DataConfig(colmap="sparse", warps=WarpConfig(per_image=4))
    assert DataConfig(colmap="sparse", warps=WarpConfig(resize=1024)).warps.resize == 1024


def test_paths_are_stored_as_text() -> None:
    assert DataConfig(colmap=Path("sparse")).colmap == "sparse"
    assert ModelConfig(init=Path("out")).init == "out"


def test_default_sizes_are_for_scratch_only() -> None:
    assert [ModelConfig().size(name) for name in ("layers", "width", "heads")] == [5, 128, 2]
    assert ModelConfig(layers=3).size("layers") == 3
    assert ModelConfig(init="official").size("layers") is None


def test_budget_defaults_to_an_hour() -> None:
    assert RunConfig().budget.minutes == 60.0
    assert RunConfig(pairs=5).budget.minutes is None
