"""Search over views on real images with the published weights, from Python and from the command line."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

import tiepoint
from tiepoint.cli import app
from tiepoint.geometry.multiview import transfer_errors
from tiepoint.matcher import Matcher
from tiepoint.result import MatchResult

pytestmark = [pytest.mark.real, pytest.mark.weights]

SMALL: dict[str, Any] = {"resize": 400, "max_keypoints": 384}
NAMES = ("img1.jpg", "img2.jpg")
TURNS = {
    90: PIL.Image.Transpose.ROTATE_90,
    180: PIL.Image.Transpose.ROTATE_180,
    270: PIL.Image.Transpose.ROTATE_270,
}
"""Degrees counter-clockwise -> how Pillow turns an image."""

ORIENTATION = 0x0112


@cache
def matcher_of(preset: str, views: Any = "rotation") -> Matcher:
    return tiepoint.load(preset, device="cpu", views=views, **SMALL)


@pytest.fixture(scope="session")
def photos(shared_data: Path) -> list[Path]:
    return [shared_data / "oxford_affine" / "graf" / name for name in NAMES]


@pytest.fixture(scope="session")
def homography(shared_data: Path) -> np.ndarray:
    for line in (shared_data / "pairs.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["a"].endswith("graf/img1.jpg") and row["b"].endswith("graf/img2.jpg"):
            return np.reshape(row["H"], (3, 3))
    raise AssertionError("pairs.jsonl has no graf 1-2")


def turned(path: Path, degrees: int) -> PIL.Image.Image:
    with PIL.Image.open(path) as image:
        return image.convert("RGB").transpose(TURNS[degrees])


def upright_points1(result: MatchResult, size: tuple[int, int], degrees: int) -> np.ndarray:
    """Points of a rotated image in px of the upright one."""
    (x, y), (width, height) = result.points1.T, size
    places = {90: (width - 1 - y, x), 180: (width - 1 - x, height - 1 - y), 270: (y, height - 1 - x)}
    return np.column_stack(places[degrees])


def correct(points0: np.ndarray, points1: np.ndarray, homography: np.ndarray) -> int:
    return int((transfer_errors(points0.astype(float), points1.astype(float), homography) < 3).sum())


@pytest.mark.parametrize("preset", ["aliked+lightglue", "aliked+nearest"])
@pytest.mark.parametrize("degrees", TURNS)
def test_a_turned_photograph_matches_as_well_as_the_upright_one(
    photos: list[Path], homography: np.ndarray, preset: str, degrees: int
) -> None:
    image1 = turned(photos[1], degrees)
    upright = matcher_of(preset, None).match(*photos)
    result = matcher_of(preset).match(photos[0], image1)
    assert result.rotation1 == 360 - degrees
    points1 = upright_points1(result, upright.features1.image_size, degrees)
    found = correct(result.points0, points1, homography)
    assert found > 100
    assert found == pytest.approx(correct(upright.points0, upright.points1, homography), rel=0.02)


def test_without_it_the_turned_photograph_does_not_match(photos: list[Path], homography: np.ndarray) -> None:
    result = matcher_of("aliked+lightglue", None).match(photos[0], turned(photos[1], 180))
    points1 = upright_points1(result, turned(photos[1], 180).size, 180)
    assert correct(result.points0, points1, homography) < 10


def test_an_upright_pair_is_left_as_it_is(photos: list[Path]) -> None:
    never, search = (matcher_of("aliked+lightglue", views).match(*photos) for views in (None, "rotation"))
    assert (search.rotation0, search.rotation1, search.views_tried) == (0, 0, 1)
    np.testing.assert_array_equal(search.matches, never.matches)


def test_nothing_is_matched_mirrored(photos: list[Path]) -> None:
    with PIL.Image.open(photos[1]) as image:
        mirrored = image.convert("RGB").transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
    assert not matcher_of("aliked+lightglue").match(photos[0], mirrored).verify().same_scene


def test_different_places_stay_unmatched_in_every_turn(photos: list[Path], shared_data: Path) -> None:
    """No rotation is clearly better, so the result is the one without rotation search."""
    other = shared_data / "oxford_affine" / "leuven" / "img1.jpg"
    never, search = (
        matcher_of("aliked+lightglue", views).match(photos[0], other) for views in (None, "rotation")
    )
    assert (search.rotation0, search.rotation1) == (0, 0)
    assert search.views_tried > 1
    assert not search.verify().same_scene
    np.testing.assert_array_equal(search.matches, never.matches)


def test_the_command_with_exif_orientation_on_top(photos: list[Path], tmp_path: Path) -> None:
    """EXIF rotates an image by 90 degrees clockwise that was upright already."""
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 6
    with PIL.Image.open(photos[1]) as image:
        image.save(tmp_path / "b.png", exif=exif)
        shown = image.size[::-1]
    arguments = ["--resize", "400", "--max-keypoints", "384", "--verify", "homography"]
    written = ["--json", str(tmp_path / "m.json"), "-o", str(tmp_path / "m.png")]
    done = CliRunner().invoke(app, ["match", str(photos[0]), str(tmp_path / "b.png"), *arguments, *written])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "m.json").read_text())
    assert (found["rotation1"], found["exif_orientation1"]) == (90, 6)
    assert tuple(found["image_size1"]) == shown
    assert found["estimate"]["num_inliers"] > 100
    assert (
        np.array(found["points1"])[:, 1].max() > shown[0]
    )  # positions are those in the image as it is shown
    assert "90 degrees" in done.output
