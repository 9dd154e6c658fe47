"""Choice of the model, images that contradict the others, and planes that are too small."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from benchmarks.panorama.scenes import rotation
from tests.helpers.stitch_pairs import SIZE, homography_pair, inputs_for, matched_pair, rotated_homography

from tiepoint.errors import InvalidInput
from tiepoint.stitching.cameras import PAIR_CONTRADICTION, estimate_cameras
from tiepoint.stitching.settings import StitchSettings


def turning(*yaws: float) -> list:
    rotations = [rotation(yaw) for yaw in yaws]
    return [
        homography_pair(rotated_homography(rotations[i], rotations[i + 1], 600.0), i, i + 1)
        for i in range(len(yaws) - 1)
    ]


def test_rotations_are_preferred() -> None:
    pairs = turning(0, 18, 36)
    cameras = estimate_cameras(inputs_for(pairs), pairs, StitchSettings())
    assert (cameras.model, cameras.projection) == ("rotation", "plane")
    assert cameras.median_px < 0.1
    assert cameras.rms_px < 1
    assert len(cameras.edges) == 2


def test_planes_need_homographies() -> None:
    pairs = [homography_pair(np.array([[0.7, 0.3, 60.0], [-0.1, 0.8, 30], [8e-4, 3e-4, 1]]))]
    cameras = estimate_cameras(inputs_for(pairs), pairs, StitchSettings())
    assert (cameras.model, cameras.projection, cameras.field_of_view_deg) == ("homography", "plane", None)


def test_a_plane_is_too_small_for_a_half_circle() -> None:
    pairs = turning(*range(0, 181, 20))
    assert estimate_cameras(inputs_for(pairs), pairs, StitchSettings()).projection == "cylinder"
    with pytest.raises(InvalidInput, match=r"exceeds the 150 degrees(.|\n)*horizon"):
        estimate_cameras(inputs_for(pairs), pairs, StitchSettings(projection="plane"))


def test_images_whose_matches_contradict_the_others_are_left_out() -> None:
    pairs = turning(0, 15, 30)
    points = np.random.default_rng(0).uniform((300, 100), SIZE, (60, 2))
    shifts = np.array([[-280.0, 0], [-100, -60]])
    false = [
        matched_pair(points, points + shift, index, 3) for index, shift in zip((0, 2), shifts, strict=True)
    ]
    false[1] = matched_pair(points, points @ [[0.5, 0.5], [-0.5, 0.5]] + (250, -100), 2, 3)
    used = [*pairs, *(pair for pair in false if not pair.reason)]
    cameras = estimate_cameras(inputs_for(used), used, StitchSettings(model="rotation"))
    assert {0, 1, 2} <= {each.index for each in cameras.inputs}
    assert cameras.median_px < 1


def test_dropped_pairs_have_a_reason() -> None:
    pairs = [
        homography_pair(rotated_homography(rotation(i * 12), rotation(j * 12), 600.0), i, j)
        for i, j in combinations(range(4), 2)
    ]
    false = replace(
        homography_pair(np.array([[1.0, 0.02, -150], [0, 1, 180], [0, 0, 1]]), 0, 2, count=30),
        has_parallax=True,
    )
    used = [false if pair.indices == (0, 2) else pair for pair in pairs]
    for model in ("rotation", "homography"):
        cameras = estimate_cameras(inputs_for(used), used, StitchSettings(model=model))
        assert len(cameras.inputs) == 4
        assert [edge.indices for edge in cameras.edges] == [(0, 1), (0, 3), (1, 2), (1, 3), (2, 3)]
        (dropped,) = cameras.dropped_edges
        assert (dropped.indices, dropped.reason, dropped.has_parallax) == ((0, 2), PAIR_CONTRADICTION, True)
