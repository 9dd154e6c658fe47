"""Photometric augmentation: illumination, optics, sensor noise and compression.

An augmentation is a function of an image and a strength; the table holds its probability and range of strengths.
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
from tiepoint.io.messages import unknown_name

Pixels: TypeAlias = Float32[Tensor, "3 h w"]
"""RGB in [0, 1]."""

BLUR_TRUNCATE = 3.0
"""Radius of the Gaussian kernel in standard deviations."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One row of the table.

    Attributes:
        apply: Function of an image, a strength and a random number generator.
        low: Minimum strength, in the unit of the function.
        high: Maximum strength.
        probability: Probability that the augmentation is applied.
    """

    apply: Callable[[Pixels, float, np.random.Generator], Tensor]
    low: float
    high: float
    probability: float


def adjust_exposure(pixels: Pixels, stops: float, _: np.random.Generator) -> Tensor:
    """Change the exposure by a number of stops."""
    return pixels * 2**stops


def adjust_gamma(pixels: Pixels, gamma: float, _: np.random.Generator) -> Tensor:
    """Change the tone curve by a power law."""
    return pixels**gamma


def adjust_contrast(pixels: Pixels, contrast: float, _: np.random.Generator) -> Tensor:
    """Scale the contrast about the mean."""
    mean = pixels.mean()
    return mean + contrast * (pixels - mean)


def adjust_white_balance(pixels: Pixels, strength: float, generator: np.random.Generator) -> Tensor:
    """Change the white balance: an independent gain per channel."""
    gains = 1 + strength * generator.uniform(-1, 1, 3)
    return pixels * pixels.new_tensor(gains)[:, None, None]


def adjust_saturation(pixels: Pixels, saturation: float, _: np.random.Generator) -> Tensor:
    """Reduce the saturation; 0 gives a gray image."""
    gray = pixels.mean(0, keepdim=True)
    return gray + saturation * (pixels - gray)


def add_shading(pixels: Pixels, strength: float, generator: np.random.Generator) -> Tensor:
    """Darken the image linearly in a random direction."""
    _, height, width = pixels.shape
    angle = generator.uniform(0, 2 * np.pi)
    x, y = (
        torch.linspace(-1, 1, side, dtype=torch.float32, device=pixels.device) for side in (width, height)
    )
    slope = np.cos(angle) * x[None, :] + np.sin(angle) * y[:, None]
    return pixels * (1 - strength * (0.5 + slope / (2 * np.sqrt(2))))


def gaussian_blur(pixels: Pixels, sigma_px: float, _: np.random.Generator) -> Tensor:
    """Blur with a Gaussian."""
    radius = min(int(np.ceil(BLUR_TRUNCATE * sigma_px)), min(pixels.shape[1:]) - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=pixels.device)
    kernel = torch.exp(-0.5 * (offsets / sigma_px) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(pixels[:, None], (radius, radius, radius, radius), mode="reflect")
    blurred = F.conv2d(F.conv2d(padded, kernel[None, None, None, :]), kernel[None, None, :, None])
    return blurred[:, 0]


def add_gaussian_noise(pixels: Pixels, sigma: float, generator: np.random.Generator) -> Tensor:
    """Add Gaussian noise, independent per pixel and channel."""
    return pixels + sigma * torch.from_numpy(generator.standard_normal(tuple(pixels.shape), np.float32))


def jpeg_compress(pixels: Pixels, quality: float, _: np.random.Generator) -> Tensor:
    """Compress as JPEG and decode again."""
    file = io.BytesIO()
    Image(pixels=pixels.clamp(0, 1)).to_pil().save(file, "JPEG", quality=round(quality))
    return read_image(PIL.Image.open(file)).pixels / 255


AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "none": (),
    "standard": (
        Augmentation(add_shading, 0.0, 0.7, 0.3),
        Augmentation(adjust_exposure, -0.9, 0.6, 0.7),
        Augmentation(adjust_gamma, 0.6, 1.6, 0.5),
        Augmentation(adjust_contrast, 0.5, 1.4, 0.5),
        Augmentation(adjust_white_balance, 0.0, 0.25, 0.5),
        Augmentation(adjust_saturation, 0.0, 1.0, 0.3),
        Augmentation(gaussian_blur, 0.3, 1.5, 0.3),
        Augmentation(add_gaussian_noise, 0.0, 0.05, 0.3),
        Augmentation(jpeg_compress, 30.0, 95.0, 0.3),
    ),
}
"""Name -> augmentations in order of application: illumination, optics, sensor, compression."""


def find_augmentation(name: str) -> tuple[Augmentation, ...]:
    """Return the augmentations of a name.

    Raises:
        InvalidInput: If the name is unknown.
    """
    if name not in AUGMENTATIONS:
        raise InvalidInput(unknown_name("augmentation", name, AUGMENTATIONS))
    return AUGMENTATIONS[name]


def augment(pixels: Pixels, name: str, generator: np.random.Generator) -> Pixels:
    """Augment an image randomly.

    Args:
        pixels: RGB image in [0, 1]; not modified.
        name: Key of `AUGMENTATIONS`.
        generator: Random number generator.

    Raises:
        InvalidInput: If the name is unknown.
    """
    for augmentation in find_augmentation(name):
        is_applied = generator.random() < augmentation.probability
        strength = generator.uniform(augmentation.low, augmentation.high)
        if is_applied:
            pixels = augmentation.apply(pixels, strength, generator).clamp(0, 1)
    return pixels
