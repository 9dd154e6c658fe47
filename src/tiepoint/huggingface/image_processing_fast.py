"""LightGlueImageProcessorFast: torch resizes."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing_base import BaseLightGlueImageProcessor
from tiepoint.image import Image

MODES = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}
"""Pillow's number of a filter -> torch's name of it."""


@dataclass(init=False, eq=False, repr=False)
class LightGlueImageProcessorFast(BaseLightGlueImageProcessor):
    """The image processor on any device; what transformers 5 calls LightGlueImageProcessor."""

    backend: ClassVar[str] = "torch"

    def resize(self, image: Image, image_size: tuple[int, int], device: str | torch.device | None) -> Tensor:
        """Pixels (3, h, w) resized to (width, height) by torch, with a filter against aliasing; 8 bits stay 8 bits.

        Image by image: torch's 8-bit kernel works on the channels of one photograph side by side, as it was
        decoded. To stack photographs before resizing reorders them, which takes 13 times as long (12 megapixels).
        """
        if image.image_size == image_size:
            return image.pixels.to(device)
        channels = image.pixels[:1] if _is_gray(image) else image.pixels
        resized = _interpolate(channels.to(device)[None], image_size, _mode(self.resample))
        return resized[0].expand(3, -1, -1)


def _is_gray(image: Image) -> bool:
    return image.pixels.stride(0) == 0  # its three channels share one memory


def _mode(number: int) -> str:
    if number not in MODES:
        names = ", ".join(f"{known} ({mode})" for known, mode in MODES.items())
        raise InvalidInput(
            f"resample must be one of {names}, but is {number}; LightGlueImageProcessor has Pillow's other filters"
        )
    return MODES[number]


def _interpolate(pixels: Tensor, image_size: tuple[int, int], mode: str) -> Tensor:
    """Resize (1, c, h, w) to (width, height) and keep the dtype."""
    shape = image_size[1], image_size[0]
    options = {} if mode == "nearest-exact" else {"antialias": True, "align_corners": False}
    if pixels.dtype == torch.uint8 and pixels.device.type == "cpu":
        return F.interpolate(pixels, shape, mode=mode, **options)
    brightest = 255 if pixels.dtype == torch.uint8 else 1
    resized = F.interpolate(pixels.float(), shape, mode=mode, **options).clamp_(0, brightest)
    return resized.round_().to(torch.uint8) if pixels.dtype == torch.uint8 else resized
