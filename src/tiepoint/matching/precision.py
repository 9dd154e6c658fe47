"""Calibrated precision: the score threshold above which the matches of a preset have at least a given precision.

Precision is the fraction of matches that are correct. `CALIBRATIONS` holds it for each preset and threshold, as fitted by
`python -m benchmarks precision` on pairs that overlap; docs/explanation/scores.md says on which scenes, and how precise
the matches of other scenes were. Scores change with the weights and with some options, so a calibration holds for the
published weights and for `CALIBRATED_OPTIONS` only.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tiepoint.errors import InvalidInput
from tiepoint.presets import full_name

# Thresholds of `filter_threshold` for which precision is calibrated
SCORES = (*(round(0.1 + 0.025 * step, 3) for step in range(36)), 0.98, 0.985, 0.99, 0.995)

# Preset -> precision above each threshold of SCORES, rounded down; rows end where the fitted scenes had too few matches
# fmt: off
CALIBRATIONS: dict[str, tuple[float, ...]] = {
    "aliked+lightglue": (
        0.645, 0.698, 0.712, 0.724, 0.735, 0.763, 0.769, 0.775, 0.781, 0.811, 0.817, 0.822, 0.826,
        0.829, 0.832, 0.839, 0.844, 0.849, 0.852, 0.858, 0.862, 0.865, 0.869, 0.872, 0.876, 0.88, 0.883,
        0.887, 0.89, 0.895, 0.9, 0.904, 0.91, 0.916, 0.926, 0.936, 0.94, 0.945, 0.953, 0.962,
    ),
    "aliked-t16+nearest": (
        0.547, 0.547, 0.547, 0.547, 0.547, 0.547, 0.547, 0.547, 0.547, 0.547, 0.547, 0.547, 0.549,
        0.552, 0.559, 0.573, 0.595, 0.627, 0.663, 0.701, 0.738, 0.769, 0.793, 0.815, 0.837, 0.857,
        0.872, 0.89, 0.907, 0.924, 0.943, 0.957, 0.966, 0.976, 0.986, 0.991, 0.992, 0.992, 0.992,
    ),
    "xfeat+lighterglue": (
        0.51, 0.526, 0.544, 0.559, 0.573, 0.588, 0.604, 0.612, 0.62, 0.635, 0.644, 0.65, 0.656, 0.662,
        0.669, 0.674, 0.683, 0.69, 0.696, 0.703, 0.711, 0.718, 0.724, 0.732, 0.741, 0.747, 0.755, 0.764,
        0.773, 0.784, 0.799, 0.81, 0.827, 0.845, 0.869, 0.905, 0.913, 0.925, 0.931, 0.941,
    ),
    "xfeat+nearest": (
        0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355,
        0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.355, 0.356, 0.357,
        0.367, 0.389, 0.423, 0.463, 0.507, 0.555, 0.603, 0.667, 0.749, 0.849, 0.85, 0.876,
    ),
}
# fmt: on

# Options of `tiepoint.load` with a range of values for which the calibrations were tested
CALIBRATED_RANGES = {"max_keypoints": (512, 2048), "resize": (1024, 1024)}

# Options of `tiepoint.load` that scores depend on, and their only calibrated value
CALIBRATED_VALUES: dict[str, Any] = {
    "adaptive": True,
    "dtype": "float32",
    "extractor_weights": None,
    "latency_budget_ms": None,
    "matcher_weights": None,
    "max_layers": None,
    "max_ratio": None,
    "pruning_min_keypoints": None,
    "stretch": None,
    "upscale": None,
}


def threshold_for(preset: str | os.PathLike[str], min_precision: float, options: Mapping[str, Any]) -> float:
    """Return the smallest score threshold with at least a given precision.

    Args:
        preset: Name of a preset.
        min_precision: Minimum precision, in [0, 1].
        options: All options of `tiepoint.load`, with their values.

    Raises:
        InvalidInput: If there is no calibration for the preset or for an option, or no threshold reaches the precision.
    """
    name = str(full_name(preset))
    if name not in CALIBRATIONS:
        raise InvalidInput(
            f"min_precision: no calibration for {str(preset)!r}; use filter_threshold, or one of {', '.join(CALIBRATIONS)}"
        )
    _check_options(options)
    return find_threshold(name, CALIBRATIONS[name], min_precision)


def find_threshold(preset: str, calibration: Sequence[float], min_precision: float) -> float:
    """Return the smallest of `SCORES` with at least a given precision.

    Args:
        preset: Name of the preset, for the error message.
        calibration: Precision above each of the first thresholds of `SCORES`; does not decrease.
        min_precision: Minimum precision, in [0, 1].

    Raises:
        InvalidInput: If no threshold reaches the precision; the message names the largest precision that is reached.
    """
    for threshold, precision in zip(SCORES, calibration, strict=False):
        if precision >= min_precision:
            return threshold
    raise InvalidInput(
        f"min_precision: {preset} reaches at most {max(calibration):g}, got {min_precision:g}; lower it, or use another "
        "preset"
    )


def _check_options(options: Mapping[str, Any]) -> None:
    """Check that all options have values for which the calibrations hold."""
    for name, (smallest, largest) in CALIBRATED_RANGES.items():
        value = options[name]
        if value is None or not smallest <= value <= largest:
            raise InvalidInput(
                f"min_precision: calibrated for {name} from {smallest} to {largest}, got {value}; change it, or use "
                "filter_threshold"
            )
    for name, calibrated in CALIBRATED_VALUES.items():
        value = options[name]
        if str(value).removeprefix("torch.") != str(calibrated):
            raise InvalidInput(
                f"min_precision: no calibration for {name}={str(value)!r}; omit the option, or use filter_threshold"
            )
