"""read_image: files, URLs, PIL images, arrays and tensors to an Image, or a one-line error."""

from dataclasses import replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from tiepoint.image.array_reading import ArraySource, from_channels, read_array
from tiepoint.image.conversion import channels_from_array, wrong_dtype
from tiepoint.image.image import Image
from tiepoint.image.stretch import check_stretch, stretch_image
from tiepoint.types.options import Stretch

ImageSource: TypeAlias = ArraySource | Tensor
"""A path, a URL, an encoded image, or pixels."""

NUMPY_FLOATS = (torch.float16, torch.float32, torch.float64)


def read_image(
    source: ImageSource | Image,
    *,
    stretch: Stretch = None,
    max_megapixels: float = 300.0,
    timeout: float = 10.0,
    max_download_mb: float = 500.0,
) -> Image:
    """Read an image from a file, a URL, or pixels in memory.

    Supported formats of files and URLs: JPEG, PNG, TIFF, WebP, BMP, PPM, GIF (first frame), JPEG 2000 and, from
    Pillow 11.3 on, AVIF, in gray, palette, RGB, CMYK, YCbCr or LAB. EXIF orientation is applied, to PIL images too;
    alpha is dropped, color profiles are ignored. 16-bit gray keeps its precision; 16-bit *color* files are reduced to
    8 bits, since Pillow has no mode for them: read those with another library and pass the array. Signed and 32-bit
    integers are taken as 16-bit gray; floating-point gray must be in [0, 1]. Other ranges (temperatures, heights) and
    images that use little of their range (10 bits in 16; a warning says so) need `stretch`. HEIC requires pillow-heif
    (`tiepoint[heic]`).

    Args:
        source: Path ("~" is expanded), http, https or data URL, encoded image (bytes, or a binary file object, which is
            read from its beginning), PIL image, NumPy array (h, w) or (h, w, c), or tensor (h, w) or (c, h, w), with
            c = 1, 3 or 4, also with a leading axis of length 1; uint8, uint16, bool, floating point in [0, 1], or
            other integers, which are taken as 8 bits if all are at most 255, otherwise as 16 bits. Channels are
            R, G, B: OpenCV's B, G, R cannot be detected, so reverse it with `array[..., ::-1]`. An `Image` is returned
            unchanged, or stretched.
        stretch: Percentile stretch: percentage of values that is clipped at each end when the rest is mapped to [0, 1];
            NaN becomes black. "auto" stretches only images with more than 8 bits that use less than 5 % of their range
            or exceed it, with 0.5 %. None never does.
        max_megapixels: Maximum number of pixels in millions.
        timeout: Timeout of the server in s, for URLs; a download may take 1 s longer per 10 kB.
        max_download_mb: Maximum size of a download or data URL in MB.

    Raises:
        InvalidInput: If the source is missing, unreachable, too large, damaged, not an image, or of an unsupported
            shape or dtype; the message says which, and what to do.
    """
    stretch = check_stretch(stretch)
    if isinstance(source, Image):
        return _stretched(source, stretch)
    if isinstance(source, Tensor):
        return _from_tensor(source, stretch, max_megapixels)
    limits = {"max_megapixels": max_megapixels, "timeout": timeout, "max_download_mb": max_download_mb}
    return Image.from_array(read_array(source, stretch=stretch, **limits))


def _stretched(image: Image, stretch: Stretch) -> Image:
    if stretch is None or image.is_stretched:
        return image
    before = image.to_array()
    after = stretch_image(before, stretch)
    if after.channels is before.channels:
        return replace(image, is_stretched=True)
    return replace(image, pixels=_to_tensor(after.channels, image.pixels.device), is_stretched=True)


def _from_tensor(tensor: Tensor, stretch: Stretch, max_megapixels: float) -> Image:
    name = "the tensor"
    if tensor.is_complex() or tensor.is_quantized or tensor.layout != torch.strided:
        raise wrong_dtype(tensor, name)
    values = tensor.detach()
    if values.is_floating_point() and values.dtype not in NUMPY_FLOATS:
        values = values.float()
    channels = channels_from_array(values.cpu().numpy(), name, stretch, channel_axis=0)
    image = from_channels(channels, stretch, max_megapixels)
    return Image(pixels=_to_tensor(channels, tensor.device), is_stretched=image.is_stretched)


def _to_tensor(channels: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(channels).to(device).expand(3, -1, -1)
