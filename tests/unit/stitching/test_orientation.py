"""The horizon is leveled, the view is centered, and the projection follows from the field of view."""

import numpy as np
import pytest
from benchmarks.panorama.scenes import rotation

from tiepoint.stitching.orientation import choose_projection, field_of_view_deg, level, on_surface
from tiepoint.stitching.views import RotatedView

TILTED = rotation(70, 25, 40)


def views_of(*rotations: np.ndarray) -> list[RotatedView]:
    """Views of 40 x 30 degrees, in a tilted frame."""
    return [
        RotatedView(image_size=(437, 322), focal_px=600.0, world_from_cam=TILTED @ each) for each in rotations
    ]


@pytest.mark.parametrize(
    "angles",
    [
        [(-30, 0), (0, 0), (30, 0)],  # pan
        [(0, -20), (0, 0), (0, 20)],  # tilt: all x axes are parallel
        [(yaw, 0) for yaw in range(0, 360, 30)],  # full circle
    ],
    ids=["pan", "tilt", "circle"],
)
def test_the_horizon_is_leveled(angles: list[tuple[float, float]]) -> None:
    leveled = level(views_of(*(rotation(*each) for each in angles)))
    for view in leveled:
        assert abs(view.world_from_cam[1, 0]) < 1e-6  # the x axes are horizontal
        assert view.world_from_cam[1, 1] > 0  # down is down


def test_images_rotated_in_their_plane_do_not_tilt_the_horizon() -> None:
    leveled = level(views_of(rotation(-30), rotation(0, 0, 90), rotation(30, 0, 180)))
    down = np.stack([view.world_from_cam[1] for view in leveled])  # in each camera
    np.testing.assert_allclose(down, [(0, 1, 0), (1, 0, 0), (0, -1, 0)], atol=1e-6)
    assert field_of_view_deg(leveled) == pytest.approx((100, 40), abs=1)


def test_it_is_centered_on_the_images() -> None:
    leveled = level(views_of(rotation(10), rotation(40), rotation(70)))
    yaw = [float(np.degrees(np.arctan2(*view.world_from_cam[[0, 2], 2]))) for view in leveled]
    assert yaw == pytest.approx([-30, 0, 30], abs=0.5)
    assert field_of_view_deg(leveled) == pytest.approx((100, 30), abs=1)


@pytest.mark.parametrize(
    ("angles", "projection"),
    [
        ([(0, 0), (25, 0)], "plane"),
        ([(0, 60), (25, 60)], "plane"),
        ([(yaw, 0) for yaw in range(0, 181, 30)], "cylinder"),
        ([(yaw, pitch) for yaw in range(0, 181, 30) for pitch in (0, 30, 60)], "sphere"),
    ],
    ids=["narrow", "narrow, up", "wide", "wide and high"],
)
def test_projections(angles: list[tuple[float, float]], projection: str) -> None:
    leveled = level(views_of(*(rotation(*each) for each in angles)))
    assert choose_projection(leveled) == projection
    assert {view.projection for view in on_surface(leveled, projection)} == {projection}


def test_a_full_circle_has_no_gap() -> None:
    leveled = level(views_of(*(rotation(yaw) for yaw in range(0, 360, 30))))
    assert field_of_view_deg(leveled)[0] == 360


def test_the_circle_ends_in_the_middle_of_a_gap() -> None:
    """Images of 40 degrees, 38 degrees apart, but for a gap of 16 degrees."""
    leveled = level(views_of(*(rotation(100 + 38 * i) for i in range(9))))
    yaw = [float(np.degrees(np.arctan2(*view.world_from_cam[[0, 2], 2]))) for view in leveled]
    assert yaw == pytest.approx([-152 + 38 * i for i in range(9)], abs=0.2)
    assert field_of_view_deg(leveled)[0] == pytest.approx(8 * 38 + 40, abs=0.5)
