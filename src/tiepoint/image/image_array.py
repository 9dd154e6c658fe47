"""An upright image as a NumPy array."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageArray:
    """An upright gray or RGB image as a NumPy array; `Image` is its form as a tensor.

    Attributes:
        channels: Pixels, shape (1, h, w) of a gray image or (3, h, w), uint8, or float32 in [0, 1] if the source has
            more than 8 bits. They may share the memory of an array that was read.
        source: Path or URL of the image, if known.
        exif_orientation: EXIF orientation of the file, 1 to 8, already applied to the pixels.
        is_stretched: Whether a percentile stretch was applied, or was not needed; it is not applied again.
    """

    channels: np.ndarray
    source: str | None = None
    exif_orientation: int = 1
    is_stretched: bool = False

    @property
    def image_size(self) -> tuple[int, int]:
        """Size (width, height) in px."""
        return self.channels.shape[2], self.channels.shape[1]
