"""Matcher: an extractor and a matcher, loaded once and used many times."""

# ImageSource and MaskSource contain NumPy arrays of any dtype
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false

from collections.abc import Iterable, Iterator, Sequence, Sized
from functools import cached_property
from time import perf_counter

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.masks import MaskSource, read_mask
from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.image.stretch import warn_about_low_contrast
from tiepoint.io.batching import batched
from tiepoint.io.progress import Progress, to_callback, track
from tiepoint.matching.inputs import FeaturePair, PairMatcher, as_pairs
from tiepoint.matching.latency.budget import LatencyBudget, PairClock, TimedMatcher, check_no_rotations
from tiepoint.matching.view_search import ImageAndMask, RotatedMatch, RotationSearch, check_rotations
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Features
from tiepoint.types.options import Rotations

ONE_TO_MANY_GROUP = 8  # images that `match_one_to_many` extracts before it matches them in one batch

AnyImage = ImageSource | Image


class Matcher:
    """An extractor and a matcher, loaded once and used many times; `load` creates it.

    Args:
        extractor: Extractor of features from an image.
        matcher: Matcher of pairs of features.
        rotations: "auto" to search in-plane rotations of image 1 in `match` and `match_one_to_many`; None to match
            images as they are.
        budget: Latency budget of each pair, from decoded images to matches, or from features to matches where they are
            given; None for no limit.

    Raises:
        InvalidInput: If `rotations` is not "auto" or None, or is given together with a budget, or the matcher does not
            support a budget.
    """

    budget: LatencyBudget | None = None

    def __init__(
        self,
        extractor: NeuralExtractor,
        matcher: PairMatcher,
        rotations: Rotations | None = None,
        budget: LatencyBudget | None = None,
    ) -> None:
        self.extractor = extractor
        self.matcher = matcher
        self.rotations = check_rotations(rotations)
        self.budget = budget
        if budget is not None:
            check_no_rotations(self.rotations)

    def __repr__(self) -> str:
        rotations = f", rotations={self.rotations!r}" if self.rotations else ""
        budget = f", latency_budget_ms={self.budget.milliseconds:g}" if self.budget else ""
        kind, device = self.extractor.settings.kind or "any features", self.extractor.device
        return f"Matcher({kind}, {type(self.matcher).__name__}, device='{device}'{rotations}{budget})"

    @property
    def fingerprint(self) -> str:
        """Digest of everything that determines the matches of two images; a key for caches."""
        rotations = f"-rotations-{self.rotations}" if self.rotations else ""
        budget = f"-latency-{self.budget.milliseconds:g}ms" if self.budget else ""
        return f"{self.extractor.fingerprint}-{self.matcher.fingerprint}{rotations}{budget}"

    def extract(self, image: AnyImage, *, mask: MaskSource | None = None) -> Features:
        """Detect and describe the keypoints of an image.

        Args:
            image: Path, URL, encoded image (bytes or a file object), PIL image, NumPy array (height, width[, channels])
                or tensor (channels, height, width).
            mask: Mask of allowed keypoints in px of the upright image: path or PIL image (not black = allowed), array
                (height, width) (nonzero = allowed), or polygons [[(x, y), …], …] (inside = allowed), also as the path
                of a .json file. None allows keypoints everywhere.

        Returns:
            Features in px of the upright original image, by descending score; may be empty.

        Raises:
            InvalidInput: If the image or the mask cannot be read, or their sizes differ.
        """
        return self.extractor.extract(*self._read(image, mask, "mask"))

    def match(
        self,
        image0: AnyImage,
        image1: AnyImage,
        *,
        mask0: MaskSource | None = None,
        mask1: MaskSource | None = None,
    ) -> MatchResult:
        """Match two images: read, extract, match, and search in-plane rotations if `rotations` is "auto".

        A latency budget begins after reading: it limits extraction and matching.

        Args:
            image0: Image 0; same as for `extract`.
            image1: Image 1.
            mask0: Mask of allowed keypoints of image 0; same as for `extract`.
            mask1: Mask of allowed keypoints of image 1.

        Raises:
            InvalidInput: If an image or mask cannot be read, a mask does not have the size of its image, or the
                latency budget is below the smallest time for images of this size.
        """
        times = [perf_counter()]
        inputs = self._read(image0, mask0, "mask0"), self._read(image1, mask1, "mask1")
        times.append(perf_counter())
        clock = self._start_clock()
        features0, features1 = self.extract_within(inputs, clock)
        times.append(perf_counter())
        pair = features0, features1
        assignment = self.matcher.match([pair])[0] if clock is None else self._assign_within(pair, clock)
        times.append(perf_counter())
        stages = zip(("read", "extract", "match"), times, times[1:], strict=False)
        seconds = {stage: end - begin for stage, begin, end in stages}
        match = RotatedMatch(features0=features0, features1=features1, assignment=assignment)
        return _to_result(match, seconds) if self.rotations is None else self._rotate(match, seconds, *inputs)

    def match_features(self, pairs: Iterable[FeaturePair]) -> list[MatchResult]:
        """Match any number of pairs of features; results are identical to matching each pair on its own.

        With a latency budget, which limits the matching of each pair, pairs are matched one after the other.

        Args:
            pairs: [(features0, features1), …] from `extract`, or your own features of the right dimension.

        Returns:
            One result per pair, in the same order; `seconds` is an equal share of the total time of a batch.

        Raises:
            InvalidInput: If features belong to another preset or have another dimension.
        """
        checked = as_pairs(pairs)
        if self.budget is not None:
            return [self.match_within(pair, self.budget.start()) for pair in checked]
        return [_to_result(match, seconds) for match, seconds in self._match_timed(checked)]

    def extract_within(self, images: Sequence[ImageAndMask], clock: PairClock | None) -> list[Features]:
        """Extract the images of a pair with the number of keypoints for which a clock has time.

        Args:
            images: Upright images and their masks.
            clock: Clock of the pair, from `budget.start()`; None for no limit.

        Raises:
            InvalidInput: If the latency budget is below the smallest time for images of these sizes.
        """
        extractor, settings = self.extractor, self.extractor.settings
        if clock is not None:
            transforms = [extractor.transform(image.image_size) for image, _ in images]
            extractor = extractor.limited(clock.plan_extraction(transforms, settings.max_keypoints))
        return [extractor.extract(image, mask) for image, mask in images]

    def match_within(self, pair: FeaturePair, clock: PairClock) -> MatchResult:
        """Match a pair with the keypoints and layers for which a clock has time.

        Args:
            pair: Features of both images.
            clock: Clock of the pair, from `budget.start()`.

        Raises:
            InvalidInput: If features belong to another preset or have another dimension.
        """
        start = perf_counter()
        assignment = self._assign_within(pair, clock)
        match = RotatedMatch(features0=pair[0], features1=pair[1], assignment=assignment)
        return _to_result(match, {"match": perf_counter() - start})

    def _start_clock(self) -> PairClock | None:
        return None if self.budget is None else self.budget.start()

    def _assign_within(self, pair: FeaturePair, clock: PairClock) -> Assignment:
        if not isinstance(self.matcher, TimedMatcher):
            raise InvalidInput(
                f"{type(self.matcher).__name__} does not support latency_budget_ms: it is not a TimedMatcher"
            )
        return self.matcher.match_within(pair, clock)

    def match_one_to_many(
        self,
        reference: AnyImage | Features,
        images: Iterable[AnyImage | Features],
        *,
        mask: MaskSource | None = None,
        progress: Progress = False,
    ) -> Iterator[MatchResult | InvalidInput]:
        """Match one image with any number of others; its features are extracted once.

        A latency budget limits the extraction of each image and its matching; that of the reference is not limited.

        Args:
            reference: Image 0 of every pair: same as for `extract`, or its features.
            images: Image 1 of each pair, or its features; read lazily, a few in memory at a time.
            mask: Mask of allowed keypoints of the reference; same as for `extract`.
            progress: Whether to show a bar on stderr, or a callback that shows the progress.

        Returns:
            One item per image, in the same order: the result, identical to that of `match_features`; or the error if
            the image cannot be read, as a value, so that one broken image does not affect the others.

        Raises:
            InvalidInput: If the reference cannot be read (immediately), or features belong to another preset or have
                another dimension.

        Example:
            >>> for path, result in zip(paths, matcher.match_one_to_many("query.jpg", paths)):
            ...     print(path, result if isinstance(result, tiepoint.InvalidInput) else result.verify())
        """
        if not isinstance(reference, Features):
            inputs = self._read(reference, mask, "mask")
            features, image0 = self.extractor.extract(*inputs), inputs if self.rotations else None
            return _tracked(self._match_all(features, image0, images), images, progress)
        if mask is not None:
            raise InvalidInput(
                "cannot apply a mask to extracted features; pass it to extract(image, mask=mask) instead"
            )
        return _tracked(self._match_all(reference, None, images), images, progress)

    def _match_all(
        self, reference: Features, image0: ImageAndMask | None, images: Iterable[AnyImage | Features]
    ) -> Iterator[MatchResult | InvalidInput]:
        if self.budget is None:
            return self._match_each(reference, image0, images)
        return (self._try_match_within(reference, image, self.budget) for image in images)

    def _try_match_within(
        self, reference: Features, image: AnyImage | Features, budget: LatencyBudget
    ) -> MatchResult | InvalidInput:
        """Match one image with the reference; the budget includes its extraction."""
        if isinstance(image, Features):
            return self.match_within((reference, image), budget.start())
        try:
            inputs = self._read(image, None, "mask")
            clock = budget.start()
            (features,) = self.extract_within([inputs], clock)
        except InvalidInput as error:
            return error
        return self.match_within((reference, features), clock)

    def _match_each(
        self, reference: Features, image0: ImageAndMask | None, images: Iterable[AnyImage | Features]
    ) -> Iterator[MatchResult | InvalidInput]:
        """Match in groups; `image0` are the pixels of the reference if rotations are searched."""
        for group in batched(images, ONE_TO_MANY_GROUP):
            extracted = [self._try_extract(image) for image in group]
            pairs = [(reference, features) for features in extracted if isinstance(features, Features)]
            matches = iter(self._match_timed(pairs))
            for image, features in zip(group, extracted, strict=True):
                if isinstance(features, InvalidInput):
                    yield features
                else:
                    match, seconds = next(matches)
                    yield self._rotate_if_needed(match, seconds, image0, image)

    def _match_timed(self, pairs: Sequence[FeaturePair]) -> list[tuple[RotatedMatch, dict[str, float]]]:
        """Match pairs in one call, each with its share of the seconds."""
        start = perf_counter()
        assignments = self.matcher.match(pairs)
        seconds = {"match": (perf_counter() - start) / max(1, len(pairs))}
        return [
            (RotatedMatch(features0=features0, features1=features1, assignment=assignment), seconds)
            for (features0, features1), assignment in zip(pairs, assignments, strict=True)
        ]

    def _try_extract(self, image: AnyImage | Features) -> Features | InvalidInput:
        try:
            return image if isinstance(image, Features) else self.extract(image)
        except InvalidInput as error:
            return error

    def _rotate_if_needed(
        self,
        upright: RotatedMatch,
        seconds: dict[str, float],
        image0: ImageAndMask | None,
        image: AnyImage | Features,
    ) -> MatchResult | InvalidInput:
        source = image.source if isinstance(image, Features) else image
        # features of another fingerprint may have been extracted with a mask, which is unknown here
        has_mask = upright.features1.fingerprint != self.extractor.fingerprint
        if image0 is None or source is None or has_mask:
            return _to_result(upright, seconds)
        if not self._rotation_search.is_needed(upright):
            return _to_result(upright, seconds, upright.verification)  # without reading the image again
        try:
            return self._rotate(upright, seconds, image0, (self._read_again(source, upright.features1), None))
        except InvalidInput as error:
            return error

    def _read(self, image: AnyImage, mask: MaskSource | None, name: str) -> ImageAndMask:
        """Read an image and its mask; `name` is the name of the mask in error messages."""
        upright = read_image(image, stretch=self.extractor.settings.stretch)
        warn_about_low_contrast(upright)
        return upright, None if mask is None else read_mask(mask, upright, name)

    def _read_again(self, source: AnyImage, features: Features) -> Image:
        """Read an image again whose features were extracted.

        Raises:
            InvalidInput: If its size has changed since.
        """
        image = read_image(source, stretch=self.extractor.settings.stretch)
        if image.image_size != features.image_size:
            raise InvalidInput(
                "the size of {} has changed from {} x {} to {} x {} px since its features were extracted; "
                "run it again".format(features.source or "an image", *features.image_size, *image.image_size)
            )
        return image

    @cached_property
    def _rotation_search(self) -> RotationSearch:
        return RotationSearch(self.extractor, self.matcher)

    def _rotate(
        self, upright: RotatedMatch, seconds: dict[str, float], image0: ImageAndMask, image1: ImageAndMask
    ) -> MatchResult:
        """Search the rotations of image 1, and return the best."""
        start = perf_counter()
        best, *_ = self._rotation_search.search(upright, image0, image1)
        return _to_result(best, {**seconds, "rotate": perf_counter() - start}, best.verification)


def _tracked(
    results: Iterator[MatchResult | InvalidInput], images: Iterable[object], progress: Progress
) -> Iterator[MatchResult | InvalidInput]:
    total = len(images) if isinstance(images, Sized) else None
    return track(results, "matching", to_callback(progress), total=total)


def _to_result(
    match: RotatedMatch, seconds: dict[str, float], verification: PairVerification | None = None
) -> MatchResult:
    return MatchResult.from_assignment(
        match.features0,
        match.features1,
        match.assignment,
        seconds,
        rotation1=match.rotation1,
        verification=verification,
    )
