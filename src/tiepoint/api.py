"""load(), match() and match_to_files(): from a preset and options to a matcher, and from two images to a result."""

import logging
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack

import torch

from tiepoint.extraction.masks import MaskSource
from tiepoint.feature_matcher import FeatureMatcher, FeatureMatcherOptions
from tiepoint.geometry.verification import Verifier
from tiepoint.html.pair_page import SUFFIXES as PAGE_SUFFIXES, is_page, write_pair
from tiepoint.html.pair_viewers import estimate_for_page
from tiepoint.image import Image, ImageSource
from tiepoint.io.atomic import check_overwrites
from tiepoint.io.hashing import file_digest
from tiepoint.io.serialization import check_output_path
from tiepoint.io.stages import Stages
from tiepoint.io.validation import check_number
from tiepoint.loading.bundles import load_bundle
from tiepoint.loading.config import SCORE_RANGES, LoadConfig, check_supported
from tiepoint.loading.extractors import load_extractor
from tiepoint.loading.matchers import load_pair_matcher
from tiepoint.matcher import Matcher
from tiepoint.matching.device_check import check_device
from tiepoint.matching.inputs import FeaturePair, as_pairs
from tiepoint.matching.latency.budget import LatencyBudget
from tiepoint.matching.latency.calibration import load_costs
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.lightglue_weights import open_lightglue
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.device import choose_device
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.presets import DEFAULT_PRESET, find_preset, training_record
from tiepoint.result import MatchResult
from tiepoint.runtimes.bundle import is_bundle
from tiepoint.types import TwoViewEstimate
from tiepoint.types.options import LoadOptions
from tiepoint.visualization import check_image_path, save_image
from tiepoint.weights import load_state_dict

logger = logging.getLogger(__name__)


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
            `tiepoint export`, which runs in its runtime on the CPU and supports some of the options only.
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
        return load_bundle(preset, config, options)
    row = find_preset(preset)
    check_supported(preset, row, options)
    config = config.calibrated(preset)
    if row.has_one_file:
        config = config.for_one_file()
    check_number("filter_threshold", config.filter_threshold, *SCORE_RANGES[row.matcher])
    device = choose_device(config.device)
    read = partial(load_state_dict, accept_license=config.accept_license, progress=config.progress)
    extractor = load_extractor(row, config, read, device)
    matcher = load_pair_matcher(row, config, extractor, device)
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
