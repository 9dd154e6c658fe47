"""Matcher: the extractor and the matcher of a bundle, loaded once and used many times."""

import os
from collections.abc import Iterable
from time import perf_counter
from typing import TypeAlias

from tiepoint.errors import InvalidInput
from tiepoint.image.array_reading import ArraySource, read_array
from tiepoint.image.image_array import ImageArray
from tiepoint.image.scaling import ImageScaling
from tiepoint.image.stretch import check_stretch, warn_about_low_contrast
from tiepoint.io.validation import check_integer
from tiepoint.runtimes.bundle import Bundle, open_bundle
from tiepoint.runtimes.detector import BundleDetector
from tiepoint.runtimes.lightglue import ImageInputs
from tiepoint.runtimes.manifest import ExtractorEntry, MatcherEntry
from tiepoint.runtimes.matching import AdaptiveChoice, BundleMatcher, MatchingOptions
from tiepoint.types.image_values import Stretch
from tiepoint_runtime.features import Features
from tiepoint_runtime.result import MatchResult

FeaturePair: TypeAlias = tuple[Features, Features]


class Matcher:
    """The extractor and the matcher of a bundle; `Matcher.load` creates it.

    Args:
        bundle: Bundle.
        detector: Extractor of the bundle.
        matcher: Matcher of the bundle.
        stretch: Percentile stretch of the images.
    """

    def __init__(
        self, bundle: Bundle, detector: BundleDetector, matcher: BundleMatcher, stretch: Stretch = None
    ) -> None:
        self.manifest = bundle.manifest
        self.stretch: Stretch = stretch
        self._detector = detector
        self._matcher = matcher

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str],
        *,
        max_keypoints: int | None = None,
        adaptive: AdaptiveChoice = True,
        pruning_min_keypoints: int | None = None,
        max_layers: int | None = None,
        stretch: Stretch = None,
        threads: int | None = None,
        verify: bool = True,
    ) -> "Matcher":
        """Load a bundle.

        Args:
            bundle: Folder written by `tiepoint export`.
            max_keypoints: Maximum number of keypoints per image, highest scores first; None for that of the bundle.
            adaptive: Early stopping and keypoint pruning; "depth" or "width" enables only one.
            pruning_min_keypoints: Prune only images with more keypoints than this; None for that of the bundle.
            max_layers: Maximum number of LightGlue's layers to run; None runs all.
            stretch: Percentile stretch of pixel values, as for `tiepoint.load`.
            threads: Number of CPU threads; None leaves it to the runtime.
            verify: Compare the digests of all files with the manifest.

        Raises:
            InvalidInput: If the folder is not a bundle, has a newer format, or a file is missing or was changed; or an
                option is invalid, or the bundle does not support it.
            MissingDependency: If the runtime of the bundle is not installed.
        """
        options = MatchingOptions(
            adaptive=adaptive, pruning_min_keypoints=pruning_min_keypoints, max_layers=max_layers
        )
        if threads is not None:
            check_integer("threads", threads, 1, alternative="None")
        opened = open_bundle(bundle, verify=verify)
        detector = BundleDetector(opened, threads=threads)
        if max_keypoints is not None:
            detector.max_keypoints = _check_max_keypoints(max_keypoints, opened.manifest.extractor)
        return cls(opened, detector, BundleMatcher(opened, options, threads=threads), check_stretch(stretch))

    def __repr__(self) -> str:
        return f"Matcher({self.manifest.name}, target={self.manifest.target!r})"

    def extract(self, image: ArraySource) -> Features:
        """Detect and describe the keypoints of an image.

        Args:
            image: Path, URL, encoded image (bytes or a file object), PIL image, or NumPy array (height, width[,
                channels]).

        Returns:
            Features in px of the upright original image, by descending score; may be empty.

        Raises:
            InvalidInput: If the image cannot be read, or is smaller than the network's minimum.
        """
        return self._extract(self._read(image))

    def match(self, image0: ArraySource, image1: ArraySource) -> MatchResult:
        """Match two images: read, extract, match.

        Args:
            image0: Image 0; same as for `extract`.
            image1: Image 1.

        Raises:
            InvalidInput: If an image cannot be read, or is smaller than the network's minimum.
        """
        times = [perf_counter()]
        images = self._read(image0), self._read(image1)
        times.append(perf_counter())
        features0, features1 = (self._extract(image) for image in images)
        times.append(perf_counter())
        outputs = self._matcher.match(_inputs(features0), _inputs(features1))
        times.append(perf_counter())
        stages = zip(("read", "extract", "match"), times, times[1:], strict=False)
        seconds = {stage: end - begin for stage, begin, end in stages}
        return MatchResult.from_outputs(features0, features1, outputs, seconds)

    def match_features(self, pairs: Iterable[FeaturePair]) -> list[MatchResult]:
        """Match any number of pairs of features, one after the other.

        Args:
            pairs: [(features0, features1), …] from `extract`, or your own features of the right dimension.

        Returns:
            One result per pair, in the same order.

        Raises:
            InvalidInput: If features are of another kind or dimension, or lack scales and orientations.
        """
        checked = [_check_pair(pair, number, self.manifest.matcher) for number, pair in enumerate(pairs)]
        return [self._match_pair(*pair) for pair in checked]

    def _match_pair(self, features0: Features, features1: Features) -> MatchResult:
        start = perf_counter()
        outputs = self._matcher.match(_inputs(features0), _inputs(features1))
        return MatchResult.from_outputs(features0, features1, outputs, {"match": perf_counter() - start})

    def _read(self, image: ArraySource) -> ImageArray:
        array = read_array(image, stretch=self.stretch)
        warn_about_low_contrast(array)
        return array

    def _extract(self, image: ImageArray) -> Features:
        entry = self.manifest.extractor
        scaling = self._scaling(image.image_size)
        found = self._detector.detect(scaling.apply_to_array(image))
        return Features(
            keypoints=scaling.array_to_original(found["keypoints"]),
            scores=found["scores"],
            descriptors=found["descriptors"],
            image_size=image.image_size,
            kind=entry.kind,
            fingerprint=entry.fingerprint,
            source=image.source,
            exif_orientation=image.exif_orientation,
        )

    def _scaling(self, image_size: tuple[int, int]) -> ImageScaling:
        steps = self.manifest.extractor.preprocessing
        if steps.fixed_size is not None:
            return ImageScaling(image_size, steps.fixed_size)
        return ImageScaling.fit(image_size, steps.resize, upscale=steps.upscale, multiple=steps.size_multiple)


def _check_max_keypoints(max_keypoints: int, entry: ExtractorEntry) -> int:
    check_integer("max_keypoints", max_keypoints, 1, alternative="None")
    if entry.fixed_keypoints and max_keypoints != entry.max_keypoints:
        raise InvalidInput(
            f"max_keypoints: the export fixed {entry.max_keypoints}, got {max_keypoints}; leave it out, or export "
            "without --max-keypoints"
        )
    return max_keypoints


def _inputs(features: Features) -> ImageInputs:
    return ImageInputs(
        keypoints=features.keypoints,
        image_size=features.image_size,
        descriptors=features.descriptors,
        scales=features.scales,
        orientations=features.orientations,
    )


def _check_pair(pair: FeaturePair, number: int, entry: MatcherEntry) -> FeaturePair:
    if not isinstance(pair, tuple | list) or [type(item) for item in pair] != [Features, Features]:
        raise InvalidInput(
            f"pair {number}: expected (features0, features1), got {type(pair).__name__}; "
            "extract features with matcher.extract(image)"
        )
    for side, features in enumerate(pair):
        _check_features(features, f"pair {number}, image {side}", entry)
    return pair


def _check_features(features: Features, name: str, entry: MatcherEntry) -> None:
    if features.kind and entry.kind and features.kind != entry.kind:
        raise InvalidInput(
            f"{name}: expected features of kind {entry.kind!r}, got {features.kind!r}; "
            "extract both images with the bundle of the matcher"
        )
    dim = features.descriptors.shape[1]
    if dim != entry.input_dim:
        raise InvalidInput(f"{name}: expected descriptors of dimension {entry.input_dim}, got {dim}")
    if entry.position_dim == 4 and (features.scales is None or features.orientations is None):
        raise InvalidInput(
            f"{name}: the matcher needs scales and orientations, which the features do not have"
        )
