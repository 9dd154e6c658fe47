"""Random images, and both image processors, for tests of the Hugging Face interface."""

import numpy as np
import PIL.Image
import pytest

from tiepoint.huggingface import LightGlueImageProcessor, LightGlueImageProcessorFast

both_processors = pytest.mark.parametrize(
    "processor", [LightGlueImageProcessor(), LightGlueImageProcessorFast()], ids=["pil", "fast"]
)

RNG = np.random.default_rng(0)


def random_image(width: int = 40, height: int = 30, mode: str = "RGB") -> PIL.Image.Image:
    return PIL.Image.fromarray(RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)


PAIR = [random_image(), random_image()]

ACCEPTED = "^Input images must be a one of the following : - A pair of PIL images. - A pair of 3D arrays."
"""Beginning of the error about other forms of input, the text of transformers."""
