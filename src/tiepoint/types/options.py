"""Options of `tiepoint.load`, and of every function that loads a matcher itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, TypedDict

import torch

from tiepoint.types.image_values import Stretch as Stretch

Adaptive: TypeAlias = bool | Literal["depth", "width"]
"""True: adaptive depth (early stopping) and width (keypoint pruning); or only one of them; False: neither."""

DtypeName: TypeAlias = Literal["float32", "float16", "bfloat16"]
"""Floating-point type in which LightGlue computes."""

BatchSize: TypeAlias = int | Literal["auto"]
"""Pairs per batch; "auto": as many as the device computes efficiently and the memory budget allows."""

Tiling: TypeAlias = int | Literal["auto"] | None
"""Maximum tile side in px; "auto": tile only images that would exceed the memory limit; None: never."""

Views: TypeAlias = Literal["rotation", "scale", "viewpoint", "auto"]
"""Search over views where the images as they are do not match: "rotation" rotates both images in the plane, "scale" finds
one image as a part of the other, "viewpoint" simulates tilts; "auto" tries all three in this order."""


Prescreen: TypeAlias = float | Literal["auto"] | None
"""Minimum probability of a pair that is matched in full, from a cheap match; "auto": that of the preset."""


class NetworkOptions(TypedDict, total=False):
    """Keyword options of `tiepoint.load` that determine the networks and their results.

    Functions with an argument `progress` of their own take `**options: Unpack[NetworkOptions]` and pass them on.

    Attributes:
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1", "mps". Default: "auto".
        max_keypoints: Maximum number of keypoints per image, highest scores first; None keeps all. Default: 2048.
        resize: Longer image side in px that the extractor processes; None keeps the original size. Default: 1024.
        upscale: Enlarge images whose longer side is below `resize`; None uses the preset's choice: yes, but not for
            XFeat. Default: None.
        border: Width in px of the border of the original image in which keypoints are ignored. Default: 0.
        stretch: Percentile stretch of pixel values: percentage that is clipped at each end. "auto" stretches only images
            with more than 8 bits that use less than 5 % of their range or exceed it; None never does. Default: None.
        tile: Maximum tile side in px; larger images are processed in overlapping tiles. "auto" tiles only images
            that would take more than 2 GiB; None never tiles. Default: "auto".
        adaptive: Early stopping and keypoint pruning; "depth" or "width" enables only one. Default: True.
        pruning_min_keypoints: Prune only images with more keypoints than this; None uses the official table
            (0 on a CPU, 1536 on a GPU). `tiepoint bench --tune` measures the best value. Default: None.
        max_layers: Maximum number of LightGlue's layers to run; each layer can assign matches, and later ones find more.
            None runs all. Default: None.
        filter_threshold: Minimum match score (exclusive): in [0, 1] for LightGlue; a cosine similarity in [-1, 1] for
            nearest neighbors. Default: 0.1.
        min_precision: Minimum precision of the matches of overlapping images, in [0, 1], instead of `filter_threshold`:
            the calibrated score threshold of the preset. An error for other weights and for options without a
            calibration. None uses `filter_threshold`. Default: None.
        max_ratio: Ratio test of nearest neighbors: maximum ratio (exclusive) of the distances to the nearest and the
            second nearest descriptor, in [0, 1]; None disables it. Default: None.
        require_kind: Whether features of unknown kind (`Features.kind` "") are an error for a network that was trained
            for another; otherwise a warning, once. Default: False.
        dtype: Floating-point type in which LightGlue computes. The 16-bit types are faster on GPUs and change
            scores by about 0.01; similarities and scores are always float32. Default: "float32".
        batch_size: Pairs per batch of LightGlue. Default: "auto".
        memory_budget: Maximum memory in bytes for matching, without the weights; None means no limit on a CPU and
            half of the free memory on a GPU. Default: None.
        views: Search over views in `Matcher.match` where the images as they are do not match well: "rotation" rotates
            both images in the plane, "scale" finds one image as a part of the other, "viewpoint" simulates tilts, "auto"
            tries these in turn; None matches them as they are, as with a latency budget. Default: "rotation".
        extractor_weights: Weights file (or name) that replaces the preset's extractor weights; for an extractor of two
            networks both, (detector, descriptor). Default: None.
        matcher_weights: Weights file (or name) that replaces the preset's matcher weights; LoMa's file also contains the
            extractor. Default: None.
        accept_license: Accept weights whose license does not allow commercial use. Default: False.
    """

    device: str | torch.device
    max_keypoints: int | None
    resize: int | None
    upscale: bool | None
    border: int
    stretch: Stretch
    tile: Tiling
    adaptive: Adaptive
    pruning_min_keypoints: int | None
    max_layers: int | None
    filter_threshold: float
    min_precision: float | None
    max_ratio: float | None
    require_kind: bool
    dtype: DtypeName | torch.dtype
    batch_size: BatchSize
    memory_budget: int | None
    views: Views | None
    extractor_weights: str | Path | Sequence[str | Path] | None
    matcher_weights: str | Path | None
    accept_license: bool


class LoadOptions(NetworkOptions, total=False):
    """Keyword options of `tiepoint.load`; every function with `**options: Unpack[LoadOptions]` passes them on.

    Attributes:
        latency_budget_ms: Bound on the time of each pair in ms, from decoded images to matches (for `match_features`
            matching alone): keypoints and layers are cut to what this machine can do in that time, so results vary from
            run to run. Cannot be combined with `views`. None for no limit. Default: None.
        progress: Show the progress of weight downloads on stderr. Default: False.
    """

    latency_budget_ms: float | None
    progress: bool
