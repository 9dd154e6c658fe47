import pytest
import torch
from torch import Tensor

from tiepoint.compat.lightglue import ALIKED
from tiepoint.errors import InvalidInput


@pytest.fixture(scope="module")
def image() -> Tensor:
    coarse = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, (96, 128), mode="bicubic")[0].clamp(0, 1)


def scores(image: Tensor, **options: object) -> Tensor:
    extractor = ALIKED(model_name="aliked-t16", **options).eval()  # type: ignore[arg-type]
    return extractor.extract(image, resize=None)["keypoint_scores"][0]


@pytest.mark.weights
def test_numbers_of_keypoints(image: Tensor) -> None:
    found = scores(image, detection_threshold=0.05)
    assert len(found) > 20
    assert len(scores(image, detection_threshold=0.05, max_num_keypoints=10)) == 10
    assert len(scores(image, detection_threshold=-1, max_num_keypoints=30)) == 30
    assert len(scores(image, detection_threshold=0.05, max_num_keypoints=None)) == len(found)


@pytest.mark.weights
def test_without_a_score_above_the_threshold_the_mean_is_used(image: Tensor) -> None:
    fallback = scores(image, detection_threshold=0.999)
    assert len(fallback) > 0
    assert torch.equal(fallback, scores(image, detection_threshold=-1))
    assert len(scores(torch.full((3, 64, 64), 0.5))) == 0


def test_invalid_options() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'aliked-n16"):
        ALIKED(model_name="aliked-n6")
    with pytest.raises(InvalidInput, match="nms_radius"):
        ALIKED(nms_radius=4)
    with pytest.raises(TypeError, match="did you mean 'max_num_keypoints'"):
        ALIKED(max_keypoints=4)
