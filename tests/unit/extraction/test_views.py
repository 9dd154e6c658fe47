"""Views of images: rotations by multiples of 90 degrees are exact, others are rendered and mapped back."""

from typing import Any

import numpy as np
import pytest
import torch
from tests.helpers.colored_dots import SIZE, dots, make_matcher
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import tiepoint
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.extraction.rotation import rotate_image
from tiepoint.extraction.views import ORIGINAL, View, extract_view, render, view_from_image
from tiepoint.models.keypoints import Detection


class BlobDetector(nn.Module):
    """Detects bright blobs at their centers of mass."""

    descriptor_dim = 1

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(
        self,
        images: torch.Tensor,
        *,
        max_keypoints: int | None,
        detection_threshold: float,
        masks: torch.Tensor | None = None,
    ) -> list[Detection]:
        from scipy import ndimage

        bright = images[0, 0].numpy().astype(np.float64)
        labels, count = ndimage.label(bright > 0.2)
        centers = ndimage.center_of_mass(bright * (labels > 0), labels, range(1, count + 1))
        found = torch.tensor(np.array(centers).reshape(-1, 2)[:, ::-1].copy(), dtype=torch.float32)
        if masks is not None:
            x, y = found.round().long().T
            found = found[masks[0][y, x]]
        return [Detection(found, torch.ones(len(found)), torch.ones(len(found), 1))]


def blobs(centers: list[tuple[float, float]], size: tuple[int, int] = SIZE) -> np.ndarray:
    """Smooth bright blobs on black."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    image = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18.0) for cx, cy in centers)
    return (255 * np.repeat(np.asarray(image)[..., None], 3, 2)).round().astype(np.uint8)


CENTERS = [(60.0, 50.0), (200.25, 90.5), (130.0, 180.75), (270.5, 200.0)]


def blob_extractor(**settings: int | None) -> NeuralExtractor:
    values = {"max_keypoints": None, "resize": None, **settings}
    return NeuralExtractor(BlobDetector(), ExtractionSettings(kind="blobs@0", **values))  # type: ignore[arg-type]


def sorted_rows(keypoints: torch.Tensor) -> np.ndarray:
    return np.array(sorted(keypoints.tolist()))


class TestMap:
    @pytest.mark.parametrize("rotation", [0, 90, 180, 270])
    def test_right_angles_permute_pixels(self, rotation: int) -> None:
        matrix, size = view_from_image(View(rotation), (5, 3))
        image = tiepoint.read_image(np.arange(15, dtype=np.uint8).reshape(3, 5))
        rotated = rotate_image(image, rotation)
        assert size == rotated.image_size
        for y in range(3):
            for x in range(5):
                u, v, _ = matrix @ (x, y, 1)
                assert rotated.pixels[0, round(v), round(u)] == image.pixels[0, y, x]

    @pytest.mark.parametrize("rotation", [1, 30, 45, 200, 359])
    def test_views_contain_the_image_and_are_not_mirrored(self, rotation: int) -> None:
        matrix, (width, height) = view_from_image(View(rotation), (40, 30))
        corners = np.array([[x, y, 1] for x in (-0.5, 39.5) for y in (-0.5, 29.5)]) @ matrix.T
        assert corners[:, :2].min() >= -0.5 - 1e-6
        assert (corners[:, :2] <= np.array([width, height]) - 0.5 + 1e-6).all()
        assert np.linalg.det(matrix) == pytest.approx(1)


class TestExtract:
    @pytest.mark.parametrize("rotation", [17, 45, 133, 251])
    @pytest.mark.parametrize("resize", [None, 240])
    def test_positions_follow_the_warp(self, rotation: int, resize: int | None) -> None:
        image = tiepoint.read_image(blobs(CENTERS))
        found = extract_view(blob_extractor(resize=resize), image, None, View(rotation)).in_image
        np.testing.assert_allclose(sorted_rows(found.keypoints), CENTERS_SORTED, atol=0.15)
        assert found.image_size == SIZE

    @pytest.mark.parametrize("rotation", [90, 180, 270])
    def test_right_angles_are_those_of_an_image_rotated_by_hand(self, rotation: int) -> None:
        image = tiepoint.read_image(blobs(CENTERS))
        extractor = blob_extractor()
        by_hand = extractor.extract(rotate_image(image, rotation)).keypoints
        found = extract_view(extractor, image, None, View(rotation))
        assert torch.equal(found.in_view.keypoints, by_hand)
        matrix, _ = view_from_image(View(rotation), SIZE)
        mapped = found.in_image.keypoints.numpy() @ matrix[:2, :2].T + matrix[:2, 2]
        np.testing.assert_allclose(mapped, by_hand.numpy(), atol=1e-4)

    def test_masks_and_borders_follow(self) -> None:
        image = tiepoint.read_image(blobs(CENTERS))
        mask = torch.ones(SIZE[1], SIZE[0], dtype=torch.bool)
        mask[:, 180:220] = False  # excludes the second blob
        found = extract_view(blob_extractor(border=55), image, mask, View(30)).in_image
        np.testing.assert_allclose(found.keypoints.numpy(), [[130.0, 180.75]], atol=0.1)

    def test_the_black_margin_has_no_keypoints(self) -> None:
        white = tiepoint.read_image(255 - dots())
        matcher = make_matcher(None)
        found = extract_view(matcher.extractor, white, None, View(45)).in_image.keypoints
        assert ((found >= 0) & (found <= torch.tensor(SIZE) - 1)).all()

    def test_the_fingerprint_tells_views_apart(self) -> None:
        extractor, image = blob_extractor(), tiepoint.read_image(blobs(CENTERS))
        prints = [extract_view(extractor, image, None, View(r)).in_image.fingerprint for r in (0, 90, 45, 46)]
        assert prints[0] == extractor.fingerprint
        assert len(set(prints)) == 4
        assert View(0) == ORIGINAL

    @pytest.mark.parametrize("size", [(1, 1), (2, 7), (400, 2)])
    def test_tiny_and_thin_images_have_no_keypoints(self, size: tuple[int, int]) -> None:
        image = tiepoint.read_image(np.full((size[1], size[0]), 255, np.uint8))
        assert len(extract_view(blob_extractor(), image, None, View(45))) == 0


CENTERS_SORTED = np.array(sorted(CENTERS))


def test_rendering_by_the_identity_changes_nothing() -> None:
    pixels = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(render(pixels, np.eye(3), (7, 5)), pixels, atol=1e-5, rtol=0)


class NoFloat64(TorchDispatchMode):
    """Device "meta" without float64, as Apple's GPUs."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and check its output."""
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            assert found.device.type != "meta" or found.dtype != torch.float64, func
        return found


def test_rendering_needs_no_float64_on_the_device() -> None:
    with NoFloat64():
        found = render(torch.empty(3, 5, 7, device="meta"), np.eye(3), (8, 6))
    assert (found.shape, found.device.type) == ((3, 6, 8), "meta")
