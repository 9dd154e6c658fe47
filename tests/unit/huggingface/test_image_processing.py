"""AutoImageProcessor and the resampling filters of both image processors."""

import PIL.Image
import pytest
from tests.helpers.image_processors import PAIR

from tiepoint.errors import InvalidInput, WeightsError
from tiepoint.huggingface.image_processing import (
    AutoImageProcessor,
    LightGlueImageProcessor,
    LightGlueImageProcessorFast,
    LightGlueImageProcessorPil,
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, LightGlueImageProcessorFast),
        ({"use_fast": True}, LightGlueImageProcessorFast),
        ({"use_fast": False}, LightGlueImageProcessor),
        ({"backend": "auto"}, LightGlueImageProcessorFast),
        ({"backend": "torchvision"}, LightGlueImageProcessorFast),
        ({"backend": "pil"}, LightGlueImageProcessorPil),
        ({"backend": "pil", "use_fast": False}, LightGlueImageProcessor),
    ],
    ids=str,
)
def test_auto_image_processor_selects(options, expected):
    processor = AutoImageProcessor.from_pretrained("aliked+lightglue", local_files_only=True, **options)
    assert type(processor) is expected
    assert (processor.size, processor.do_grayscale) == ({"longest_edge": 1024}, False)


def test_auto_image_processor_rejects(tmp_path):
    with pytest.raises(InvalidInput, match="use_fast=True contradicts backend='pil'"):
        AutoImageProcessor.from_pretrained("disk+lightglue", use_fast=True, backend="pil")
    with pytest.raises(InvalidInput, match="backend 'cv2'; available: auto, torch, torchvision, pil"):
        AutoImageProcessor.from_pretrained("disk+lightglue", backend="cv2")
    with pytest.raises(InvalidInput, match="from_pretrained"):
        AutoImageProcessor()
    with pytest.raises(WeightsError, match=r"preprocessor_config\.json not found"):
        AutoImageProcessor.from_pretrained(tmp_path)
    with pytest.raises(InvalidInput, match="neither a local folder nor a valid repository name"):
        AutoImageProcessor.from_pretrained("alike+lightglue")


def test_resampling_filters():
    pil_processor = LightGlueImageProcessor(resample=PIL.Image.Resampling.LANCZOS)
    assert pil_processor(PAIR, return_tensors="pt").pixel_values.shape == (1, 2, 3, 480, 640)
    with pytest.raises(
        InvalidInput, match=r"resample must be one of 0 \(nearest-exact\), 2 \(bilinear\), 3 \(bicubic\)"
    ):
        LightGlueImageProcessorFast(resample=1)(PAIR)
    with pytest.raises(InvalidInput, match=r"resample must be one of 0 \(nearest\)"):
        LightGlueImageProcessor(resample=9)(PAIR)
    with pytest.raises(InvalidInput, match="do_resize must be bool"):
        LightGlueImageProcessor(do_resize="yes")
