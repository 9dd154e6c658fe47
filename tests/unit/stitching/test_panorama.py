"""Stitching: what is written, what is found out before the work, and what remains when it fails."""

import logging
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.synthetic_scenes import as_correspondences, plane_scene, space_scene

from tiepoint import api
from tiepoint.errors import InvalidInput
from tiepoint.geometry.estimate import estimate_homography
from tiepoint.geometry.multiview import warp_points
from tiepoint.result import MatchResult
from tiepoint.stitching.panorama import depth_warning, stitch_to_files
from tiepoint.types import Assignment, Features

SHIFT = np.array([[1.0, 0, 30], [0, 1, 0], [0, 0, 1]])
HORIZON = np.array([[1.0, 0, 0], [0, 1, 0], [-0.02, 0, 1]])
"""Sends x = 50 of image 0 to infinity."""


def matched(homography: np.ndarray, sources: list[Path], *, count: int = 20) -> MatchResult:
    """Matches that a homography of 60 x 40 px to as many explains."""
    points0 = np.random.default_rng(0).uniform((0, 0), (25, 19), (count, 2))
    both = [
        Features(
            keypoints=torch.from_numpy(points).float(),
            scores=torch.ones(count),
            descriptors=torch.ones(count, 4),
            image_size=(60, 40),
            source=str(source),
        )
        for points, source in zip((points0, warp_points(points0, homography)), sources, strict=True)
    ]
    matches = Assignment(
        matches=torch.arange(count)[:, None].expand(-1, 2),
        scores=torch.ones(count),
        matching_scores0=torch.ones(count),
        matching_scores1=torch.ones(count),
        prune0=torch.ones(count, dtype=torch.int64),
        prune1=torch.ones(count, dtype=torch.int64),
    )
    return MatchResult.from_assignment(*both, matches)


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, value in zip(paths, (50, 150), strict=True):
        PIL.Image.new("RGB", (60, 40), (value, value, value)).save(path)
    return paths


def finds(monkeypatch: pytest.MonkeyPatch, result: MatchResult) -> None:
    monkeypatch.setattr(api, "match", lambda image0, image1, **options: result)


def test_it_writes_both_pictures(photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finds(monkeypatch, matched(SHIFT, photos))
    result, estimate = stitch_to_files(
        *photos, tmp_path / "p.png", overlay=tmp_path / "o.png", json=tmp_path / "m.json", mode="checkerboard"
    )
    np.testing.assert_allclose(estimate.matrix, SHIFT, atol=1e-4)
    assert estimate.num_inliers == len(result) == 20
    with PIL.Image.open(tmp_path / "p.png") as panorama, PIL.Image.open(tmp_path / "o.png") as overlay:
        np.testing.assert_array_equal(panorama, result.panorama(estimate))
        np.testing.assert_array_equal(overlay, result.overlay(estimate, mode="checkerboard"))
        assert panorama.size[0] in (90, 91)  # the estimate is right to a fraction of a pixel
    assert (tmp_path / "m.json").exists()


def test_the_overlay_is_written_even_if_the_panorama_fails(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, matched(HORIZON, photos))
    with pytest.raises(InvalidInput, match="crosses the line at infinity"):
        stitch_to_files(*photos, tmp_path / "p.png", overlay=tmp_path / "o.png")
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png", "o.png"}


def test_too_few_matches_are_an_error_with_its_reason(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finds(monkeypatch, matched(SHIFT, photos, count=3))
    told = []
    with pytest.raises(InvalidInput, match=r"homography estimation failed: .*3 matches"):
        stitch_to_files(*photos, tmp_path / "p.png", on_match=lambda *found: told.append(found))
    ((result, estimate),) = told
    assert (len(result), estimate.success) == (3, False)
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png"}


@pytest.mark.parametrize(
    ("panorama", "options"),
    [
        ("p.doc", {}),
        ("no/p.png", {}),
        ("p.png", {"overlay": "o.txt"}),
        ("p.png", {"json": "m.png"}),
        ("p.png", {"max_error_px": 0.0}),
        ("p.png", {"max_error_px": float("nan")}),
    ],
    ids=str,
)
def test_options_are_validated_before_matching(
    panorama: str, options: dict, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, "match", lambda *given, **options: pytest.fail("the work has begun"))
    with pytest.raises(InvalidInput):
        stitch_to_files(*photos, panorama, **options)


@pytest.mark.parametrize("outlier_share", [0.0, 0.3])
def test_scenes_with_depth_are_reported(outlier_share: float) -> None:
    matches = as_correspondences(space_scene(outlier_share=outlier_share, noise_px=0.3))
    warning = depth_warning(matches, estimate_homography(matches))
    assert "ghosting" in warning
    assert "not planar or the camera moved" in warning


@pytest.mark.parametrize("outlier_share", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("noise_px", [0.0, 0.5, 1.0])
def test_planar_scenes_are_not_reported(outlier_share: float, noise_px: float) -> None:
    matches = as_correspondences(plane_scene(outlier_share=outlier_share, noise_px=noise_px))
    assert depth_warning(matches, estimate_homography(matches)) == ""


def test_a_failed_homography_has_its_own_message() -> None:
    matches = as_correspondences(plane_scene(3))
    assert depth_warning(matches, estimate_homography(matches)) == ""


def test_the_warning_is_logged_and_the_panorama_written(
    photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    finds(monkeypatch, matched(SHIFT, photos))
    monkeypatch.setattr("tiepoint.stitching.panorama.depth_warning", lambda *_: "double images")
    with caplog.at_level(logging.WARNING):
        stitch_to_files(*photos, tmp_path / "p.png")
    assert "double images" in caplog.text
    assert (tmp_path / "p.png").exists()
