"""HardNet and its patches against kornia, on random weights."""

import kornia.feature as kornia
import numpy as np
import pytest
import skimage.data
import torch

from tiepoint.extraction.dog_hardnet_extractor import RADIUS, DoGHardNetExtractor
from tiepoint.extraction.extractor import ExtractionSettings
from tiepoint.extraction.sift_extractor import SIFTExtractor, to_gray
from tiepoint.image import read_image
from tiepoint.models.hardnet import build
from tiepoint.models.patches import oriented_patches

TOLERANCE = 1e-5
PATCH_TOLERANCE = 2e-4  # of pixels in [0, 1]: kornia normalizes frames to the image and back in float32


@pytest.fixture(scope="module")
def reference() -> kornia.HardNet:
    """kornia's network with random weights and statistics of random patches."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = kornia.HardNet(pretrained=False)
        with torch.no_grad():
            network(torch.rand(64, 1, 32, 32))
    return network.eval()


def test_descriptors_of_patches(reference: kornia.HardNet) -> None:
    patches = torch.rand(40, 1, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = build(reference.state_dict())(patches), reference(patches)
    assert torch.allclose(ours, theirs, atol=TOLERANCE)


def test_old_files_have_no_counters(reference: kornia.HardNet) -> None:
    state = {name: t for name, t in reference.state_dict().items() if "num_batches" not in name}
    assert build(state).descriptor_dim == 128


@pytest.mark.parametrize("shape", [(201, 333), (70, 64), (40, 300)])
def test_patches(shape: tuple[int, int]) -> None:
    """Of all levels of the pyramid, also beyond the border of the image."""
    random = torch.Generator().manual_seed(2)
    image = torch.rand(1, *shape, generator=random)
    points = torch.rand(200, 2, generator=random) * (torch.tensor(shape[::-1]) - 1)
    radii = 2 + 60 * torch.rand(200, generator=random)
    angles = 6.28 * torch.rand(200, generator=random) - 3.14
    frames = kornia.laf_from_center_scale_ori(
        points[None], radii.view(1, -1, 1, 1), angles.rad2deg().view(1, -1, 1)
    )
    theirs = kornia.extract_patches_from_pyramid(image[None], frames, 32)[0]
    ours = oriented_patches(image, points, radii, angles, 32)
    assert float((ours - theirs).abs().max()) < PATCH_TOLERANCE


def test_extractor_describes_as_the_reference_does(reference: kornia.HardNet) -> None:
    """cvg/LightGlue: `LAFDescriptor` at frames of SIFT's keypoints with 6 times their size."""
    settings = ExtractionSettings(kind="doghardnet@1", max_keypoints=150, resize=None)
    extractor = DoGHardNetExtractor(build(reference.state_dict()), settings)
    image = read_image(skimage.data.astronaut()[::2, ::2].copy())
    found, sift = extractor.extract(image), SIFTExtractor(settings).extract(image)
    assert torch.equal(found.keypoints, sift.keypoints)
    assert found.scales is not None
    assert found.orientations is not None
    frames = kornia.laf_from_center_scale_ori(
        found.keypoints[None],
        (RADIUS * found.scales).view(1, -1, 1, 1),
        found.orientations.rad2deg().view(1, -1, 1),
    )
    gray = to_gray(image.pixels / 255)[None, None]
    with torch.no_grad():
        theirs = kornia.LAFDescriptor(reference)(gray, frames)[0]
    assert np.abs(found.descriptors.numpy() - theirs.numpy()).max() < PATCH_TOLERANCE
