"""Rotation level of a search over views: which in-plane rotations of both images give the most inliers?

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

from tiepoint.extraction.views import ORIGINAL, View
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.views.cheap_match import CheapMatch, CheapMatcher, ViewPair
from tiepoint.matching.views.opened_image import OpenedImage
from tiepoint.matching.views.selection import MIN_CHEAP_INLIERS, beats, is_confident
from tiepoint.matching.views.view_match import ViewMatch

RIGHT_ANGLES = (0, 90, 180, 270)
ANGLES_BETWEEN = (45, 135, 225, 315)

# Relative rotation up to which matches lose little
MAX_RELATIVE_ANGLE_DEG = 20.0

# Fraction of the keypoints of a verified pair that are inliers from which on another view brings little
MANY_INLIERS = 0.5

# Inliers of any of them, or probability of the images as they are, from which on more rotations are tried
MIN_RETRY_INLIERS = 10
MIN_RETRY_PROBABILITY = 0.2

# Minimum ratio of the inliers of a pair of cheap matches for another absolute rotation
MIN_ABSOLUTE_RATIO = 1.2


class RotationLevel:
    """Search over in-plane rotations of both images.

    Args:
        cheap: Matcher of the cheap matches.
        matcher: Matcher of the full matches.
        only_exact: Whether views cannot be rendered, so that only rotations by multiples of 90 degrees are tried.
    """

    def __init__(self, cheap: CheapMatcher, matcher: PairMatcher, *, only_exact: bool = False) -> None:
        self.cheap = cheap
        self.matcher = matcher
        self._only_exact = only_exact

    @staticmethod
    def is_needed(plain: ViewMatch) -> bool:
        """Return whether `search` would look further than the matches of the images as they are."""
        return not is_confident(plain) or _relative_angle(plain) != 0

    def search(self, plain: ViewMatch, image0: OpenedImage, image1: OpenedImage) -> ViewMatch:
        """Search the rotations of a pair.

        Args:
            plain: Matches of the images as they are.
            image0: Image 0.
            image1: Image 1.

        Returns:
            The best matches: the given ones, unless those of other rotations beat them.
        """
        tried: list[CheapMatch] = []
        angle = self._find_angle(plain, image0, image1, tried)
        if angle is None:
            return plain.after_search(plain.num_views + len(tried))
        views = self._find_views(angle, image0, image1, tried)
        if views == (ORIGINAL, ORIGINAL):
            return plain.after_search(plain.num_views + len(tried))
        num_views = plain.num_views + 1 + len(tried)
        found = self._match(image0, image1, views, num_views=num_views)
        return found if beats(found, plain) else plain.after_search(num_views)

    def _find_angle(
        self, plain: ViewMatch, image0: OpenedImage, image1: OpenedImage, tried: list[CheapMatch]
    ) -> float | None:
        """Return the rotation of image 1 in degrees that aligns it with image 0; None without enough inliers."""
        if is_confident(plain):
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
        self, image0: OpenedImage, image1: OpenedImage, views: ViewPair, *, num_views: int
    ) -> ViewMatch:
        """Match a pair of views in full."""
        view0, view1 = views
        features0, features1 = image0.features(view0), image1.features(view1)
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
