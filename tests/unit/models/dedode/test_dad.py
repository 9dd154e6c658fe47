"""DaD: sizes of images."""

import pytest
import torch
from tests.helpers.tiny_detectors import noise, tiny_dad

from tiepoint.errors import InvalidInput


@pytest.mark.parametrize("size", [(8, 8), (8, 40), (39, 61), (64, 16)])
@torch.inference_mode()
def test_images_of_any_size_from_8_px(size: tuple[int, int]):
    logits, _ = tiny_dad().logits(noise(*size))
    assert logits.shape == (1, *size)
    assert bool(logits.isfinite().all())


@pytest.mark.parametrize("size", [(7, 64), (64, 1)])
def test_smaller_images_are_an_error(size: tuple[int, int]):
    with pytest.raises(InvalidInput, match=f"at least 8 px.*got {size[1]} x {size[0]} px"):
        tiny_dad()(noise(*size))


@torch.inference_mode()
def test_scores_are_those_at_the_integer_pixel():
    network = tiny_dad()
    scores, _ = network.dense_maps(noise(64, 96))
    (found,) = network(noise(64, 96), max_keypoints=50)
    expected = network.suppress_non_maxima(scores[0]).flatten().topk(50).values
    torch.testing.assert_close(found.scores, expected)
