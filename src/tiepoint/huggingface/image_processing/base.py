"""Base class of the image processors: pixels of images to a batch of tensors or arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, Unpack

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.image_processing.batch_feature import BatchFeature
from tiepoint.huggingface.image_processing.inputs import CHANNEL_AXES, read_images
from tiepoint.huggingface.image_processing.resizing import resize_with_pillow, resize_with_torch
from tiepoint.huggingface.image_processing.settings import (
    CALL_OPTIONS,
    OTHER_SETTINGS,
    SWITCHES,
    WITHOUT_EFFECT,
    ImageProcessorSettings,
    PreprocessOptions,
)
from tiepoint.huggingface.image_processing.sizes import as_size, resized_size
from tiepoint.huggingface.options import plain, reject_unknown, warn_without_effect
from tiepoint.image import Image
from tiepoint.io.messages import unknown_name

GRAY_WEIGHTS = (0.2989, 0.5870, 0.1140)
"""Weights of red, green and blue (ITU-R BT.601, rounded as in transformers and torchvision)."""

P = TypeVar("P", bound="BaseImageProcessor")

RETURN_TYPES = ("pt", "np", None)


@dataclass(init=False, eq=False, repr=False)
class BaseImageProcessor(ImageProcessorSettings):
    """Converts images to inputs of a model; subclasses define the resizing and the forms of images."""

    model_input_names: ClassVar[list[str]] = ["pixel_values"]
    """Names of the model's inputs that are always returned."""
    valid_kwargs: ClassVar[type] = PreprocessOptions
    """Keyword options of `preprocess`."""
    backend: ClassVar[str]
    """Library that resizes: "pil" or "torch"."""

    def __call__(self, images: Any, **kwargs: Unpack[PreprocessOptions]) -> BatchFeature:
        """Same as `preprocess`."""
        return self.preprocess(images, **kwargs)

    def preprocess(self, images: Any, **kwargs: Unpack[PreprocessOptions]) -> BatchFeature:
        """Resize, rescale, convert to grayscale and stack images.

        Args:
            images: Images in the forms that the processor accepts.
            **kwargs: Options of `PreprocessOptions`; settings override those of the processor in this call.

        Returns:
            `pixel_values`, float32, in [0, 1]. Images of different sizes are zero-padded at the bottom and the right,
            and `image_sizes` contains their (height, width) in px without padding.

        Raises:
            InvalidInput: If the form of the images is not accepted, an image cannot be read, or a setting is invalid;
                an InvalidArgument, also a TypeError, if an option is unknown.
        """
        call, settings = self._split_options(kwargs)
        processor = self._with_settings(settings)
        device = call["device"]
        resized = [
            processor._resize(image, device) for image in self.read_images(images, call["input_data_format"])
        ]
        stacked, image_sizes = stack_padded(resized)
        if processor.do_rescale:
            stacked *= processor._rescale_factors(resized).to(stacked.device)
        if processor.do_grayscale:
            to_grayscale_(stacked)
        if call["data_format"] == "channels_last":
            stacked = stacked.movedim(1, -1)
        features = {"pixel_values": stacked} | ({} if image_sizes is None else {"image_sizes": image_sizes})
        return BatchFeature(
            {
                name: self._to_output(self.group(value).to(device), call["return_tensors"])
                for name, value in features.items()
            }
        )

    def read_images(self, images: Any, input_data_format: str | None = None) -> list[Image]:
        """Read images as a flat list; see `tiepoint.huggingface.image_processing.inputs.read_images`."""
        return read_images(images, input_data_format)

    def group(self, values: Tensor) -> Tensor:
        """Arrange the values of all images, in the first axis, as the model takes them."""
        return values

    def resize_pixels(
        self, image: Image, image_size: tuple[int, int], device: str | torch.device | None
    ) -> Tensor:
        """Resize the pixels of an image to (width, height), shape (3, h, w), same dtype; implemented by subclasses."""
        raise NotImplementedError

    def _split_options(self, options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the options of the call, with defaults from the settings, and the settings that are given."""
        function = f"{type(self).__name__}.preprocess"
        names = (*self._fields(), *OTHER_SETTINGS, *CALL_OPTIONS, *WITHOUT_EFFECT)
        reject_unknown(function, options, names)
        warn_without_effect(function, options, WITHOUT_EFFECT)
        call = {name: plain(options.get(name, getattr(self, name))) for name in CALL_OPTIONS}
        if call["return_tensors"] not in RETURN_TYPES:
            raise InvalidInput(f"return_tensors must be 'pt', 'np' or None, got {call['return_tensors']!r}")
        if call["data_format"] not in (None, *CHANNEL_AXES):
            raise InvalidInput(unknown_name("data_format", call["data_format"], CHANNEL_AXES))
        given = {name: value for name, value in options.items() if value is not None or name in SWITCHES}
        if "size" in given:
            given["size"] = as_size(
                given["size"], bool(given.get("default_to_square", self.default_to_square))
            )
        return call, {name: value for name, value in given.items() if name in self._fields()}

    def _with_settings(self: P, settings: dict[str, Any]) -> P:
        """Return this processor, or a copy with other settings."""
        if not settings:
            return self
        return type(self)(**{name: getattr(self, name) for name in self._fields()} | settings)

    def _resize(self, image: Image, device: str | torch.device | None) -> Tensor:
        image_size = resized_size(self.size, image.image_size) if self.do_resize else image.image_size
        return self.resize_pixels(image, image_size, device)

    def _rescale_factors(self, images: Sequence[Tensor]) -> Float[Tensor, "n 1 1 1"]:
        """Return the factor per image; floating-point images are already divided by 255."""
        max_values = torch.tensor(
            [1.0 if image.dtype == torch.uint8 else 255.0 for image in images],
            dtype=torch.float32,
            device=images[0].device,
        )
        return (max_values * self.rescale_factor)[:, None, None, None]

    def _to_output(self, value: Tensor, return_tensors: str | None) -> Any:
        if return_tensors == "np" or (return_tensors is None and self.backend == "pil"):
            array = value.cpu().numpy()
            return array if return_tensors else _nested_list(array)
        return value if return_tensors else list(value)


class PilBackend:
    """Resizes with Pillow, on the CPU."""

    backend: ClassVar[str] = "pil"
    resample: int

    def resize_pixels(
        self, image: Image, image_size: tuple[int, int], device: str | torch.device | None
    ) -> Tensor:
        """Resize the pixels of an image to (width, height), shape (3, h, w), same dtype."""
        return resize_with_pillow(image, image_size, self.resample)


class TorchBackend:
    """Resizes with torch, on any device."""

    backend: ClassVar[str] = "torch"
    resample: int

    def resize_pixels(
        self, image: Image, image_size: tuple[int, int], device: str | torch.device | None
    ) -> Tensor:
        """Resize the pixels of an image to (width, height) with antialiasing, shape (3, h, w), same dtype."""
        return resize_with_torch(image, image_size, self.resample, device)


def stack_padded(images: Sequence[Tensor]) -> tuple[Float[Tensor, "n 3 h w"], Int[Tensor, "n 2"] | None]:
    """Stack images (3, h, w) as float32; images of different sizes are zero-padded at the bottom and the right.

    Returns:
        The stack, and (height, width) of each image in px, or None if all are equal.
    """
    sizes = torch.tensor([image.shape[1:] for image in images], device="cpu")
    height, width = sizes.amax(dim=0).tolist()
    stack = torch.zeros(len(images), 3, height, width, dtype=torch.float32, device=images[0].device)
    for padded, image in zip(stack, images, strict=True):
        padded[:, : image.shape[1], : image.shape[2]] = image
    return stack, None if bool((sizes == sizes[0]).all()) else sizes


def to_grayscale_(images: Float[Tensor, "n 3 h w"]) -> None:
    """Convert color images to grayscale, as three equal channels, in place.

    Grayscale images are not changed, since the weights sum to 0.9999.
    """
    weight_r, weight_g, weight_b = GRAY_WEIGHTS
    for image in images:
        red, green, blue = image
        if not (torch.equal(red, green) and torch.equal(green, blue)):
            image[:] = (red * weight_r).add_(green, alpha=weight_g).add_(blue, alpha=weight_b)


def _nested_list(array: np.ndarray) -> list[Any]:
    """Return an array as lists of images (3 axes), nested as the leading axes."""
    return [_nested_list(item) if item.ndim > 3 else item for item in array]
