"""load(), match() and match_to_files(): from a preset and options to a matcher, and from two images to a result."""

import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypedDict, Unpack, get_args

import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.bundle_extractor import BundleExtractor, BundleNetwork
from tiepoint.extraction.colmap_sift_extractor import COLMAP_SIFT, ColmapSIFTExtractor
from tiepoint.extraction.dog_hardnet_extractor import DoGHardNetExtractor
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.extraction.masks import MaskSource
from tiepoint.extraction.networks import NETWORKS, build_network
from tiepoint.extraction.sift_extractor import SIFTExtractor
from tiepoint.extraction.tile_grid import check_tiling
from tiepoint.feature_matcher import FeatureMatcher, FeatureMatcherOptions
from tiepoint.geometry.verification import Verifier
from tiepoint.html.pair_page import SUFFIXES as PAGE_SUFFIXES, is_page, write_pair
from tiepoint.html.pair_viewers import estimate_for_page
from tiepoint.image import Image, ImageSource
from tiepoint.image.stretch import check_stretch
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.hashing import file_digest, text_digest
from tiepoint.io.messages import did_you_mean
from tiepoint.io.serialization import check_output_path
from tiepoint.io.stages import Stages
from tiepoint.io.validation import check_integer, check_number, is_integer
from tiepoint.matcher import Matcher
from tiepoint.matching.bundle_matcher import BundlePairMatcher
from tiepoint.matching.device_check import check_device
from tiepoint.matching.inputs import FeaturePair, PairMatcher, as_pairs
from tiepoint.matching.latency.budget import LatencyBudget, check_latency_budget, check_no_views
from tiepoint.matching.latency.calibration import load_costs
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.lightglue_weights import open_lightglue
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.matching.precision import threshold_for
from tiepoint.matching.view_search import check_views
from tiepoint.models.device import choose_device
from tiepoint.models.hardnet import build as build_hardnet
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.presets import (
    DEFAULT_PRESET,
    MODEL,
    PATCH_NETWORKS,
    WITHOUT_WEIGHTS,
    Preset,
    find_preset,
    training_record,
)
from tiepoint.result import MatchResult
from tiepoint.runtimes.bundle import is_bundle, open_bundle
from tiepoint.runtimes.detector import BundleDetector
from tiepoint.runtimes.manifest import ExtractorEntry
from tiepoint.runtimes.matching import BundleMatcher, MatchingOptions
from tiepoint.types import TwoViewEstimate
from tiepoint.types.options import Adaptive, BatchSize, DtypeName, LoadOptions, Stretch, Tiling, Views
from tiepoint.visualization import check_image_path, save_image
from tiepoint.weights import WEIGHTS, load_state_dict, weights_digest

logger = logging.getLogger(__name__)

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
        extractor = _as_files(self.extractor_weights)
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


@torch.inference_mode(False)
def load_matcher(
    weights: str | os.PathLike[str],
    *,
    kind: str = "",
    family: str | None = None,
    **options: Unpack[FeatureMatcherOptions],
) -> FeatureMatcher:
    """Load a LightGlue checkpoint for your own features; any checkpoint of its family.

    Args:
        weights: Weights file, name of published weights (`tiepoint weights list`), or folder of a trained model.
        kind: Kind of features that the weights were trained for; features of another kind are an error. "": the kind that
            a folder written by `tiepoint train` records, otherwise any.
        family: Family of the checkpoint, where its tensors cannot tell it; None recognizes it.
        **options: Options of FeatureMatcherOptions: device, adaptive, max_layers, filter_threshold, dtype, batch_size,
            memory_budget, accept_license, progress.

    Raises:
        InvalidInput: If an option is unknown or has an invalid value.
        WeightsError: If the weights cannot be found, downloaded or loaded.

    Example:
        >>> own_matcher = tiepoint.load_matcher("aliked_lightglue", kind="mine")
    """
    config = LoadConfig.from_options(options)
    check_number("filter_threshold", config.filter_threshold, *SCORE_RANGES["lightglue"])
    file = open_lightglue(
        Path(weights) if isinstance(weights, os.PathLike) else weights,
        kind=family,
        accept_license=config.accept_license,
        progress=config.progress,
    )
    network = file.weights.network().to(choose_device(config.device), config.torch_dtype)
    matcher = LightGlueMatcher(
        network,
        kind=kind or _recorded_kind(Path(weights)),
        adaptivity=AdaptiveInference.from_flag(config.adaptive),
        filter_threshold=config.filter_threshold,
        weights=f"{file_digest(file.checkpoint.path)}-{file.weights.family.name}",
        batch_size=config.batch_size,
        memory_budget=config.memory_budget,
        max_layers=config.max_layers,
        unit_descriptors=file.weights.family.unit_descriptors,
    )
    return FeatureMatcher(matcher)


def _recorded_kind(folder: Path) -> str:
    """Return the kind of features that the folder of a training records; "" for other weights."""
    return training_record(folder).get("kind") or ""


@torch.inference_mode(False)  # so that the networks can be trained later
def load(preset: str | os.PathLike[str] = DEFAULT_PRESET, **options: Unpack[LoadOptions]) -> Matcher:
    """Load a matcher; weights that are not on this machine yet are downloaded.

    Args:
        preset: Name of a preset (see `tiepoint presets`), folder written by `tiepoint train`, or bundle written by
            `tiepoint export`, which runs in its runtime on the CPU; `BUNDLE_OPTIONS` are the options of bundles.
        **options: Options of LoadOptions: device, max_keypoints, resize, upscale, border, stretch, tile, adaptive,
            pruning_min_keypoints, max_layers, filter_threshold, min_precision, max_ratio, require_kind, dtype, batch_size,
            memory_budget, views, extractor_weights, matcher_weights, accept_license, latency_budget_ms, progress.

    Raises:
        InvalidInput: If the preset or an option is unknown, an option has an invalid value, or the preset does not
            support it; or a latency budget is below the smallest time of this machine.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    config = LoadConfig.from_options(options)
    if is_bundle(preset):
        return _load_bundle(preset, config, options)
    row = find_preset(preset)
    _check_supported(preset, row, options)
    config = config.calibrated(preset)
    if row.has_one_file:
        config = config.for_one_file()
    check_number("filter_threshold", config.filter_threshold, *SCORE_RANGES[row.matcher])
    device = choose_device(config.device)
    read = partial(load_state_dict, accept_license=config.accept_license, progress=config.progress)
    extractor = _load_extractor(row, config, read, device)
    matcher = _load_matcher(row, config, extractor, device)
    check_device(extractor, matcher)
    budget = None
    if config.latency_budget_ms is not None:
        budget = LatencyBudget(config.latency_budget_ms, load_costs(extractor, matcher))
    loaded = Matcher(extractor, matcher, config.views, budget)
    logger.info("loaded %s: %s", preset, loaded)
    return loaded


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
    stages: Stages | None = None,
    preset: str | os.PathLike[str] = DEFAULT_PRESET,
    mask0: MaskSource | None = None,
    mask1: MaskSource | None = None,
    **options: Unpack[LoadOptions],
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
        stages: Timer of the stages, which may show them; None times them silently.
        preset: Name of a preset, or folder of a trained model; see `load`.
        mask0: Mask of image 0, in which keypoints are allowed; see `Matcher.extract`.
        mask1: Mask of image 1.
        **options: Options of `load`.

    Returns:
        The matches with the seconds of all stages, and the estimate of `verify`, which may be a failure.

    Raises:
        InvalidInput: If an image or mask cannot be read, an option is invalid, or a file cannot be written.
        WeightsError: If weights cannot be found, downloaded or loaded.
    """
    check_overwrites((picture, json, npz), (image0, image1, mask0, mask1))
    if picture is not None:
        check_image_path(picture, others=PAGE_SUFFIXES)
    outputs = [
        check_output_path(path, suffix)
        for path, suffix in ((json, ".json"), (npz, ".npz"))
        if path is not None
    ]
    stages = stages or Stages()
    with stages("load_weights"):
        matcher = load(preset, **options)
    result = matcher.match(image0, image1, mask0=mask0, mask1=mask1, stages=stages)
    with stages("verify"):
        estimate = None if verify is None else verify(result)
        verification = result.verify()
    if picture is not None:
        with stages("draw"):
            _write_picture(result, estimate, picture, draw or {})
    result = result.with_seconds(stages.with_total())
    if outputs:
        with stages("save"):
            for path in outputs:
                result.save(path, estimate, verification)
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


def _check_optional_integer(name: str, value: Any, minimum: int) -> None:
    if value is not None:
        check_integer(name, value, minimum, alternative="None")


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


def _load_bundle(folder: str | os.PathLike[str], config: LoadConfig, options: Mapping[str, Any]) -> Matcher:
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


def _load_matcher(
    preset: Preset, config: LoadConfig, extractor: NeuralExtractor, device: torch.device
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
        weights=_digest_of(weights),
        batch_size=config.batch_size,
        memory_budget=config.memory_budget,
        require_kind=config.require_kind,
        max_layers=config.max_layers,
        unit_descriptors=file.weights.family.unit_descriptors,
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
    digests = [_digest_of(name) for name in chosen]
    digest = digests[0] if len(digests) == 1 else text_digest("-".join(digests))
    return f"{preset.extractor}@{digest[:12]}", states


def _given_extractor_weights(preset: Preset, config: LoadConfig) -> tuple[str | Path, ...] | None:
    """Return one name or path per weights file of the extractor; None if the options give none."""
    weights, rows = config.extractor_weights, preset.extractor_weights
    if weights is None:
        return None
    given = _as_files(weights)
    if len(given) != len(rows):
        raise InvalidInput(
            f"extractor_weights: {preset.extractor} has {len(rows)} weights files ({', '.join(rows)}), got {len(given)} "
            f"({', '.join(map(str, given))}); give one file or name for each, in this order"
        )
    return given


def _as_files(weights: str | Path | Sequence[str | Path]) -> tuple[str | Path, ...]:
    return (weights,) if isinstance(weights, str | Path) else tuple(weights)


def _digest_of(name: str | Path) -> str:
    return weights_digest(name, accept_license=True)  # it was accepted when the tensors were read


def _check_descriptor_dim(extractor: NeuralExtractor, network: LightGlue, weights: str) -> None:
    if extractor.descriptor_dim != network.shape.input_dim:
        raise InvalidInput(
            f"LightGlue weights {weights} expect descriptors of dimension {network.shape.input_dim}, but the extractor "
            f"of this preset outputs dimension {extractor.descriptor_dim}; use weights that were trained for it"
        )
