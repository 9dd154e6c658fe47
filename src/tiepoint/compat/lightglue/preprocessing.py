"""Resizing of image tensors as cvg/LightGlue does it: Gaussian blur, then bilinear interpolation.

tiepoint's own `ImageTransform` has another filter, and finds slightly different keypoints.

Source: kornia 0.9.0, `kornia.geometry.transform.resize` (behavior only).
"""

import math
from dataclasses import dataclass
from typing import TypedDict

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.io.messages import unknown_name
from tiepoint.io.validation import check_integer

SIDES = ("long", "short", "vert", "horz")
"""Image side that an integer size gives: the longer or shorter one, the height, or the width."""


class PreprocessOptions(TypedDict, total=False):
    """Keyword options of `Extractor.extract` and `match_pair`; `ImagePreprocessor` documents them."""

    resize: int | tuple[int, int] | None
    side: str
    interpolation: str
    align_corners: bool | None
    antialias: bool


@dataclass(frozen=True, kw_only=True)
class ImagePreprocessor:
    """Resize images to a given side; the options of `Extractor.extract`.

    Attributes:
        resize: Size in px of the side `side`, or (height, width); None keeps the size.
        side: Side that `resize` gives: "long", "short", "vert" (height) or "horz" (width).
        interpolation: Interpolation; only "bilinear", as in cvg/LightGlue.
        align_corners: Option of `torch.nn.functional.interpolate`.
        antialias: Blur images before they are reduced.

    Raises:
        InvalidInput: If an option has an invalid value.
    """

    resize: int | tuple[int, int] | None = None
    side: str = "long"
    interpolation: str = "bilinear"
    align_corners: bool | None = None
    antialias: bool = True

    def __post_init__(self) -> None:
        if self.side not in SIDES:
            raise InvalidInput(unknown_name("side", self.side, SIDES))
        if self.interpolation != "bilinear":
            raise InvalidInput(f"interpolation: only 'bilinear' is supported, got {self.interpolation!r}")
        for size in self.resize if isinstance(self.resize, tuple) else (self.resize,):
            if size is not None:
                check_integer("resize", size, 1, alternative="None")

    def __call__(
        self, img: Float[Tensor, "*b c h w"]
    ) -> tuple[Float[Tensor, "*b c h2 w2"], Float[Tensor, "2"]]:
        """Resize images.

        Args:
            img: Images, shape (…, c, h, w).

        Returns:
            Resized images, and the scale (x, y) in resized px per original px.
        """
        height, width = img.shape[-2:]
        resized = img if self.resize is None else self._resize(img)
        scale = [resized.shape[-1] / width, resized.shape[-2] / height]
        return resized, torch.tensor(scale, dtype=img.dtype, device=img.device)

    def _resize(self, img: Tensor) -> Tensor:
        shape, size = img.shape[-2:], self._output_shape(img.shape[-2], img.shape[-1])
        if tuple(shape) == size:
            return img
        factors = [before / after for before, after in zip(shape, size, strict=True)]
        images = img.reshape(-1, 1, *shape)
        if self.antialias and max(factors) > 1:
            images = _blur(images, factors)
        resized = F.interpolate(images, size, mode="bilinear", align_corners=self.align_corners)
        return resized.reshape(*img.shape[:-2], *size)

    def _output_shape(self, height: int, width: int) -> tuple[int, int]:
        if isinstance(self.resize, tuple):
            return self.resize
        side, aspect = self.resize or 0, width / height
        gives_height = self.side == "vert" or (
            self.side != "horz" and (self.side == "short") != (aspect < 1.0)
        )
        # the other side is rounded down
        return (side, int(side * aspect)) if gives_height else (int(side / aspect), side)


def _blur(images: Float[Tensor, "n 1 h w"], factors: list[float]) -> Float[Tensor, "n 1 h w"]:
    """Blur along both axes for a reduction by the factors (vertical, horizontal)."""
    for axis, factor in ((3, factors[1]), (2, factors[0])):
        size = images.shape[axis]
        if size > 1:
            kernel = _gaussian_kernel(factor)
            radius = len(kernel) // 2
            around = (radius, radius, 0, 0) if axis == 3 else (0, 0, radius, radius)
            padded = F.pad(images, around, mode="reflect")
            images = padded.narrow(axis, 0, size) * kernel[0]
            for step, weight in enumerate(kernel[1:], start=1):  # faster than a convolution with one channel
                images.add_(padded.narrow(axis, step, size), alpha=weight)
    return images


def _gaussian_kernel(factor: float) -> list[float]:
    """Return the kernel for a reduction: sigma (factor - 1) / 2, cut off at two sigmas."""
    sigma = max((factor - 1.0) / 2.0, 0.001)
    size = int(max(4.0 * sigma, 3)) | 1  # odd
    weights = [math.exp(-((step - size // 2) ** 2) / (2 * sigma**2)) for step in range(size)]
    return [weight / sum(weights) for weight in weights]
