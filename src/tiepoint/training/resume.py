"""Settings that a resumed run must share with the run that it continues."""

from typing import Any

from tiepoint.feature_store import JSONScalar
from tiepoint.io.config import to_dict
from tiepoint.training.config import TrainConfig
from tiepoint.training.data.dataset import TrainingData
from tiepoint.training.distributed import DistributedContext
from tiepoint.training.initialization import InitialWeights

MAY_CHANGE = (
    "run",
    "data.val",
    "data.cache",
    "data.colmap",
    "data.depth_maps",
    "data.features",
    "data.kind",
    "data.collection",
    "optim.batch_size",
    "optim.accumulate",
)
"""Settings, or parts, that a resumed run may change: they do not affect the result, or others identify their content."""


def resume_settings(
    config: TrainConfig, initial: InitialWeights, context: DistributedContext
) -> dict[str, JSONScalar]:
    """Return the settings that are known before any image is read, by dotted name.

    Args:
        config: Settings of the training.
        initial: Initial weights and teacher.
        context: Processes that train together.
    """
    values = _flatten(to_dict(config))
    kept = {name: value for name, value in values.items() if not name.startswith(MAY_CHANGE)}
    return {
        **kept,
        **initial.settings(),
        "run.seed": config.run.seed,
        "features": initial.pretrained.extractor.settings.kind,
        "pairs_per_step": config.optim.batch_size * config.optim.accumulate * context.world_size,
    }


def all_settings(
    config: TrainConfig, initial: InitialWeights, context: DistributedContext, data: TrainingData
) -> dict[str, JSONScalar]:
    """Return all settings that determine the result, except the length of the training."""
    return resume_settings(config, initial, context) | {"data": data.dataset.fingerprint}


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, JSONScalar]:
    """Flatten nested settings to dotted names such as "optim.schedule.warmup"."""
    flat: dict[str, JSONScalar] = {}
    for name, value in values.items():
        flat |= _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
