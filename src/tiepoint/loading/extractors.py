"""Preset -> extractor, with the weights of the preset or of the options."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.colmap_sift_extractor import COLMAP_SIFT, ColmapSIFTExtractor
from tiepoint.extraction.dog_hardnet_extractor import DoGHardNetExtractor
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.extraction.networks import NETWORKS, build_network
from tiepoint.extraction.sift_extractor import SIFTExtractor
from tiepoint.io.hashing import file_digest, text_digest
from tiepoint.loading.config import LoadConfig, as_files
from tiepoint.models.hardnet import build as build_hardnet
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX
from tiepoint.presets import MODEL, PATCH_NETWORKS, WITHOUT_WEIGHTS, Preset
from tiepoint.weights import WEIGHTS, weights_digest

ReadWeights: TypeAlias = Callable[..., dict[str, Tensor]]
"""Loads the tensors of a weights file or of a row of WEIGHTS."""


def load_extractor(
    preset: Preset, config: LoadConfig, read: ReadWeights, device: torch.device
) -> NeuralExtractor:
    """Load the extractor of a preset.

    Args:
        preset: The preset.
        config: Options of `load`.
        read: Function that loads the tensors of a weights file or of a row of WEIGHTS.
        device: Device of the network.

    Raises:
        InvalidInput: If the extractor does not support an option.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    if preset.extractor in WITHOUT_WEIGHTS:
        kind, states = _check_no_weights(preset.extractor, config), None
    else:
        _check_budget(preset.extractor, config)
        kind, states = _extractor_tensors(preset, config, read)
    settings = ExtractionSettings(
        kind=kind,
        max_keypoints=config.max_keypoints,
        resize=config.resize,
        upscale=preset.upscale if config.upscale is None else config.upscale,
        detection_threshold=preset.detection_threshold,
        border=config.border,
        tile=config.tile,
        stretch=config.stretch,
    )
    if states is None:
        return ColmapSIFTExtractor(settings) if kind == COLMAP_SIFT else SIFTExtractor(settings)
    if preset.extractor in PATCH_NETWORKS:
        return DoGHardNetExtractor(build_hardnet(*states).to(device), settings)
    return NeuralExtractor(build_network(preset.extractor, *states).to(device), settings)


def _check_no_weights(extractor: str, config: LoadConfig) -> str:
    """Refuse options that need a network; return the kind of the features."""
    if config.extractor_weights is not None:
        raise InvalidInput(
            f"extractor_weights: the extractor {extractor} has no weights, got {config.extractor_weights}; omit them"
        )
    _check_budget(extractor, config)
    return extractor


def _check_budget(extractor: str, config: LoadConfig) -> None:
    if config.latency_budget_ms is not None and extractor not in NETWORKS:
        raise InvalidInput(
            f"latency_budget_ms: the time of {extractor} has no model; use a preset with a detector network"
        )


def _extractor_tensors(
    preset: Preset, config: LoadConfig, read: ReadWeights
) -> tuple[str, list[dict[str, Tensor]]]:
    """Return the kind of the features, and the tensors of each weights file: of the options, else of the preset."""
    if preset.extractor not in (*NETWORKS, *PATCH_NETWORKS):
        raise InvalidInput(
            f"{preset.folder}: unknown extractor {preset.extractor!r}; available: {', '.join(NETWORKS)}"
        )
    given = _given_extractor_weights(preset, config)
    if given is None and preset.folder is not None:
        path = preset.folder / MODEL
        tensors = {
            n.removeprefix(DETECTOR_PREFIX): t for n, t in read(path).items() if n.startswith(DETECTOR_PREFIX)
        }
        return preset.kind or f"{preset.extractor}@{file_digest(path)[:12]}", [tensors]
    rows = preset.extractor_weights
    chosen = given or rows
    states = [read(name, key=WEIGHTS[row].group) for name, row in zip(chosen, rows, strict=True)]
    digests = [digest_of(name) for name in chosen]
    digest = digests[0] if len(digests) == 1 else text_digest("-".join(digests))
    return f"{preset.extractor}@{digest[:12]}", states


def _given_extractor_weights(preset: Preset, config: LoadConfig) -> tuple[str | Path, ...] | None:
    """Return one name or path per weights file of the extractor; None if the options give none."""
    weights, rows = config.extractor_weights, preset.extractor_weights
    if weights is None:
        return None
    given = as_files(weights)
    if len(given) != len(rows):
        raise InvalidInput(
            f"extractor_weights: {preset.extractor} has {len(rows)} weights files ({', '.join(rows)}), got {len(given)} "
            f"({', '.join(map(str, given))}); give one file or name for each, in this order"
        )
    return given


def digest_of(name: str | Path) -> str:
    """Return the digest of weights that were read before.

    Args:
        name: File, or name in WEIGHTS.
    """
    return weights_digest(name, accept_license=True)  # it was accepted when the tensors were read
