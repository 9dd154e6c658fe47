"""Options of a collection run, validated before any work starts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tiepoint.collection.pairs.pair_list import check_pair_list
from tiepoint.collection.pairs.retrieval import require_faiss
from tiepoint.collection.pairs.selection import PairSelection, parse_pair_selection
from tiepoint.collection.pairs.spatial import require_scipy
from tiepoint.collection.run.executors.registry import check_executor
from tiepoint.collection.run.given_weights import with_absolute_paths
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import read_reconstruction
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX
from tiepoint.matching.prescreening import check_prescreen, prescreen_threshold
from tiepoint.presets import DEFAULT_PRESET, find_preset, full_name
from tiepoint.types.options import NetworkOptions, Prescreen

PRESCREENED = ("exhaustive", "retrieval")
"""Pair selections most of whose pairs may show different scenes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionOptions:
    """Options of a run that are stored in `collection.json`.

    Attributes:
        pairs: Pair selection, such as "sequential:10"; a list or model is stored with its absolute path.
        preset: Name of the preset.
        executor: "serial", "processes:N" or "ray[:ADDRESS]".
        verify: Whether to estimate the fundamental matrix of each pair.
        max_error_px: Inlier threshold (Sampson error) of the verification in px.
        threads: Number of torch threads per worker; None for the default of the executor.
        prescreen: Minimum probability of a pair that is matched in full, from a cheap match; "auto" for the threshold of
            the preset, for exhaustive pairs and pairs by retrieval; None matches all.
        load: Options of `tiepoint.load`; weights files are stored with absolute paths.

    Raises:
        InvalidInput: If an option is invalid.
        MissingDependency: If a library that an option needs is not installed.
    """

    pairs: str = "exhaustive"
    preset: str = DEFAULT_PRESET
    executor: str = "serial"
    verify: bool = True
    max_error_px: float = TWO_VIEW_MAX_ERROR_PX
    threads: int | None = None
    prescreen: Prescreen = "auto"
    load: NetworkOptions = field(default_factory=NetworkOptions)

    def __post_init__(self) -> None:
        _check_selection(self.selection)
        object.__setattr__(self, "pairs", str(self.selection.absolute()))
        object.__setattr__(self, "max_error_px", _check_error_px(self.max_error_px))
        find_preset(self.preset)
        object.__setattr__(self, "preset", str(full_name(self.preset)))
        check_executor(self.executor)
        object.__setattr__(self, "prescreen", check_prescreen(self.prescreen))
        object.__setattr__(self, "load", with_absolute_paths(self.load))
        _ = self.prescreen_threshold
        if self.load.get("latency_budget_ms") is not None:
            raise InvalidInput(
                "latency_budget_ms is not supported by collections, whose results must not depend on the time; use "
                "max_keypoints and max_layers"
            )
        if self.load.get("views") is not None:
            raise InvalidInput(
                "views is not supported by collections, which extract each image only once; omit the option"
            )

    @property
    def selection(self) -> PairSelection:
        """The parsed pair selection."""
        return parse_pair_selection(self.pairs)

    @property
    def prescreen_threshold(self) -> float | None:
        """Minimum probability of a pair that is matched in full; None matches all."""
        return threshold_of(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the options as they are stored in `collection.json`."""
        return {
            "pairs": self.pairs,
            "preset": self.preset,
            "executor": self.executor,
            "verify": self.verify,
            "max_error_px": self.max_error_px,
            "threads": self.threads,
            "prescreen": self.prescreen,
            "load": self.load,
        }


def threshold_of(options: Mapping[str, Any]) -> float | None:
    """Return the minimum probability of a pair that is matched in full; None if all pairs are.

    Args:
        options: Options of a run, as in `collection.json`.

    Raises:
        InvalidInput: If a threshold is given for a preset without a calibration.
    """
    by_default = parse_pair_selection(options["pairs"]).method in PRESCREENED
    prescreen = options.get("prescreen", "auto")
    return prescreen_threshold(prescreen, options["preset"], options["load"], by_default=by_default)


def _check_selection(selection: PairSelection) -> None:
    if selection.method == "list":
        check_pair_list(selection.argument)
    if selection.method == "covisible":
        read_reconstruction(selection.path)
    if selection.uses_retrieval:
        require_faiss()
    if selection.method == "spatial":
        require_scipy()


def _check_error_px(value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise InvalidInput(f"max_error_px must be a positive number of px, got {value!r}")
    return float(value)
