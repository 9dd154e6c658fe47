"""Matcher: an extractor and a matcher, loaded once and used many times."""

# ImageSource and MaskSource contain NumPy arrays of any dtype
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false

import logging
from collections.abc import Iterable, Iterator, Sequence, Sized
from time import perf_counter
from typing import NamedTuple

from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.masks import MaskSource, read_mask
from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.image.stretch import warn_about_low_contrast
from tiepoint.io.batching import batched
from tiepoint.io.progress import Progress, to_callback, track
from tiepoint.io.stages import Stages
from tiepoint.matching.inputs import FeaturePair, PairMatcher, as_pairs
from tiepoint.matching.latency.budget import LatencyBudget, PairClock, TimedMatcher, check_no_views
from tiepoint.matching.view_search import ViewSearch, check_views
from tiepoint.matching.views.opened_image import OpenedImage
from tiepoint.matching.views.view_match import ViewMatch
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Features
from tiepoint.types.feature_arrays import ArrayLike, to_keypoints
from tiepoint.types.options import Views

logger = logging.getLogger(__name__)

ONE_TO_MANY_GROUP = 8  # images that `match_one_to_many` extracts before it matches them in one batch

AnyImage = ImageSource | Image
ImageAndMask = tuple[Image, Tensor | None]


class Searched(NamedTuple):
    """A search over views of one image with others.

    Attributes:
        search: Search.
        image0: Image 0 of each pair.
    """

    search: ViewSearch
    image0: OpenedImage


class Matcher:
    """An extractor and a matcher, loaded once and used many times; `load` creates it.

    Args:
        extractor: Extractor of features from an image.
        matcher: Matcher of pairs of features.
        views: Search over views in `match`; None matches images as they are.
        budget: Latency budget of each pair, from decoded images to matches, or from features to matches where they are
            given; None for no limit.

    Raises:
        InvalidInput: If `views` is unknown, or is given together with a budget, or the matcher does not support a
            budget.
    """

    budget: LatencyBudget | None = None

    def __init__(
        self,
        extractor: NeuralExtractor,
        matcher: PairMatcher,
        views: Views | None = None,
        budget: LatencyBudget | None = None,
    ) -> None:
        self.extractor = extractor
        self.matcher = matcher
        self.views: Views | None = check_views(views)
        self.budget = budget
        self._searches: dict[Views, ViewSearch] = {}
        if budget is not None:
            check_no_views(self.views)
        if self.views is not None:
            self._search_of(self.views)  # checks that the extractor supports it

    def __repr__(self) -> str:
        views = f", views={self.views!r}" if self.views else ""
        budget = f", latency_budget_ms={self.budget.milliseconds:g}" if self.budget else ""
        kind = self.extractor.settings.kind or "any features"
        device = getattr(self.matcher, "device", self.extractor.device)  # SIFT is always on the CPU
        return f"Matcher({kind}, {type(self.matcher).__name__}, device='{device}'{views}{budget})"

    @property
    def fingerprint(self) -> str:
        """Digest of everything that determines the matches of two images; a key for caches."""
        views = f"-views-{self.views}" if self.views else ""
        budget = f"-latency-{self.budget.milliseconds:g}ms" if self.budget else ""
        return f"{self.extractor.fingerprint}-{self.matcher.fingerprint}{views}{budget}"

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

    def describe(self, image: AnyImage, keypoints: ArrayLike) -> Features:
        """Describe given keypoints of an image with the extractor's network (all but SIFT).

        At the extractor's own keypoints, these are its own descriptors. DISK describes the nearest pixel.

        Args:
            image: Image, as for `extract`.
            keypoints: Keypoints (x, y) in px of the upright image, array or tensor of shape (n, 2); the center of the
                top-left pixel is (0, 0).

        Returns:
            Features with these keypoints in the same order, scores of 1, and the kind of the extractor.

        Raises:
            InvalidInput: If the image cannot be read, the keypoints have another shape or are outside of the image, or
                the extractor cannot describe given keypoints.

        Example:
            >>> features = matcher.describe("a.jpg", [[100.0, 50.0], [20.5, 30.0]])
        """
        upright, _ = self._read(image, None, "mask")
        return self.extractor.describe(upright, to_keypoints(keypoints))

    def estimate_covariances(self, image: AnyImage, features: Features) -> Features:
        """Estimate the covariances of the positions of keypoints with RaCo, which takes longer than their extraction.

        Args:
            image: Image, as for `extract`.
            features: Features of the image, of any extractor.

        Returns:
            The features with `covariances` in px^2.

        Raises:
            InvalidInput: If the image cannot be read or is not that of the features, or the preset's detector is not
                RaCo.
        """
        upright, _ = self._read(image, None, "mask")
        if upright.image_size != features.image_size:
            raise InvalidInput(
                f"expected the image of the features, of {features.image_size} px (width, height), got "
                f"{upright.image_size}"
            )
        return self.extractor.estimate_covariances(upright, features)

    def match(
        self,
        image0: AnyImage,
        image1: AnyImage,
        *,
        mask0: MaskSource | None = None,
        mask1: MaskSource | None = None,
        stages: Stages | None = None,
    ) -> MatchResult:
        """Match two images: read, extract, match, and search other views if that fails and `views` is not None.

        A latency budget begins after reading: it limits extraction and matching.

        Args:
            image0: Image 0; same as for `extract`.
            image1: Image 1.
            mask0: Mask of allowed keypoints of image 0; same as for `extract`.
            mask1: Mask of allowed keypoints of image 1.
            stages: Timer of the stages, which may show them; None times them silently.

        Raises:
            InvalidInput: If an image or mask cannot be read, a mask does not have the size of its image, or the
                latency budget is below the smallest time for images of this size.
        """
        stages = stages or Stages()
        with stages("read"):
            inputs = self._read(image0, mask0, "mask0"), self._read(image1, mask1, "mask1")
        with stages("extract"):
            clock = self._start_clock()
            features0, features1 = self.extract_within(inputs, clock)
        with stages("match"):
            pair = features0, features1
            assignment = self.matcher.match([pair])[0] if clock is None else self._assign_within(pair, clock)
        logger.debug(
            "%d and %d keypoints, %d matches", len(features0), len(features1), len(assignment.matches)
        )
        match = ViewMatch(features0=features0, features1=features1, assignment=assignment)
        if self.views is None:
            return _to_result(match, stages.seconds)
        with stages("views"):
            search = self._search_of(self.views)
            if search.is_needed(match):
                match = search.search(match, *(search.open(*image) for image in inputs))
            verified = match.verification
        return _to_result(match, stages.seconds, verified)

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
        match = ViewMatch(features0=pair[0], features1=pair[1], assignment=assignment)
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
        views: Views | None = None,
        progress: Progress = False,
    ) -> Iterator[MatchResult | InvalidInput]:
        """Match one image with any number of others; its features are extracted once.

        A latency budget limits the extraction of each image and its matching; that of the reference is not limited.

        Args:
            reference: Image 0 of every pair: same as for `extract`, or its features.
            images: Image 1 of each pair, or its features; read lazily, a few in memory at a time.
            mask: Mask of allowed keypoints of the reference; same as for `extract`.
            views: Search over views of pairs that do not match as they are, if the reference is an image; None matches
                all as they are.
            progress: Whether to show a bar on stderr, or a callback that shows the progress.

        Returns:
            One item per image, in the same order: the result, without `views` identical to that of `match_features`; or the error if
            the image cannot be read, as a value, so that one broken image does not affect the others.

        Raises:
            InvalidInput: If the reference cannot be read (immediately), or features belong to another preset or have
                another dimension.

        Example:
            >>> for path, result in zip(paths, matcher.match_one_to_many("query.jpg", paths)):
            ...     print(path, result if isinstance(result, tiepoint.InvalidInput) else result.verify())
        """
        if check_views(views) is not None and self.budget is not None:
            check_no_views(views)
        if not isinstance(reference, Features):
            inputs = self._read(reference, mask, "mask")
            features = self.extractor.extract(*inputs)
            searched = (
                None if views is None else Searched(search := self._search_of(views), search.open(*inputs))
            )
            return _tracked(self._match_all(features, searched, images), images, progress)
        if mask is not None:
            raise InvalidInput(
                "cannot apply a mask to extracted features; pass it to extract(image, mask=mask) instead"
            )
        return _tracked(self._match_all(reference, None, images), images, progress)

    def _match_all(
        self, reference: Features, searched: Searched | None, images: Iterable[AnyImage | Features]
    ) -> Iterator[MatchResult | InvalidInput]:
        if self.budget is None:
            return self._match_each(reference, searched, images)
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
        self, reference: Features, searched: Searched | None, images: Iterable[AnyImage | Features]
    ) -> Iterator[MatchResult | InvalidInput]:
        """Match in groups."""
        for group in batched(images, ONE_TO_MANY_GROUP):
            extracted = [self._try_extract(image) for image in group]
            pairs = [(reference, features) for features in extracted if isinstance(features, Features)]
            matches = iter(self._match_timed(pairs))
            for image, features in zip(group, extracted, strict=True):
                if isinstance(features, InvalidInput):
                    yield features
                else:
                    match, seconds = next(matches)
                    yield self._search_if_needed(match, seconds, searched, image)

    def _match_timed(self, pairs: Sequence[FeaturePair]) -> list[tuple[ViewMatch, dict[str, float]]]:
        """Match pairs in one call, each with its share of the seconds."""
        start = perf_counter()
        assignments = self.matcher.match(pairs)
        seconds = {"match": (perf_counter() - start) / max(1, len(pairs))}
        return [
            (ViewMatch(features0=features0, features1=features1, assignment=assignment), seconds)
            for (features0, features1), assignment in zip(pairs, assignments, strict=True)
        ]

    def _try_extract(self, image: AnyImage | Features) -> Features | InvalidInput:
        try:
            return image if isinstance(image, Features) else self.extract(image)
        except InvalidInput as error:
            return error

    def _search_if_needed(
        self,
        plain: ViewMatch,
        seconds: dict[str, float],
        searched: Searched | None,
        image: AnyImage | Features,
    ) -> MatchResult | InvalidInput:
        source = image.source if isinstance(image, Features) else image
        # features of another fingerprint may have been extracted with a mask, which is unknown here
        has_mask = plain.features1.fingerprint != self.extractor.fingerprint
        if searched is None or source is None or has_mask:
            return _to_result(plain, seconds)
        start = perf_counter()
        try:
            # the image is read again only if it is needed
            if searched.search.is_needed(plain):
                image1 = searched.search.open(self._read_again(source, plain.features1), None)
                plain = searched.search.search(plain, searched.image0, image1)
        except InvalidInput as error:
            return error
        verification = plain.verification
        return _to_result(plain, {**seconds, "views": perf_counter() - start}, verification)

    def _read(self, image: AnyImage, mask: MaskSource | None, name: str) -> ImageAndMask:
        """Read an image and its mask; `name` is the name of the mask in error messages."""
        upright = read_image(image, stretch=self.extractor.settings.stretch)
        if upright.pixels.is_floating_point():
            warn_about_low_contrast(upright.to_array())
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

    def _search_of(self, views: Views) -> ViewSearch:
        if views not in self._searches:
            self._searches[views] = ViewSearch(self.extractor, self.matcher, views=views)
        return self._searches[views]


def _tracked(
    results: Iterator[MatchResult | InvalidInput], images: Iterable[object], progress: Progress
) -> Iterator[MatchResult | InvalidInput]:
    total = len(images) if isinstance(images, Sized) else None
    return track(results, "matching", to_callback(progress), total=total)


def _to_result(
    match: ViewMatch, seconds: dict[str, float], verification: PairVerification | None = None
) -> MatchResult:
    return MatchResult.from_assignment(
        match.features0,
        match.features1,
        match.assignment,
        seconds,
        rotation0=match.view0.rotation,
        rotation1=match.view1.rotation,
        scale=match.scale,
        tilt=match.tilt,
        views_tried=match.num_views,
        verification=verification,
    )
