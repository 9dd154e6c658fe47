"""An upright RGB image."""

from dataclasses import dataclass
from typing import TypeAlias

import PIL.Image
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.types import describe

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
