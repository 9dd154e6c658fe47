"""load() and match(): wire preset, weights, extractor, matcher and device."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, get_args

import torch

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NETWORKS, ExtractionSettings, NeuralExtractor, build_network
from tiepoint.extraction.masks import MaskSource
from tiepoint.extraction.tile_grid import check_tiling
from tiepoint.geometry.verification import Verifier
from tiepoint.image import Image, ImageSource
from tiepoint.io.serialization import check_output_path
from tiepoint.matcher import Matcher
from tiepoint.matching.batching import BatchSize
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.matching.view_search import Rotations, check_rotations
from tiepoint.models.device import choose_device
from tiepoint.models.lightglue.checkpoint import DETECTOR_PREFIX, build as build_lightglue
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue
from tiepoint.presets import DEFAULT_PRESET, MODEL, Preset, find_preset
from tiepoint.result import MatchResult
from tiepoint.types import TwoViewEstimate
from tiepoint.types.options import Tiling
from tiepoint.visualization import check_image_path, save_image
from tiepoint.weights import WEIGHTS, digest, load_state_dict, resolve

Adaptive = bool | Literal["depth", "width"]
Dtype = Literal["float32", "float16", "bfloat16"]

DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in get_args(Dtype)}
"""Name -> type of the tokens inside LightGlue."""


def load(
    preset: str | os.PathLike[str] = DEFAULT_PRESET,
    *,
    device: str | torch.device = "auto",
    max_keypoints: int | None = 2048,
    resize: int | None = 1024,
    border: int = 0,
    tile: Tiling = "auto",
    adaptive: Adaptive = True,
    pruning_min_keypoints: int | None = None,
    filter_threshold: float = 0.1,
    dtype: Dtype | torch.dtype = "float32",
    batch_size: BatchSize = "auto",
    memory_budget: int | None = None,
    rotations: Rotations | None = None,
    extractor_weights: str | Path | None = None,
    matcher_weights: str | Path | None = None,
    accept_license: bool = False,
    progress: bool = False,
) -> Matcher:
    """Make a matcher; weights that aren't on this machine yet are downloaded.

    Args:
        preset: see `tiepoint presets`; or a folder that `tiepoint train` has written.
        device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1", "mps".
        max_keypoints: an image, the strongest; None: all.
        resize: longer side, in px, of the image that the extractor sees; smaller images are enlarged. None: as is.
        border: px of the original image along each side that have no keypoints.
        tile: longest side, in px, that the extractor sees at once; larger images are done in overlapping tiles.
            "auto": only images that would take more than 2 GiB; None: never.
        adaptive: stop early on easy pairs, and drop hopeless keypoints; "depth" or "width": only one of these.
        pruning_min_keypoints: keypoints are dropped only in images that have more than this; None: the official
            table (0 on a CPU, 1536 on a GPU). `tiepoint bench --tune` measures what pays here.
        filter_threshold: a match has a score above this, in [0, 1].
        dtype: in which LightGlue computes: "float32", "float16" or "bfloat16", or torch's own. The short ones pay on GPUs,
            and move scores by about 0.01; similarities and scores are float32 whatever it is.
        batch_size: pairs that LightGlue computes together; "auto": as many as pay on the device.
        memory_budget: bytes that matching may take beside the weights, which limits batches; None: as much as pays
            on a CPU, half of what is free on a GPU.
        rotations: "auto": where two images don't match as they are, `match` tries image 1 in quarter turns; positions
            stay those in the upright image, `rotation1` tells the turn. None: never.
        extractor_weights: your own file instead of the preset's.
        matcher_weights: likewise.
        accept_license: consent to weights that are not free for commercial use.
        progress: whether to show progress on stderr while weights are downloaded.

    Raises:
        InvalidInput: an option that can't be, with what is possible.
        WeightsError: weights can't be found, fetched or loaded.
    """
    row = find_preset(preset)
    numbers = _dtype(dtype)
    _check_options(max_keypoints, resize, border, adaptive, pruning_min_keypoints, filter_threshold)
    check_rotations(rotations)
    target = choose_device(device)
    read = partial(load_state_dict, accept_license=accept_license, progress=progress)
    settings = {
        **_whole(max_keypoints=max_keypoints, resize=resize, border=border),
        "tile": check_tiling(tile),
    }
    extractor = _load_extractor(row, extractor_weights, read, settings, target)
    kind = extractor.settings.kind
    if row.matcher == "nearest":
        if matcher_weights is not None:
            raise InvalidInput(
                f"preset {preset!r} matches without weights, so matcher_weights can't be used with it"
            )
        return Matcher(extractor, NearestMatcher(kind=kind, filter_threshold=filter_threshold), rotations)
    network = build_lightglue(read(matcher_weights or row.matcher_weights or "")).to(target, numbers)
    _check_dimensions(extractor, network, str(matcher_weights or row.matcher_weights))
    matcher = LightGlueMatcher(
        network,
        kind=kind,
        adaptivity=AdaptiveInference.named(adaptive, pruning_min_keypoints),
        filter_threshold=filter_threshold,
        weights=_digest_of(matcher_weights or row.matcher_weights or ""),
        batch_size=batch_size,
        memory_budget=memory_budget,
    )
    return Matcher(extractor, matcher, rotations)


def match(
    image0: ImageSource | Image,
    image1: ImageSource | Image,
    *,
    preset: str | os.PathLike[str] = DEFAULT_PRESET,
    mask0: MaskSource | None = None,
    mask1: MaskSource | None = None,
    **options: Any,
) -> MatchResult:
    """Find the tie points of two photographs.

    Loads the networks anew each time: for more than a few pairs use `load` once.

    Args:
        image0: path, URL, PIL image, NumPy array (height, width[, channels]) or tensor (channels, height, width).
        image1: likewise.
        preset: see `tiepoint presets`.
        mask0: where keypoints of image 0 may lie, as for `Matcher.extract`.
        mask1: likewise of image 1.
        **options: as for `load`.

    Raises:
        InvalidInput: an image or mask can't be read, or an option can't be.
        WeightsError: weights can't be found, fetched or loaded.

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
    draw: Mapping[str, Any] | None = None,
    verify: Verifier | None = None,
    **options: Any,
) -> tuple[MatchResult, TwoViewEstimate | None]:
    """`match`, and write what came out; paths that can't be written are found out before the work.

    Args:
        image0: as for `match`.
        image1: as for `match`.
        picture: where to write the picture; its ending decides the format.
        json: where to write the matches as JSON; ends in .json.
        npz: where to write them as NumPy arrays; ends in .npz.
        draw: options of `MatchResult.draw`, or with `verify` of `MatchResult.draw_inliers`.
        verify: from `make_verifier`; what it finds is written too, and the picture shows which matches fit.
        **options: as for `match`.

    Returns:
        The matches, and what `verify` found, which may be a failure.

    Raises:
        InvalidInput: as for `match`; or a file can't be written.
        WeightsError: as for `match`.
    """
    if picture is not None:
        check_image_path(picture)
    data = [
        check_output_path(path, suffix)
        for path, suffix in ((json, ".json"), (npz, ".npz"))
        if path is not None
    ]
    result, estimate = _verified(match(image0, image1, **options), verify)
    if data:
        verification = result.verify()
        for path in data:
            result.save(path, estimate, verification)
    if picture is not None:
        drawn = result.draw if estimate is None else partial(result.draw_inliers, estimate)
        save_image(drawn(**(draw or {})), picture)
    return result, estimate


def _verified(result: MatchResult, verify: Verifier | None) -> tuple[MatchResult, TwoViewEstimate | None]:
    """The result, with the seconds that verification took, and what that found."""
    if verify is None:
        return result, None
    start = perf_counter()
    estimate = verify(result)
    return replace(result, seconds={**result.seconds, "verify": perf_counter() - start}), estimate


def _load_extractor(
    row: Preset,
    weights: str | Path | None,
    read: Callable[..., dict[str, torch.Tensor]],
    settings: Mapping[str, Any],
    device: torch.device,
) -> NeuralExtractor:
    kind, state = _detector(row, weights, read)
    chosen = ExtractionSettings(kind=kind, detection_threshold=row.detection_threshold, **settings)
    return NeuralExtractor(build_network(row.extractor, state).to(device), chosen)


def _detector(
    row: Preset, weights: str | Path | None, read: Callable[..., dict[str, torch.Tensor]]
) -> tuple[str, dict[str, torch.Tensor]]:
    """Kind of the features, and tensors of the detector: those named, else the preset's."""
    if row.extractor not in NETWORKS:
        raise InvalidInput(
            f"{row.folder} has the extractor {row.extractor!r}; there are {', '.join(NETWORKS)}"
        )
    if weights is None and row.folder is not None:
        path = row.folder / MODEL
        tensors = {
            n.removeprefix(DETECTOR_PREFIX): t for n, t in read(path).items() if n.startswith(DETECTOR_PREFIX)
        }
        return row.kind or f"{row.extractor}@{digest(path)[:12]}", tensors
    chosen = weights or row.extractor
    return f"{row.extractor}@{_digest_of(chosen)[:12]}", read(chosen, key=WEIGHTS[row.extractor].group)


def _dtype(given: Dtype | torch.dtype) -> torch.dtype:
    """One of `DTYPES`, by its name or itself."""
    name = str(given).removeprefix("torch.")
    if name not in DTYPES:
        raise InvalidInput(f"dtype must be one of {', '.join(map(repr, DTYPES))}, but is {given!r}")
    return DTYPES[name]


def _whole(**numbers: Any) -> dict[str, int | None]:
    """NumPy's whole numbers as Python's."""
    return {name: None if value is None else int(value) for name, value in numbers.items()}


def _digest_of(name: str | Path) -> str:
    known = WEIGHTS[name].sha256 if isinstance(name, str) and name in WEIGHTS else None
    return known or digest(resolve(name, accept_license=True))  # consent was given when the tensors were read


def _check_dimensions(extractor: NeuralExtractor, network: LightGlue, weights: str) -> None:
    columns = extractor.descriptor_dim
    if columns != network.shape.input_dim:
        raise InvalidInput(
            f"LightGlue's weights {weights} take descriptors of {network.shape.input_dim} columns, but this preset's "
            f"extractor gives {columns}; choose the weights that were trained for it"
        )


def _check_options(
    max_keypoints: Any,
    resize: Any,
    border: Any,
    adaptive: Any,
    pruning_min_keypoints: Any,
    filter_threshold: Any,
) -> None:
    for name, value in (("max_keypoints", max_keypoints), ("resize", resize)):
        if value is not None and not _is_whole(value, least=1):
            raise InvalidInput(f"{name} must be a whole number above 0, or None, but is {value!r}")
    if not _is_whole(border, least=0):
        raise InvalidInput(f"border must be a whole number of px, 0 or more, but is {border!r}")
    if pruning_min_keypoints is not None and not _is_whole(pruning_min_keypoints, least=0):
        raise InvalidInput(
            f"pruning_min_keypoints must be a whole number, 0 or more, or None, but is {pruning_min_keypoints!r}"
        )
    if adaptive not in (True, False, "depth", "width"):
        raise InvalidInput(f"adaptive must be True, False, 'depth' or 'width', but is {adaptive!r}")
    number = isinstance(filter_threshold, int | float) and math.isfinite(filter_threshold)
    if not number or not -1 <= filter_threshold <= 1:
        raise InvalidInput(f"filter_threshold must be a number from -1 to 1, but is {filter_threshold!r}")


def _is_whole(value: Any, *, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least
