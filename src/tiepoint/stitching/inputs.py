"""Images to be stitched: read once for features and a thumbnail, and again when they are composed."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from jaxtyping import Bool, UInt8
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.image.opacity import opacity_of_array, read_array_and_opacity
from tiepoint.matcher import Matcher
from tiepoint.types import Features
from tiepoint.types.options import Stretch

Pixels: TypeAlias = UInt8[np.ndarray, "h w c"]
"""RGB, shape (h, w, 3); with a fourth channel, 255 where the image is visible, if it is not visible everywhere."""

Visible: TypeAlias = Bool[np.ndarray, "h w"]

THUMBNAIL_MEGAPIXELS = 0.1  # size at which exposure and seams are computed
MIN_REDUCTION = 0.75  # factor below which images are reduced before they are warped
CUBIC_MARGIN = 2  # px around a pixel that a cubic interpolation mixes
MAX_SIDE = 32_766  # px; of the images that OpenCV resamples
MAX_CACHE_BYTES = 768 << 20  # decoded images that are kept in memory


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StitchInput:
    """An image to be stitched.

    Attributes:
        index: Position in the list of images.
        name: Path or URL of the image, or "image 3".
        image_size: Size (width, height) in px.
        features: Features of the image.
        thumbnail: Reduced image, RGB, with 255 as fourth channel where it is visible if not everywhere.
        is_gray: Whether the image has one channel.
    """

    index: int
    name: str
    image_size: tuple[int, int]
    features: Features
    thumbnail: Pixels
    is_gray: bool


def open_input(matcher: Matcher, source: ImageSource | Image, index: int) -> StitchInput:
    """Read an image, extract its features, and make its thumbnail.

    Args:
        matcher: Matcher whose extractor is used.
        source: Image, as for `tiepoint.match`.
        index: Position in the list of images.

    Raises:
        InvalidInput: If the image cannot be read, or has a side of more than 32,766 px.
    """
    name = input_name(source, index)
    image, visible = read_visible(source, matcher.extractor.settings.stretch)
    if max(image.image_size) > MAX_SIDE:
        raise InvalidInput(
            f"{name} has a side of {max(image.image_size):,} px, more than the {MAX_SIDE:,} px that "
            "OpenCV resamples; reduce it, or cut it into parts"
        )
    if visible is not None and not visible.any():
        raise InvalidInput(f"{name} is fully transparent; leave it out, or remove its alpha channel")
    return StitchInput(
        index=index,
        name=name,
        image_size=image.image_size,
        features=matcher.extract(image, mask=visible),
        thumbnail=_thumbnail(image, visible),
        is_gray=image.pixels.stride(0) == 0,
    )


def read_visible(source: ImageSource | Image, stretch: Stretch = None) -> tuple[Image, Visible | None]:
    """Read an image, and which of its pixels are not transparent; None if all pixels are visible.

    Args:
        source: Image, as for `tiepoint.match`; an `Image` has no transparency.
        stretch: Percentile stretch.

    Raises:
        InvalidInput: If the image cannot be read.
    """
    if isinstance(source, Image):
        return read_image(source, stretch=stretch), None
    if isinstance(source, Tensor):
        image = read_image(source, stretch=stretch)
        return image, opacity_of_array(source.detach().cpu().float().numpy(), channel_axis=0)
    array, visible = read_array_and_opacity(source, stretch=stretch)
    return Image.from_array(array), visible


def input_name(source: ImageSource | Image, index: int) -> str:
    """Return the path or URL of an image; "image 3" for pixels in memory."""
    if isinstance(source, str | Path):
        return str(source) if len(str(source)) < 500 else f"image {index}"
    named = source.source if isinstance(source, Image) else None
    return named or f"image {index}"


class PixelReader:
    """Reads images as 8-bit RGB, with a fourth channel where they are transparent; the last ones stay in memory.

    Args:
        sources: Images, as for `tiepoint.match`.
        stretch: Percentile stretch.
        factors: Index of an image -> size to which it is reduced, so that a smaller panorama has no aliasing.
        max_bytes: Maximum memory of the images that are kept.
    """

    def __init__(
        self,
        sources: Sequence[ImageSource | Image],
        stretch: Stretch = None,
        factors: Mapping[int, float] | None = None,
        max_bytes: int = MAX_CACHE_BYTES,
    ) -> None:
        self._sources = sources
        self._factors = factors or {}
        self._stretch: Stretch = stretch
        self._max_bytes = max_bytes
        self._kept: OrderedDict[int, Pixels] = OrderedDict()

    def __call__(self, index: int) -> Pixels:
        """Return the pixels of an image."""
        if index not in self._kept:
            self._kept[index] = self._read(index)
            while (
                len(self._kept) > 1 and sum(image.nbytes for image in self._kept.values()) > self._max_bytes
            ):
                self._kept.popitem(last=False)
        self._kept.move_to_end(index)
        return self._kept[index]

    def _read(self, index: int) -> Pixels:
        factor = self._factors.get(index, 1.0)
        image, visible = read_visible(self._sources[index], self._stretch)
        return reduced(image, visible, factor if factor < MIN_REDUCTION else 1.0)


def reduced(image: Image, visible: Visible | None, factor: float = 1.0) -> UInt8[np.ndarray, "t u c"]:
    """Return the pixels of an image with `factor` times as many px per axis, each the mean of those that it covers.

    Pixels whose interpolation needs transparent ones do not count as visible.

    Args:
        image: Image.
        visible: Pixels that are not transparent; None for all.
        factor: At most 1.
    """
    width, height = image.image_size
    size = max(1, round(factor * width)), max(1, round(factor * height))
    pixels = _resized(image.to_pil(), size)
    if visible is None:
        return pixels
    opaque = _resized(PIL.Image.fromarray(visible.astype(np.uint8) * np.uint8(255)), size)
    is_hidden: Bool[np.ndarray, "h w"] = np.asarray(opaque < 255)
    hidden = torch.tensor(is_hidden, dtype=torch.float32, device="cpu")[None, None]
    hidden = F.max_pool2d(hidden, 2 * CUBIC_MARGIN + 1, stride=1, padding=CUBIC_MARGIN)[0, 0].numpy()
    return np.dstack([pixels, np.where(hidden > 0, np.uint8(0), np.uint8(255))])


def _resized(image: PIL.Image.Image, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(image if image.size == size else image.resize(size, PIL.Image.Resampling.BOX))


def _thumbnail(image: Image, visible: Visible | None) -> UInt8[np.ndarray, "t u c"]:
    width, height = image.image_size
    return reduced(image, visible, min(1.0, (THUMBNAIL_MEGAPIXELS * 1e6 / (width * height)) ** 0.5))
