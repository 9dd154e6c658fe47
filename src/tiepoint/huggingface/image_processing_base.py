"""All that the two image processors have in common: everything but the resizing of pixels."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import PIL.Image
import torch
from jaxtyping import Float, Int
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.huggingface.batch_feature import BatchFeature
from tiepoint.huggingface.config_base import Own, Settings
from tiepoint.huggingface.image_pairs import read_pairs
from tiepoint.huggingface.image_sizes import as_size, processed_size
from tiepoint.huggingface.post_processing import KeypointMatches, post_process_keypoint_matching
from tiepoint.huggingface.visualization import draw_keypoint_matching
from tiepoint.image import Image
from tiepoint.presets import PRESETS

GRAY_WEIGHTS = (0.2989, 0.5870, 0.1140)
"""Of red, green and blue (ITU-R BT.601, rounded as in transformers and torchvision)."""

BILINEAR = int(PIL.Image.Resampling.BILINEAR)
RETURN_TYPES = ("pt", "np", None)
HUB_OPTIONS = ("revision", "token", "cache_dir", "local_files_only")


@dataclass(init=False, eq=False, repr=False)
class BaseLightGlueImageProcessor(Settings):
    """Pairs of images to what the model takes, and what it gives to pixels of the original images.

    Attributes:
        do_resize: whether images are resized.
        size: a dict with height and width; or with longest_edge, shortest_edge or both, or max_height and
            max_width, which keep the aspect ratio. In px.
        resample: Pillow's number of the filter.
        do_rescale: whether 8-bit values are multiplied by `rescale_factor`; images of floating point count as
            8-bit ones divided by 255.
        rescale_factor: see there.
        do_grayscale: whether colored images become gray, as three equal channels.

    Raises:
        InvalidInput: a value of another type.
    """

    filename: ClassVar[str] = "preprocessor_config.json"
    type_key: ClassVar[str] = "image_processor_type"
    type_names: ClassVar[tuple[str, ...]] = (
        "LightGlueImageProcessor",
        "LightGlueImageProcessorFast",
        "LightGlueImageProcessorPil",
    )

    backend: ClassVar[str]
    """What resizes: "pil" or "torch"."""

    do_resize: bool = True
    size: dict[str, int] = field(default_factory=lambda: {"height": 480, "width": 640})
    resample: int = BILINEAR
    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_grayscale: bool = True

    def __call__(self, images: Any, **options: Any) -> BatchFeature:
        """The same as `preprocess`."""
        return self.preprocess(images, **options)

    def preprocess(
        self,
        images: Any,
        *,
        return_tensors: str | None = None,
        device: str | torch.device | None = None,
        input_data_format: str | None = None,
        **settings: Any,
    ) -> BatchFeature:
        """Resize, rescale, make gray, and stack.

        Args:
            images: a pair, or a list of pairs, of PIL images, arrays or tensors (h, w, c) or (c, h, w), paths or
                URLs; see `tiepoint.huggingface.image_pairs.read_pairs`.
            return_tensors: "pt" for tensors, "np" for arrays, None for a list, of one array a pair
                by the plain processor, of one tensor a pair by the fast one.
            device: where the tensors shall lie; the fast processor does its work there.
            input_data_format: "channels_first" or "channels_last" of arrays; None: told by their shape.
            **settings: take the place of the processor's own for this call.

        Returns:
            pixel_values (b, 2, 3, h, w), float32, in [0, 1]. Where images differ in size they are padded below
            and on the right with zeros, and image_sizes (b, 2, 2) says (height, width) without padding, in px.

        Raises:
            InvalidInput: another form of images, one that can't be read, or a setting that can't be.
        """
        if return_tensors not in RETURN_TYPES:
            raise InvalidInput(f"return_tensors must be 'pt', 'np' or None, but is {return_tensors!r}")
        pairs = read_pairs(images, input_data_format)
        processor = self._changed(settings)
        resized = [processor._resized(image, device) for pair in pairs for image in pair]
        stacked, image_sizes = stack_padded(resized)
        if processor.do_rescale:
            stacked *= processor._factors(resized).to(stacked.device)
        if processor.do_grayscale:
            make_gray_(stacked)
        features = {"pixel_values": stacked.unflatten(0, (-1, 2)).to(device)}
        if image_sizes is not None:
            features["image_sizes"] = image_sizes.unflatten(0, (-1, 2)).to(device)
        return BatchFeature({name: self._returned(value, return_tensors) for name, value in features.items()})

    def resize(self, image: Image, image_size: tuple[int, int], device: str | torch.device | None) -> Tensor:
        """Pixels (3, h, w) of an image resized to (width, height), of the same dtype. Subclasses say how."""
        raise NotImplementedError

    def post_process_keypoint_matching(
        self, outputs: Any, target_sizes: Any, threshold: float = 0.0
    ) -> list[KeypointMatches]:
        """Matches in px of the original images; see `tiepoint.huggingface.post_processing`."""
        return post_process_keypoint_matching(outputs, target_sizes, threshold)

    def visualize_keypoint_matching(
        self, images: Any, keypoint_matching_output: Sequence[KeypointMatches]
    ) -> list[PIL.Image.Image]:
        """Draw each pair side by side with its matches.

        Args:
            images: as for `preprocess`.
            keypoint_matching_output: of `post_process_keypoint_matching`.

        Raises:
            InvalidInput: as for `preprocess`; or another number of matches than of pairs.
        """
        return draw_keypoint_matching(read_pairs(images), keypoint_matching_output)

    @classmethod
    def from_pretrained(cls: type[Own], name_or_folder: str | os.PathLike[str], **options: Any) -> Own:
        """Read preprocessor_config.json, or take what suits a preset of this package.

        Args:
            name_or_folder: a preset, such as "aliked+lightglue"; or a folder, or a repository on the hub.
            **options: as for all settings: revision, token, cache_dir, local_files_only; and settings that take
                the place of the file's.

        Raises:
            InvalidInput: the file is no JSON, is about something else, or holds values that can't be.
            WeightsError: the file can't be found or fetched.
        """
        if name_or_folder not in PRESETS:
            return super().from_pretrained(name_or_folder, **options)
        settings = {name: value for name, value in options.items() if name not in HUB_OPTIONS}
        return cls(**_preset_settings(str(name_or_folder)) | settings)

    def convert(self, name: str, value: Any) -> Any:
        """As for all settings; sizes come in several forms."""
        return as_size(value) if name == "size" else super().convert(name, value)

    def _changed(self, settings: dict[str, Any]) -> "BaseLightGlueImageProcessor":
        """This processor, or a copy of it with other settings; None leaves a setting as it is."""
        given = {name: value for name, value in settings.items() if value is not None}
        return type(self)(**{name: getattr(self, name) for name in self._fields()} | given) if given else self

    def _resized(self, image: Image, device: str | torch.device | None) -> Tensor:
        image_size = processed_size(self.size, image.image_size) if self.do_resize else image.image_size
        return self.resize(image, image_size, device)

    def _factors(self, images: Sequence[Tensor]) -> Float[Tensor, "n 1 1 1"]:
        """What to multiply each image with: those of floating point have been divided by 255 already."""
        brightest = torch.tensor([1.0 if image.dtype == torch.uint8 else 255.0 for image in images])
        return (brightest * self.rescale_factor)[:, None, None, None]

    def _returned(self, value: Tensor, return_tensors: str | None) -> Any:
        in_numpy = return_tensors == "np" or (return_tensors is None and self.backend == "pil")
        batch = value.cpu().numpy() if in_numpy else value
        return list(batch) if return_tensors is None else batch


def stack_padded(images: Sequence[Tensor]) -> tuple[Float[Tensor, "n 3 h w"], Int[Tensor, "n 2"] | None]:
    """Stack images (3, h, w) as float32; where they differ in size, pad them below and on the right with zeros.

    Returns:
        The stack; and (height, width) of each image, or None where all are equal.
    """
    sizes = torch.tensor([image.shape[1:] for image in images])
    height, width = sizes.amax(dim=0).tolist()
    stack = torch.zeros(len(images), 3, height, width, device=images[0].device)
    for padded, image in zip(stack, images, strict=True):
        padded[:, : image.shape[1], : image.shape[2]] = image
    return stack, None if bool((sizes == sizes[0]).all()) else sizes


def make_gray_(images: Float[Tensor, "n 3 h w"]) -> None:
    """Make colored images gray, as three equal channels, in place.

    Images that are gray stay as they are, since the weights add up to 0.9999.
    """
    weight_r, weight_g, weight_b = GRAY_WEIGHTS
    for image in images:
        red, green, blue = image
        if not (torch.equal(red, green) and torch.equal(green, blue)):
            image[:] = (red * weight_r).add_(green, alpha=weight_g).add_(blue, alpha=weight_b)


def _preset_settings(name: str) -> dict[str, Any]:
    """Presets see images as `tiepoint.load` does; of the detectors only SuperPoint wants gray ones."""
    return {"size": {"longest_edge": 1024}, "do_grayscale": PRESETS[name].extractor.startswith("superpoint")}
