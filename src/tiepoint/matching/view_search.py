"""In-plane rotation search (`rotations="auto"`): which rotation of image 1 gives the most inliers?

The published networks match images with a relative in-plane rotation of up to about 45 degrees. The search starts from
the matches of the upright images:

1. Where they are verified with high probability, their own relative rotation is the only candidate.
2. Otherwise a coarse search (small images, few keypoints, the first layers of the network) compares all rotations by
   90 degrees, and the best is the candidate.

Candidates are matched in full, and the pair with the most inliers wins. For upright pairs with overlap, which are nearly
all, this costs one pair verification.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, get_args

import numpy as np
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.masks import exclude_border, resize_mask
from tiepoint.extraction.rotation import ROTATIONS, rotate_image, rotate_mask, unrotate_features
from tiepoint.geometry.pair_verification import PairVerification, verify_pair
from tiepoint.image import Image, ImageTransform
from tiepoint.matching.inputs import FeaturePair, PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.types import Assignment, Correspondences, Features
from tiepoint.types.options import Rotations

ImageAndMask = tuple[Image, Tensor | None]

MIN_CONFIDENT_PROBABILITY = 0.9  # pair verification from which on the coarse search is skipped

# Minimum relative rotation for a candidate. Matches of a larger rotation improve when image 1 is rotated by 90 degrees;
# at 45 degrees both are equal.
MIN_ROTATION_DEG = 50.0

# Minimum length of the mean of the unit vectors of the rotation angles of matches (1 = all angles equal)
MIN_ANGULAR_CONCENTRATION = 0.7

COARSE_SIDE = 640  # longer image side in px of the coarse search
COARSE_KEYPOINTS = 1024
COARSE_LAYERS = 3  # by then, correct rotations have most of their matches, and wrong ones hardly any

# Minimum number of inliers of a candidate of the coarse search, absolute and relative to the upright pair
MIN_COARSE_INLIERS = 12
MIN_COARSE_INLIER_RATIO = 1.5


def check_rotations(rotations: Any) -> Rotations | None:
    """Check the option `rotations`.

    Raises:
        InvalidInput: If it is not "auto" or None.
    """
    if rotations is not None and rotations not in get_args(Rotations):
        raise InvalidInput(f"rotations: expected 'auto' or None, got {rotations!r}")
    return rotations


@dataclass(frozen=True, kw_only=True, eq=False)
class RotatedMatch:
    """Matches of a pair with one of the candidate rotations.

    Attributes:
        features0: Features of image 0.
        features1: Features of image 1.
        assignment: Matches between them.
        rotation1: Rotation of image 1 before its features were extracted, in degrees (CCW).
    """

    features0: Features
    features1: Features
    assignment: Assignment
    rotation1: int = 0

    @cached_property
    def correspondences(self) -> Correspondences:
        """Matched points and scores."""
        return Correspondences.from_assignment(
            self.features0, self.features1, self.assignment, rotation1=self.rotation1
        )

    @cached_property
    def verification(self) -> PairVerification:
        """Pair verification of the matches, estimated once."""
        return verify_pair(self.correspondences)

    @property
    def num_inliers(self) -> int:
        """Number of inliers of pair verification."""
        return self.verification.num_inliers


class RotationSearch:
    """In-plane rotation search with the extractor and the matcher of a preset.

    Args:
        extractor: Extractor of the upright matches.
        matcher: Matcher of the upright matches.
    """

    def __init__(self, extractor: NeuralExtractor, matcher: PairMatcher) -> None:
        self.extractor = extractor
        self.matcher = matcher

    def is_needed(self, upright: RotatedMatch) -> bool:
        """Return whether `search` would look further than the matches of the upright images."""
        return not _is_confident(upright) or relative_rotation(upright.correspondences) != 0

    def search(self, upright: RotatedMatch, image0: ImageAndMask, image1: ImageAndMask) -> list[RotatedMatch]:
        """Match the candidate rotations of image 1.

        Args:
            upright: Matches of the upright images.
            image0: Image 0, and the mask of its allowed keypoints.
            image1: Image 1, and the mask of its allowed keypoints.

        Returns:
            Matches of all candidates, most inliers first; the upright ones first among equals.
        """
        rotations = self._candidates(upright, image0, image1)
        found = [upright, *(self._match(upright.features0, *image1, rotation) for rotation in rotations)]
        return found if len(found) == 1 else sorted(found, key=lambda match: -match.num_inliers)

    def _candidates(self, upright: RotatedMatch, image0: ImageAndMask, image1: ImageAndMask) -> Iterator[int]:
        """Yield the rotations of image 1 that may be better than none."""
        if _is_confident(upright):
            rotation = relative_rotation(upright.correspondences)
        else:
            rotation = self._coarse_search(image0, image1)
        if rotation:
            yield rotation

    def _match(self, features0: Features, image1: Image, mask1: Tensor | None, rotation: int) -> RotatedMatch:
        """Match image 0 with the rotated image 1; coordinates are those of the upright image."""
        features1 = self.extractor.extract(rotate_image(image1, rotation), rotate_mask(mask1, rotation))
        (assignment,) = self.matcher.match([(features0, features1)])
        upright1 = unrotate_features(features1, rotation, image1.image_size)
        return RotatedMatch(
            features0=features0, features1=upright1, assignment=assignment, rotation1=rotation
        )

    def _coarse_search(self, image0: ImageAndMask, image1: ImageAndMask) -> int:
        """Return the rotation of image 1 that clearly has the most inliers; 0 if there is none."""
        pairs = self._coarse_pairs(image0, image1)
        inliers: dict[int, int] = {}
        for rotation, pair, assignment in zip(
            ROTATIONS, pairs, self.coarse_matcher.match(pairs), strict=True
        ):
            inliers[rotation] = verify_pair(Correspondences.from_assignment(*pair, assignment)).num_inliers
        best = max(ROTATIONS, key=inliers.__getitem__)
        minimum = max(MIN_COARSE_INLIERS, MIN_COARSE_INLIER_RATIO * inliers[0])
        return best if inliers[best] >= minimum else 0

    def _coarse_pairs(self, image0: ImageAndMask, image1: ImageAndMask) -> list[FeaturePair]:
        """Extract features of the shrunk image 0, and of the shrunk image 1 in all rotations."""
        features0 = self.coarse_extractor.extract(*self._shrink(*image0))
        small, mask = self._shrink(*image1)
        return [
            (
                features0,
                self.coarse_extractor.extract(rotate_image(small, rotation), rotate_mask(mask, rotation)),
            )
            for rotation in ROTATIONS
        ]

    def _shrink(self, image: Image, mask: Tensor | None) -> ImageAndMask:
        transform = ImageTransform.fit(image.image_size, self.coarse_extractor.settings.resize)
        allowed = exclude_border(mask, image.image_size, self.extractor.settings.border)
        small = Image(pixels=transform.apply(image))
        return small, None if allowed is None else resize_mask(allowed, transform)

    @cached_property
    def coarse_extractor(self) -> NeuralExtractor:
        """The same extractor with fewer pixels and keypoints."""
        settings = self.extractor.settings
        coarse = replace(
            settings,
            max_keypoints=min(settings.max_keypoints or COARSE_KEYPOINTS, COARSE_KEYPOINTS),
            resize=min(settings.resize or COARSE_SIDE, COARSE_SIDE),
            border=0,
        )
        return self.extractor.with_settings(coarse)

    @cached_property
    def coarse_matcher(self) -> PairMatcher:
        """The same matcher with fewer layers, and without early stopping and pruning."""
        if not isinstance(self.matcher, LightGlueMatcher):
            return self.matcher
        network = self.matcher.network
        truncated = network.truncated(min(COARSE_LAYERS, network.shape.layers))
        return LightGlueMatcher(truncated, adaptivity=AdaptiveInference.from_flag(False))


def relative_rotation(matches: Correspondences) -> int:
    """Estimate the rotation of image 1 that undoes the relative in-plane rotation of the matches.

    Returns:
        Rotation in degrees (CCW), a multiple of 90; 0 if the relative rotation is small or the matches disagree on it.
    """
    if len(matches) < 2:
        return 0
    before, after = (_displacements(points) for points in (matches.points0, matches.points1))
    rotations = after * before.conj()
    mean = (rotations / np.maximum(np.abs(rotations), 1e-9)).mean()
    angle = np.rad2deg(np.angle(mean))  # clockwise, because y points down; undoing it is counter-clockwise
    if abs(mean) < MIN_ANGULAR_CONCENTRATION or abs(angle) < MIN_ROTATION_DEG:
        return 0
    return round(angle / 90) * 90 % 360


def _displacements(points: np.ndarray) -> np.ndarray:
    """Displacements between points that are far apart in the list, as complex numbers."""
    x, y = (np.roll(points, len(points) // 2, axis=0) - points).astype(np.float64).T
    return x + 1j * y


def _is_confident(match: RotatedMatch) -> bool:
    return match.verification.probability >= MIN_CONFIDENT_PROBABILITY
