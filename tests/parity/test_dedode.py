"""DaD and DeDoDe with random weights of the published sizes against LoMa's own package, on small images.

Their networks run under autocast to half precision, which is switched off. DeDoDe-G has one layer of DINOv2 instead of 24.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import kornia.feature
import loma.descriptor.transformer
import pytest
import torch
from loma.descriptor.dedode import DeDoDeDescriptor
from loma.descriptor.transformer import dinov2
from loma.detector.dad import DaD as AuthorsDaD
from tests.helpers.tiny_detectors import noise
from torch import Tensor, nn

from tiepoint.models.dedode.checkpoint import LOMA, LOMA_B128, build_dad, build_dedode, build_loma
from tiepoint.models.dedode.descriptor import DeDoDe, DeDoDeConfig
from tiepoint.models.dedode.dinov2 import DINOv2Sizes

SIZE = (84, 56)  # width and height in px
SIDES = torch.tensor(SIZE)


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def no_downloads() -> Iterator[None]:
    """Their constructors download weights, or load those of DINOv2."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.hub, "load_state_dict_from_url", lambda *_, **__: None)
        patch.setattr(loma.descriptor.transformer, "vit_large", one_layer)
        yield


def one_layer(**settings: Any) -> nn.Module:
    block = partial(dinov2.Block, attn_class=dinov2.Attention)
    network = dinov2.DinoVisionTransformer(
        embed_dim=1024, depth=1, num_heads=16, mlp_ratio=4, block_fn=block, **settings
    )
    network.load_state_dict = lambda *_, **__: None  # type: ignore[method-assign]
    return network


def prepared(network: Any, images: Tensor) -> Any:
    """Set the statistics of batch norms to those of images, and switch off autocast."""
    for module in network.modules():
        if hasattr(module, "amp"):
            module.amp, module.amp_dtype = False, torch.float32
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    network.float().train()
    with torch.no_grad():
        network.forward_impl(images) if isinstance(network, AuthorsDaD) else network(images)
    return network.eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return noise(SIZE[1], SIZE[0], 2)


@pytest.fixture(scope="module")
def dad(no_downloads: None, images: Tensor) -> Any:
    torch.manual_seed(0)
    return prepared(AuthorsDaD(AuthorsDaD.Cfg(compile=False)), images)


@pytest.fixture(scope="module")
def dedode_b128(no_downloads: None, images: Tensor) -> Any:
    torch.manual_seed(0)
    settings = DeDoDeDescriptor.Cfg(arch="dedode_b", compile=False, descriptor_dim=128)
    return prepared(DeDoDeDescriptor(settings), images)


@pytest.fixture(scope="module")
def dedode_g(no_downloads: None, images: Tensor) -> Any:
    torch.manual_seed(0)
    network = DeDoDeDescriptor(DeDoDeDescriptor.Cfg(arch="dedode_g", compile=False))
    for parameter in network.encoder.frozen_dinov2.parameters():
        parameter.copy_(parameter + 0.05 * torch.randn_like(parameter))
    return prepared(network, images)


def in_pixels(grid: Tensor) -> Tensor:
    """Positions in [-1, 1], from border to border, in px from the center of the top-left pixel."""
    return (grid + 1) * SIDES / 2 - 0.5


def test_dad(dad: Any, images: Tensor):
    ours, count = build_dad(dad.state_dict()), 150
    logits, expected_logits = ours.logits(images)[0], dad.forward_impl(images)[:, 0]
    torch.testing.assert_close(logits, expected_logits, rtol=0, atol=2e-5)
    expected = dad(images, count)
    last = SIDES - 1
    for found, grid, scores in zip(
        ours(images, max_keypoints=count), expected["keypoints"], expected["keypoint_probs"], strict=True
    ):
        torch.testing.assert_close(found.scores, scores, rtol=1e-4, atol=1e-9)
        keypoints = in_pixels(grid).clamp(min=0).minimum(last)
        differs = (found.keypoints - keypoints).abs().amax(dim=1) > 1e-3
        places = differs.nonzero().flatten().tolist()
        assert len(places) <= 4
        assert all(has_equal_neighbor(scores, place) for place in places)


def has_equal_neighbor(scores: Tensor, place: int) -> bool:
    """Whether a neighbor in the order has the same score within the precision of a float32 logit."""
    neighbors = [i for i in (place - 1, place + 1) if 0 <= i < len(scores)]
    return any(abs(float(scores[place] / scores[i]) - 1) < 1e-4 for i in neighbors)


def described(network: DeDoDe, images: Tensor, grid: Tensor) -> Tensor:
    maps = network.feature_maps(images)
    shape = SIZE[::-1]
    return torch.stack([network.describe_at(m, in_pixels(g), shape) for m, g in zip(maps, grid, strict=True)])


@pytest.fixture
def grid() -> Tensor:
    """Random positions; some are so near to the border that pixels outside of the image contribute."""
    return torch.rand(2, 60, 2, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_dedode_b_of_loma(dedode_b128: Any, images: Tensor, grid: Tensor):
    config = DeDoDeConfig(dim=128, image_size=SIZE, normalize_images=False, unit_length=False)
    expected = dedode_b128.describe_keypoints(images, grid)["descriptions"]
    found = described(build_dedode(dedode_b128.state_dict(), config), images, grid)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert float(expected.std()) > 0.3


def test_dedode_g_of_loma(dedode_g: Any, images: Tensor, grid: Tensor):
    sizes = DINOv2Sizes(layers=1)
    config = DeDoDeConfig(dinov2=sizes, image_size=SIZE, normalize_images=False, unit_length=False)
    expected = dedode_g.describe_keypoints(images, grid)["descriptions"]
    found = described(build_dedode(dedode_g.state_dict(), config), images, grid)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)
    assert float(expected.std()) > 0.3


def test_configurations_are_lomas():
    published = {"loma_B128": LOMA_B128, "loma_B": LOMA}
    from loma.loma import LoMaB, LoMaB128

    for theirs in (LoMaB128(), LoMaB()):
        ours = published[theirs.name]
        assert (ours.dim, ours.dinov2 is not None) == (theirs.input_dim, theirs.descriptor == "dedode_g")


def test_features_of_lomas_file(dad: Any, dedode_b128: Any, images: Tensor):
    """Detector and descriptor out of one file, as `LoMa.detect_and_describe` chains them for an image tensor."""
    parts = {"_detector.": dad, "_descriptor.": dedode_b128}
    file = {prefix + name: t for prefix, part in parts.items() for name, t in part.state_dict().items()}
    config = DeDoDeConfig(dim=128, image_size=SIZE, normalize_images=False, unit_length=False)
    (found, *_) = build_loma(file, config)(images, max_keypoints=80)
    grid = (2 * found.keypoints + 1) / SIDES - 1
    expected = dedode_b128.describe_keypoints(images[:1], grid[None])["descriptions"][0]
    torch.testing.assert_close(found.descriptors, expected, rtol=0, atol=1e-4)


def test_published_dedode_b_normalizes_images(images: Tensor, grid: Tensor, monkeypatch: pytest.MonkeyPatch):
    """The convention of DeDoDe's own files, in kornia's implementation."""
    monkeypatch.setattr(kornia.feature.dedode.dedode, "get_detector", lambda *_: nn.Identity())
    torch.manual_seed(0)
    theirs = kornia.feature.DeDoDe(descriptor_model="B", amp_dtype=torch.float32)
    ours = build_dedode(theirs.descriptor.state_dict(), DeDoDeConfig(image_size=SIZE, unit_length=False))
    expected = theirs.eval().describe(images, grid, pad_if_not_divisible=False)
    torch.testing.assert_close(described(ours, images, grid), expected, rtol=1e-4, atol=1e-5)
