"""Light, lens and file: what makes two photographs of one thing differ in their pixels.

An augmentation is a function of an image and a strength; the table says how often each one is used, and how strongly.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional as F

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, read_image

Pixels: TypeAlias = Float32[Tensor, "3 h w"]
"""RGB in [0, 1]."""

BLUR_REACH = 3.0
"""Standard deviations after which a Gaussian is cut off."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One row.

    Attributes:
        apply: changes an image by a strength; the generator decides what the strength leaves open.
        low: the smallest strength, in the function's own unit.
        high: the largest.
        probability: that it is used at all.
    """

    apply: Callable[[Pixels, float, np.random.Generator], Tensor]
    low: float
    high: float
    probability: float


def expose(pixels: Pixels, stops: float, _: np.random.Generator) -> Tensor:
    """More or less light, by powers of two."""
    return pixels * 2**stops


def bend(pixels: Pixels, gamma: float, _: np.random.Generator) -> Tensor:
    """Another tone curve."""
    return pixels**gamma


def stretch(pixels: Pixels, contrast: float, _: np.random.Generator) -> Tensor:
    """More or less contrast about the mean."""
    mean = pixels.mean()
    return mean + contrast * (pixels - mean)


def tint(pixels: Pixels, strength: float, generator: np.random.Generator) -> Tensor:
    """Another color of light: each channel by a gain of its own."""
    gains = 1 + strength * generator.uniform(-1, 1, 3)
    return pixels * pixels.new_tensor(gains)[:, None, None]


def fade(pixels: Pixels, saturation: float, _: np.random.Generator) -> Tensor:
    """Less color; 0 = gray."""
    gray = pixels.mean(0, keepdim=True)
    return gray + saturation * (pixels - gray)


def shade(pixels: Pixels, strength: float, generator: np.random.Generator) -> Tensor:
    """Light that falls off across the image, in any direction."""
    _, height, width = pixels.shape
    angle = generator.uniform(0, 2 * np.pi)
    x, y = torch.linspace(-1, 1, width), torch.linspace(-1, 1, height)
    slope = np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None]
    return pixels * (1 - strength * (0.5 + slope / (2 * np.sqrt(2))))


def blur(pixels: Pixels, sigma_px: float, _: np.random.Generator) -> Tensor:
    """Out of focus: a Gaussian."""
    reach = min(int(np.ceil(BLUR_REACH * sigma_px)), min(pixels.shape[1:]) - 1)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma_px) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(pixels[:, None], (reach, reach, reach, reach), mode="reflect")
    blurred = F.conv2d(F.conv2d(padded, kernel[None, None, None, :]), kernel[None, None, :, None])
    return blurred[:, 0]


def add_noise(pixels: Pixels, sigma: float, generator: np.random.Generator) -> Tensor:
    """A sensor's noise, of every pixel and channel by itself."""
    return pixels + sigma * torch.from_numpy(generator.standard_normal(tuple(pixels.shape), np.float32))


def compress(pixels: Pixels, quality: float, _: np.random.Generator) -> Tensor:
    """Through a JPEG file and back."""
    file = io.BytesIO()
    Image(pixels=pixels.clamp(0, 1)).to_pil().save(file, "JPEG", quality=round(quality))
    return read_image(PIL.Image.open(file)).pixels / 255


AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "none": (),
    "standard": (
        Augmentation(shade, 0.0, 0.7, 0.3),
        Augmentation(expose, -0.9, 0.6, 0.7),
        Augmentation(bend, 0.6, 1.6, 0.5),
        Augmentation(stretch, 0.5, 1.4, 0.5),
        Augmentation(tint, 0.0, 0.25, 0.5),
        Augmentation(fade, 0.0, 1.0, 0.3),
        Augmentation(blur, 0.3, 1.5, 0.3),
        Augmentation(add_noise, 0.0, 0.05, 0.3),
        Augmentation(compress, 30.0, 95.0, 0.3),
    ),
}
"""Name -> what is done to every view, in this order: light, then lens, then sensor, then file."""


def find_augmentation(name: str) -> tuple[Augmentation, ...]:
    """The rows of this name.

    Raises:
        InvalidInput: there are none.
    """
    if name not in AUGMENTATIONS:
        raise InvalidInput(f"there is no augmentation {name!r}; there are {', '.join(AUGMENTATIONS)}")
    return AUGMENTATIONS[name]


def augment(pixels: Pixels, name: str, generator: np.random.Generator) -> Pixels:
    """Change an image by chance.

    Args:
        pixels: RGB in [0, 1]; left as they are.
        name: key of `AUGMENTATIONS`.
        generator: decides everything.

    Raises:
        InvalidInput: there is no such augmentation.
    """
    for augmentation in find_augmentation(name):
        used = generator.random() < augmentation.probability
        strength = generator.uniform(augmentation.low, augmentation.high)
        if used:
            pixels = augmentation.apply(pixels, strength, generator).clamp(0, 1)
    return pixels
