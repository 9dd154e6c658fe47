"""load(), match() and match_to_files(): from a preset and options to a matcher, and from two images to a result."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias, TypedDict, Unpack, get_args

import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NETWORKS, ExtractionSettings, NeuralExtractor, build_network
from tiepoint.extraction.masks import MaskSource
from tiepoint.extraction.tile_grid import check_tiling
from tiepoint.geometry.verification import Verifier
from tiepoint.html.pair_page import SUFFIXES as PAGE_SUFFIXES, is_page, write_pair
from tiepoint.html.pair_viewers import estimate_for_page
from tiepoint.image import Image, ImageSource
from tiepoint.image.stretch import check_stretch
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.hashing import file_digest
from tiepoint.io.messages import did_you_mean
from tiepoint.io.serialization import check_output_path
from tiepoint.io.validation import check_integer, check_number, is_integer
from tiepoint.matcher import Matcher
from tiepoint.matching.device_check import check_device
from tiepoint.matching.inputs import FeaturePair, PairMatcher, as_pairs
from tiepoint.matching.latency.budget import LatencyBudget, check_latency_budget, check_no_rotations
from tiepoint.matching.latency.calibration import load_costs
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.matching.view_search import check_rotations
from tiepoint.models.device import choose_device
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX, build as build_lightglue
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.presets import DEFAULT_PRESET, MODEL, Preset, find_preset
from tiepoint.result import MatchResult
from tiepoint.types import TwoViewEstimate
from tiepoint.types.options import Adaptive, BatchSize, DtypeName, LoadOptions, Rotations, Stretch, Tiling
from tiepoint.visualization import check_image_path, save_image
from tiepoint.weights import WEIGHTS, load_state_dict, resolve

ReadWeights: TypeAlias = Callable[..., dict[str, Tensor]]
"""Loads the tensors of a weights file or of a row of WEIGHTS."""

SCORE_RANGES = {"lightglue": (0, 1), "nearest": (-1, 1)}
"""Range of the scores of each matcher: probabilities, and cosine similarities."""

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
    max_ratio: float | None = None
    require_kind: bool = False
    dtype: DtypeName | torch.dtype = "float32"
    batch_size: BatchSize = "auto"
    memory_budget: int | None = None
    rotations: Rotations | None = None
    extractor_weights: str | Path | None = None
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
        check_rotations(self.rotations)
        if self.latency_budget_ms is not None:
            check_latency_budget(self.latency_budget_ms)
            check_no_rotations(self.rotations)
        if self.adaptive not in (True, False, "depth", "width"):
            raise InvalidInput(f"adaptive: expected True, False, 'depth' or 'width', got {self.adaptive!r}")
        if self.upscale not in (True, False, None):
            raise InvalidInput(f"upscale: expected True, False or None, got {self.upscale!r}")
        if str(self.dtype).removeprefix("torch.") not in DTYPES:
            raise InvalidInput(f"dtype: expected one of {', '.join(map(repr, DTYPES))}, got {self.dtype!r}")
        check_number("filter_threshold", self.filter_threshold, -1, 1)
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
        values: dict[str, Any] = {
            name: int(value) if is_integer(value) else value for name, value in options.items()
        }
        return cls(**values)

    @property
    def torch_dtype(self) -> torch.dtype:
        """Floating-point type in which LightGlue computes."""
        return DTYPES[str(self.dtype).removeprefix("torch.")]


class DrawOptions(TypedDict, total=False):
    """Options of `MatchResult.draw` and `MatchResult.draw_inliers`."""

    keypoints: bool
    max_lines: int | None


class MatchOptions(LoadOptions, total=False):
    """Keyword options of `match`.

    Attributes:
        preset: Name of a preset, or folder of a trained model.
        mask0: Mask of image 0; see `Matcher.extract`.
        mask1: Mask of image 1.
    """

    preset: str | os.PathLike[str]
    mask0: MaskSource | None
    mask1: MaskSource | None


@torch.inference_mode(False)  # so that the networks can be trained later
def load(preset: str | os.PathLike[str] = DEFAULT_PRESET, **options: Unpack[LoadOptions]) -> Matcher:
    """Load a matcher; weights that are not on this machine yet are downloaded.

    Args:
        preset: Name of a preset (see `tiepoint presets`), or folder written by `tiepoint train`.
        **options: Options of LoadOptions: device, max_keypoints, resize, upscale, border, stretch, tile, adaptive,
            pruning_min_keypoints, max_layers, filter_threshold, max_ratio, require_kind, dtype, batch_size,
            memory_budget, rotations, extractor_weights, matcher_weights, accept_license, latency_budget_ms, progress.

    Raises:
        InvalidInput: If the preset or an option is unknown, an option has an invalid value, or the preset does not
            support it; or a latency budget is below the smallest time of this machine.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    row = find_preset(preset)
    config = LoadConfig.from_options(options)
    _check_supported(preset, row, options)
    check_number("filter_threshold", config.filter_threshold, *SCORE_RANGES[row.matcher])
    device = choose_device(config.device)
    read = partial(load_state_dict, accept_license=config.accept_license, progress=config.progress)
    extractor = _load_extractor(row, config, read, device)
    matcher = _load_matcher(row, config, read, extractor)
    check_device(extractor, matcher)
    budget = None
    if config.latency_budget_ms is not None:
        budget = LatencyBudget(config.latency_budget_ms, load_costs(extractor, matcher))
    return Matcher(extractor, matcher, config.rotations, budget)


def match(
    image0: ImageSource | Image,
    image1: ImageSource | Image,
    *,
    preset: str | os.PathLike[str] = DEFAULT_PRESET,
    mask0: MaskSource | None = None,
    mask1: MaskSource | None = None,
    **options: Unpack[LoadOptions],
) -> MatchResult:
    """Find the tie points of two images.

    Loads the networks on every call; for more than a few pairs call `load` once.

    Args:
        image0: Path, URL, encoded image (bytes or a file object), PIL image, NumPy array (height, width[, channels]) or
            tensor (channels, height, width).
        image1: Image 1, in any of the same forms.
        preset: Name of a preset, or folder of a trained model; see `load`.
        mask0: Mask of image 0, in which keypoints are allowed; see `Matcher.extract`.
        mask1: Mask of image 1.
        **options: Options of `load`.

    Raises:
        InvalidInput: If an image or mask cannot be read, or an option is invalid.
        WeightsError: If weights cannot be found, downloaded or loaded.

    Example:
        >>> result = tiepoint.match("a.jpg", "b.jpg")
        >>> result.points0, result.points1, result.scores
    """
    return load(preset, **options).match(image0, image1, mask0=mask0, mask1=mask1)


def match_nearest(
    pairs: Iterable[FeaturePair], *, filter_threshold: float = 0.1, max_ratio: float | None = None
) -> list[MatchResult]:
    """Match your own features by mutual nearest neighbors, without weights; descriptors are compared by their cosine.

    Args:
        pairs: [(features0, features1), …] of any kind and descriptor dimension, equal within a pair.
        filter_threshold: Minimum cosine similarity of a match (exclusive), in [-1, 1].
        max_ratio: Ratio test: maximum ratio (exclusive) of the distances to the nearest and the second nearest
            descriptor, in [0, 1]; None disables it.

    Returns:
        One result per pair, in the same order; the scores are cosine similarities.

    Raises:
        InvalidInput: If features of a pair differ in kind or dimension, or a threshold is out of range.

    Example:
        >>> features = [tiepoint.Features(keypoints=k, scores=s, descriptors=d, image_size=(640, 480)) for k, s, d in sift]
        >>> (result,) = tiepoint.match_nearest([(features[0], features[1])], max_ratio=0.8)
    """
    checked = as_pairs(pairs)
    matcher = NearestMatcher(filter_threshold=filter_threshold, max_ratio=max_ratio)
    return [
        MatchResult.from_assignment(features0, features1, assignment, {})
        for (features0, features1), assignment in zip(checked, matcher.match(checked), strict=True)
    ]


def match_to_files(
    image0: ImageSource,
    image1: ImageSource,
    *,
    picture: str | os.PathLike[str] | None = None,
    json: str | os.PathLike[str] | None = None,
    npz: str | os.PathLike[str] | None = None,
    draw: DrawOptions | None = None,
    verify: Verifier | None = None,
    **options: Unpack[MatchOptions],
) -> tuple[MatchResult, TwoViewEstimate | None]:
    """Match two images and write the results; output paths are validated before the work starts.

    Args:
        image0: Image 0, as for `match`.
        image1: Image 1, as for `match`.
        picture: Output path of a drawing of the matches, or of an interactive page (.html); the suffix decides the
            format. A page shows two-view geometry and a homography, which are estimated for it.
        json: Output path of the matches as JSON, ending in .json.
        npz: Output path of the matches as NumPy arrays, ending in .npz.
        draw: Options of the drawing.
        verify: Geometric verification from `make_verifier`; its estimate is written, too, and the drawing
            distinguishes inliers and outliers.
        **options: Options of `match`.

    Returns:
        The matches, and the estimate of `verify`, which may be a failure.

    Raises:
        InvalidInput: If an image or mask cannot be read, an option is invalid, or a file cannot be written.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    check_overwrites((picture, json, npz), (image0, image1, options.get("mask0"), options.get("mask1")))
    if picture is not None:
        check_image_path(picture, others=PAGE_SUFFIXES)
    outputs = [
        check_output_path(path, suffix)
        for path, suffix in ((json, ".json"), (npz, ".npz"))
        if path is not None
    ]
    result, estimate = _verified(match(image0, image1, **options), verify)
    if outputs:
        verification = result.verify()
        for path in outputs:
            result.save(path, estimate, verification)
    if picture is not None:
        _write_picture(result, estimate, picture, draw or {})
    return result, estimate


def _write_picture(
    result: MatchResult, estimate: TwoViewEstimate | None, path: str | os.PathLike[str], options: DrawOptions
) -> None:
    if is_page(path):
        shown, homography = estimate_for_page(result, estimate)
        write_pair(result.viewer_data(shown, result.verify(), homography=homography, **options), path)
        return
    drawing = result.draw if estimate is None else partial(result.draw_inliers, estimate)
    save_image(drawing(**options), path)


def _verified(result: MatchResult, verify: Verifier | None) -> tuple[MatchResult, TwoViewEstimate | None]:
    """Run the geometric verification, and add its duration to the result."""
    if verify is None:
        return result, None
    start = perf_counter()
    estimate = verify(result)
    return replace(result, seconds={**result.seconds, "verify": perf_counter() - start}), estimate


def _check_optional_integer(name: str, value: Any, minimum: int) -> None:
    if value is not None:
        check_integer(name, value, minimum, alternative="None")


_HOW = {"lightglue": "with a network", "nearest": "without a network"}
_OTHER = {"lightglue": "nearest neighbors", "nearest": "LightGlue"}


def _check_supported(name: str | os.PathLike[str], preset: Preset, options: Mapping[str, Any]) -> None:
    given = [option for option in preset.unsupported_options if options.get(option) is not None]
    if given:
        raise InvalidInput(
            f"preset {str(name)!r} does not support {', '.join(given)}, because it matches {_HOW[preset.matcher]}; "
            f"leave out the option, or use a preset with {_OTHER[preset.matcher]}"
        )


def _load_extractor(
    preset: Preset, config: LoadConfig, read: ReadWeights, device: torch.device
) -> NeuralExtractor:
    kind, state = _detector(preset, config.extractor_weights, read)
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
    return NeuralExtractor(build_network(preset.extractor, state).to(device), settings)


def _load_matcher(
    preset: Preset, config: LoadConfig, read: ReadWeights, extractor: NeuralExtractor
) -> PairMatcher:
    kind = extractor.settings.kind
    if preset.matcher == "nearest":
        return NearestMatcher(
            kind=kind,
            filter_threshold=config.filter_threshold,
            max_ratio=config.max_ratio,
            require_kind=config.require_kind,
        )
    weights = config.matcher_weights or preset.matcher_weights or ""
    network = build_lightglue(read(weights)).to(extractor.device, config.torch_dtype)
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
        weights=_digest_of(weights),
        batch_size=config.batch_size,
        memory_budget=config.memory_budget,
        require_kind=config.require_kind,
        max_layers=config.max_layers,
    )


def _detector(preset: Preset, weights: str | Path | None, read: ReadWeights) -> tuple[str, dict[str, Tensor]]:
    """Return the kind of the features, and the state dict of the detector: of `weights`, else of the preset."""
    if preset.extractor not in NETWORKS:
        raise InvalidInput(
            f"{preset.folder}: unknown extractor {preset.extractor!r}; available: {', '.join(NETWORKS)}"
        )
    if weights is None and preset.folder is not None:
        path = preset.folder / MODEL
        tensors = {
            n.removeprefix(DETECTOR_PREFIX): t for n, t in read(path).items() if n.startswith(DETECTOR_PREFIX)
        }
        return preset.kind or f"{preset.extractor}@{file_digest(path)[:12]}", tensors
    chosen = weights or preset.extractor
    return f"{preset.extractor}@{_digest_of(chosen)[:12]}", read(chosen, key=WEIGHTS[preset.extractor].group)


def _digest_of(name: str | Path) -> str:
    known = WEIGHTS[name].sha256 if isinstance(name, str) and name in WEIGHTS else None
    return known or file_digest(
        resolve(name, accept_license=True)
    )  # license was accepted when the tensors were read


def _check_descriptor_dim(extractor: NeuralExtractor, network: LightGlue, weights: str) -> None:
    if extractor.descriptor_dim != network.shape.input_dim:
        raise InvalidInput(
            f"LightGlue weights {weights} expect descriptors of dimension {network.shape.input_dim}, but the extractor "
            f"of this preset outputs dimension {extractor.descriptor_dim}; use weights that were trained for it"
        )
