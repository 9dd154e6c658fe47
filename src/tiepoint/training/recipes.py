"""RECIPES: how to train, one row per purpose; a recipe is a starting point whose settings can be replaced.

Source of the loss, of AdamW's rates and of the homographies: LightGlue (arXiv 2306.13643), section 4 and appendix B;
glue-factory's `superpoint+lightglue_homography.yaml`, as of 2024. The sizes are for a small machine.
"""

from dataclasses import dataclass

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import unknown_name
from tiepoint.training.config import OFFICIAL, DataConfig, ModelConfig, OptimConfig, TrainConfig
from tiepoint.training.data.homographic_warps import WarpConfig
from tiepoint.training.data.random_homography import HomographyConfig
from tiepoint.training.schedule import Schedule

DEFAULT_RECIPE = "homography"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One row.

    Attributes:
        about: Purpose, in one line.
        command: Command line, with the time that it is meant for.
        results: Measured results of the command, and the data they were measured on.
        config: Settings.
    """

    about: str
    command: str
    results: str
    config: TrainConfig


RECIPES: dict[str, Recipe] = {
    "homography": Recipe(
        about="a small matcher from scratch, from images alone",
        command="tiepoint train photos/ out/ --minutes 60",
        results="two processes on 2 CPU cores, batches of 4, 1,570 images: precision and recall on held-out images 84 and 86 % "
        "(mutual nearest neighbors 66 and 66, the pretrained nine layers 92 and 93)",
        config=TrainConfig(recipe="homography"),
    ),
    "finetune": Recipe(
        about="the pretrained matcher, made robust to any in-plane rotation",
        command="tiepoint train photos/ out/ --recipe finetune --extractor aliked-n16rot --minutes 60",
        results="two processes on 2 CPU cores, batches of 2, 1,570 images: correct matches per pair 249 instead of 76 at a "
        "relative rotation of 90 degrees, 224 instead of none at 180, 290 instead of 285 upright (of 512 keypoints each). "
        "With aliked-n16, whose keypoints are not repeatable under rotation, 36 instead of 16 at 90 and 8 instead of none "
        "at 180 degrees after 30 minutes",
        config=TrainConfig(
            recipe="finetune",
            model=ModelConfig(init=OFFICIAL),
            data=DataConfig(warps=WarpConfig(homography=HomographyConfig(max_angle_deg=180.0, upright=0.5))),
            optim=OptimConfig(
                learning_rate=1e-4, schedule=Schedule(decay="exponential"), batch_size=4, accumulate=2
            ),
        ),
    ),
    "distill": Recipe(
        about="a small matcher that also learns from the assignments of the pretrained one",
        command="tiepoint train photos/ out/ --recipe distill --minutes 60",
        results="same as homography; with `--init official --layers 2` 88 and 90 % after 45 minutes",
        config=TrainConfig(recipe="distill", model=ModelConfig(teacher=OFFICIAL)),
    ),
}
"""Name -> recipe."""


def find_recipe(name: str) -> Recipe:
    """Return the recipe of a name.

    Raises:
        InvalidInput: If the name is unknown.
    """
    if name not in RECIPES:
        raise InvalidInput(unknown_name("recipe", name, RECIPES))
    return RECIPES[name]
