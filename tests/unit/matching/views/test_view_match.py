"""Matches of views: relative angle, and the correction for the choice among several."""

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.colored_dots import SHIFT, dots, make_matcher

from tiepoint.extraction.views import View
from tiepoint.geometry.pair_verification import ROTATION_ADVICE, PairVerification
from tiepoint.matching.views.view_match import ViewMatch, correct_for_choice, relative_angle_deg
from tiepoint.types import Correspondences


def rotated_matches(degrees: float, wrong: int = 0, count: int = 60) -> Correspondences:
    """Random points, and the same rotated clockwise; some of them replaced by random ones."""
    random = np.random.default_rng(0)
    points0 = random.uniform(0, 1000, (count, 2))
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points1 = points0 @ rotation + (30, -20)
    points1[:wrong] = random.uniform(0, 1000, (wrong, 2))
    return Correspondences.from_points(points0, points1)


class TestRelativeAngle:
    @pytest.mark.parametrize("degrees", [0, 17, -45, 90, 133, 180, -100])
    @pytest.mark.parametrize("wrong", [0, 6, 24])
    def test_undoes_the_rotation_of_image_1(self, degrees: float, wrong: int) -> None:
        found = relative_angle_deg(rotated_matches(degrees, wrong))
        assert found is not None
        assert (found - degrees + 180) % 360 - 180 == pytest.approx(0, abs=0.01 if not wrong else 4)

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_too_few_matches_have_none(self, count: int) -> None:
        assert relative_angle_deg(rotated_matches(90, count=count)) is None

    def test_random_matches_have_none(self) -> None:
        assert relative_angle_deg(rotated_matches(90, wrong=60)) is None


def verification(probability: float) -> PairVerification:
    return PairVerification(
        same_scene=probability >= 0.5, probability=probability, reason="30 inliers", num_inliers=30
    )


class TestCorrection:
    def test_odds_are_divided_by_the_number_of_views(self) -> None:
        found = correct_for_choice(verification(0.9), 3)
        assert found.probability / (1 - found.probability) == pytest.approx(3)
        assert found.same_scene
        assert found.reason == "30 inliers"

    def test_a_decision_that_falls_says_why(self) -> None:
        found = correct_for_choice(verification(0.6), 10)
        assert not found.same_scene
        assert found.reason == "few inliers for the best of 10 views: 30 inliers"

    def test_one_view_is_not_corrected(self) -> None:
        assert correct_for_choice(verification(0.7), 1) == verification(0.7)


@pytest.fixture(scope="module")
def match() -> ViewMatch:
    matcher = make_matcher(None)
    features = matcher.extract(dots()), matcher.extract(dots(SHIFT))
    (assignment,) = matcher.matcher.match([features])
    return ViewMatch(features0=features[0], features1=features[1], assignment=assignment)


class TestVerification:
    def test_only_chosen_views_are_corrected(self, match: ViewMatch) -> None:
        plain = replace(match, num_views=10)
        chosen = replace(match, num_views=10, view1=View(90))
        assert plain.verification == match.verification
        assert chosen.verification.probability < match.verification.probability
        assert chosen.num_inliers == match.num_inliers

    def test_advice_that_was_followed_is_not_repeated(
        self, match: ViewMatch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = replace(verification(0.1), reason=f"few inliers{ROTATION_ADVICE}")
        monkeypatch.setattr("tiepoint.matching.views.view_match.verify_pair", lambda matches: found)
        assert replace(match).verification.reason.endswith("try views='rotation'")
        assert replace(match, num_views=4).verification.reason == "few inliers"

    def test_correspondences_have_the_rotations(self, match: ViewMatch) -> None:
        rotated = replace(match, view0=View(90), view1=View(315))
        images = rotated.correspondences.image0, rotated.correspondences.image1
        assert [image.rotation for image in images] == [90, 315]
