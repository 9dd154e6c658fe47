"""Scale and viewpoint level of a search over views: relative scales, and simulated tilts of either image.

1. Candidates are matched cheaply: the best keypoints of one image as it is with those of a view of the other one.
   Without `MIN_CHEAP_INLIERS` in any of them, the level ends.
2. The inliers of a cheap match, or of the matches that are known already, determine a warp: the image that shows the
   surface smaller is rendered in the frame of the other one, from its original pixels. This pair of views is matched
   in full; so is the second best candidate, if the best one fails.
3. Matches that beat the known ones determine a better warp, and its matches replace them if there are more inliers.
4. The matches of both warps and the known ones are pooled, if that adds inliers without many outliers.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import ClassVar

from tiepoint.extraction.views import ORIGINAL, View, ViewFeatures
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.top_k import select_top_k
from tiepoint.matching.views.cheap_match import CheapMatch, CheapMatcher
from tiepoint.matching.views.opened_image import OpenedImage
from tiepoint.matching.views.pooling import pool
from tiepoint.matching.views.selection import MIN_CHEAP_INLIERS, beats, is_confident
from tiepoint.matching.views.view_match import ViewMatch
from tiepoint.matching.views.warp_model import fit_warp
from tiepoint.types import Correspondences

# Maximum number of candidates of a level that are matched in full
MAX_FULL = 2

# Inliers of any of them from which on more views are tried
MIN_RETRY_INLIERS = 7

# Minimum number of inliers of the known matches, which no candidate chose, for a warp
MIN_KNOWN_INLIERS = 10

# Distance in px of the images as the extractor resizes them up to which two points of pooled matches are the same
POOL_RADIUS_PX = 2.0

# Minimum fraction of the inlier ratio of the best views that pooled matches keep
MIN_POOLED_RATIO = 0.9

# Longer side in px of the images whose tilts are matched cheaply
TILT_SIDE = 512


class WarpLevel:
    """A level whose matches are refined by warping one image to the other.

    Args:
        cheap: Matcher of the cheap matches.
        matcher: Matcher of the full matches.
    """

    stages: ClassVar[Sequence[Sequence[View]]] = ()
    """Views of either image, with which the other image as it is is matched cheaply; a stage without hope is the last."""

    keypoints: ClassVar[tuple[int, int]] = (768, 400)
    """Maximum number of keypoints of the image as it is, and of a view, in cheap matches."""

    def __init__(self, cheap: CheapMatcher, matcher: PairMatcher) -> None:
        self.cheap = cheap
        self.matcher = matcher

    @staticmethod
    def is_needed(plain: ViewMatch) -> bool:
        """Return whether `search` would look further than the known matches."""
        return not is_confident(plain)

    def search(self, known: ViewMatch, image0: OpenedImage, image1: OpenedImage) -> ViewMatch:
        """Search the views of a pair.

        Args:
            known: Known matches: of the images as they are, or of another level.
            image0: Image 0.
            image1: Image 1.

        Returns:
            The best matches: the given ones, unless those of other views beat them.
        """
        images = image0, image1
        tried = self._match_cheaply(images)
        num_views = known.num_views + len(tried)
        for matches in self._candidates(known, tried):
            found = self._match_warped(matches, images, num_views)
            if found is None:
                continue
            num_views = found.num_views
            if beats(found, known):
                return self._refine(found, known, images)
        return known.after_search(num_views)

    def _match_cheaply(self, images: tuple[OpenedImage, OpenedImage]) -> list[CheapMatch]:
        """Match the views of one image with the other image as it is."""
        originals = [_first(image.features(ORIGINAL), self.keypoints[0]) for image in images]
        tried: list[CheapMatch] = []
        for views in self.stages:
            pairs: list[tuple[View, View]] = []
            features: list[tuple[ViewFeatures, ViewFeatures]] = []
            for view, (side, image) in product(views, enumerate(images)):
                found = image.reduced_features(view, TILT_SIDE, self.keypoints[1])
                if found is not None:
                    pairs.append((view, ORIGINAL) if side == 0 else (ORIGINAL, view))
                    features.append((found, originals[1]) if side == 0 else (originals[0], found))
            found = self.cheap.match_features(pairs, features)
            tried += found
            if max((one.num_inliers for one in found), default=0) < MIN_RETRY_INLIERS:
                break
        return tried

    @staticmethod
    def _candidates(known: ViewMatch, tried: Sequence[CheapMatch]) -> list[Correspondences]:
        """Return the matches with the most inliers, at most `MAX_FULL` of them."""
        found = [(one.num_inliers, one.matches) for one in tried if one.num_inliers >= MIN_CHEAP_INLIERS]
        if known.num_inliers >= MIN_KNOWN_INLIERS:
            found.append((known.num_inliers, known.correspondences))
        found.sort(key=lambda pair: -pair[0])
        return [matches for _, matches in found[:MAX_FULL]]

    def _refine(
        self, found: ViewMatch, known: ViewMatch, images: tuple[OpenedImage, OpenedImage]
    ) -> ViewMatch:
        """Warp again by the model of matches that beat the known ones, and pool all of them."""
        again = self._match_warped(found.correspondences, images, found.num_views)
        if again is None:
            return self._pool([found], known, images)
        both = [one.after_search(again.num_views) for one in (again, found)]
        return self._pool(sorted(both, key=_num_inliers, reverse=True), known, images)

    def _match_warped(
        self, matches: Correspondences, images: tuple[OpenedImage, OpenedImage], num_views: int
    ) -> ViewMatch | None:
        image_warp = fit_warp(matches, (images[0].transform, images[1].transform))
        if image_warp is None:
            return None
        side = image_warp.warped
        warped = images[side].warped_features(image_warp.warp, f"warped-{image_warp.view}")
        if warped is None:
            return None
        frame = images[1 - side].features(ORIGINAL)
        both = (frame, warped) if side else (warped, frame)
        views = (ORIGINAL, image_warp.view) if side else (image_warp.view, ORIGINAL)
        (assignment,) = self.matcher.match([(both[0].in_view, both[1].in_view)])
        return ViewMatch(
            features0=both[0].in_image,
            features1=both[1].in_image,
            assignment=assignment,
            view0=views[0],
            view1=views[1],
            num_views=num_views + 1,
            is_pooled=True,
        )

    @staticmethod
    def _pool(
        found: Sequence[ViewMatch], known: ViewMatch, images: tuple[OpenedImage, OpenedImage]
    ) -> ViewMatch:
        """Pool matches with the known ones if that adds inliers without many outliers."""
        best = found[0]
        radius0, radius1 = (POOL_RADIUS_PX / max(image.transform.scale) for image in images)
        pooled = pool([*found, known], radius0, radius1)
        ratios = [one.num_inliers / max(1, len(one.assignment.matches)) for one in (pooled, best)]
        is_better = pooled.num_inliers > best.num_inliers and ratios[0] >= MIN_POOLED_RATIO * ratios[1]
        return pooled if is_better else best


class ScaleLevel(WarpLevel):
    """Relative scales: image 0 or image 1 is reduced to the size that the surface has in the other one."""

    stages = (tuple(View(scale=scale) for scale in (0.5, 0.25)),)


class ViewpointLevel(WarpLevel):
    """Simulated tilts of either image: horizontal and vertical first, then along the diagonals."""

    stages = tuple(
        tuple(View(tilt=2.8, direction=direction) for direction in directions)
        for directions in ((0, 90), (45, 135))
    )


def _num_inliers(match: ViewMatch) -> int:
    return match.num_inliers


def _first(features: ViewFeatures, count: int) -> ViewFeatures:
    """Keep the keypoints of an image as it is with the highest scores."""
    selected, _ = select_top_k(features.in_image, count)
    return replace(features, in_view=selected, in_image=selected)
