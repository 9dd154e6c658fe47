"""load() and match(): wire preset, weights, extractor, matcher and device."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from numbers import Integral
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, Protocol, runtime_checkable

import torch

from tiepoint.draw import check_picture, save_picture
from tiepoint.errors import InvalidInput
from tiepoint.extractors.neural import ExtractionSettings, NeuralExtractor, build_network
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.matchers.compatibility import Pair
from tiepoint.matchers.lightglue import LightGlueMatcher
from tiepoint.matchers.nearest import NearestMatcher
from tiepoint.networks.lightglue import LightGlue
from tiepoint.networks.lightglue_adaptive import Adaptivity
from tiepoint.networks.lightglue_convert import build as build_lightglue
from tiepoint.presets import DEFAULT_PRESET, Preset, find_preset
from tiepoint.result import MatchResult, check_format
from tiepoint.types import Features, Matches
from tiepoint.weights import WEIGHTS, digest, load_state_dict, resolve

Adaptive = bool | Literal["depth", "width"]

WEIGHTS_KEYS = {"disk": "extractor"}
"""Extractors whose checkpoint nests its tensors, and under which key."""


@runtime_checkable
class PairMatcher(Protocol):
    """What `Matcher` asks of a matcher."""

    def match(self, pairs: Sequence[Pair]) -> list[Matches]:
        """Match pairs of features, each as if it were alone."""
        ...


class Matcher:
    """An extractor and a matcher, loaded once and used many times; `load` makes it.

    Attributes:
        extractor: image -> Features.
        matcher: pairs of Features -> Matches.
    """

    def __init__(self, extractor: NeuralExtractor, matcher: PairMatcher) -> None:
        self.extractor = extractor
        self.matcher = matcher

    def extract(self, image: ImageSource | Image) -> Features:
        """Detect and describe the keypoints of one image.

        Args:
            image: path, URL, PIL image, NumPy array (height, width[, channels]) or tensor (channels, height, width).

        Returns:
            Features in px of the upright original image, by falling score; none where nothing stands out.

        Raises:
            InvalidInput: it can't be read as an image.
        """
        return self.extractor.extract(read_image(image))

    def match_features(self, pairs: Sequence[Pair]) -> list[MatchResult]:
        """Match any number of pairs of features; each gives what it gives alone.

        Args:
            pairs: [(features0, features1), …], made by `extract`, or your own with the right dimension.

        Returns:
            One result a pair, in the same order; its seconds are an equal share of the whole.

        Raises:
            InvalidInput: features of another preset or dimension.
        """
        pairs = _as_pairs(pairs)
        start = perf_counter()
        found = self.matcher.match(pairs)
        share = {"match": (perf_counter() - start) / max(1, len(pairs))}
        return [
            MatchResult.of(features0, features1, matches, share)
            for (features0, features1), matches in zip(pairs, found, strict=True)
        ]

    def match(self, image0: ImageSource | Image, image1: ImageSource | Image) -> MatchResult:
        """Find the tie points of two images: read, extract, match.

        Args:
            image0: as for `extract`.
            image1: as for `extract`.

        Raises:
            InvalidInput: one of them can't be read as an image.
        """
        times = [perf_counter()]
        images = read_image(image0), read_image(image1)
        times.append(perf_counter())
        features0, features1 = (self.extractor.extract(image) for image in images)
        times.append(perf_counter())
        (found,) = self.matcher.match([(features0, features1)])
        times.append(perf_counter())
        stages = zip(("read", "extract", "match"), times, times[1:], strict=False)
        return MatchResult.of(
            features0, features1, found, {stage: end - begin for stage, begin, end in stages}
        )


def load(
    preset: str = DEFAULT_PRESET,
    *,
    device: str | torch.device = "auto",
    max_keypoints: int | None = 2048,
    resize: int | None = 1024,
    adaptive: Adaptive = True,
    filter_threshold: float = 0.1,
    extractor_weights: str | Path | None = None,
    matcher_weights: str | Path | None = None,
    accept_license: bool = False,
    progress: bool = False,
) -> Matcher:
    """Make a matcher; weights that aren't on this machine yet are downloaded.

    Args:
        preset: see `tiepoint presets`.
        device: "auto" (a GPU where there is one), "cpu", "cuda", "cuda:1", "mps".
        max_keypoints: an image, the strongest; None: all.
        resize: longer side, in px, of the image that the extractor sees; smaller images are enlarged. None: as is.
        adaptive: stop early on easy pairs, and drop hopeless keypoints; "depth" or "width": only one of these.
        filter_threshold: a match has a score above this, in [0, 1].
        extractor_weights: your own file instead of the preset's.
        matcher_weights: likewise.
        accept_license: consent to weights that are not free for commercial use.
        progress: whether to show progress on stderr while weights are downloaded.

    Raises:
        InvalidInput: an option that can't be, with what is possible.
        WeightsError: weights can't be found, fetched or loaded.
    """
    row = find_preset(preset)
    _check_options(max_keypoints, resize, adaptive, filter_threshold)
    target = choose_device(device)
    read = partial(load_state_dict, accept_license=accept_license, progress=progress)
    extractor = _load_extractor(row, extractor_weights or row.extractor, read, max_keypoints, resize, target)
    kind = extractor.settings.kind
    if row.matcher == "nearest":
        if matcher_weights is not None:
            raise InvalidInput(
                f"preset {preset!r} matches without weights, so matcher_weights can't be used with it"
            )
        return Matcher(extractor, NearestMatcher(kind=kind, filter_threshold=filter_threshold))
    network = build_lightglue(read(matcher_weights or row.matcher_weights or "")).to(target)
    _check_dimensions(extractor, network, str(matcher_weights or row.matcher_weights))
    matcher = LightGlueMatcher(
        network, kind=kind, adaptivity=Adaptivity.named(adaptive), filter_threshold=filter_threshold
    )
    return Matcher(extractor, matcher)


def match(
    image0: ImageSource | Image, image1: ImageSource | Image, *, preset: str = DEFAULT_PRESET, **options: Any
) -> MatchResult:
    """Find the tie points of two photographs.

    Loads the networks anew each time: for more than a few pairs use `load` once.

    Args:
        image0: path, URL, PIL image, NumPy array (height, width[, channels]) or tensor (channels, height, width).
        image1: likewise.
        preset: see `tiepoint presets`.
        **options: as for `load`.

    Raises:
        InvalidInput: an image can't be read, or an option can't be.
        WeightsError: weights can't be found, fetched or loaded.

    Example:
        >>> result = tiepoint.match("a.jpg", "b.jpg")
        >>> result.points0, result.points1, result.scores
    """
    return load(preset, **options).match(image0, image1)


def match_to_files(
    image0: ImageSource,
    image1: ImageSource,
    *,
    picture: str | os.PathLike[str] | None = None,
    json: str | os.PathLike[str] | None = None,
    npz: str | os.PathLike[str] | None = None,
    draw: Mapping[str, Any] | None = None,
    **options: Any,
) -> MatchResult:
    """`match`, and write what came out; paths that can't be written are found out before the work.

    Args:
        image0: as for `match`.
        image1: as for `match`.
        picture: where to write the picture; its ending decides the format.
        json: where to write the matches as JSON; ends in .json.
        npz: where to write them as NumPy arrays; ends in .npz.
        draw: options of `MatchResult.draw`.
        **options: as for `match`.

    Raises:
        InvalidInput: as for `match`; or a file can't be written.
        WeightsError: as for `match`.
    """
    if picture is not None:
        check_picture(picture)
    data = [
        check_format(path, suffix) for path, suffix in ((json, ".json"), (npz, ".npz")) if path is not None
    ]
    result = match(image0, image1, **options)
    for path in data:
        result.save(path)
    if picture is not None:
        save_picture(result.draw(**(draw or {})), picture)
    return result


def choose_device(device: str | torch.device) -> torch.device:
    """Turn "auto" or a name into a device that works here.

    Raises:
        InvalidInput: no such device on this machine.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen).tolist()  # "meta" is a device, but holds no values
    except (RuntimeError, AssertionError, ValueError, TypeError, NotImplementedError) as error:
        reason = (str(error).splitlines() or ["unknown"])[0]
        raise InvalidInput(f"device {device!r} can't be used here ({reason}); use 'auto' or 'cpu'") from error
    return chosen


def _load_extractor(
    row: Preset,
    weights: str | Path,
    read: Callable[..., dict[str, torch.Tensor]],
    max_keypoints: int | None,
    resize: int | None,
    device: torch.device,
) -> NeuralExtractor:
    state = read(weights, key=WEIGHTS_KEYS.get(row.extractor))
    kind = f"{row.extractor}@{_digest_of(weights)[:12]}"
    settings = ExtractionSettings(
        kind=kind,
        max_keypoints=None if max_keypoints is None else int(max_keypoints),
        resize=None if resize is None else int(resize),
        detection_threshold=row.detection_threshold,
    )
    return NeuralExtractor(build_network(row.extractor, state).to(device), settings)


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


def _as_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    listed = [] if isinstance(pairs, Features) else list(pairs)
    if isinstance(pairs, Features) or any(isinstance(item, Features) for item in listed):
        raise InvalidInput("match_features takes a list of pairs: match_features([(features0, features1)])")
    return listed


def _check_options(max_keypoints: Any, resize: Any, adaptive: Any, filter_threshold: Any) -> None:
    for name, value in (("max_keypoints", max_keypoints), ("resize", resize)):
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if value is not None and not (whole and int(value) > 0):
            raise InvalidInput(f"{name} must be a whole number above 0, or None, but is {value!r}")
    if adaptive not in (True, False, "depth", "width"):
        raise InvalidInput(f"adaptive must be True, False, 'depth' or 'width', but is {adaptive!r}")
    number = isinstance(filter_threshold, int | float) and math.isfinite(filter_threshold)
    if not number or not -1 <= filter_threshold <= 1:
        raise InvalidInput(f"filter_threshold must be a number from -1 to 1, but is {filter_threshold!r}")
