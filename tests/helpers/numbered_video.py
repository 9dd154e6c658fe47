"""Noisy frames whose brightness encodes their index."""

import numpy as np
import PIL.Image

COUNT = 24


def noisy(number: int, size: tuple[int, int]) -> PIL.Image.Image:
    """Return a noisy image whose brightness encodes its index."""
    noise = np.random.default_rng(number).integers(-40, 40, (size[1], size[0], 3))
    return PIL.Image.fromarray((noise + 50 + 5 * number).clip(0, 255).astype(np.uint8))
