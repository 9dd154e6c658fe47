"""Images to be stitched: read once for features and a thumbnail, and again when they are composed."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import PIL.Image
from jaxtyping import UInt8

from tiepoint.errors import InvalidInput
from tiepoint.image import Image, ImageSource, read_image
from tiepoint.matcher import Matcher
from tiepoint.types import Features
from tiepoint.types.options import Stretch

Pixels: TypeAlias = UInt8[np.ndarray, "h w 3"]

THUMBNAIL_MEGAPIXELS = 0.1  # size at which exposure and seams are computed
MIN_REDUCTION = 0.75  # factor below which images are reduced before they are warped
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
        thumbnail: Reduced RGB image.
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
    image = read_image(source, stretch=matcher.extractor.settings.stretch)
    if max(image.image_size) > MAX_SIDE:
        raise InvalidInput(
            f"{input_name(source, index)} has a side of {max(image.image_size):,} px, more than the {MAX_SIDE:,} px that "
            "OpenCV resamples; reduce it, or cut it into parts"
        )
    return StitchInput(
        index=index,
        name=input_name(source, index),
        image_size=image.image_size,
        features=matcher.extract(image),
        thumbnail=_thumbnail(image),
        is_gray=image.pixels.stride(0) == 0,
    )


def input_name(source: ImageSource | Image, index: int) -> str:
    """Return the path or URL of an image; "image 3" for pixels in memory."""
    if isinstance(source, str | Path):
        return str(source) if len(str(source)) < 500 else f"image {index}"
    named = source.source if isinstance(source, Image) else None
    return named or f"image {index}"


class PixelReader:
    """Reads images as 8-bit RGB; the last ones stay in memory.

    Args:
        sources: Images, as for `tiepoint.match`.
        stretch: Percentile stretch.
        factor: Size to which images are reduced, so that a smaller panorama has no aliasing.
        max_bytes: Maximum memory of the images that are kept.
    """

    def __init__(
        self,
        sources: Sequence[ImageSource | Image],
        stretch: Stretch = None,
        factor: float = 1.0,
        max_bytes: int = MAX_CACHE_BYTES,
    ) -> None:
        self._sources = sources
        self._factor = factor
        self._stretch: Stretch = stretch
        self._max_bytes = max_bytes
        self._kept: OrderedDict[int, Pixels] = OrderedDict()

    def __call__(self, index: int) -> Pixels:
        """Return the pixels of an image."""
        if index not in self._kept:
            image = read_image(self._sources[index], stretch=self._stretch)
            self._kept[index] = (
                _reduced(image, self._factor) if self._factor < MIN_REDUCTION else to_rgb(image)
            )
            while (
                len(self._kept) > 1 and sum(image.nbytes for image in self._kept.values()) > self._max_bytes
            ):
                self._kept.popitem(last=False)
        self._kept.move_to_end(index)
        return self._kept[index]


def to_rgb(image: Image) -> Pixels:
    """Return 8-bit RGB."""
    return np.asarray(image.to_pil())


def _thumbnail(image: Image) -> Pixels:
    width, height = image.image_size
    return _reduced(image, min(1.0, (THUMBNAIL_MEGAPIXELS * 1e6 / (width * height)) ** 0.5))


def _reduced(image: Image, factor: float) -> Pixels:
    width, height = image.image_size
    size = max(1, round(factor * width)), max(1, round(factor * height))
    return np.asarray(image.to_pil().resize(size, PIL.Image.Resampling.BOX))
