"""Camera: the camera models, their common form, and all errors."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import jaxtyping
import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.types import CAMERA_MODELS, Camera

SIZE = (1600, 1200)
K = np.array([[1400.0, 0.0, 790.5], [0.0, 1410.0, 605.5], [0.0, 0.0, 1.0]])


@pytest.fixture(autouse=True)
def no_shape_checker() -> Iterator[None]:
    """Disable the shape checker of the tests, so that errors are the library's own."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def refusal(call: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(InvalidInput) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("model", "params", "focal", "distortion"),
    [
        ("SIMPLE_PINHOLE", (1400, 790.5, 605.5), (1400, 1400), (0, 0, 0, 0)),
        ("PINHOLE", (1400, 1410, 790.5, 605.5), (1400, 1410), (0, 0, 0, 0)),
        ("SIMPLE_RADIAL", (1400, 790.5, 605.5, -0.1), (1400, 1400), (-0.1, 0, 0, 0)),
        ("RADIAL", (1400, 790.5, 605.5, -0.1, 0.02), (1400, 1400), (-0.1, 0.02, 0, 0)),
        (
            "OPENCV",
            (1400, 1410, 790.5, 605.5, -0.1, 0.02, 1e-3, 2e-3),
            (1400, 1410),
            (-0.1, 0.02, 1e-3, 2e-3),
        ),
    ],
)
def test_every_model_has_opencv_parameters(
    model: str, params: tuple[float, ...], focal: tuple[float, float], distortion: tuple[float, ...]
):
    camera = Camera(model=model, image_size=SIZE, params=tuple(float(value) for value in params))
    assert camera.focal_lengths == focal
    assert camera.principal_point == (790.5, 605.5)
    assert camera.distortion == distortion
    assert camera.intrinsics.dtype == np.float64
    assert camera.intrinsics.tolist() == [[focal[0], 0, 790.5], [0, focal[1], 605.5], [0, 0, 1]]
    assert camera.source == "given"


def test_all_models_are_tested():
    assert set(CAMERA_MODELS) == {"SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV"}


@pytest.mark.parametrize("scale", [1.0, 2.5, -1.0])
def test_a_matrix_of_any_scale(scale: float):
    camera = Camera.from_intrinsics(scale * K, SIZE, source="exif")
    assert camera.model == "PINHOLE"
    assert camera.intrinsics == pytest.approx(K)
    assert (camera.image_size, camera.source) == (SIZE, "exif")


@pytest.mark.parametrize("count", range(5))
def test_missing_distortion_coefficients_are_zero(count: int):
    lens = (0.1, 0.2, 0.3, 0.4)[:count]
    camera = Camera.from_intrinsics(K, SIZE, distortion=lens)
    assert camera.model == "OPENCV"
    assert camera.distortion == lens + (0.0,) * (4 - count)


def test_cameras_are_immutable_and_hashable():
    camera = Camera.from_intrinsics(K, SIZE)
    assert camera == Camera.from_intrinsics(K, SIZE)
    assert len({camera, Camera.from_intrinsics(K, SIZE)}) == 1
    with pytest.raises(FrozenInstanceError):
        camera.model = "OPENCV"  # type: ignore[misc]


@pytest.mark.parametrize("corner", [(-0.5, -0.5), (1599.5, 1199.5)], ids=["top-left", "bottom-right"])
def test_the_principal_point_may_be_anywhere_in_the_image(corner: tuple[float, float]):
    params = (1400.0, *corner)
    assert Camera(model="SIMPLE_PINHOLE", image_size=SIZE, params=params).principal_point == corner


class TestErrors:
    @pytest.mark.parametrize(
        ("changes", "part"),
        [
            ({"model": "FISHEYE"}, "PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV, got 'FISHEYE'"),
            ({"params": (1400.0, 790.5, 605.5)}, "(fx, fy, cx, cy), got 3"),
            ({"params": (1400.0, np.nan, 790.5, 605.5)}, "finite"),
            ({"params": (1400.0, 0.0, 790.5, 605.5)}, "positive focal lengths"),
            ({"params": (-1400.0, 1400.0, 790.5, 605.5)}, "positive focal lengths"),
            ({"image_size": (1600, 0)}, "image_size"),
            ({"image_size": (1600.0, 1200.0)}, "image_size"),
            ({"image_size": (1200, 600)}, "outside the 1200 x 600 image"),
            ({"source": "wikipedia"}, "'wikipedia'"),
        ],
    )
    def test_fields(self, changes: dict[str, Any], part: str):
        valid = {"model": "PINHOLE", "image_size": SIZE, "params": (1400.0, 1410.0, 790.5, 605.5)}
        assert part in refusal(Camera, **(valid | changes))

    @pytest.mark.parametrize(
        ("matrix", "part"),
        [
            (np.zeros((3, 3)), "singular"),
            (np.diag([1.0, 1.0, 0.0]), "singular"),
            (np.diag([1400.0, 0.0, 1.0]), "singular"),
            (np.full((3, 3), np.inf), "finite"),
            (np.eye(3)[:2], "shape (3, 3)"),
            (K.tolist(), "got list"),
            (None, "got NoneType"),
            (K + np.array([[0, 5.0, 0], [0, 0, 0], [0, 0, 0]]), "skew is not supported"),
            (K.T, "expected [[fx, 0, cx]"),
        ],
        ids=["zeros", "no-scale", "no-fy", "inf", "2x3", "list", "none", "skew", "transposed"],
    )
    def test_matrices(self, matrix: Any, part: str):
        assert part in refusal(Camera.from_intrinsics, matrix, SIZE)

    def test_too_many_distortion_coefficients(self):
        message = refusal(Camera.from_intrinsics, K, SIZE, distortion=(0.1, 0.2, 0.3, 0.4, 0.5))
        assert "got 5 values" in message
