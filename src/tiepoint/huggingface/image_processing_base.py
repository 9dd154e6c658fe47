"""Base class of the image processors: everything except the resizing of pixels."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypedDict, Unpack

import PIL.Image
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.config_base import S, Settings
from tiepoint.huggingface.hub import HubOptions
from tiepoint.huggingface.image_pairs import as_size, read_pairs, resized_size
from tiepoint.huggingface.post_processing import KeypointMatches, post_process_keypoint_matching
from tiepoint.huggingface.visualization import draw_keypoint_matching
from tiepoint.image import Image
from tiepoint.presets import PRESETS

GRAY_WEIGHTS = (0.2989, 0.5870, 0.1140)
"""Weights of red, green and blue (ITU-R BT.601, rounded as in transformers and torchvision)."""

BILINEAR = int(PIL.Image.Resampling.BILINEAR)
RETURN_TYPES = ("pt", "np", None)


class ProcessorSettings(TypedDict, total=False):
    """Settings of an image processor as keyword arguments.

    Attributes: as for `BaseLightGlueImageProcessor`.
    """

    do_resize: bool | None
    size: Any
    resample: int | None
    do_rescale: bool | None
    rescale_factor: float | None
    do_grayscale: bool | None


class PreprocessOptions(ProcessorSettings, total=False):
    """Keyword options of `preprocess`.

    Attributes:
        return_tensors: "pt" for tensors, "np" for arrays, None for a list with one array (PIL-based processor) or
            tensor (fast processor) per pair.
        device: Device of the tensors; the fast processor runs on it.
        input_data_format: Axis order of arrays, "channels_first" or "channels_last"; None infers it from the shape.
    """

    return_tensors: str | None
    device: str | torch.device | None
    input_data_format: str | None


class BatchFeature(dict[str, Any]):
    """Result of an image processor: a dict whose values are also attributes, passed to the model with `**`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"BatchFeature has no {name!r}; available: {', '.join(self)}") from None

    def to(self, *args: Any, **kwargs: Any) -> "BatchFeature":
        """Move the tensors in place, with the arguments of `Tensor.to`; integer tensors keep their dtype."""
        for name, value in self.items():
            if isinstance(value, Tensor):
                moved = value.to(*args, **kwargs)
                self[name] = moved if value.is_floating_point() else value.to(moved.device)
        return self


@dataclass(init=False, eq=False, repr=False)
class BaseLightGlueImageProcessor(Settings):
    """Converts image pairs to inputs of the model, and its outputs to px of the original images.

    Attributes:
        do_resize: Whether images are resized.
        size: Size after resizing in px: a dict with height and width; or with longest_edge, shortest_edge or both, or
            max_height and max_width, which keep the aspect ratio.
        resample: Pillow's number of the resampling filter.
        do_rescale: Whether 8-bit values are multiplied by `rescale_factor`; floating-point images in [0, 1] are
            treated as 8-bit values divided by 255.
        rescale_factor: Factor for 8-bit values.
        do_grayscale: Whether color images are converted to grayscale, as three equal channels.

    Raises:
        InvalidInput: If a value has the wrong type.
    """

    filename: ClassVar[str] = "preprocessor_config.json"
    type_key: ClassVar[str] = "image_processor_type"
    type_names: ClassVar[tuple[str, ...]] = (
        "LightGlueImageProcessor",
        "LightGlueImageProcessorFast",
        "LightGlueImageProcessorPil",
    )

    backend: ClassVar[str]
    """Library that resizes: "pil" or "torch"."""

    do_resize: bool = True
    size: dict[str, int] = field(default_factory=lambda: {"height": 480, "width": 640})
    resample: int = BILINEAR
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_grayscale: bool = True

    def __call__(self, images: Any, **options: Unpack[PreprocessOptions]) -> BatchFeature:
        """Same as `preprocess`."""
        return self.preprocess(images, **options)

    def preprocess(
        self,
        images: Any,
        *,
        return_tensors: str | None = None,
        device: str | torch.device | None = None,
        input_data_format: str | None = None,
        **settings: Unpack[ProcessorSettings],
    ) -> BatchFeature:
        """Resize, rescale, convert to grayscale and stack image pairs.

        Args:
            images: Image pair, or list of image pairs, of PIL images, arrays or tensors (h, w, c) or (c, h, w), paths
                or URLs; see `tiepoint.huggingface.image_pairs.read_pairs`.
            return_tensors: "pt" for tensors, "np" for arrays, None for a list with one array (PIL-based processor) or
                tensor (fast processor) per pair.
            device: Device of the tensors; the fast processor runs on it.
            input_data_format: Axis order of arrays, "channels_first" or "channels_last"; None infers it from the
                shape.
            **settings: Settings that override those of the processor in this call.

        Returns:
            `pixel_values` (b, 2, 3, h, w), float32, in [0, 1]. Images of different sizes are zero-padded at the bottom
            and the right, and `image_sizes` (b, 2, 2) contains their (height, width) in px without padding.

        Raises:
            InvalidInput: If the form of the images is not accepted, an image cannot be read, or a setting is invalid.
        """
        if return_tensors not in RETURN_TYPES:
            raise InvalidInput(f"return_tensors must be 'pt', 'np' or None, got {return_tensors!r}")
        pairs = read_pairs(images, input_data_format)
        processor = self._with_settings(settings)
        resized = [processor._resize(image, device) for pair in pairs for image in pair]
        stacked, image_sizes = stack_padded(resized)
        if processor.do_rescale:
            stacked *= processor._rescale_factors(resized).to(stacked.device)
        if processor.do_grayscale:
            to_grayscale_(stacked)
        features = {"pixel_values": stacked.unflatten(0, (-1, 2)).to(device)}
        if image_sizes is not None:
            features["image_sizes"] = image_sizes.unflatten(0, (-1, 2)).to(device)
        return BatchFeature(
            {name: self._to_output(value, return_tensors) for name, value in features.items()}
        )

    def resize(self, image: Image, image_size: tuple[int, int], device: str | torch.device | None) -> Tensor:
        """Resize the pixels of an image to (width, height), shape (3, h, w), same dtype; implemented by subclasses."""
        raise NotImplementedError

    def post_process_keypoint_matching(
        self, outputs: Any, target_sizes: Any, threshold: float = 0.0
    ) -> list[KeypointMatches]:
        """Return the matches in px of the original images; see `tiepoint.huggingface.post_processing`."""
        return post_process_keypoint_matching(outputs, target_sizes, threshold)

    def visualize_keypoint_matching(
        self, images: Any, keypoint_matching_output: Sequence[KeypointMatches]
    ) -> list[PIL.Image.Image]:
        """Draw each pair side by side with its matches.

        Args:
            images: Image pair, or list of image pairs, in the same forms as for `preprocess`.
            keypoint_matching_output: Matches from `post_process_keypoint_matching`.

        Raises:
            InvalidInput: If the form of the images is not accepted, an image cannot be read, or the number of pairs
                and the number of match sets differ.
        """
        return draw_keypoint_matching(read_pairs(images), keypoint_matching_output)

    @classmethod
    def from_pretrained(cls: type[S], name_or_folder: str | os.PathLike[str], **settings: Any) -> S:
        """Read preprocessor_config.json, or create the processor of a preset.

        Args:
            name_or_folder: Preset, such as "aliked+lightglue", local folder, or repository name "owner/name".
            **settings: Options of `tiepoint.huggingface.hub.HubOptions`, and settings that override the stored ones.

        Raises:
            InvalidInput: If the file is not valid JSON, is of another type, or contains invalid values.
            WeightsError: If the file is not found or cannot be downloaded.
        """
        if name_or_folder not in PRESETS:
            return super().from_pretrained(name_or_folder, **settings)
        overrides = {
            name: value for name, value in settings.items() if name not in HubOptions.__annotations__
        }
        return cls(**_preset_settings(str(name_or_folder)) | overrides)

    def convert(self, name: str, value: Any) -> Any:
        """Convert a value to the type of a field; sizes have several forms."""
        return as_size(value) if name == "size" else super().convert(name, value)

    def _with_settings(self, settings: ProcessorSettings) -> "BaseLightGlueImageProcessor":
        """Return this processor, or a copy with other settings; None keeps a setting."""
        given = {name: value for name, value in settings.items() if value is not None}
        return type(self)(**{name: getattr(self, name) for name in self._fields()} | given) if given else self

    def _resize(self, image: Image, device: str | torch.device | None) -> Tensor:
        image_size = resized_size(self.size, image.image_size) if self.do_resize else image.image_size
        return self.resize(image, image_size, device)

    def _rescale_factors(self, images: Sequence[Tensor]) -> Float[Tensor, "n 1 1 1"]:
        """Return the factor per image; floating-point images are already divided by 255."""
        max_values = torch.tensor([1.0 if image.dtype == torch.uint8 else 255.0 for image in images])
        return (max_values * self.rescale_factor)[:, None, None, None]

    def _to_output(self, value: Tensor, return_tensors: str | None) -> Any:
        use_numpy = return_tensors == "np" or (return_tensors is None and self.backend == "pil")
        batch = value.cpu().numpy() if use_numpy else value
        return list(batch) if return_tensors is None else batch


def stack_padded(images: Sequence[Tensor]) -> tuple[Float[Tensor, "n 3 h w"], Int[Tensor, "n 2"] | None]:
    """Stack images (3, h, w) as float32; images of different sizes are zero-padded at the bottom and the right.

    Returns:
        The stack, and (height, width) of each image in px, or None if all are equal.
    """
    sizes = torch.tensor([image.shape[1:] for image in images])
    height, width = sizes.amax(dim=0).tolist()
    stack = torch.zeros(len(images), 3, height, width, device=images[0].device)
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


def _preset_settings(name: str) -> dict[str, Any]:
    """Return the settings of a preset, as in `tiepoint.load`; only SuperPoint requires grayscale images."""
    return {"size": {"longest_edge": 1024}, "do_grayscale": PRESETS[name].extractor.startswith("superpoint")}
