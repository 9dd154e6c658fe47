"""Bundle of an exported preset -> Matcher that runs in the bundle's runtime."""

import os
from collections.abc import Mapping
from typing import Any

import torch

from tiepoint.errors import InvalidInput
from tiepoint.extraction.bundle_extractor import BundleExtractor, BundleNetwork
from tiepoint.extraction.extractor import ExtractionSettings
from tiepoint.loading.config import LoadConfig
from tiepoint.matcher import Matcher
from tiepoint.matching.bundle_matcher import BundlePairMatcher
from tiepoint.runtimes.bundle import open_bundle
from tiepoint.runtimes.detector import BundleDetector
from tiepoint.runtimes.manifest import ExtractorEntry
from tiepoint.runtimes.matching import BundleMatcher, MatchingOptions

BUNDLE_OPTIONS = (
    "device",
    "max_keypoints",
    "stretch",
    "adaptive",
    "pruning_min_keypoints",
    "max_layers",
    "require_kind",
    "views",
    "accept_license",
    "progress",
)
"""Options of `load` that bundles support; the export fixed the others."""


def load_bundle(folder: str | os.PathLike[str], config: LoadConfig, options: Mapping[str, Any]) -> Matcher:
    """Load a bundle.

    Args:
        folder: Folder of the bundle.
        config: Options with their defaults.
        options: Given options.

    Raises:
        InvalidInput: If the bundle does not support an option.
        WeightsError: If a file of the bundle is missing, or has changed.
    """
    _check_bundle_options(folder, config, options)
    bundle = open_bundle(folder)
    entry = bundle.manifest.extractor
    steps = entry.preprocessing
    settings = ExtractionSettings(
        kind=entry.kind,
        max_keypoints=_bundle_max_keypoints(entry, config, options),
        resize=steps.resize,
        upscale=steps.upscale,
        detection_threshold=entry.detection_threshold,
        stretch=config.stretch,
    )
    network = BundleNetwork(BundleDetector(bundle, threads=torch.get_num_threads()), entry)
    matching = MatchingOptions(
        adaptive=config.adaptive,
        pruning_min_keypoints=config.pruning_min_keypoints,
        max_layers=config.max_layers,
    )
    matcher = BundleMatcher(bundle, matching, threads=torch.get_num_threads())
    return Matcher(
        BundleExtractor(network, settings, steps.fixed_size),
        BundlePairMatcher(matcher, matching, require_kind=config.require_kind),
        config.views,
    )


def _check_bundle_options(
    folder: str | os.PathLike[str], config: LoadConfig, options: Mapping[str, Any]
) -> None:
    defaults = LoadConfig()
    changed = [name for name in options if getattr(config, name) != getattr(defaults, name)]
    unsupported = [name for name in changed if name not in BUNDLE_OPTIONS]
    if unsupported:
        raise InvalidInput(
            f"{folder} is a bundle, which does not support {', '.join(unsupported)}; leave out the option, or export the "
            "preset again with it"
        )
    if config.device != "auto" and torch.device(config.device).type != "cpu":
        raise InvalidInput(f"{folder} is a bundle, which runs on the CPU, got device {config.device!r}")


def _bundle_max_keypoints(
    entry: ExtractorEntry, config: LoadConfig, options: Mapping[str, Any]
) -> int | None:
    if "max_keypoints" not in options or config.max_keypoints == entry.max_keypoints:
        return entry.max_keypoints
    if not entry.fixed_keypoints:
        return config.max_keypoints
    if config.max_keypoints == LoadConfig().max_keypoints:
        return entry.max_keypoints
    raise InvalidInput(
        f"max_keypoints: the export fixed {entry.max_keypoints}, got {config.max_keypoints}; leave out the option"
    )
