"""LightGlue with the interface of cvg/LightGlue."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import nn

from tiepoint.compat.lightglue.batches import ImageBatch, to_dictionary
from tiepoint.compat.lightglue.dictionaries import MatchDict, require_keys
from tiepoint.errors import InvalidInput
from tiepoint.huggingface.options import reject_unknown, warn
from tiepoint.io.messages import unknown_name
from tiepoint.io.validation import check_integer, check_number
from tiepoint.matching.batching import choose_limits, split_batches
from tiepoint.matching.lightglue_weights import open_lightglue
from tiepoint.models.fusion import FusionCache
from tiepoint.models.lightglue.checkpoint import to_official
from tiepoint.models.lightglue.fused_layers import fuse
from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment, match_batch
from tiepoint.models.lightglue.network import LightGlue as Network, LightGlueShape
from tiepoint.models.precision import ordinary_inference

FEATURES = MappingProxyType(
    {
        "superpoint": "superpoint_lightglue",
        "disk": "disk_lightglue",
        "aliked": "aliked_lightglue",
        "sift": None,
        "doghardnet": None,
    }
)
"""Name of features -> name of their weights; None if tiepoint has none."""

RELEASE = "https://github.com/cvg/LightGlue/releases/tag/v0.1_arxiv"


@dataclass(kw_only=True)
class LightGlueConf:
    """Options of a `LightGlue`, with the values that are in effect; thresholds may be changed."""

    name: str
    input_dim: int
    descriptor_dim: int
    add_scale_ori: bool
    n_layers: int
    num_heads: int
    flash: bool
    mp: bool
    depth_confidence: float
    width_confidence: float
    filter_threshold: float
    weights: str | Path | None


class LightGlue(nn.Module):
    """Matcher of features in dictionaries; it computes without gradients.

    Args:
        features: Features that the weights were trained for: "superpoint", "disk" or "aliked"; "sift" and "doghardnet"
            with `weights`; None for a network of the given sizes.
        input_dim: Dimension of the input descriptors; only without weights.
        descriptor_dim: Dimension of the tokens; only without weights.
        add_scale_ori: Encode the scales and orientations of keypoints ("scales", "oris"); only without weights.
        n_layers: Number of layers; with weights the first ones. None: all of the weights, or 9.
        num_heads: Number of attention heads; only without weights.
        flash: On a GPU, prune only images with more than 1,536 instead of 1,024 keypoints. PyTorch chooses the attention
            kernel itself.
        mp: Compute in float16 on a GPU.
        depth_confidence: Early stopping: fraction of confident keypoints at which a pair stops; -1 disables it.
        width_confidence: Pruning: probability from which on an unmatchable keypoint is pruned; -1 disables it.
        filter_threshold: Minimum match score (exclusive), in [0, 1].
        weights: Weights file, or a name in `tiepoint.weights.WEIGHTS`, that replaces the published weights.
        name: Not used.
        **unknown: Unknown options; they are errors.

    Raises:
        InvalidInput: If features or an option are unknown or invalid, or there are no weights for the features.
        WeightsError: If the weights cannot be found, downloaded or loaded.
    """

    pruning_keypoint_thresholds: ClassVar[dict[str, int]] = {
        "cpu": -1,
        "mps": -1,
        "cuda": 1024,
        "flash": 1536,
    }
    """Images with at most this many keypoints are not pruned, by device; changes take effect."""
    required_data_keys: ClassVar[list[str]] = ["image0", "image1"]

    def __init__(
        self,
        features: str | None = "superpoint",
        *,
        input_dim: int = 256,
        descriptor_dim: int = 256,
        add_scale_ori: bool = False,
        n_layers: int | None = None,
        num_heads: int = 4,
        flash: bool = True,
        mp: bool = False,
        depth_confidence: float = 0.95,
        width_confidence: float = 0.99,
        filter_threshold: float = 0.1,
        weights: str | Path | None = None,
        name: str = "lightglue",
        **unknown: object,
    ) -> None:
        reject_unknown("LightGlue", unknown, LightGlueConf.__dataclass_fields__)
        super().__init__()
        weights = weights or _published(features)
        if weights is None:
            shape = LightGlueShape(
                input_dim, descriptor_dim, n_layers or 9, num_heads, 4 if add_scale_ori else 2
            )
            self.network = Network(shape).eval()
        else:
            self.network = _load(weights, n_layers)
        shape = self.network.shape
        self.conf = LightGlueConf(
            name=name,
            input_dim=shape.input_dim,
            descriptor_dim=shape.dim,
            add_scale_ori=shape.position_dim == 4,
            n_layers=shape.layers,
            num_heads=shape.heads,
            flash=flash,
            mp=mp,
            depth_confidence=check_number("depth_confidence", depth_confidence, -1, 1),
            width_confidence=check_number("width_confidence", width_confidence, -1, 1),
            filter_threshold=check_number("filter_threshold", filter_threshold, 0, 1),
            weights=weights,
        )
        self._fusion_cache = FusionCache(self._fuse)

    @ordinary_inference()
    def forward(self, data: Mapping[str, Any]) -> MatchDict:
        """Match pairs of images; batched results are identical to matching each pair on its own.

        Args:
            data: Dictionary with "image0" and "image1", each a dictionary from an extractor, or with "keypoints"
                (b, n, 2), "descriptors" (b, n, d), "image_size" (b, 2), with "scales" and "oris" (b, n) where the
                weights need them, and with "mask" (b, n) where rows are padded. Without "image_size" the extent of the
                keypoints is used.

        Returns:
            Matches on the device of the keypoints.

        Raises:
            InvalidInput: If a key is missing, or shapes do not agree.
        """
        require_keys("LightGlue", data, self.required_data_keys)
        image0, image1 = (
            ImageBatch.from_dictionary(data[key], key, self.network.shape) for key in self.required_data_keys
        )
        if len(image0) != len(image1):
            raise InvalidInput(f"expected batches of equal size, got {len(image0)} and {len(image1)} images")
        counts = list(zip(image0.counts, image1.counts, strict=True))
        limits = choose_limits("auto", None, self.network.shape, self.network.device)
        results: list[PairAssignment] = []
        for pairs in split_batches([sum(pair) for pair in counts], limits):
            results += self._match(image0, image1, counts, range(len(counts))[pairs])
        return to_dictionary(results, image0, image1, prunes=self.conf.width_confidence > 0)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing but warn: the layers are fused already, without limits on the number of keypoints."""
        warn("LightGlue.compile has no effect in tiepoint: its layers are fused already; remove the call")

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the tensors under the names of cvg/LightGlue."""
        return self.network.state_dict(*args, **kwargs)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load tensors under the names of cvg/LightGlue, old and new.

        Args:
            state_dict: Tensors by name.
            strict: Not used: loading is always strict.
            assign: Keep the given tensors as parameters instead of copying their values.

        Raises:
            WeightsError: If a tensor is missing or unexpected.
        """
        return self.network.load_state_dict(to_official(state_dict), assign=assign)

    def pruning_min_kpts(self, device: torch.device) -> int:
        """Return the number of keypoints up to which images are not pruned on a device."""
        name = "flash" if device.type == "cuda" and self.conf.flash else device.type
        return self.pruning_keypoint_thresholds.get(name, -1)

    def _match(
        self, image0: ImageBatch, image1: ImageBatch, counts: list[tuple[int, int]], pairs: range
    ) -> list[PairAssignment]:
        images = [(image, pair) for pair in pairs for image in (image0, image1)]
        network, device = self._fusion_cache.fuse(self.network), self.network.device
        adaptivity = AdaptiveInference(
            self.conf.depth_confidence, self.conf.width_confidence, max(self.pruning_min_kpts(device), 0)
        )
        return match_batch(
            network,
            torch.cat([image.positions(pair) for image, pair in images]).to(device),
            torch.cat([image.descriptors(pair) for image, pair in images]).to(device),
            [counts[pair] for pair in pairs],
            adaptivity=adaptivity,
            filter_threshold=self.conf.filter_threshold,
        )

    def _fuse(self, network: Network) -> Network:
        is_half = self.conf.mp and network.device.type == "cuda"
        return fuse(copy.deepcopy(network).half() if is_half else network)


def _published(features: str | None) -> str | None:
    """Return the name of the published weights for features."""
    if features is None:
        return None
    if features not in FEATURES:
        raise InvalidInput(unknown_name("features", features, FEATURES))
    name = FEATURES[features]
    if name is None:
        raise InvalidInput(
            f"tiepoint has no weights for features={features!r}; download {features}_lightglue.pth from {RELEASE} and pass "
            f"weights='{features}_lightglue.pth', or use features='aliked'"
        )
    return name


def _load(weights: str | Path, n_layers: int | None) -> Network:
    network = open_lightglue(weights).weights.network()
    if n_layers is None or n_layers == network.shape.layers:
        return network
    return network.truncated(check_integer("n_layers", n_layers, 1))
