"""rotations="auto": by how many quarter turns must image 1 be turned before it can be matched?

The published networks match images that are turned against each other by up to about 45 degrees. So upright matches are
looked at first. Where they say themselves that image 1 is turned, it is turned by so much. Where their verdict is low,
small images with few keypoints are matched by the first layers of the network, in all four turns. Everything else,
which is nearly every pair of photographs, costs no more than its verdict.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.masks import exclude_border, resize_mask
from tiepoint.extraction.rotation import ROTATIONS, rotate_image, rotate_mask
from tiepoint.image import Image, ImageTransform
from tiepoint.matching.compatibility import FeaturePair
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.result import MatchResult
from tiepoint.types import Assignment

Rotations = Literal["auto"]
"""When image 1 is turned: "auto" (or None: never)."""

ImageAndMask = tuple[Image, Tensor | None]
Match = Callable[[Sequence[FeaturePair]], list[Assignment]]

SURE = 0.9
"""Upright matches of a verdict from here on are taken as they are, unless they are turned themselves."""

TURNED_DEG = 50.0
"""Matches that are turned by more than this are found better after a quarter turn; at 45 degrees both are alike."""

ALIKE = 0.7
"""Matches are turned by one angle where the mean of the unit vectors of their angles is longer than this."""

PROBE_SIDE = 640
"""Longer side in px of the images in which turns are tried."""

PROBE_KEYPOINTS = 1024
PROBE_LAYERS = 3
"""Of LightGlue: by then right turns have most of their matches, and wrong ones hardly any."""

TIMES_UPRIGHT = 1.5
FEWEST_INLIERS = 12
"""A turn wins with so many inliers, and so many times as many as upright."""


def check_rotations(rotations: Any) -> Rotations | None:
    """Raise InvalidInput unless this is "auto" or None."""
    if rotations is not None and rotations not in get_args(Rotations):
        raise InvalidInput(
            f"rotations must be 'auto', or None to match images as they are, but is {rotations!r}"
        )
    return rotations


def find_turn(upright: MatchResult, probe: Callable[[], int]) -> int:
    """By how much image 1 should be turned, in degrees counter-clockwise; 0 where it is well as it is.

    Args:
        upright: what matching the images as they are gave.
        probe: gives the turn that small images speak for; called only where the verdict is low.
    """
    return apparent_turn(upright) if upright.verify().probability >= SURE else probe()


def may_be_turned(upright: MatchResult) -> bool:
    """Whether `find_turn` would look further than these matches, or turn image 1 by what they say."""
    return upright.verify().probability < SURE or apparent_turn(upright) != 0


def apparent_turn(result: MatchResult) -> int:
    """The quarter turn that undoes the rotation of which the matches themselves speak; 0 where there is hardly any."""
    if len(result) < 2:
        return 0
    before, after = (_steps(points) for points in (result.points0, result.points1))
    rotations = after * before.conj()
    mean = (rotations / np.maximum(np.abs(rotations), 1e-9)).mean()
    angle = np.rad2deg(np.angle(mean))  # clockwise, since y points down: turning back is counter-clockwise
    if abs(mean) < ALIKE or abs(angle) < TURNED_DEG:
        return 0
    return round(angle / 90) * 90 % 360


def _steps(points: np.ndarray) -> np.ndarray:
    """From each point to one far away in the list, as complex numbers."""
    x, y = (np.roll(points, len(points) // 2, axis=0) - points).astype(np.float64).T
    return x + 1j * y


@dataclass(frozen=True, slots=True)
class TurnProbe:
    """Tries the four turns in small.

    Attributes:
        extractor: sees images of `PROBE_SIDE` px, and few keypoints.
        match: pairs of features -> matches, in little time.
        border: px of the original images along each side without keypoints.
    """

    extractor: NeuralExtractor
    match: Match
    border: int

    @classmethod
    def of(cls, extractor: NeuralExtractor, matcher: Any) -> "TurnProbe":
        """Of the same networks: fewer pixels, fewer keypoints, fewer layers."""
        settings = extractor.settings
        small = replace(
            settings,
            max_keypoints=min(settings.max_keypoints or PROBE_KEYPOINTS, PROBE_KEYPOINTS),
            resize=min(settings.resize or PROBE_SIDE, PROBE_SIDE),
            border=0,
        )
        early = _early(matcher) if isinstance(matcher, LightGlueMatcher) else matcher
        return cls(NeuralExtractor(extractor.network, small), early.match, settings.border)

    def best_turn(self, image0: ImageAndMask, image1: ImageAndMask) -> int:
        """The turn of image 1 that gives by far the most inliers; 0 where none does."""
        features0 = self.extractor.extract(*self._shrunk(*image0))
        small, mask = self._shrunk(*image1)
        turned = [
            self.extractor.extract(rotate_image(small, turn), rotate_mask(mask, turn)) for turn in ROTATIONS
        ]
        pairs = [(features0, features1) for features1 in turned]
        results = [
            MatchResult.from_assignment(*pair, matches)
            for pair, matches in zip(pairs, self.match(pairs), strict=True)
        ]
        inliers = {turn: result.verify().num_inliers for turn, result in zip(ROTATIONS, results, strict=True)}
        best = max(ROTATIONS, key=inliers.__getitem__)
        return best if inliers[best] >= max(FEWEST_INLIERS, TIMES_UPRIGHT * inliers[0]) else 0

    def _shrunk(self, image: Image, mask: Tensor | None) -> ImageAndMask:
        transform = ImageTransform.fit(image.image_size, self.extractor.settings.resize)
        allowed = exclude_border(mask, image.image_size, self.border)
        small = Image(pixels=transform.apply(image))
        return small, None if allowed is None else resize_mask(allowed, transform)


def _early(matcher: LightGlueMatcher) -> LightGlueMatcher:
    """A matcher of the first layers of the same network."""
    never = AdaptiveInference(depth_confidence=-1.0, width_confidence=-1.0)
    return LightGlueMatcher(
        matcher.network.truncated(min(PROBE_LAYERS, matcher.network.shape.layers)), adaptivity=never
    )
