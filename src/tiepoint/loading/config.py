"""LoadConfig: the options of `load` with their defaults, validated."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

import torch

from tiepoint.errors import InvalidInput
from tiepoint.extraction.tile_grid import check_tiling
from tiepoint.image.stretch import check_stretch
from tiepoint.io.messages import did_you_mean
from tiepoint.io.validation import check_integer, check_number, is_integer
from tiepoint.matching.latency.budget import check_latency_budget, check_no_views
from tiepoint.matching.precision import threshold_for
from tiepoint.matching.view_search import check_views
from tiepoint.presets import Preset
from tiepoint.types.options import Adaptive, BatchSize, DtypeName, Stretch, Tiling, Views

logger = logging.getLogger(__name__)

SCORE_RANGES = {"lightglue": (0, 1), "nearest": (-1, 1)}
"""Range of the scores of each matcher: probabilities, and cosine similarities."""

_HOW = {"lightglue": "with a network", "nearest": "without a network"}
_OTHER = {"lightglue": "nearest neighbors", "nearest": "LightGlue"}

DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in get_args(DtypeName)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadConfig:
    """Options of `load` with their defaults, validated; LoadOptions documents them.

    Raises:
        InvalidInput: If an option has an invalid value.
    """

    device: str | torch.device = "auto"
    max_keypoints: int | None = 2048
    resize: int | None = 1024
    upscale: bool | None = None
    border: int = 0
    stretch: Stretch = None
    tile: Tiling = "auto"
    adaptive: Adaptive = True
    pruning_min_keypoints: int | None = None
    max_layers: int | None = None
    filter_threshold: float = 0.1
    min_precision: float | None = None
    max_ratio: float | None = None
    require_kind: bool = False
    dtype: DtypeName | torch.dtype = "float32"
    batch_size: BatchSize = "auto"
    memory_budget: int | None = None
    views: Views | None = "rotation"
    extractor_weights: str | Path | Sequence[str | Path] | None = None
    matcher_weights: str | Path | None = None
    accept_license: bool = False
    latency_budget_ms: float | None = None
    progress: bool = False

    def __post_init__(self) -> None:
        for name, minimum in (
            ("max_keypoints", 1),
            ("resize", 1),
            ("pruning_min_keypoints", 0),
            ("max_layers", 1),
        ):
            _check_optional_integer(name, getattr(self, name), minimum)
        _check_optional_integer("memory_budget", self.memory_budget, 1)
        check_integer("border", self.border, 0)
        if self.batch_size != "auto":
            check_integer("batch_size", self.batch_size, 1, alternative="'auto'")
        check_tiling(self.tile)
        check_stretch(self.stretch)
        check_views(self.views)
        if self.latency_budget_ms is not None:
            check_latency_budget(self.latency_budget_ms)
            check_no_views(self.views)
        if self.adaptive not in (True, False, "depth", "width"):
            raise InvalidInput(f"adaptive: expected True, False, 'depth' or 'width', got {self.adaptive!r}")
        if self.upscale not in (True, False, None):
            raise InvalidInput(f"upscale: expected True, False or None, got {self.upscale!r}")
        if str(self.dtype).removeprefix("torch.") not in DTYPES:
            raise InvalidInput(f"dtype: expected one of {', '.join(map(repr, DTYPES))}, got {self.dtype!r}")
        check_number("filter_threshold", self.filter_threshold, -1, 1)
        if self.min_precision is not None:
            check_number("min_precision", self.min_precision, 0, 1, alternative="None")
        if self.max_ratio is not None:
            check_number("max_ratio", self.max_ratio, 0, 1, alternative="None")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> "LoadConfig":
        """Fill in the defaults.

        Raises:
            InvalidInput: If an option is unknown or has an invalid value.
        """
        names = [field.name for field in fields(cls)]
        for name in options:
            if name not in names:
                raise InvalidInput(
                    f"unknown option {name!r}{did_you_mean(name, names)}; available: {', '.join(names)}"
                )
        if options.get("min_precision") is not None and "filter_threshold" in options:
            raise InvalidInput(
                f"got min_precision and filter_threshold ({options['min_precision']} and "
                f"{options['filter_threshold']}); give only one of them, because min_precision chooses the threshold"
            )
        values: dict[str, Any] = {
            name: int(value) if is_integer(value) else value for name, value in options.items()
        }
        if options.get("latency_budget_ms") is not None:
            values.setdefault("views", None)
        return cls(**values)

    def for_one_file(self) -> "LoadConfig":
        """Return the options with the weights of extractor and matcher from the same file, if only one of them is given."""
        if self.extractor_weights is None:
            return replace(self, extractor_weights=self.matcher_weights)
        extractor = as_files(self.extractor_weights)
        if self.matcher_weights is None and len(extractor) == 1:
            return replace(self, matcher_weights=extractor[0])
        return self

    def calibrated(self, preset: str | os.PathLike[str]) -> "LoadConfig":
        """Return the options with the threshold that `min_precision` chooses for a preset.

        Raises:
            InvalidInput: If `min_precision` is given, and has no calibration or cannot be reached.
        """
        if self.min_precision is None:
            return self
        options = {field.name: getattr(self, field.name) for field in fields(self)}
        threshold = threshold_for(preset, self.min_precision, options)
        logger.info("min_precision=%g: filter_threshold=%g", self.min_precision, threshold)
        return replace(self, filter_threshold=threshold)

    @property
    def torch_dtype(self) -> torch.dtype:
        """Floating-point type in which LightGlue computes."""
        return DTYPES[str(self.dtype).removeprefix("torch.")]


def as_files(weights: str | Path | Sequence[str | Path]) -> tuple[str | Path, ...]:
    """Return the files or names of the option `extractor_weights`.

    Args:
        weights: One, or several.
    """
    return (weights,) if isinstance(weights, str | Path) else tuple(weights)


def _check_optional_integer(name: str, value: Any, minimum: int) -> None:
    if value is not None:
        check_integer(name, value, minimum, alternative="None")


def check_supported(name: str | os.PathLike[str], preset: Preset, options: Mapping[str, Any]) -> None:
    """Check that a preset supports the options.

    Args:
        name: Name of the preset, for the message.
        preset: The preset.
        options: Given options.

    Raises:
        InvalidInput: If it does not support one.
    """
    given = [option for option in preset.unsupported_options if options.get(option) is not None]
    if given:
        raise InvalidInput(
            f"preset {str(name)!r} does not support {', '.join(given)}, because it matches {_HOW[preset.matcher]}; "
            f"leave out the option, or use a preset with {_OTHER[preset.matcher]}"
        )
