"""Images as JPEG data URLs for pages, reduced if they are large."""

import base64
import io
from dataclasses import dataclass

import PIL.Image
import torch

from tiepoint.image import Image, ImageTransform

MAX_SIDE = 1600  # px
MAX_BYTES = 900_000  # of a JPEG; a page has two
QUALITY = 85  # out of 100
STEP = 0.8  # factor by which the sides of an image with too many bytes are reduced
MIN_SIDE = 64  # px; smaller images are not reduced


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """An image in a page.

    Attributes:
        url: Data URL of a JPEG.
        size: Size (width, height) of the JPEG in px.
        image_size: Size (width, height) of the original image in px.
    """

    url: str
    size: tuple[int, int]
    image_size: tuple[int, int]

    @property
    def is_reduced(self) -> bool:
        """Whether the JPEG is smaller than the image."""
        return self.size != self.image_size


def embed_image(image: Image, *, max_side: int = MAX_SIDE, max_bytes: int = MAX_BYTES) -> EmbeddedImage:
    """Encode an image as JPEG: 8 bits, and smaller if a side or the file would exceed the limits.

    Args:
        image: Image of any size and depth.
        max_side: Maximum side in px.
        max_bytes: Maximum size of the JPEG in bytes; base64 adds a third.
    """
    side = min(max_side, max(image.image_size))
    while True:
        reduced = _resize(image, side)
        content = _encode(reduced)
        if len(content) <= max_bytes or side <= MIN_SIDE:
            url = "data:image/jpeg;base64," + base64.b64encode(content).decode()
            return EmbeddedImage(url, reduced.size, image.image_size)
        side = max(MIN_SIDE, int(STEP * side))


def _resize(image: Image, side: int) -> PIL.Image.Image:
    """Resize the longer side, in 8 bits; a gray image has one channel."""
    pixels = ImageTransform.fit(image.image_size, side).apply(image)
    values = pixels.mul_(255).round_().to(torch.uint8).cpu()
    if image.pixels.stride(0) == 0:  # channels of a gray image share memory
        return PIL.Image.fromarray(values[0].numpy())
    return PIL.Image.fromarray(values.permute(1, 2, 0).contiguous().numpy())


def _encode(image: PIL.Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
