"""Search over views: when it searches, which views it tries, and that only better matches replace the plain ones."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.helpers.colored_dots import SHIFT, SIZE, dots, make_matcher

import tiepoint
from tiepoint.errors import InvalidInput
from tiepoint.extraction.views import ORIGINAL, View
from tiepoint.geometry.pair_verification import ROTATION_ADVICE, PairVerification
from tiepoint.matching.view_search import ViewSearch, check_views
from tiepoint.matching.views import view_match
from tiepoint.matching.views.cheap_match import CheapMatcher
from tiepoint.matching.views.rotation_level import view_pairs
from tiepoint.matching.views.selection import beats
from tiepoint.matching.views.view_match import ViewMatch


def rotated(quarters: int, image: np.ndarray) -> np.ndarray:
    return np.rot90(image, quarters).copy()


def search_pair(
    image0: np.ndarray, image1: np.ndarray, **settings: Any
) -> tuple[ViewSearch, ViewMatch, ViewMatch]:
    """Match two images as they are, and search."""
    matcher = make_matcher(None, **settings)
    search = ViewSearch(matcher.extractor, matcher.matcher)
    images = [tiepoint.read_image(image) for image in (image0, image1)]
    features0, features1 = (matcher.extract(image) for image in images)
    (assignment,) = matcher.matcher.match([(features0, features1)])
    plain = ViewMatch(features0=features0, features1=features1, assignment=assignment)
    opened0, opened1 = (search.open(image, None) for image in images)
    return search, plain, search.search(plain, opened0, opened1)


@pytest.mark.parametrize("turns", [(0, 1), (1, 0), (0, 2), (3, 1), (2, 3)])
def test_any_relative_rotation_is_found(turns: tuple[int, int]) -> None:
    image0, image1 = (rotated(turn, image) for turn, image in zip(turns, (dots(), dots(SHIFT)), strict=True))
    _, plain, found = search_pair(image0, image1)
    relative = (found.view1.rotation - found.view0.rotation) % 360
    assert relative == -90 * (turns[1] - turns[0]) % 360
    assert found.num_inliers > 70 > plain.num_inliers
    assert found.verification.same_scene
    assert found.num_views == 9  # as they are, 3 relative and 4 absolute rotations, the best in full


def test_confident_upright_pairs_are_not_searched() -> None:
    search, plain, found = search_pair(dots(), dots(SHIFT))
    assert found is plain
    assert not search.is_needed(plain)
    assert "cheap" not in vars(search) or found.num_views == 1


def test_pairs_with_enough_inliers_try_more_rotations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiepoint.matching.views.rotation_level.MIN_RETRY_PROBABILITY", 0.0)
    _, plain, found = search_pair(dots(), dots(seed=1))
    assert found.num_views == 1 + 3 + 10
    assert found.assignment is plain.assignment


def test_different_scenes_end_after_three_cheap_matches() -> None:
    _, plain, found = search_pair(dots(), dots(seed=1))
    assert (found.view0, found.view1) == (ORIGINAL, ORIGINAL)
    assert found.num_views == 4
    assert found.assignment is plain.assignment


@pytest.mark.parametrize("blank", [0, 1])
def test_blank_and_thin_images_have_a_reason(blank: int) -> None:
    images = [dots(), dots(SHIFT)]
    images[blank] = np.zeros((2, 400, 3), np.uint8)
    _, _, found = search_pair(*images)
    assert not found.verification.same_scene
    assert "no keypoints" in found.verification.reason


def test_cheap_matches_are_of_small_images(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []
    match = CheapMatcher.match

    def recorded(self: CheapMatcher, image0: Any, image1: Any, pairs: Any) -> Any:
        sizes.append(image1.cheap_features(View(90)).in_view.image_size)
        return match(self, image0, image1, pairs)

    monkeypatch.setattr(CheapMatcher, "match", recorded)
    large = np.kron(dots(), np.ones((4, 4, 1), np.uint8))
    search_pair(large, rotated(1, large), resize=640)
    assert set(sizes) == {(400, 300)}


@pytest.mark.parametrize("seed", [0, 1])
def test_kept_matches_are_verified_once(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"verify_pair": 0, "relative_angle_deg": 0}

    def counted(name: str) -> Any:
        original = getattr(view_match, name)

        def count(matches: Any) -> Any:
            counts[name] += 1
            return original(matches)

        return count

    for name in counts:
        monkeypatch.setattr(view_match, name, counted(name))
    _, plain, found = search_pair(dots(), dots(SHIFT if seed == 0 else (0, 0), seed=seed))
    found.verification  # noqa: B018 - computed once
    found.angle_deg  # noqa: B018
    assert counts == {"verify_pair": 1, "relative_angle_deg": 1}
    assert (found.num_views > 1) == (seed == 1)
    assert found.verification.probability == plain.verification.probability
    assert not (seed and found.verification.reason.endswith(ROTATION_ADVICE))


class TestViewPairs:
    @pytest.mark.parametrize("angle", [70, 90, 110, -270])
    def test_near_right_angles_are_exact(self, angle: float) -> None:
        pairs = view_pairs(angle)
        assert pairs == [(View(first), View((first + 90) % 360)) for first in (0, 90, 180, 270)]

    @pytest.mark.parametrize("angle", [35.3, -30])
    def test_small_angles_rotate_one_of_the_images(self, angle: float) -> None:
        degrees = round(angle)
        assert view_pairs(angle) == [(ORIGINAL, View(degrees % 360)), (View(-degrees % 360), ORIGINAL)]

    @pytest.mark.parametrize("angle", [50, 135, -130, 225])
    def test_other_angles_are_tried_at_four_absolute_rotations_of_either_image(self, angle: float) -> None:
        pairs = view_pairs(angle)
        assert len(set(pairs)) == len(pairs) == 8
        assert pairs[0] == (ORIGINAL, View(angle % 360))
        for view0, view1 in pairs:
            assert (view1.rotation - view0.rotation - angle) % 360 == 0
            assert view0.is_exact or view1.is_exact

    @pytest.mark.parametrize(("angle", "rotation"), [(50, 90), (-130, 270), (30, 0)])
    def test_extractors_without_masks_have_right_angles_only(self, angle: float, rotation: int) -> None:
        pairs = view_pairs(angle, only_exact=True)
        assert all(view.is_exact for pair in pairs for view in pair)
        assert pairs[0][1] == View(rotation) or angle == -130


@pytest.fixture(scope="module")
def match() -> ViewMatch:
    return search_pair(dots(), dots(SHIFT))[1]


class TestBeats:
    def with_verification(self, match: ViewMatch, inliers: int, *, same: bool) -> ViewMatch:
        found = replace(match)
        verification = PairVerification(
            same_scene=same, probability=0.9 if same else 0.1, reason="", num_inliers=inliers
        )
        found.__dict__["uncorrected"] = verification
        return found

    @pytest.mark.parametrize(
        ("inliers", "same", "plain_inliers", "plain_same", "expected"),
        [
            (50, True, 40, True, True),
            (40, True, 40, True, False),
            (50, True, 40, False, True),
            (50, False, 40, True, False),
            (50, False, 40, False, False),
            (61, False, 40, False, True),
        ],
    )
    def test_more_inliers_that_are_verified_or_far_more(
        self, match: ViewMatch, inliers: int, same: bool, plain_inliers: int, plain_same: bool, expected: bool
    ) -> None:
        found = self.with_verification(match, inliers, same=same)
        plain = self.with_verification(match, plain_inliers, same=plain_same)
        assert beats(found, plain) == expected


@pytest.mark.parametrize("views", [None, "rotation"])
def test_known_views(views: Any) -> None:
    assert check_views(views) == views


@pytest.mark.parametrize("views", ["auto ", "none", True, 90])
def test_unknown_views_are_an_error(views: Any) -> None:
    with pytest.raises(InvalidInput, match="views: expected 'rotation'"):
        check_views(views)


def test_sizes_are_those_of_the_images() -> None:
    _, _, found = search_pair(dots(), rotated(1, dots(SHIFT)))
    assert found.features0.image_size == SIZE
    assert found.features1.image_size == SIZE[::-1]
