"""Cheap matches of views: small images, few keypoints, the first layers of the network."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.views import View, ViewFeatures
from tiepoint.geometry.pair_verification import verify_pair
from tiepoint.matching.inputs import PairMatcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.views.opened_image import OpenedImage
from tiepoint.matching.views.view_match import relative_angle_deg
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.types import Correspondences

ViewPair = tuple[View, View]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapSettings:
    """Effort of a cheap match.

    Attributes:
        side: Longer image side in px.
        keypoints: Maximum number of keypoints per view.
        layers: Maximum number of layers of LightGlue; by then, correct rotations have most of their matches, and wrong
            ones hardly any.
    """

    side: int = 400
    keypoints: int = 320
    layers: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CheapMatch:
    """Result of the cheap match of a pair of views.

    Attributes:
        views: Views of image 0 and image 1.
        num_inliers: Number of inliers of a homography or a fundamental matrix, whichever has more.
        angle_deg: Rotation of image 1 in degrees (CCW) that aligns it with image 0; None if the matches disagree on it.
        matches: Matches in px of the images as they are.
    """

    views: ViewPair
    num_inliers: int
    angle_deg: float | None
    matches: Correspondences


class CheapMatcher:
    """The extractor and the matcher of a preset with less effort; it needs no other weights.

    Args:
        extractor: Extractor of the preset.
        matcher: Matcher of the preset.
        settings: Effort of a cheap match.
    """

    def __init__(self, extractor: NeuralExtractor, matcher: PairMatcher, settings: CheapSettings) -> None:
        full = extractor.settings
        self.extractor = extractor.with_settings(
            replace(
                full,
                max_keypoints=min(full.max_keypoints or settings.keypoints, settings.keypoints),
                resize=min(full.resize or settings.side, settings.side),
                upscale=full.upscale and full.resize is not None,  # never more pixels than in full
                border=0,
            )
        )
        self.matcher = _truncated(matcher, settings.layers)

    def match(self, image0: OpenedImage, image1: OpenedImage, pairs: Sequence[ViewPair]) -> list[CheapMatch]:
        """Match pairs of views.

        Args:
            image0: Image 0.
            image1: Image 1.
            pairs: Views of image 0 and image 1.
        """
        features = [(image0.cheap_features(view0), image1.cheap_features(view1)) for view0, view1 in pairs]
        return self.match_features(pairs, features)

    def match_features(
        self, pairs: Sequence[ViewPair], features: Sequence[tuple[ViewFeatures, ViewFeatures]]
    ) -> list[CheapMatch]:
        """Match pairs of views with given features.

        Args:
            pairs: Views of image 0 and image 1.
            features: Features of these views.
        """
        assignments = self.matcher.match([(one.in_view, other.in_view) for one, other in features])
        return [
            _assess(views, Correspondences.from_assignment(one.in_image, other.in_image, assignment))
            for views, (one, other), assignment in zip(pairs, features, assignments, strict=True)
        ]


def _truncated(matcher: PairMatcher, layers: int) -> PairMatcher:
    """The same matcher with fewer layers, and without early stopping and pruning."""
    if not isinstance(matcher, LightGlueMatcher):
        return matcher
    return matcher.variant(
        adaptivity=AdaptiveInference.from_flag(False), max_layers=min(layers, matcher.max_layers)
    )


def _assess(views: ViewPair, matches: Correspondences) -> CheapMatch:
    return CheapMatch(
        views=views,
        num_inliers=verify_pair(matches).num_inliers,
        angle_deg=relative_angle_deg(matches),
        matches=matches,
    )
