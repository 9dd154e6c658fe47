"""Image processors: LightGlueImageProcessor (PIL), LightGlueImageProcessorFast (torch) and AutoImageProcessor."""

import os
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing_base import BaseLightGlueImageProcessor
from tiepoint.image import Image
from tiepoint.io.messages import unknown_name

TORCH_MODES = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}
"""Pillow's number of a resampling filter -> its name in torch."""


@dataclass(init=False, eq=False, repr=False)
class LightGlueImageProcessor(BaseLightGlueImageProcessor):
    """Image processor that resizes with Pillow, on the CPU; LightGlueImageProcessorPil in transformers 5."""

    backend: ClassVar[str] = "pil"

    def resize(self, image: Image, image_size: tuple[int, int], device: str | torch.device | None) -> Tensor:
        """Resize pixels to (width, height), shape (3, h, w); floating-point images are resized channel by channel."""
        if image.image_size == image_size:
            return image.pixels.cpu()
        resample = _pil_filter(self.resample)
        if image.pixels.dtype == torch.uint8:
            return torch.from_numpy(np.array(image.to_pil().resize(image_size, resample))).permute(2, 0, 1)
        channels = [
            PIL.Image.fromarray(channel).resize(image_size, resample)
            for channel in image.pixels.cpu().numpy()
        ]
        return torch.from_numpy(np.stack([np.asarray(channel) for channel in channels])).clamp_(0, 1)


LightGlueImageProcessorPil = LightGlueImageProcessor


@dataclass(init=False, eq=False, repr=False)
class LightGlueImageProcessorFast(BaseLightGlueImageProcessor):
    """Image processor that resizes with torch, on any device; LightGlueImageProcessor in transformers 5."""

    backend: ClassVar[str] = "torch"

    def resize(self, image: Image, image_size: tuple[int, int], device: str | torch.device | None) -> Tensor:
        """Resize pixels to (width, height) with antialiasing, shape (3, h, w); 8-bit images stay 8-bit.

        Images are resized one by one: torch's 8-bit kernel works on interleaved channels, the layout of decoded
        images. Stacking images before resizing reorders them, which takes 13 times as long (12 megapixels).
        """
        if image.image_size == image_size:
            return image.pixels.to(device)
        channels = image.pixels[:1] if _is_gray(image) else image.pixels
        resized = _interpolate(channels.to(device)[None], image_size, _torch_mode(self.resample))
        return resized[0].expand(3, -1, -1)


BACKENDS: dict[str, type[LightGlueImageProcessor] | type[LightGlueImageProcessorFast]] = {
    "torch": LightGlueImageProcessorFast,
    "torchvision": LightGlueImageProcessorFast,
    "pil": LightGlueImageProcessor,
}
"""`backend` of AutoImageProcessor -> processor; tiepoint uses torch where transformers uses torchvision."""


class AutoImageProcessor:
    """Loader of image processors; it cannot be instantiated."""

    def __init__(self) -> None:
        raise InvalidInput("use AutoImageProcessor.from_pretrained(name_or_folder)")

    @classmethod
    def from_pretrained(
        cls,
        name_or_folder: str | os.PathLike[str],
        *,
        use_fast: bool | None = None,
        backend: str | None = None,
        **settings: Any,
    ) -> LightGlueImageProcessor | LightGlueImageProcessorFast:
        """Load the image processor of a model, by default the fast one.

        Args:
            name_or_folder: Preset, local folder, or repository name "owner/name".
            use_fast: False selects the PIL-based processor.
            backend: "torch" or "torchvision" selects the fast processor, "pil" the PIL-based one; None and "auto"
                follow `use_fast`.
            **settings: Hub options and settings, as for `LightGlueImageProcessor.from_pretrained`.

        Raises:
            InvalidInput: If `use_fast` and `backend` contradict each other, or a setting is invalid.
            WeightsError: If the file is not found or cannot be downloaded.
        """
        if backend in (None, "auto"):
            backend = "pil" if use_fast is False else "torch"
        if backend not in BACKENDS:
            raise InvalidInput(unknown_name("backend", backend, ["auto", *BACKENDS]))
        if use_fast is not None and use_fast == (backend == "pil"):
            raise InvalidInput(f"use_fast={use_fast} contradicts backend={backend!r}; pass one of them")
        return BACKENDS[backend].from_pretrained(name_or_folder, **settings)


def _is_gray(image: Image) -> bool:
    return image.pixels.stride(0) == 0  # the three channels share memory


def _pil_filter(number: int) -> PIL.Image.Resampling:
    try:
        return PIL.Image.Resampling(number)
    except ValueError:
        names = ", ".join(f"{resample.value} ({resample.name.lower()})" for resample in PIL.Image.Resampling)
        raise InvalidInput(f"resample must be one of {names}, got {number}") from None


def _torch_mode(number: int) -> str:
    if number not in TORCH_MODES:
        names = ", ".join(f"{known} ({mode})" for known, mode in TORCH_MODES.items())
        raise InvalidInput(
            f"resample must be one of {names}, got {number}; LightGlueImageProcessor supports Pillow's other filters"
        )
    return TORCH_MODES[number]


def _interpolate(pixels: Tensor, image_size: tuple[int, int], mode: str) -> Tensor:
    """Resize (1, c, h, w) to (width, height); the dtype is kept."""
    shape = image_size[1], image_size[0]
    options = {} if mode == "nearest-exact" else {"antialias": True, "align_corners": False}
    if pixels.dtype == torch.uint8 and pixels.device.type == "cpu":
        return F.interpolate(pixels, shape, mode=mode, **options)
    max_value = 255 if pixels.dtype == torch.uint8 else 1
    resized = F.interpolate(pixels.float(), shape, mode=mode, **options).clamp_(0, max_value)
    return resized.round_().to(torch.uint8) if pixels.dtype == torch.uint8 else resized
