"""Search over views (`views="rotation"`): which in-plane rotations of both images give the most inliers?

The published networks are trained on upright images: they match a relative rotation of up to about 45 degrees, and lose
most matches where both images are sideways. The search starts from the matches of the images as they are:

1. Where they are verified with high probability, they determine the relative rotation; a small one ends the search.
2. Otherwise image 0 is matched with image 1 in three other rotations by 90 degrees, cheaply: small images, few
   keypoints, the first layers of the network. With a few more inliers than by chance, more rotations of both images are
   tried. Without enough inliers the search ends.
3. Cheap matches of both images, rotated together, determine the absolute rotation.
4. The best pair of views is matched in full. It replaces the matches of the images as they are only if it beats them.

For upright pairs with overlap, which are nearly all, this costs one pair verification, which the result keeps.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, get_args

from jaxtyping import Bool
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.bundle_extractor import BundleExtractor
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.views import ORIGINAL, View, ViewFeatures
from tiepoint.image import Image
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.views.cheap_match import CheapMatch, CheapMatcher, CheapSettings, ViewPair
from tiepoint.matching.views.opened_image import OpenedImage
from tiepoint.matching.views.view_match import ViewMatch
from tiepoint.types import Features
from tiepoint.types.options import Views

RIGHT_ANGLES = (0, 90, 180, 270)
ANGLES_BETWEEN = (45, 135, 225, 315)

# Pair verification from which on no cheap matches are needed
MIN_CONFIDENT_PROBABILITY = 0.9
MIN_CONFIDENT_INLIERS = 15

# Relative rotation up to which matches lose little
MAX_RELATIVE_ANGLE_DEG = 20.0

# Fraction of the keypoints of a verified pair that are inliers from which on another view brings little
MANY_INLIERS = 0.5

# Minimum number of inliers of a cheap match for a full one
MIN_CHEAP_INLIERS = 12

# Inliers of any of them, or probability of the images as they are, from which on more rotations are tried
MIN_RETRY_INLIERS = 10
MIN_RETRY_PROBABILITY = 0.2

# Minimum ratio of the inliers of a pair of cheap matches for another absolute rotation
MIN_ABSOLUTE_RATIO = 1.2

# Minimum ratio of inliers for views that replace the images as they are, if neither is verified
MIN_UNVERIFIED_RATIO = 1.5


def check_views(views: Any) -> Views | None:
    """Check the option `views`.

    Raises:
        InvalidInput: If it is neither None nor one of `Views`.
    """
    if views is not None and views not in get_args(Views):
        known = ", ".join(map(repr, get_args(Views)))
        raise InvalidInput(f"views: expected {known} or None, got {views!r}")
    return views


class ViewSearch:
    """Search over views with the extractor and the matcher of a preset.

    Args:
        extractor: Extractor of the images as they are.
        matcher: Matcher of the images as they are.
        settings: Effort of the cheap matches; None for the default.
    """

    def __init__(
        self, extractor: NeuralExtractor, matcher: PairMatcher, settings: CheapSettings | None = None
    ) -> None:
        self.extractor = extractor
        self.matcher = matcher
        self.settings = settings or CheapSettings()

    @cached_property
    def cheap(self) -> CheapMatcher:
        """Matcher of the cheap matches."""
        return CheapMatcher(self.extractor, self.matcher, self.settings)

    def open(self, image: Image, mask: Bool[Tensor, "h w"] | None) -> OpenedImage:
        """Return an image for `search`.

        Args:
            image: Image.
            mask: Mask of allowed keypoints, shape (h, w); None allows all.
        """
        return OpenedImage(image, mask, self.extractor, self.cheap.extractor)

    def is_needed(self, plain: ViewMatch) -> bool:
        """Return whether `search` would look further than the matches of the images as they are."""
        return not _is_confident(plain) or _relative_angle(plain) != 0

    def search(self, plain: ViewMatch, image0: OpenedImage, image1: OpenedImage) -> ViewMatch:
        """Search the views of a pair.

        Args:
            plain: Matches of the images as they are.
            image0: Image 0.
            image1: Image 1.

        Returns:
            The best matches: the given ones, unless those of other views beat them.
        """
        if not self.is_needed(plain):
            return plain
        tried: list[CheapMatch] = []
        angle = self._find_angle(plain, image0, image1, tried)
        if angle is None:
            return plain.after_search(1 + len(tried))
        views = self._find_views(angle, image0, image1, tried)
        if views == (ORIGINAL, ORIGINAL):
            return plain.after_search(1 + len(tried))
        found = self._match(plain, image0, image1, views, num_views=2 + len(tried))
        return found if _beats(found, plain) else plain.after_search(found.num_views)

    def _find_angle(
        self, plain: ViewMatch, image0: OpenedImage, image1: OpenedImage, tried: list[CheapMatch]
    ) -> float | None:
        """Return the rotation of image 1 in degrees that aligns it with image 0; None without enough inliers."""
        if _is_confident(plain):
            return _relative_angle(plain)
        tried += self.cheap.match(image0, image1, [_rotations(0, angle) for angle in RIGHT_ANGLES[1:]])
        best = max(tried, key=_num_inliers)
        has_enough = (
            best.num_inliers >= MIN_RETRY_INLIERS or plain.verification.probability >= MIN_RETRY_PROBABILITY
        )
        if best.num_inliers < MIN_CHEAP_INLIERS and has_enough:
            tried += self.cheap.match(image0, image1, self._more_rotations)
            best = max(tried, key=_num_inliers)
        if best.num_inliers < MIN_CHEAP_INLIERS:
            return None
        rotation0, rotation1 = (view.rotation for view in best.views)
        return rotation1 - rotation0 if best.angle_deg is None else best.angle_deg

    @property
    def _more_rotations(self) -> list[ViewPair]:
        """Rotations for pairs with enough inliers to try more: image 1 upright, both images rotated, and angles in between."""
        return [
            *(_rotations(angle, 0) for angle in RIGHT_ANGLES[1:]),
            *(_rotations(angle, angle) for angle in RIGHT_ANGLES[1:]),
            *(_rotations(0, angle) for angle in (() if self._only_exact else ANGLES_BETWEEN)),
        ]

    @property
    def _only_exact(self) -> bool:
        """Whether views cannot be rendered: bundles do not support masks."""
        return isinstance(self.extractor, BundleExtractor)

    def _find_views(
        self, angle: float, image0: OpenedImage, image1: OpenedImage, tried: list[CheapMatch]
    ) -> ViewPair:
        """Return the views with a relative rotation that have clearly the most inliers in cheap matches."""
        candidates = view_pairs(angle, only_exact=self._only_exact)
        found = self.cheap.match(image0, image1, candidates)
        tried += found
        best = max(found, key=_num_inliers)
        is_better = best.num_inliers >= MIN_ABSOLUTE_RATIO * found[0].num_inliers
        return best.views if is_better else candidates[0]

    def _match(
        self,
        plain: ViewMatch,
        image0: OpenedImage,
        image1: OpenedImage,
        views: ViewPair,
        *,
        num_views: int,
    ) -> ViewMatch:
        """Match a pair of views in full."""
        view0, view1 = views
        features0 = _as_is(plain.features0) if view0 == ORIGINAL else image0.features(view0)
        features1 = _as_is(plain.features1) if view1 == ORIGINAL else image1.features(view1)
        (assignment,) = self.matcher.match([(features0.in_view, features1.in_view)])
        return ViewMatch(
            features0=features0.in_image,
            features1=features1.in_image,
            assignment=assignment,
            view0=view0,
            view1=view1,
            num_views=num_views,
        )


def view_pairs(angle: float, *, only_exact: bool = False) -> Sequence[ViewPair]:
    """Return the pairs of views that align the images, at four absolute rotations of image 0, then of image 1.

    Args:
        angle: Rotation of image 1 in degrees (CCW) that aligns it with image 0.
        only_exact: Whether to round it to a multiple of 90 degrees.
    """
    right_angle, degrees = 90 * round(angle / 90), round(angle)
    if only_exact or abs(angle - right_angle) <= MAX_RELATIVE_ANGLE_DEG:
        return [_rotations(first, first + right_angle) for first in RIGHT_ANGLES]
    # one image at a multiple of 90 degrees, the other one rendered
    upright = [_rotations(0, degrees), _rotations(-degrees, 0)]
    if abs(degrees) <= 45:
        return upright
    return [
        *upright,
        *(_rotations(first, first + degrees) for first in RIGHT_ANGLES[1:]),
        *(_rotations(second - degrees, second) for second in RIGHT_ANGLES[1:]),
    ]


def _num_inliers(match: CheapMatch) -> int:
    return match.num_inliers


def _as_is(features: Features) -> ViewFeatures:
    return ViewFeatures(in_view=features, in_image=features)


def _rotations(rotation0: int, rotation1: int) -> ViewPair:
    return View(rotation0 % 360), View(rotation1 % 360)


def _relative_angle(match: ViewMatch) -> float:
    """Relative rotation of the images as they are, in degrees; 0 if it matters little or the matches disagree on it."""
    angle = match.angle_deg
    if angle is None or abs(angle) <= MAX_RELATIVE_ANGLE_DEG:
        return 0.0
    keypoints = min(len(match.features0), len(match.features1))
    is_plenty = abs(angle) <= 45 and match.num_inliers >= MANY_INLIERS * keypoints
    return 0.0 if is_plenty else angle


def _is_confident(match: ViewMatch) -> bool:
    verification = match.verification
    is_probable = verification.probability >= MIN_CONFIDENT_PROBABILITY
    return is_probable and verification.num_inliers >= MIN_CONFIDENT_INLIERS


def _beats(found: ViewMatch, plain: ViewMatch) -> bool:
    """Return whether views replace the images as they are: more inliers, and verified, or far more inliers."""
    if found.verification.same_scene:
        return found.num_inliers > plain.num_inliers
    is_open = not plain.verification.same_scene
    return is_open and found.num_inliers > MIN_UNVERIFIED_RATIO * plain.num_inliers
