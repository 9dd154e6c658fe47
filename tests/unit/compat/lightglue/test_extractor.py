import pytest
import torch
from tests.helpers.fake_networks import IdentityDetector
from torch import Tensor

from tiepoint.compat.lightglue.extractor import Extractor
from tiepoint.errors import InvalidInput


def dots(*pixels: tuple[int, int, float], shape: tuple[int, int] = (40, 60)) -> Tensor:
    """Image whose pixels (x, y) have these scores."""
    image = torch.zeros(3, *shape)
    for x, y, score in pixels:
        image[:, y, x] = score
    return image


DOTS = ((30, 10, 0.4), (10, 20, 0.9), (50, 30, 0.6))


def extractor(max_num_keypoints: int | None = None, detection_threshold: float = 0.1) -> Extractor:
    conf = {"max_num_keypoints": max_num_keypoints, "detection_threshold": detection_threshold}
    return Extractor(IdentityDetector(), conf)


def test_keypoints_are_in_raster_order() -> None:
    features = extractor().extract(dots(*DOTS), resize=None)
    assert features["keypoints"].tolist() == [[[30, 10], [10, 20], [50, 30]]]
    assert features["keypoint_scores"][0].tolist() == pytest.approx([0.4, 0.9, 0.6])
    assert features["image_size"].tolist() == [[60, 40]]
    assert "mask" not in features


def test_the_best_are_in_order_of_score() -> None:
    features = extractor(2).extract(dots(*DOTS), resize=None)
    assert features["keypoints"].tolist() == [[[10, 20], [50, 30]]]


def test_changes_of_conf_take_effect() -> None:
    changed = extractor()
    changed.conf.detection_threshold = 0.5
    assert changed.extract(dots(*DOTS), resize=None)["keypoints"].shape == (1, 2, 2)
    changed.conf.max_num_keypoints = 1
    assert changed.extract(dots(*DOTS), resize=None)["keypoints"].shape == (1, 1, 2)


def test_keypoints_are_mapped_to_the_original_image() -> None:
    # every pixel of the enlarged image covers half a pixel of the original, whose centers are at half of 0.5
    features = extractor(1).extract(dots((20, 10, 1.0)), resize=120, antialias=False)
    (point,) = features["keypoints"][0].tolist()
    assert point == pytest.approx([20, 10], abs=0.5)
    assert features["image_size"].tolist() == [[60, 40]]


def test_images_of_a_batch_may_have_different_numbers_of_keypoints() -> None:
    images = torch.stack([dots(*DOTS), dots((5, 5, 1.0)), dots()])
    features = extractor().extract(images, resize=None)
    assert features["mask"].sum(dim=1).tolist() == [3, 1, 0]
    assert features["keypoints"].shape == (3, 3, 2)
    alone = extractor().extract(images[0], resize=None)
    assert torch.equal(features["descriptors"][:1], alone["descriptors"])


def test_gray_images() -> None:
    features = extractor().forward({"image": dots(*DOTS)[None, :1]})
    assert features["keypoints"].shape == (1, 3, 2)
    assert "image_size" not in features


def test_invalid_inputs() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'resize'"):
        extractor().extract(dots(), resiz=3)
    with pytest.raises(InvalidInput, match="uint8"):
        extractor().extract(dots().to(torch.uint8))
    with pytest.raises(InvalidInput, match="40, 60, 3"):
        extractor().extract(dots().permute(1, 2, 0))
    with pytest.raises(InvalidInput, match="missing key 'image'"):
        extractor().forward({"images": dots()[None]})
    with pytest.raises(InvalidInput, match="padded"):
        extractor().forward({"image": dots()[None], "image_size": torch.tensor([[30, 40]])})
