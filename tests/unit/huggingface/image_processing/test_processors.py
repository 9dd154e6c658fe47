"""The four image processors: defaults, presets, pairs and single images, model outputs in px."""

from types import SimpleNamespace

import pytest
import torch
from tests.helpers.image_processors import PAIR, random_image

from tiepoint.errors import InvalidInput
from tiepoint.huggingface import (
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    SuperPointImageProcessor,
    SuperPointImageProcessorFast,
    SuperPointImageProcessorPil,
)

SINGLE = pytest.mark.parametrize("kind", [SuperPointImageProcessor, SuperPointImageProcessorFast])


def test_defaults():
    for kind in (LightGlueImageProcessor, LightGlueImageProcessorFast):
        assert kind().do_grayscale is True
    for kind in (SuperPointImageProcessor, SuperPointImageProcessorFast):
        assert kind().do_grayscale is False
        assert kind().size == {"height": 480, "width": 640}
        assert kind().model_input_names == ["pixel_values"]
        assert kind().to_dict()["image_processor_type"] == "SuperPointImageProcessor"
    assert SuperPointImageProcessorPil is SuperPointImageProcessor
    assert (SuperPointImageProcessor.backend, SuperPointImageProcessorFast.backend) == ("pil", "torch")


@SINGLE
def test_single_images_have_the_pixels_of_pairs(kind):
    pair_kind = (
        LightGlueImageProcessorFast if kind is SuperPointImageProcessorFast else LightGlueImageProcessor
    )
    pairs = pair_kind()(PAIR, return_tensors="pt", do_grayscale=True).pixel_values
    assert torch.equal(kind()(PAIR, return_tensors="pt", do_grayscale=True).pixel_values, pairs[0])
    assert torch.equal(
        kind()(PAIR[1], return_tensors="pt").pixel_values,
        pair_kind()(PAIR, return_tensors="pt", do_grayscale=False).pixel_values[0, 1:],
    )


@SINGLE
def test_single_images_of_different_sizes_are_padded(kind):
    features = kind()([random_image(40, 30), random_image(50, 20)], return_tensors="pt", do_resize=False)
    assert features.pixel_values.shape == (2, 3, 30, 50)
    assert features.image_sizes.tolist() == [[30, 40], [20, 50]]
    assert not features.pixel_values[0, :, :, 40:].any()


@SINGLE
def test_keypoints_in_px_of_the_original_images(kind):
    outputs = SimpleNamespace(
        keypoints=torch.tensor([[[0.5, 0.5], [0.25, 0.75]], [[0.1, 0.2], [0.0, 0.0]]]),
        scores=torch.tensor([[0.9, 0.8], [0.7, 0.0]]),
        descriptors=torch.rand(2, 2, 4),
        mask=torch.tensor([[1, 1], [1, 0]]),
        image_sizes=torch.tensor([[100, 200], [100, 200]]),
    )
    found = kind().post_process_keypoint_detection(outputs, [(200, 400), (100, 200)])
    assert found[0]["keypoints"].tolist() == [[200.5, 100.5], [100.5, 150.5]]
    assert torch.allclose(found[1]["keypoints"], torch.tensor([[20.0, 20.0]]))
    assert torch.equal(found[0]["scores"], outputs.scores[0])
    assert torch.equal(found[1]["descriptors"], outputs.descriptors[1, :1])
    with pytest.raises(InvalidInput, match="Make sure that you pass in as many target sizes"):
        kind().post_process_keypoint_detection(outputs, [(1, 2)])


def test_processors_of_presets():
    assert LightGlueImageProcessor.from_pretrained("aliked+lightglue", resample=3).resample == 3
    assert LightGlueImageProcessorFast.from_pretrained("superpoint+lightglue").do_grayscale is True
    fast = LightGlueImageProcessorFast.from_pretrained("fast")
    assert (dict(fast.size), fast.do_grayscale) == ({"longest_edge": 1024}, False)
    with pytest.raises(InvalidInput, match="from_pretrained: unknown option 'sizee'"):
        LightGlueImageProcessor.from_pretrained("disk+lightglue", sizee=3)
