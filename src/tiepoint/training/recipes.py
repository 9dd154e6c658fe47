"""RECIPES: how to train, one row a purpose. A row is a starting point: sizes and times are given beside it.

Source of the loss, of AdamW's rates and of the homographies: LightGlue (arXiv 2306.13643), section 4 and appendix B;
glue-factory's `superpoint+lightglue_homography.yaml`, as of 2024. The sizes are for a small machine.
"""

import difflib
from dataclasses import dataclass, field, replace
from typing import Literal

from tiepoint.errors import InvalidInput
from tiepoint.training.data.homography_views import ViewSettings
from tiepoint.training.data.random_homography import WarpSettings
from tiepoint.training.schedule import Schedule

DEFAULT_RECIPE = "homography"

OFFICIAL, SCRATCH = "official", "scratch"
"""Where weights come from beside files: published for the extractor, or random."""


VIEW_OPTIONS = {"max_keypoints": "max_keypoints", "resize": "size", "views": "views"}
"""What callers say -> fields of `ViewSettings`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One row.

    Attributes:
        about: for whom this is, in one line.
        command: what to type, with the time that it is meant for.
        expects: what came out of that command where it was tried, and on what.
        init: the weights to begin with: "scratch" or "official".
        teacher: whose assignments the student learns beside the truth: "official" or None.
        teacher_weight: of the teacher's share of the loss; the truth has the rest.
        layers: of the network; None: those of the weights that it begins with.
        width: likewise.
        heads: likewise; they divide the width.
        schedule: of the learning rate.
        weight_decay: AdamW's.
        batch_size: pairs that go through the network together, in each process.
        accumulate: batches that make a step.
        max_gradient_norm: longer gradients are cut to this length.
        views: which views of the photographs are cached; pairs are drawn among them.
        negatives: share of pairs that show different photographs.
    """

    about: str
    command: str
    expects: str
    init: Literal["scratch", "official"] = "scratch"
    teacher: Literal["official"] | None = None
    teacher_weight: float = 0.5
    layers: int | None = 5
    width: int | None = 128
    heads: int | None = 2
    schedule: Schedule
    weight_decay: float = 0.01
    batch_size: int = 8
    accumulate: int = 1
    max_gradient_norm: float = 1.0
    views: ViewSettings = field(default_factory=lambda: ViewSettings(warp=WarpSettings(max_angle_deg=35.0)))
    negatives: float = 0.05


RECIPES: dict[str, Recipe] = {
    "homography": Recipe(
        about="a small matcher from scratch, from photographs alone",
        command="tiepoint train photos/ out/ --minutes 60",
        expects="two processes on 2 CPU cores, batches of 4, 1,570 photographs: precision and recall on others 84 and 86 % "
        "(nearest neighbors 66 and 66, the published nine layers 92 and 93)",
        schedule=Schedule(peak=1e-3),
    ),
    "finetune": Recipe(
        about="the published matcher, made robust to any turn in the image plane",
        command="tiepoint train photos/ out/ --recipe finetune --extractor aliked-n16rot --minutes 60",
        expects="two processes on 2 CPU cores, batches of 2, 1,570 photographs: correct matches a pair 249 instead of 76 where one "
        "photograph is turned by 90 degrees, 224 instead of none by 180, 290 instead of 285 upright (of 512 keypoints each). "
        "With aliked-n16, whose keypoints aren't found again when an image is turned, 36 instead of 16 by 90 and 8 instead of none "
        "by 180 degrees after 30 minutes",
        init="official",
        layers=None,
        width=None,
        heads=None,
        schedule=Schedule(peak=1e-4, decay="exponential"),
        batch_size=4,
        accumulate=2,
        views=ViewSettings(warp=WarpSettings(max_angle_deg=180.0, upright=0.5)),
    ),
    "distill": Recipe(
        about="a small matcher that also learns from the published one's assignments",
        command="tiepoint train photos/ out/ --recipe distill --minutes 60",
        expects="as homography; begun with `--init official --layers 2` 88 and 90 % after 45 minutes",
        teacher="official",
        schedule=Schedule(peak=1e-3),
    ),
}
"""Name -> how to train."""


def find_recipe(name: str) -> Recipe:
    """The row of this name.

    Raises:
        InvalidInput: there is none; the message names the nearest and all.
    """
    if name in RECIPES:
        return RECIPES[name]
    close = difflib.get_close_matches(str(name), RECIPES, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ";"
    raise InvalidInput(f"there is no recipe {name!r}{meant} the recipes are {', '.join(RECIPES)}")


def adapted(recipe: Recipe, *, learning_rate: float | None, **numbers: int | None) -> Recipe:
    """The recipe with what the caller asks for instead of its own; None: as it is.

    Args:
        recipe: stays as it is.
        learning_rate: after the warm-up.
        numbers: fields of the recipe, and keys of `VIEW_OPTIONS`.

    Raises:
        InvalidInput: a number that isn't above 0.
    """
    given = {name: value for name, value in numbers.items() if value is not None}
    for name, value in given.items():
        if value < 1:
            raise InvalidInput(f"{name} must be above 0, but is {value}")
    of_views = {VIEW_OPTIONS[name]: given.pop(name) for name in VIEW_OPTIONS if name in given}
    recipe = replace(recipe, **given, views=replace(recipe.views, **of_views))
    if learning_rate is None:
        return recipe
    return replace(recipe, schedule=replace(recipe.schedule, peak=learning_rate))
