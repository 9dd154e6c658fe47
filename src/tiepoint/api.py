"""load(), match() and match_to_files(): from a preset and options to a matcher, and from two images to a result."""

import math
import os
from collections.abc import Callable, Mapping
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
from tiepoint.image import Image, ImageSource
from tiepoint.image.stretch import check_stretch
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.hashing import file_digest
from tiepoint.io.messages import did_you_mean
from tiepoint.io.serialization import check_output_path
from tiepoint.io.validation import check_integer, is_integer
from tiepoint.matcher import Matcher
from tiepoint.matching.inputs import PairMatcher
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
    border: int = 0
    stretch: Stretch = None
    tile: Tiling = "auto"
    adaptive: Adaptive = True
    pruning_min_keypoints: int | None = None
    filter_threshold: float = 0.1
    dtype: DtypeName | torch.dtype = "float32"
    batch_size: BatchSize = "auto"
    memory_budget: int | None = None
    rotations: Rotations | None = None
    extractor_weights: str | Path | None = None
    matcher_weights: str | Path | None = None
    accept_license: bool = False
    progress: bool = False

    def __post_init__(self) -> None:
        for name, minimum in (("max_keypoints", 1), ("resize", 1), ("pruning_min_keypoints", 0)):
            _check_optional_integer(name, getattr(self, name), minimum)
        _check_optional_integer("memory_budget", self.memory_budget, 1)
        check_integer("border", self.border, 0)
        if self.batch_size != "auto":
            check_integer("batch_size", self.batch_size, 1, alternative="'auto'")
        check_tiling(self.tile)
        check_stretch(self.stretch)
        check_rotations(self.rotations)
        if self.adaptive not in (True, False, "depth", "width"):
            raise InvalidInput(f"adaptive: expected True, False, 'depth' or 'width', got {self.adaptive!r}")
        if str(self.dtype).removeprefix("torch.") not in DTYPES:
            raise InvalidInput(f"dtype: expected one of {', '.join(map(repr, DTYPES))}, got {self.dtype!r}")
        if not _is_score(self.filter_threshold):
            raise InvalidInput(
                f"filter_threshold: expected a number from -1 to 1, got {self.filter_threshold!r}"
            )

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


def load(preset: str | os.PathLike[str] = DEFAULT_PRESET, **options: Unpack[LoadOptions]) -> Matcher:
    """Load a matcher; weights that are not on this machine yet are downloaded.

    Args:
        preset: Name of a preset (see `tiepoint presets`), or folder written by `tiepoint train`.
        **options: Options of LoadOptions: device, max_keypoints, resize, border, stretch, tile, adaptive,
            pruning_min_keypoints, filter_threshold, dtype, batch_size, memory_budget, rotations, extractor_weights,
            matcher_weights, accept_license, progress.

    Raises:
        InvalidInput: If the preset or an option is unknown, an option has an invalid value, or the preset does not
            support it.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    row = find_preset(preset)
    config = LoadConfig.from_options(options)
    _check_supported(preset, row, options)
    device = choose_device(config.device)
    read = partial(load_state_dict, accept_license=config.accept_license, progress=config.progress)
    extractor = _load_extractor(row, config, read, device)
    return Matcher(extractor, _load_matcher(row, config, read, extractor), config.rotations)


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
        picture: Output path of a drawing of the matches; the suffix decides the format.
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
        check_image_path(picture)
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
        drawing = result.draw if estimate is None else partial(result.draw_inliers, estimate)
        save_image(drawing(**(draw or {})), picture)
    return result, estimate


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


def _is_score(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and -1 <= value <= 1


def _check_supported(name: str | os.PathLike[str], preset: Preset, options: Mapping[str, Any]) -> None:
    given = [option for option in preset.unsupported_options if options.get(option) is not None]
    if given:
        raise InvalidInput(
            f"preset {str(name)!r} does not support {', '.join(given)}, because it matches without a network; "
            "leave out the option, or use a preset with LightGlue"
        )


def _load_extractor(
    preset: Preset, config: LoadConfig, read: ReadWeights, device: torch.device
) -> NeuralExtractor:
    kind, state = _detector(preset, config.extractor_weights, read)
    settings = ExtractionSettings(
        kind=kind,
        max_keypoints=config.max_keypoints,
        resize=config.resize,
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
        return NearestMatcher(kind=kind, filter_threshold=config.filter_threshold)
    weights = config.matcher_weights or preset.matcher_weights or ""
    network = build_lightglue(read(weights)).to(extractor.device, config.torch_dtype)
    _check_descriptor_dim(extractor, network, str(weights))
    return LightGlueMatcher(
        network,
        kind=kind,
        adaptivity=AdaptiveInference.from_flag(config.adaptive, config.pruning_min_keypoints),
        filter_threshold=config.filter_threshold,
        weights=_digest_of(weights),
        batch_size=config.batch_size,
        memory_budget=config.memory_budget,
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
