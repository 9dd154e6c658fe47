"""Any detector network as an extractor: what it is shown, what becomes of its answer, and what tells settings apart."""

from dataclasses import replace
from functools import partial
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from tests.helpers.fake_networks import IdentityDetector
from tests.helpers.tiny_detectors import tiny_dad_dedode, tiny_raco_aliked
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.extraction import extractor as extractor_module, tile_grid
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.extraction.tile_grid import split_into_tiles
from tiepoint.image import Image, read_image
from tiepoint.models.keypoints import Detection
from tiepoint.types import Features

SETTINGS = ExtractionSettings(kind="corners@0123", max_keypoints=9, resize=40)


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow tiles smaller than the overlap of real networks needs."""
    monkeypatch.setattr(tile_grid, "MIN_TILE_SIDE", 8)


class Corners(nn.Module):
    """Finds the centers of the four corner pixels, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(
        self, images: Tensor, *, max_keypoints: int | None, detection_threshold: float
    ) -> list[Detection]:
        self.seen, self.asked = images, (max_keypoints, detection_threshold)
        right, bottom = images.shape[3] - 1.0, images.shape[2] - 1.0
        keypoints = torch.tensor([[0, 0], [right, 0], [0, bottom], [right, bottom]])
        scores = torch.tensor([0.9, 0.8, 0.7, 0.6]) * self.weight
        return [Detection(keypoints, scores, torch.eye(4))]


def image_of(width: int, height: int) -> Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return replace(read_image(pixels), source="wall.jpg", exif_orientation=6)


def test_the_input_is_the_resized_image_in_the_unit_range() -> None:
    network = Corners()
    NeuralExtractor(network, SETTINGS).extract(image_of(80, 60))
    assert network.seen.shape == (1, 3, 30, 40)
    assert network.seen.dtype == torch.float32
    assert 0 <= network.seen.min() < 0.5 < network.seen.max() <= 1
    assert network.asked == (9, 0.0)


@pytest.mark.parametrize(("resize", "seen"), [(None, (60, 80)), (160, (120, 160)), (80, (60, 80))])
def test_images_are_enlarged_or_unchanged(resize: int | None, seen: tuple[int, int]) -> None:
    network = Corners()
    NeuralExtractor(network, replace(SETTINGS, resize=resize)).extract(image_of(80, 60))
    assert network.seen.shape[2:] == seen


def test_keypoints_are_in_px_of_the_original_image() -> None:
    """Half as large: the center of the first small pixel is the middle of the first 2 x 2 pixels."""
    features = NeuralExtractor(Corners(), SETTINGS).extract(image_of(80, 60))
    expected = torch.tensor([[0.5, 0.5], [78.5, 0.5], [0.5, 58.5], [78.5, 58.5]])
    torch.testing.assert_close(features.keypoints, expected)


def test_enlarged_images_keep_their_corner_keypoints() -> None:
    """Four times as large: the center of a corner pixel lies 3/8 px outside the first center, which is allowed."""
    features = NeuralExtractor(Corners(), replace(SETTINGS, resize=320)).extract(image_of(80, 60))
    torch.testing.assert_close(features.keypoints[0], torch.tensor([-0.375, -0.375]))
    torch.testing.assert_close(features.keypoints[3], torch.tensor([79.375, 59.375]))


def test_features_record_their_origin() -> None:
    extractor = NeuralExtractor(Corners(), SETTINGS)
    features = extractor.extract(image_of(80, 60))
    assert features.image_size == (80, 60)
    assert (features.source, features.exif_orientation) == ("wall.jpg", 6)
    assert (features.kind, features.fingerprint) == ("corners@0123", extractor.fingerprint)
    assert features.scores.tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6])
    assert features.device == extractor.device == torch.device("cpu")


def test_features_carry_no_gradient() -> None:
    features = NeuralExtractor(Corners(), SETTINGS).extract(image_of(80, 60))
    assert not features.scores.requires_grad
    assert torch.is_grad_enabled()


def test_features_can_be_used_in_training() -> None:
    """Not tensors of torch's inference mode: those may never take part in a computation with gradients."""
    features = NeuralExtractor(Corners(), SETTINGS).extract(image_of(80, 60))
    (features.descriptors @ torch.ones(4, requires_grad=True)).sum().backward()


def test_every_setting_changes_the_fingerprint_and_nothing_else_does() -> None:
    changed = [
        replace(SETTINGS, kind="corners@4567"),
        replace(SETTINGS, max_keypoints=None),
        replace(SETTINGS, max_keypoints=10),
        replace(SETTINGS, resize=None),
        replace(SETTINGS, resize=41),
        replace(SETTINGS, detection_threshold=0.1),
        replace(SETTINGS, border=1),
        replace(SETTINGS, tile="auto"),
        replace(SETTINGS, tile=512),
    ]
    prints = [NeuralExtractor(Corners(), settings).fingerprint for settings in (SETTINGS, *changed)]
    assert len(set(prints)) == len(prints)
    assert NeuralExtractor(Corners(), replace(SETTINGS)).fingerprint == prints[0]


@pytest.mark.parametrize(
    "settings",
    [
        *({"max_keypoints": value} for value in (0, -1, 2.0, True)),
        *({"resize": value} for value in (0, -5, 640.0)),
        *({"border": value} for value in (-1, None)),
        *({"tile": value} for value in (0, 511, "AUTO")),
    ],
    ids=str,
)
def test_invalid_settings_are_rejected(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    ((name, value),) = settings.items()
    with pytest.raises(InvalidInput, match=f"{name} must be .*{value!r}"):
        replace(SETTINGS, **settings)


def test_numpy_integers_are_converted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    settings = replace(SETTINGS, max_keypoints=np.int64(9), resize=np.int32(40), border=np.uint8(0))
    assert settings == SETTINGS
    assert {type(settings.max_keypoints), type(settings.resize), type(settings.border)} == {int}


class TestMask:
    """With a network that finds the maxima of a small red image; the image is 64 x 48 px, the network sees half."""

    IMAGE = read_image(np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    SETTINGS = ExtractionSettings(kind="echo@0", max_keypoints=None, resize=32)

    def extract(self, mask: Tensor | None = None, **settings: Any) -> Features:
        return NeuralExtractor(IdentityDetector(), replace(self.SETTINGS, **settings)).extract(
            self.IMAGE, mask
        )

    def test_all_keypoints_are_inside_the_mask(self) -> None:
        mask = torch.zeros(48, 64, dtype=torch.bool)
        mask[7:40, 5:24] = True
        features = self.extract(mask, max_keypoints=8)
        assert len(features) == 8
        columns, rows = features.keypoints.round().long().unbind(dim=1)
        assert bool(mask[rows, columns].all())
        assert bool((features.scores[:-1] >= features.scores[1:]).all())

    def test_a_full_mask_changes_nothing(self) -> None:
        masked, plain = self.extract(torch.ones(48, 64, dtype=torch.bool)), self.extract()
        assert torch.equal(masked.keypoints, plain.keypoints)
        assert torch.equal(masked.descriptors, plain.descriptors)

    def test_an_empty_mask_gives_no_keypoints_and_a_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        features = self.extract(torch.zeros(48, 64, dtype=torch.bool))
        assert (features.keypoints.shape, features.descriptors.shape) == ((0, 2), (0, 2))
        assert [record.levelname for record in caplog.records] == ["WARNING"]

    @pytest.mark.usefixtures("small_tiles")
    @pytest.mark.parametrize("tile", [None, 24])
    def test_the_border_is_that_of_the_original_image(self, tile: int | None, monkeypatch) -> None:
        monkeypatch.setattr(extractor_module, "split_into_tiles", partial(split_into_tiles, overlap=8))
        keypoints = self.extract(border=13, tile=tile).keypoints
        assert len(keypoints) > 0
        assert bool((keypoints.round() >= 13).all())
        assert bool((keypoints.round() < torch.tensor([64 - 13, 48 - 13])).all())
        assert len(self.extract(border=24, tile=tile)) == 0

    def test_the_mask_is_in_the_fingerprint(self) -> None:
        masks = torch.ones(2, 48, 64, dtype=torch.bool)
        masks[1, 0, 0] = False
        extractor = NeuralExtractor(IdentityDetector(), self.SETTINGS)
        prints = [extractor.extract(self.IMAGE, mask).fingerprint for mask in (None, *masks)]
        assert prints[0] == extractor.fingerprint
        assert len(set(prints)) == 3
        assert [extractor.fingerprint_with(mask) for mask in (None, *masks)] == prints
        assert (
            NeuralExtractor(IdentityDetector(), replace(self.SETTINGS, border=2)).fingerprint_with(masks[0])
            not in prints
        )


@pytest.mark.usefixtures("small_tiles")
class TestTiles:
    IMAGE = read_image(np.random.default_rng(1).integers(0, 256, (150, 200, 3), dtype=np.uint8))

    def extract(self, resize: int | None, tile: Any) -> tuple[Features, IdentityDetector]:
        network = IdentityDetector()
        settings = ExtractionSettings(kind="echo@0", max_keypoints=300, resize=resize, tile=tile)
        return NeuralExtractor(network, settings).extract(self.IMAGE), network

    @pytest.mark.parametrize("resize", [None, 150, 320])
    def test_tiles_are_identical_to_the_whole_image(
        self, resize: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(extractor_module, "split_into_tiles", partial(split_into_tiles, overlap=16))
        (tiled, network), (plain, _) = self.extract(resize, 96), self.extract(resize, None)
        assert len(network.seen) > 2
        assert torch.equal(tiled.keypoints, plain.keypoints)
        torch.testing.assert_close(tiled.scores, plain.scores)

    @pytest.mark.parametrize("tile", [200, 5000, "auto"])
    def test_small_images_are_not_tiled(self, tile: Any) -> None:
        features, network = self.extract(None, tile)
        assert network.seen == [None]
        assert torch.equal(features.keypoints, self.extract(None, None)[0].keypoints)

    def test_auto_depends_on_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tile_grid, "MEMORY_BYTES", IdentityDetector.bytes_per_pixel * 100 * 100)
        monkeypatch.setattr(extractor_module, "split_into_tiles", partial(split_into_tiles, overlap=16))
        _, network = self.extract(None, "auto")
        assert len(network.seen) > 2
        _, network = self.extract(100, "auto")
        assert network.seen == [None]


def test_the_network_is_put_into_evaluation_mode() -> None:
    assert not NeuralExtractor(Corners().train(), SETTINGS).network.training


class TestCovariances:
    """RaCo's, in px^2 of the original image."""

    def test_they_scale_with_the_image(self) -> None:
        extractor = NeuralExtractor(tiny_raco_aliked(), replace(SETTINGS, resize=64))
        image = image_of(128, 72)
        features = extractor.extract(image)
        found = extractor.estimate_covariances(image, features).covariances
        assert found is not None
        assert found.shape == (9, 2, 2)
        assert float(torch.linalg.eigvalsh(found).min()) > 0
        small = Image(pixels=extractor.transform(image.image_size).apply(image))
        resized = NeuralExtractor(extractor.network, replace(SETTINGS, resize=None))
        expected = resized.estimate_covariances(small, resized.extract(small)).covariances
        torch.testing.assert_close(found, 4 * expected, rtol=1e-4, atol=1e-4)

    def test_other_detectors_have_none(self) -> None:
        extractor = NeuralExtractor(tiny_dad_dedode(), SETTINGS)
        image = image_of(64, 64)
        with pytest.raises(
            InvalidInput, match=r"corners@0123 cannot estimate covariances; use .* raco-aliked"
        ):
            extractor.estimate_covariances(image, extractor.extract(image))
