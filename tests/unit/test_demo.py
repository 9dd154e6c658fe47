"""How the demonstration counts: a match is right where the measured disparity says so."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tiepoint import demo
from tiepoint.demo import DemoReport, disparity_errors, match_motorcycle
from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Features

HEIGHT, WIDTH = 20, 30


def matched(points0: list[tuple[float, float]], points1: list[tuple[float, float]]) -> MatchResult:
    """The result whose matches are these points, one after the other."""
    count = len(points0)
    sides = [
        Features(
            keypoints=torch.tensor(points, dtype=torch.float32).reshape(-1, 2),
            scores=torch.ones(count),
            descriptors=torch.ones(count, 4),
            image_size=(WIDTH, HEIGHT),
        )
        for points in (points0, points1)
    ]
    numbers = torch.arange(count)
    matches = Assignment(
        matches=torch.stack((numbers, numbers), dim=1),
        scores=torch.ones(count),
        matching_scores0=torch.ones(count),
        matching_scores1=torch.ones(count),
        prune0=numbers,
        prune1=numbers,
    )
    return MatchResult.from_assignment(*sides, matches)


def test_a_point_moves_left_by_the_disparity() -> None:
    disparity = np.full((HEIGHT, WIDTH), 5.0)
    errors = disparity_errors(matched([(10.0, 4.0), (20.0, 8.0)], [(5.0, 4.0), (18.0, 12.0)]), disparity)
    np.testing.assert_allclose(errors, [0.0, 5.0])  # right; 3 px beside and 4 px below


def test_the_disparity_is_that_of_the_nearest_pixel() -> None:
    disparity = np.zeros((HEIGHT, WIDTH))
    disparity[4, 10] = 7.0
    errors = disparity_errors(matched([(10.4, 3.6), (10.6, 4.0)], [(3.4, 3.6), (10.6, 4.0)]), disparity)
    np.testing.assert_allclose(errors, [0.0, 0.0], atol=1e-5)


@pytest.mark.parametrize("unknown", [np.inf, np.nan])
def test_matches_that_start_where_nothing_was_measured_do_not_count(unknown: float) -> None:
    disparity = np.zeros((HEIGHT, WIDTH))
    disparity[4, 10] = unknown
    errors = disparity_errors(matched([(10, 4), (12, 4)], [(10, 4), (12, 5)]), disparity)
    np.testing.assert_allclose(errors, [1.0])


def test_keypoints_on_the_very_edge_are_looked_up_inside() -> None:
    disparity = np.zeros((HEIGHT, WIDTH))
    corners = [(-0.9, -0.9), (WIDTH - 0.1, HEIGHT - 0.1)]
    np.testing.assert_allclose(disparity_errors(matched(corners, corners), disparity), [0.0, 0.0])


def test_no_matches_give_no_errors() -> None:
    assert disparity_errors(matched([], []), np.zeros((HEIGHT, WIDTH))).shape == (0,)


@pytest.mark.parametrize(("right", "checked", "share"), [(3, 4, 0.75), (0, 4, 0.0), (0, 0, 0.0)])
def test_the_share_is_of_the_checked_matches(right: int, checked: int, share: float) -> None:
    report = DemoReport(
        matches=9, checked=checked, right=right, max_error_px=3.0, picture="demo.png", seconds={}
    )
    assert report.share == share
    assert json.loads(json.dumps(report.to_dict()))["share"] == share


def test_a_picture_that_cannot_be_written_is_found_out_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "load", lambda *arguments, **options: pytest.fail("the work has begun"))
    with pytest.raises(InvalidInput, match="does not exist"):
        match_motorcycle(tmp_path / "missing" / "demo.png")
    with pytest.raises(InvalidInput, match=r"demo\.txt"):
        match_motorcycle(tmp_path / "demo.txt")


def test_without_scikit_image_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    with pytest.raises(MissingDependency, match="scikit-image") as error:
        match_motorcycle(tmp_path / "demo.png")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
