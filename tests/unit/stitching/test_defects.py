"""Warnings about a panorama, and what is logged of it."""

from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.stitch_pairs import homography_pair, inputs_for

from tiepoint.stitching.cameras import Cameras
from tiepoint.stitching.defects import find_defects
from tiepoint.stitching.match_graph import LeftOutImage, MatchGraph
from tiepoint.stitching.pair_matches import PairMatch

PAIR = homography_pair(np.array([[1.0, 0, -200], [0, 1, 0], [0, 0, 1]]))


def cameras_of(pair: PairMatch, *, gray: int = 0) -> Cameras:
    inputs = [replace(each, is_gray=number < gray) for number, each in enumerate(inputs_for([pair]))]
    return Cameras(
        model="rotation",
        projection="plane",
        inputs=inputs,
        views=[],
        edges=[pair],
        dropped_edges=[],
        residuals_px=np.zeros(3),
        support=3,
    )


def defects_of(cameras: Cameras, scales: tuple[float, float] = (1.0, 1.0)) -> tuple[str, ...]:
    graph = MatchGraph(inputs={each.index: each for each in cameras.inputs}, pairs={(0, 1): PAIR})
    return find_defects(graph, cameras, [LeftOutImage(index=2, name="c.jpg", reason="dark")], scales)


def test_left_out_images_are_logged_and_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    assert defects_of(cameras_of(PAIR)) == ()
    assert "c.jpg is not part of the panorama: dark" in caplog.text


def test_depth_names_the_pair() -> None:
    (warning,) = defects_of(cameras_of(replace(PAIR, has_parallax=True)))
    assert "1 of 1 overlapping pairs, such as image 0 and image 1" in warning


def test_gray_images_are_said_among_color_ones() -> None:
    assert defects_of(cameras_of(PAIR, gray=2)) == ()
    assert defects_of(cameras_of(PAIR, gray=1)) == ("1 of 2 images are gray, the others in color: image 0",)


def test_images_below_half_their_resolution_are_named() -> None:
    assert defects_of(cameras_of(PAIR), (0.5, 1.4)) == ()
    (warning,) = defects_of(cameras_of(PAIR), (0.9, 0.124))
    assert warning.startswith("1 of 2 images lose more than half")
    assert warning.endswith("image 1 (to 12 %)")
