"""An upright RGB image."""

from dataclasses import dataclass

import PIL.Image
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image.conversion import Pixels
from tiepoint.types import describe


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An upright RGB image.

    Attributes:
        pixels: uint8, or float32 in [0, 1] where the source has more than 8 bits. The three channels of a gray
            image may share one memory, and pixels given as an array may share the array's.
        source: path or URL that the image was read from.
        exif_orientation: 1 to 8 as found in the file, already applied to the pixels.

    Raises:
        InvalidInput: the pixels have another shape or dtype, or there are none.
    """

    pixels: Pixels
    source: str | None = None
    exif_orientation: int = 1

    def __post_init__(self) -> None:
        pixels = self.pixels
        shaped = (
            isinstance(pixels, Tensor) and pixels.ndim == 3 and pixels.shape[0] == 3 and pixels.numel() > 0
        )
        if not shaped or pixels.dtype not in (torch.uint8, torch.float32):
            raise InvalidInput(
                "pixels must be a tensor (3, height, width), uint8 or float32 in [0, 1], "
                f"but came as {describe(pixels)}; read_image() converts images of any other form"
            )

    @property
    def image_size(self) -> tuple[int, int]:
        """(width, height) in px."""
        return self.pixels.shape[2], self.pixels.shape[1]

    def to_pil(self) -> PIL.Image.Image:
        """An 8-bit RGB copy, for drawing and saving."""
        pixels = self.pixels
        if pixels.dtype != torch.uint8:
            pixels = pixels.mul(255).round().to(torch.uint8)
        return PIL.Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())
