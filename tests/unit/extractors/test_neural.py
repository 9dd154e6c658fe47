"""Any detector network as an extractor: what it is shown, what becomes of its answer, and what tells settings apart."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tiepoint.errors import WeightsError
from tiepoint.extractors.neural import NETWORKS, ExtractionSettings, NeuralExtractor, build_network
from tiepoint.image import Image, read_image
from tiepoint.networks.aliked import ALIKED, ALIKED_VARIANTS
from tiepoint.networks.detection import Detection

SETTINGS = ExtractionSettings(kind="corners@0123", max_keypoints=9, resize=40)


class Corners(nn.Module):
    """Finds the centres of the four corner pixels, and remembers what it was asked."""

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


def test_the_network_sees_the_resized_image_in_the_unit_range() -> None:
    network = Corners()
    NeuralExtractor(network, SETTINGS).extract(image_of(80, 60))
    assert network.seen.shape == (1, 3, 30, 40)
    assert network.seen.dtype == torch.float32
    assert 0 <= network.seen.min() < 0.5 < network.seen.max() <= 1
    assert network.asked == (9, 0.0)


@pytest.mark.parametrize(("resize", "seen"), [(None, (60, 80)), (160, (120, 160)), (80, (60, 80))])
def test_images_are_enlarged_too_or_left_alone(resize: int | None, seen: tuple[int, int]) -> None:
    network = Corners()
    NeuralExtractor(network, replace(SETTINGS, resize=resize)).extract(image_of(80, 60))
    assert network.seen.shape[2:] == seen


def test_keypoints_come_back_to_the_original_image() -> None:
    """Half as large: the centre of the first small pixel is the middle of the first 2 x 2 pixels."""
    features = NeuralExtractor(Corners(), SETTINGS).extract(image_of(80, 60))
    expected = torch.tensor([[0.5, 0.5], [78.5, 0.5], [0.5, 58.5], [78.5, 58.5]])
    torch.testing.assert_close(features.keypoints, expected)


def test_enlarged_images_keep_their_corner_keypoints() -> None:
    """Four times as large: the centre of a corner pixel lies 3/8 px outside the first centre, which is allowed."""
    features = NeuralExtractor(Corners(), replace(SETTINGS, resize=320)).extract(image_of(80, 60))
    torch.testing.assert_close(features.keypoints[0], torch.tensor([-0.375, -0.375]))
    torch.testing.assert_close(features.keypoints[3], torch.tensor([79.375, 59.375]))


def test_features_know_where_they_come_from() -> None:
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
    ]
    prints = [NeuralExtractor(Corners(), settings).fingerprint for settings in (SETTINGS, *changed)]
    assert len(set(prints)) == len(prints)
    assert NeuralExtractor(Corners(), replace(SETTINGS)).fingerprint == prints[0]


def test_the_network_is_put_into_evaluation_mode() -> None:
    assert not NeuralExtractor(Corners().train(), SETTINGS).network.training


class TestBuildNetwork:
    """Filling is strict; shown on the smallest network."""

    @pytest.fixture
    def state(self) -> dict[str, Tensor]:
        return {name: tensor + 0.5 for name, tensor in ALIKED(ALIKED_VARIANTS["t16"]).state_dict().items()}

    def test_it_holds_the_tensors_it_was_given(self, state: dict[str, Tensor]) -> None:
        network = build_network("aliked-t16", state)
        assert not network.training
        assert set(network.state_dict()) == set(state)
        for name, tensor in network.state_dict().items():
            assert torch.equal(tensor, state[name])
            assert tensor.device.type == "cpu"

    def test_a_missing_tensor_is_an_error(self, state: dict[str, Tensor]) -> None:
        name = next(iter(state))
        del state[name]
        with pytest.raises(WeightsError, match=f"aliked-t16.*missing {name}") as error:
            build_network("aliked-t16", state)
        assert "\n" not in str(error.value)

    def test_an_unexpected_tensor_is_an_error(self, state: dict[str, Tensor]) -> None:
        with pytest.raises(WeightsError, match=r"aliked-t16.*unexpected fc\.weight"):
            build_network("aliked-t16", {**state, "fc.weight": torch.zeros(2)})

    def test_another_variant_is_an_error(self, state: dict[str, Tensor]) -> None:
        with pytest.raises(WeightsError, match=r"must have shape .*, but has .*another variant") as error:
            build_network("aliked-n16", state)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("name", NETWORKS)
    def test_every_network_refuses_a_stranger(self, name: str) -> None:
        with pytest.raises(WeightsError) as error:
            build_network(name, {"fc.weight": torch.zeros(2)})
        assert "\n" not in str(error.value)
