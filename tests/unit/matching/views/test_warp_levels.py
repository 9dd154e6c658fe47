"""Scale and viewpoint level: pairs that fail as they are match, with positions that follow the homography."""

import numpy as np
import pytest
from tests.helpers.picky_blobs import SIZE, draw_blobs, make_matcher

from tiepoint.geometry.multiview import transfer_errors
from tiepoint.matching.views.warp_levels import ScaleLevel, ViewpointLevel, WarpLevel
from tiepoint.result import MatchResult

ZOOM = np.array([[1.9, 0, -150.0], [0, 1.9, -110.0], [0, 0, 1]])
TILT = np.array([[0.36, 0.0, 80.0], [0, 1.0, 3.0], [0, 0, 1]])


def check(result: MatchResult, matrix: np.ndarray, min_matches: int) -> None:
    errors = transfer_errors(result.points0, result.points1, matrix)
    assert (errors < 1.5).sum() >= min_matches
    assert (errors < 1.5).mean() > 0.9
    assert result.verify().same_scene


@pytest.mark.parametrize("swap", [False, True])
def test_a_zoomed_part_is_found(swap: bool) -> None:
    images, matrix = [draw_blobs(), draw_blobs(ZOOM)], ZOOM
    if swap:
        images, matrix = images[::-1], np.linalg.inv(ZOOM)
    plain = make_matcher(None).match(*images)
    assert not plain.verify().same_scene
    result = make_matcher("scale").match(*images)
    check(result, matrix, 12)
    assert result.scale == pytest.approx(1.9 if swap else 1 / 1.9, rel=0.1)
    assert result.views_tried > 4
    assert (result.features0.image_size, result.features1.image_size) == (SIZE, SIZE)


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("views", ["viewpoint", "auto"])
def test_a_tilted_plane_is_found(swap: bool, views: str) -> None:
    images, matrix = [draw_blobs(), draw_blobs(TILT)], TILT
    if swap:
        images, matrix = images[::-1], np.linalg.inv(TILT)
    assert not make_matcher(None).match(*images).verify().same_scene
    result = make_matcher(views).match(*images)
    # an error of 1 px in the tilted image is one of 3 px in the other one
    errors = transfer_errors(result.points0, result.points1, matrix)
    assert (errors < (4.5 if swap else 1.5)).mean() > 0.9
    assert len(result) >= 40
    assert result.tilt == pytest.approx(2.78, rel=0.1)
    assert result.scale == pytest.approx(1, rel=0.1)
    assert result.verify().same_scene


@pytest.mark.parametrize("views", ["scale", "viewpoint", "auto"])
def test_pairs_that_verify_at_once_are_not_searched(views: str) -> None:
    result = make_matcher(views).match(draw_blobs(), draw_blobs())
    assert (result.views_tried, result.scale, result.tilt) == (1, 1, 1)
    assert len(result) == 70


@pytest.mark.parametrize("views", ["scale", "viewpoint", "auto"])
def test_different_scenes_end_after_the_cheap_matches(views: str) -> None:
    result = make_matcher(views).match(draw_blobs(), draw_blobs(seed=5))
    assert 1 < result.views_tried <= 1 + 3 + 4 + 8 + 14
    assert (result.scale, result.tilt, result.rotation0, result.rotation1) == (1, 1, 0, 0)


@pytest.mark.parametrize("views", ["scale", "viewpoint", "auto"])
@pytest.mark.parametrize("size", [SIZE, (4000, 20), (17, 1), (30, 30)])
def test_blank_and_small_images_have_a_reason(views: str, size: tuple[int, int]) -> None:
    small = np.zeros((size[1], size[0], 3), np.uint8)
    for images in ((draw_blobs(), small), (small, draw_blobs())):
        result = make_matcher(views, resize=320).match(*images)
        assert len(result) == 0
        assert "no keypoints" in result.verify().reason


def test_mirrored_images_do_not_match() -> None:
    result = make_matcher("auto").match(draw_blobs(), draw_blobs(ZOOM)[:, ::-1].copy())
    assert (result.scale, result.tilt) == (1, 1)


def test_masks_follow_the_views() -> None:
    mask = np.zeros(SIZE[::-1], bool)
    mask[:, 150:] = True
    result = make_matcher("scale").match(draw_blobs(), draw_blobs(ZOOM), mask0=mask)
    assert len(result) >= 5
    assert result.points0[:, 0].min() >= 149.5


def test_a_level_without_hope_ends_after_its_first_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    images = draw_blobs(), draw_blobs(TILT)
    tried: list[int] = []
    for threshold in (1000, 0):
        monkeypatch.setattr("tiepoint.matching.views.warp_levels.MIN_RETRY_INLIERS", threshold)
        monkeypatch.setattr("tiepoint.matching.views.warp_levels.MIN_CHEAP_INLIERS", 1000)
        tried.append(make_matcher("viewpoint").match(*images).views_tried)
    assert tried == [1 + 4, 1 + 8]


def test_pooled_matches_replace_the_best_only_if_they_add_inliers() -> None:
    result = make_matcher("viewpoint").match(draw_blobs(), draw_blobs(TILT))
    points = result.points1
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)[~np.eye(len(points), dtype=bool)]
    assert distances.min() > 2


def test_levels_try_views_of_both_images() -> None:
    assert [len(stage) for stage in ScaleLevel.stages] == [2]
    assert [len(stage) for stage in ViewpointLevel.stages] == [2, 2]
    assert WarpLevel.stages == ()
