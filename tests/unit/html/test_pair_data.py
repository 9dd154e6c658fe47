"""The viewer's data: points, errors, geometry, remarks."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.helpers.viewer_pairs import (
    FUNDAMENTAL,
    HOMOGRAPHY,
    LAYERS,
    SIZE,
    empty_pair,
    estimate_of,
    shifted_pair,
)

from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.html.embedding import EmbeddedImage
from tiepoint.html.pair_data import FORMAT, image_name, pair_data
from tiepoint.types import TwoViewEstimate

IMAGES = (EmbeddedImage("data:0", SIZE, SIZE), EmbeddedImage("data:1", SIZE, SIZE))


def test_matches_are_indices_of_flat_keypoints() -> None:
    result = shifted_pair()
    data = pair_data(result, IMAGES)
    assert data["format"] == FORMAT
    keypoints = [np.array(values).reshape(-1, 2) for values in data["keypoints"]]
    matches = np.array(data["matches"]).reshape(-1, 2)
    np.testing.assert_allclose(keypoints[0][matches[:, 0]], result.points0, atol=0.01)
    np.testing.assert_allclose(keypoints[1][matches[:, 1]], result.points1, atol=0.01)
    np.testing.assert_allclose(data["scores"], result.scores, atol=1e-4)
    assert data["prune"][0] == result.prune0.tolist()
    assert data["layers_run"] == LAYERS
    assert [image["src"] for image in data["images"]] == ["data:0", "data:1"]
    assert [image["name"] for image in data["images"]] == ["a.jpg", "b.jpg"]


def test_data_is_plain_json() -> None:
    data = pair_data(shifted_pair(), IMAGES, estimate=estimate_of())
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_a_homography_is_estimate_and_overlay() -> None:
    data = pair_data(shifted_pair(), IMAGES, estimate=estimate_of())
    assert data["estimate"]["fundamental"] is None
    assert sum(data["estimate"]["inliers"]) == 54
    assert data["estimate"]["errors"][0] == pytest.approx(0, abs=1e-3)
    assert data["estimate"]["errors"][-1] == pytest.approx(20, abs=1e-3)
    assert data["homography"]["matrix"] == HOMOGRAPHY.ravel().tolist()


def test_a_fundamental_matrix_with_a_homography() -> None:
    data = pair_data(
        shifted_pair(), IMAGES, estimate=estimate_of("fundamental", FUNDAMENTAL), homography=estimate_of()
    )
    np.testing.assert_allclose(data["estimate"]["fundamental"], FUNDAMENTAL.ravel())
    assert data["estimate"]["errors"][-1] == pytest.approx(20, abs=1e-3)
    assert data["homography"]["num_inliers"] == 54


def test_a_mirrored_sign_of_a_homography_does_not_matter() -> None:
    data = pair_data(shifted_pair(), IMAGES, homography=estimate_of(matrix=-2 * HOMOGRAPHY))
    np.testing.assert_allclose(data["homography"]["matrix"], HOMOGRAPHY.ravel())


def test_a_failed_estimate_has_a_reason_and_no_overlay() -> None:
    failed = TwoViewEstimate(
        kind="homography",
        matrix=None,
        inliers=np.zeros(60, bool),
        method="poselib",
        max_error_px=3,
        reason="no consensus",
    )
    data = pair_data(shifted_pair(), IMAGES, estimate=failed)
    assert data["estimate"]["reason"] == "no consensus"
    assert set(data["estimate"]["errors"]) == {None}
    assert data["homography"] is None


def test_pairs_without_keypoints() -> None:
    data = pair_data(empty_pair(), IMAGES)
    assert data["keypoints"] == [[], []]
    assert data["matches"] == data["scores"] == []


def test_remarks_name_rotations_and_reduced_images() -> None:
    reduced = replace(IMAGES[1], image_size=(8000, 6000))
    data = pair_data(replace(shifted_pair(), rotation1=90), (IMAGES[0], reduced))
    assert data["notes"] == [
        "image 1 rotated by 90 degrees for matching",
        "image 1 shown at 400 × 300 px of 8,000 × 6,000 px",
    ]


def test_verification_and_first_view() -> None:
    verification = PairVerification(
        same_scene=False, probability=0.123456, reason="few inliers", num_inliers=4
    )
    data = pair_data(shifted_pair(), IMAGES, verification=verification, max_lines=7, unmatched=True)
    assert data["verification"] == {"same_scene": False, "probability": 0.1235, "reason": "few inliers"}
    assert data["initial"] == {"max_lines": 7, "unmatched": True}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (None, "image 1"),
        ("/photos/b.jpg", "b.jpg"),
        ("https://example.org/x/c.png", "c.png"),
        ("x" * 300 + ".jpg", "x" * 116 + ".jpg"),
    ],
)
def test_names(source: str | None, name: str) -> None:
    assert image_name(shifted_pair(source1=source).features1, 1) == name
