"""Preset -> matcher of features, with the weights of the preset or of the options."""

import torch

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.loading.config import LoadConfig
from tiepoint.loading.extractors import digest_of
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.lightglue_weights import open_lightglue
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.presets import Preset


def load_pair_matcher(
    preset: Preset, config: LoadConfig, extractor: NeuralExtractor, device: torch.device
) -> PairMatcher:
    """Load the matcher of a preset.

    Args:
        preset: The preset.
        config: Options of `load`.
        extractor: Extractor whose features it matches.
        device: Device of the network.

    Raises:
        InvalidInput: If the weights expect descriptors of another dimension.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    kind = extractor.settings.kind
    if preset.matcher == "nearest":
        return NearestMatcher(
            kind=kind,
            filter_threshold=config.filter_threshold,
            max_ratio=config.max_ratio,
            require_kind=config.require_kind,
        )
    weights = config.matcher_weights or preset.matcher_weights or ""
    file = open_lightglue(weights, accept_license=config.accept_license, progress=config.progress)
    network = file.weights.network().to(device, config.torch_dtype)
    _check_descriptor_dim(extractor, network, str(weights))
    return LightGlueMatcher(
        network,
        kind=kind,
        adaptivity=AdaptiveInference.from_flag(
            config.adaptive,
            config.pruning_min_keypoints,
            depth_confidence=preset.depth_confidence,
            width_confidence=preset.width_confidence,
        ),
        filter_threshold=config.filter_threshold,
        weights=digest_of(weights),
        batch_size=config.batch_size,
        memory_budget=config.memory_budget,
        require_kind=config.require_kind,
        max_layers=config.max_layers,
        unit_descriptors=file.weights.family.unit_descriptors,
    )


def _check_descriptor_dim(extractor: NeuralExtractor, network: LightGlue, weights: str) -> None:
    if extractor.descriptor_dim != network.shape.input_dim:
        raise InvalidInput(
            f"LightGlue weights {weights} expect descriptors of dimension {network.shape.input_dim}, but the extractor "
            f"of this preset outputs dimension {extractor.descriptor_dim}; use weights that were trained for it"
        )
