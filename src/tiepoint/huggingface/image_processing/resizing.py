"""Resizing of pixels with Pillow and with torch, the two backends of image processors."""

from typing import Any

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.options import plain
from tiepoint.image import Image

FILTERS = {
    "nearest": 0,
    "nearest-exact": 0,
    "lanczos": 1,
    "bilinear": 2,
    "bicubic": 3,
    "box": 4,
    "hamming": 5,
}
"""Name of a resampling filter, also in torchvision's `InterpolationMode` -> Pillow's number."""

TORCH_MODES = {0: "nearest-exact", 1: "lanczos", 2: "bilinear", 3: "bicubic"}
"""Pillow's number of a resampling filter -> its name in torch; Lanczos requires a recent torch and the CPU."""


def as_filter(value: Any) -> Any:
    """Return Pillow's number of a resampling filter given as a number, a name or an enumeration member."""
    return FILTERS.get(plain(value), plain(value)) if isinstance(plain(value), str) else plain(value)


def resize_with_pillow(image: Image, image_size: tuple[int, int], resample: int) -> Tensor:
    """Resize pixels to (width, height) on the CPU, shape (3, h, w); floating-point images channel by channel.

    Raises:
        InvalidInput: If Pillow has no such resampling filter.
    """
    if image.image_size == image_size:
        return image.pixels.cpu()
    pil_filter = _pil_filter(resample)
    if image.pixels.dtype == torch.uint8:
        return torch.from_numpy(np.array(image.to_pil().resize(image_size, pil_filter))).permute(2, 0, 1)
    channels = [
        PIL.Image.fromarray(channel).resize(image_size, pil_filter) for channel in image.pixels.cpu().numpy()
    ]
    return torch.from_numpy(np.stack([np.asarray(channel) for channel in channels])).clamp_(0, 1)


def resize_with_torch(
    image: Image, image_size: tuple[int, int], resample: int, device: str | torch.device | None
) -> Tensor:
    """Resize pixels to (width, height) with antialiasing, shape (3, h, w); 8-bit images stay 8-bit.

    Images are resized one by one: torch's 8-bit kernel works on interleaved channels, the layout of decoded images.
    Stacking images before resizing reorders them, which takes 13 times as long (12 megapixels).

    Raises:
        InvalidInput: If torch has no such resampling filter.
    """
    if image.image_size == image_size:
        return image.pixels.to(device)
    channels = image.pixels[:1] if _is_gray(image) else image.pixels
    resized = _interpolate(channels.to(device)[None], image_size, _torch_mode(resample))
    return resized[0].expand(3, -1, -1)


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
            f"resample must be one of {names}, got {number}; the PIL-based processor supports Pillow's other filters"
        )
    return TORCH_MODES[number]


def _interpolate(pixels: Tensor, image_size: tuple[int, int], mode: str) -> Tensor:
    """Resize (1, c, h, w) to (width, height); the dtype is kept."""
    shape = image_size[1], image_size[0]
    options = {} if mode == "nearest-exact" else {"antialias": True, "align_corners": False}
    is_8_bit_cpu = pixels.dtype == torch.uint8 and pixels.device.type == "cpu"
    try:
        resized = F.interpolate(pixels if is_8_bit_cpu else pixels.float(), shape, mode=mode, **options)
    except (NotImplementedError, ValueError) as error:
        raise InvalidInput(
            f"torch {torch.__version__} does not support {mode} resampling on {pixels.device.type}; "
            "use the PIL-based processor"
        ) from error
    if is_8_bit_cpu:
        return resized
    max_value = 255 if pixels.dtype == torch.uint8 else 1
    resized = resized.clamp_(0, max_value)
    return resized.round_().to(torch.uint8) if pixels.dtype == torch.uint8 else resized
