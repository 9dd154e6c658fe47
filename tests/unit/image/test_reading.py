"""read_image: sources of every type."""

import numpy as np
import pytest

from tiepoint.errors import InvalidInput
from tiepoint.image import read_image

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("source", [None, 42, b"\xff\xd8\xff", [RGB, RGB]])
@pytest.mark.usefixtures("without_type_checker")
def test_other_types_are_refused(source: object) -> None:
    with pytest.raises(InvalidInput, match=rf"path, URL, PIL image, .* got {type(source).__name__}"):
        read_image(source)


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(InvalidInput, match="path of the image is empty"):
        read_image(" ")


def test_the_megapixel_limit_holds_for_arrays() -> None:
    array = np.zeros((100, 200), np.uint8)
    assert read_image(array, max_megapixels=0.02).image_size == (200, 100)
    with pytest.raises(InvalidInput, match=r"200 x 100 px = 0\.0 megapixels.* limit of 0\.019"):
        read_image(array, max_megapixels=0.019)


def test_an_image_passes_unchanged() -> None:
    image = read_image(RGB)
    assert read_image(image) is image
