"""Matcher: an extractor and a matcher, loaded once and used many times."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from time import perf_counter
from typing import Protocol, runtime_checkable

import torch

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.masks import MaskSource, read_mask
from tiepoint.extraction.rotation import rotate_image, rotate_mask, unrotate_features
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.matching.compatibility import FeaturePair
from tiepoint.matching.view_search import (
    ImageAndMask,
    Rotations,
    TurnProbe,
    check_rotations,
    find_turn,
    may_be_turned,
)
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Features

ONE_TO_MANY_GROUP = 8
"""Images that `match_one_to_many` extracts before it matches them together."""


@runtime_checkable
class PairMatcher(Protocol):
    """What `Matcher` asks of a matcher; `fingerprint` changes with everything that decides its matches."""

    fingerprint: str

    def match(self, pairs: Sequence[FeaturePair]) -> list[Assignment]:
        """Match pairs of features, each as if it were alone."""
        ...


class Matcher:
    """An extractor and a matcher, loaded once and used many times; `load` makes it.

    Attributes:
        extractor: image -> Features.
        matcher: pairs of Features -> Matches.
        rotations: whether `match` may turn image 1 by quarter turns; see `load`.
    """

    def __init__(
        self, extractor: NeuralExtractor, matcher: PairMatcher, rotations: Rotations | None = None
    ) -> None:
        self.extractor = extractor
        self.matcher = matcher
        self.rotations = check_rotations(rotations)

    @property
    def fingerprint(self) -> str:
        """Changes with everything that decides which matches two images give; a key for caches."""
        turns = f"-rotations-{self.rotations}" if self.rotations else ""
        return f"{self.extractor.fingerprint}-{self.matcher.fingerprint}{turns}"

    def extract(self, image: ImageSource | Image, *, mask: MaskSource | None = None) -> Features:
        """Detect and describe the keypoints of one image.

        Args:
            image: path, URL, PIL image, NumPy array (height, width[, channels]) or tensor (channels, height, width).
            mask: where keypoints may lie, in px of the upright image: path or PIL image (not black = allowed), array
                (height, width) (not zero = allowed), or polygons [[(x, y), …], …] (inside = allowed), also as the
                path of a .json file. None: everywhere.

        Returns:
            Features in px of the upright original image, by falling score; none where nothing stands out.

        Raises:
            InvalidInput: it can't be read as an image, or the mask can't, or is of another size.
        """
        return self.extractor.extract(*_read(image, mask, "mask"))

    def match_features(self, pairs: Sequence[FeaturePair]) -> list[MatchResult]:
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
            MatchResult.from_assignment(features0, features1, matches, share)
            for (features0, features1), matches in zip(pairs, found, strict=True)
        ]

    def match(
        self,
        image0: ImageSource | Image,
        image1: ImageSource | Image,
        *,
        mask0: MaskSource | None = None,
        mask1: MaskSource | None = None,
    ) -> MatchResult:
        """Find the tie points of two images: read, extract, match; with `rotations`, in the turn that they need.

        Args:
            image0: as for `extract`.
            image1: as for `extract`.
            mask0: where keypoints of image 0 may lie, as for `extract`.
            mask1: likewise of image 1.

        Raises:
            InvalidInput: an image or mask can't be read, or a mask is of another size than its image.
        """
        times = [perf_counter()]
        both = _read(image0, mask0, "mask0"), _read(image1, mask1, "mask1")
        times.append(perf_counter())
        features0, features1 = (self.extractor.extract(*image_and_mask) for image_and_mask in both)
        times.append(perf_counter())
        (found,) = self.matcher.match([(features0, features1)])
        times.append(perf_counter())
        stages = zip(("read", "extract", "match"), times, times[1:], strict=False)
        upright = MatchResult.from_assignment(
            features0, features1, found, {stage: end - begin for stage, begin, end in stages}
        )
        return upright if self.rotations is None else self._match_turned(upright, *both)

    def match_one_to_many(
        self,
        reference: ImageSource | Image | Features,
        images: Iterable[ImageSource | Image | Features],
        *,
        mask: MaskSource | None = None,
    ) -> Iterator[MatchResult | InvalidInput]:
        """Match one image with any number of others; its keypoints are found once.

        Args:
            reference: image 0 of every pair; as for `extract`, or what `extract` gave.
            images: likewise, image 1 of a pair each; read as they are needed, a few in memory at a time.
            mask: where keypoints of the reference may lie, as for `extract`.

        Returns:
            For each image, in the same order: what matching it gave, which equals what `match_features` gives; or,
            where it can't be read, the error, as a value in its place, so that one broken image doesn't cost the others.

        Raises:
            InvalidInput: the reference can't be read, at once; features of another preset or dimension.

        Example:
            >>> for path, result in zip(paths, matcher.match_one_to_many("query.jpg", paths)):
            ...     print(path, result if isinstance(result, tiepoint.InvalidInput) else result.verify())
        """
        if not isinstance(reference, Features):
            pixels = _read(reference, mask, "mask")
            return self._match_each(
                self.extractor.extract(*pixels), pixels if self.rotations else None, images
            )
        if mask is not None:
            raise InvalidInput(
                "these features were extracted already; give the mask to extract(image, mask=mask)"
            )
        return self._match_each(reference, None, images)

    def _match_each(
        self,
        reference: Features,
        pixels: ImageAndMask | None,
        images: Iterable[ImageSource | Image | Features],
    ) -> Iterator[MatchResult | InvalidInput]:
        """`pixels` are the reference's, where images may be turned."""
        remaining = iter(images)
        while group := list(islice(remaining, ONE_TO_MANY_GROUP)):
            found = [self._try_extract(image) for image in group]
            good = [(reference, features) for features in found if isinstance(features, Features)]
            upright = iter(self.match_features(good))
            for image, features in zip(group, found, strict=True):
                if isinstance(features, InvalidInput):
                    yield features
                else:
                    yield self._turned_if_needed(next(upright), pixels, image)

    def _try_extract(self, image: ImageSource | Image | Features) -> Features | InvalidInput:
        try:
            return image if isinstance(image, Features) else self.extract(image)
        except InvalidInput as error:
            return error

    def _turned_if_needed(
        self, upright: MatchResult, pixels: ImageAndMask | None, image: ImageSource | Image | Features
    ) -> MatchResult | InvalidInput:
        source = image.source if isinstance(image, Features) else image
        if pixels is None or source is None or upright.features1.fingerprint != self.extractor.fingerprint:
            return upright  # without pixels, or with a mask that only its features know
        if not may_be_turned(upright):
            return upright  # and its pixels aren't read again
        try:
            return self._match_turned(upright, pixels, (_same_image(source, upright.features1), None))
        except InvalidInput as error:
            return error

    @cached_property
    def _turn_probe(self) -> TurnProbe:
        return TurnProbe.of(self.extractor, self.matcher)

    def _match_turned(self, upright: MatchResult, image0: ImageAndMask, image1: ImageAndMask) -> MatchResult:
        """The better one of the upright matches, and those of the turn that the images seem to need."""
        start = perf_counter()
        turn = find_turn(upright, lambda: self._turn_probe.best_turn(image0, image1))
        best = upright
        if turn:
            turned = self._match_at(upright, *image1, turn)
            best = max(upright, turned, key=lambda result: result.verify().num_inliers)
        best.seconds.update(upright.seconds, rotate=perf_counter() - start)
        return best

    def _match_at(
        self, upright: MatchResult, image1: Image, mask1: torch.Tensor | None, turn: int
    ) -> MatchResult:
        features1 = self.extractor.extract(rotate_image(image1, turn), rotate_mask(mask1, turn))
        (found,) = self.matcher.match([(upright.features0, features1)])
        back = unrotate_features(features1, turn, image1.image_size)
        return MatchResult.from_assignment(upright.features0, back, found, rotation1=turn)


def _read(
    image: ImageSource | Image, mask: MaskSource | None, name: str
) -> tuple[Image, torch.Tensor | None]:
    """An image and where its keypoints may lie; `name` is what error messages call the mask."""
    upright = read_image(image)
    return upright, None if mask is None else read_mask(mask, upright, name)


def _same_image(source: ImageSource | Image, features: Features) -> Image:
    """Read an image again whose features are known. Raises InvalidInput where it isn't what it was."""
    image = read_image(source)
    if image.image_size != features.image_size:
        raise InvalidInput(
            "{} is {} x {} px now, but was {} x {} px; run it again".format(
                features.source or "an image", *image.image_size, *features.image_size
            )
        )
    return image


def _as_pairs(pairs: Sequence[FeaturePair]) -> list[FeaturePair]:
    listed = [] if isinstance(pairs, Features) else list(pairs)
    if isinstance(pairs, Features) or any(isinstance(item, Features) for item in listed):
        raise InvalidInput("match_features takes a list of pairs: match_features([(features0, features1)])")
    return listed
