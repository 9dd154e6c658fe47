"""What a resumed training must have in common with the one that it goes on with."""

from typing import Any

from tiepoint.feature_store import JSONScalar
from tiepoint.io.config import to_dict
from tiepoint.training.data.dataset import TrainingData
from tiepoint.training.distributed import Processes
from tiepoint.training.initialization import Start
from tiepoint.training.recipes import Recipe

NOT_SETTINGS = (
    "about",
    "command",
    "expects",
    "init",
    "teacher",
    "layers",
    "width",
    "heads",
    "batch_size",
    "accumulate",
)
"""Of a recipe: words, and what stands in the settings under its own name."""


def settings_of(
    name: str, recipe: Recipe, start: Start, data: TrainingData, processes: Processes
) -> dict[str, JSONScalar]:
    """Everything that decides what comes out, but how long it takes; by names that a message can show.

    Args:
        name: of the recipe.
        recipe: as it is used.
        start: the first weights, and the teacher.
        data: what is learned from.
        processes: that train together.
    """
    return known_settings(name, recipe, start, processes) | {"data": data.source.fingerprint}


def known_settings(name: str, recipe: Recipe, start: Start, processes: Processes) -> dict[str, JSONScalar]:
    """Those of `settings_of` that are known before any photograph is read."""
    values = {key: value for key, value in to_dict(recipe).items() if key not in NOT_SETTINGS}
    return {
        "recipe": name,
        **_flat(values),
        **start.settings(),
        "features": start.published.extractor.settings.kind,
        "pairs_a_step": recipe.batch_size * recipe.accumulate * processes.count,
    }


def _flat(values: dict[str, Any], before: str = "") -> dict[str, JSONScalar]:
    """Nested settings by names such as "schedule peak"."""
    flat: dict[str, JSONScalar] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{before}{name} ") if isinstance(value, dict) else {before + name: value}
    return flat
