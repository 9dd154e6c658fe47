"""Warped views: pixels and keypoints follow the homography, compressed views have no aliasing."""

import numpy as np
import pytest
import torch
from tests.helpers.colored_dots import SIZE
from tests.unit.extraction.test_views import CENTERS, blob_extractor, blobs, sorted_rows

import tiepoint
from tiepoint.extraction.views import View, extract_view
from tiepoint.extraction.warping import Warp, extract_warp, render_homography, unwarp_features
from tiepoint.geometry.multiview import warp_points
from tiepoint.types import Features

PERSPECTIVE = np.array([[1.1, 0.1, -20.0], [-0.05, 1.2, -10.0], [2e-4, -3e-4, 1.0]])


@pytest.mark.parametrize(
    "view", [View(scale=0.75), View(tilt=1.5, direction=30), View(20, 1.5, 1.6, 100), View(90, 0.8)]
)
@pytest.mark.parametrize("resize", [None, 240])
def test_keypoints_of_views_are_mapped_back(view: View, resize: int | None) -> None:
    image = tiepoint.read_image(blobs(CENTERS))
    found = extract_view(blob_extractor(resize=resize), image, None, view).in_image
    np.testing.assert_allclose(sorted_rows(found.keypoints), sorted(CENTERS), atol=0.3)
    assert found.image_size == SIZE


def test_keypoints_of_a_homography_are_mapped_back() -> None:
    image = tiepoint.read_image(blobs(CENTERS))
    found = extract_warp(blob_extractor(), image, None, Warp(PERSPECTIVE, (360, 300)), "warped")
    assert found is not None
    np.testing.assert_allclose(sorted_rows(found.in_image.keypoints), sorted(CENTERS), atol=0.2)
    again = warp_points(found.in_image.keypoints.double().numpy(), PERSPECTIVE)
    np.testing.assert_allclose(again, found.in_view.keypoints.numpy(), atol=1e-3)
    assert found.in_image.fingerprint.endswith("-warped")


def test_a_crop_has_the_resolution_of_the_original() -> None:
    """Two blobs that are one at the size of the extractor are two in a crop."""
    large = np.kron(blobs([(60.0, 50.0), (150.0, 120.0)]), np.ones((1, 1, 1), np.uint8))
    image = tiepoint.read_image(large)
    crop = Warp(np.array([[2.0, 0, -80.0], [0, 2.0, -60.0], [0, 0, 1]]), SIZE)
    found = extract_warp(blob_extractor(resize=40), image, None, crop, "crop")
    assert found is not None
    np.testing.assert_allclose(sorted_rows(found.in_image.keypoints), [[60, 50], [150, 120]], atol=0.1)


def test_masks_and_borders_follow() -> None:
    image = tiepoint.read_image(blobs(CENTERS))
    mask = torch.ones(SIZE[1], SIZE[0], dtype=torch.bool)
    mask[:, 180:220] = False  # excludes the second blob
    found = extract_view(blob_extractor(border=55), image, mask, View(tilt=1.5)).in_image
    np.testing.assert_allclose(found.keypoints.numpy(), [[130.0, 180.75]], atol=0.2)


def test_a_view_beside_the_image_is_none() -> None:
    image = tiepoint.read_image(blobs(CENTERS))
    beside = Warp(np.array([[1.0, 0, 5000.0], [0, 1.0, 0], [0, 0, 1]]), SIZE)
    assert extract_warp(blob_extractor(), image, None, beside, "beside") is None


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (4000, 20)])
def test_tiny_and_thin_images_have_no_keypoints(size: tuple[int, int]) -> None:
    image = tiepoint.read_image(np.full((size[1], size[0]), 255, np.uint8))
    assert len(extract_view(blob_extractor(), image, None, View(tilt=4.0, scale=0.5))) <= 1


def test_compressed_stripes_are_gray() -> None:
    """Without antialiasing, stripes of 1 px would be black or white."""
    stripes = (torch.arange(240) % 2).float().expand(1, 60, 240)
    matrix = np.array([[1 / 3, 0, 1 / 6 - 0.5], [0, 1, 0], [0, 0, 1.0]])
    found = render_homography(stripes, matrix, (80, 60), samples=3)[0, :, 2:-2]
    assert (found - 0.5).abs().max() < 0.2
    assert (render_homography(stripes, matrix, (80, 60), mode="nearest")[0] - 0.5).abs().min() == 0.5


def test_bands_are_the_same_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = torch.rand(3, 40, 50, generator=torch.Generator().manual_seed(0))
    whole = render_homography(pixels, PERSPECTIVE, (37, 41), samples=2)
    monkeypatch.setattr("tiepoint.extraction.warping.BAND_SAMPLES", 500)
    assert torch.equal(render_homography(pixels, PERSPECTIVE, (37, 41), samples=2), whole)
    assert whole.shape == (3, 41, 37)


def test_nothing_is_rendered_behind_the_camera() -> None:
    matrix = np.linalg.inv(np.array([[1.0, 0, 0], [0, 1, 0], [-1 / 20, 0, 1]]))  # x = 20 px is at infinity
    found = render_homography(torch.ones(1, 30, 30), matrix, (36, 30))[0]
    assert found[:, :12].max() > 0.9
    assert found[:, 21:].max() == 0


def test_scales_are_the_extremes_of_the_visible_part() -> None:
    tilted = Warp(np.diag([0.5, 2.0, 1.0]), (160, 480))
    assert tilted.scales(SIZE) == pytest.approx((0.5, 2.0))
    assert Warp(np.array([[1.0, 0, 1e4], [0, 1, 0], [0, 0, 1]]), SIZE).scales(SIZE) is None


def test_scales_orientations_and_covariances_follow() -> None:
    features = Features(
        keypoints=torch.tensor([[50.0, 40.0]]),
        scores=torch.ones(1),
        descriptors=torch.ones(1, 2),
        scales=torch.tensor([6.0]),
        orientations=torch.tensor([0.3]),
        covariances=torch.diag(torch.tensor([4.0, 16.0]))[None],
        image_size=(200, 200),
    )
    found = unwarp_features(features, np.diag([2.0, 2.0, 1.0]) @ _rotation(0.5), (200, 200))
    assert found.scales is not None
    assert found.orientations is not None
    assert found.scales.item() == pytest.approx(3.0, abs=1e-5)
    assert found.orientations.item() == pytest.approx(-0.2, abs=1e-5)
    assert found.covariances is not None
    assert torch.linalg.eigvalsh(found.covariances[0]).tolist() == pytest.approx([1, 4], abs=1e-5)
    major = found.covariances[0] @ torch.tensor([np.sin(0.5), np.cos(0.5)], dtype=torch.float32)
    assert major.tolist() == pytest.approx([4 * np.sin(0.5), 4 * np.cos(0.5)], abs=1e-4)


def _rotation(angle: float) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return matrix
