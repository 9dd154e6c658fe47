"""Image pairs of the benchmark."""

from pathlib import Path

import pytest
import torch
from tests.helpers.diagonal_matcher import HEIGHT, WIDTH

from tiepoint import demo
from tiepoint.bench.images import hard_variant, image_files
from tiepoint.errors import MissingDependency
from tiepoint.image import Image, read_image


def test_the_demo_pair_is_written_to_temporary_files() -> None:
    with image_files(None, None) as files:
        sizes = [read_image(file).image_size for file in files]
        assert sizes[0] == sizes[1] == demo.motorcycle()[0].shape[1::-1]
    assert not any(Path(file).exists() for file in files)


def test_without_scikit_image_own_images_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "skimage.data", None)
    with pytest.raises(MissingDependency, match="scikit-image"), image_files(None, None):
        pass


def test_the_hard_pair_is_rotated_by_90_degrees() -> None:
    image = Image(pixels=torch.arange(3 * HEIGHT * WIDTH, dtype=torch.uint8).view(3, HEIGHT, WIDTH))
    turned = hard_variant(image)
    assert turned.image_size == (HEIGHT, WIDTH)
    assert turned.pixels[0, -1, 0] == image.pixels[0, 0, 0]
