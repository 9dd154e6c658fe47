"""An upright RGB image."""

from dataclasses import dataclass
from typing import TypeAlias

import PIL.Image
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image.image_array import ImageArray
from tiepoint.io.messages import describe

Pixels: TypeAlias = UInt8[Tensor, "3 h w"] | Float32[Tensor, "3 h w"]
"""RGB pixels: 0 to 255, or in [0, 1] if the source has more than 8 bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An upright RGB image.

    Attributes:
        pixels: Pixels, shape (3, h, w), uint8, or float32 in [0, 1] if the source has more than 8 bits. The channels
            of a gray image may share memory, and pixels from an array may share the array's.
        source: Path or URL of the image, if known.
        exif_orientation: EXIF orientation of the file, 1 to 8, already applied to the pixels.
        is_stretched: Whether a percentile stretch was applied, or was not needed; it is not applied again.

    Raises:
        InvalidInput: If the pixels have another shape or dtype, or there are none.
    """

    pixels: Pixels
    source: str | None = None
    exif_orientation: int = 1
    is_stretched: bool = False

    def __post_init__(self) -> None:
        pixels = self.pixels
        has_shape = (
            isinstance(pixels, Tensor) and pixels.ndim == 3 and pixels.shape[0] == 3 and pixels.numel() > 0
        )
        if not has_shape or pixels.dtype not in (torch.uint8, torch.float32):
            raise InvalidInput(
                "pixels must be a tensor (3, height, width), uint8 or float32 in [0, 1], "
                f"got {describe(pixels)}; read_image() converts other forms"
            )

    @classmethod
    def from_array(cls, image: ImageArray) -> "Image":
        """Return an image whose tensor shares the memory of an array."""
        return cls(
            pixels=torch.from_numpy(image.channels).expand(3, -1, -1),
            source=image.source,
            exif_orientation=image.exif_orientation,
            is_stretched=image.is_stretched,
        )

    def to_array(self) -> ImageArray:
        """Return the image as an array, which shares the memory of a tensor on the CPU."""
        is_gray = self.pixels.stride(0) == 0
        return ImageArray(
            channels=(self.pixels[:1] if is_gray else self.pixels).cpu().numpy(),
            source=self.source,
            exif_orientation=self.exif_orientation,
            is_stretched=self.is_stretched,
        )

    @property
    def image_size(self) -> tuple[int, int]:
        """Size (width, height) in px."""
        return self.pixels.shape[2], self.pixels.shape[1]

    def to_pil(self) -> PIL.Image.Image:
        """Return an 8-bit RGB copy as PIL image."""
        pixels = self.pixels
        if pixels.dtype != torch.uint8:
            pixels = pixels.mul(255).round().to(torch.uint8)
        return PIL.Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())
