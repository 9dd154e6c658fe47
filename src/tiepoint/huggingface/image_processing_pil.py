"""LightGlueImageProcessor: Pillow resizes."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing_base import BaseLightGlueImageProcessor
from tiepoint.image import Image


@dataclass(init=False, eq=False, repr=False)
class LightGlueImageProcessor(BaseLightGlueImageProcessor):
    """The plain image processor, on the CPU; what transformers 5 calls LightGlueImageProcessorPil."""

    backend: ClassVar[str] = "pil"

    def resize(self, image: Image, image_size: tuple[int, int], device: str | torch.device | None) -> Tensor:
        """Pixels (3, h, w) resized to (width, height) by Pillow: 8-bit ones in 8 bits, others channel by channel."""
        if image.image_size == image_size:
            return image.pixels.cpu()
        filter_ = _filter(self.resample)
        if image.pixels.dtype == torch.uint8:
            return torch.from_numpy(np.array(image.to_pil().resize(image_size, filter_))).permute(2, 0, 1)
        channels = [
            PIL.Image.fromarray(channel).resize(image_size, filter_) for channel in image.pixels.cpu().numpy()
        ]
        return torch.from_numpy(np.stack([np.asarray(channel) for channel in channels])).clamp_(0, 1)


LightGlueImageProcessorPil = LightGlueImageProcessor


def _filter(number: int) -> PIL.Image.Resampling:
    try:
        return PIL.Image.Resampling(number)
    except ValueError:
        names = ", ".join(f"{filter_.value} ({filter_.name.lower()})" for filter_ in PIL.Image.Resampling)
        raise InvalidInput(f"resample must be one of {names}, but is {number}") from None
