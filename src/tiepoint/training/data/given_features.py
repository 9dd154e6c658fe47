"""Features of a Python function image -> Features as an extractor for training, checked."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.image import Image, read_image
from tiepoint.image.listing import find_images
from tiepoint.io.config import fingerprint
from tiepoint.io.hashing import short_digest
from tiepoint.io.messages import first_line, warn_once
from tiepoint.matching.inputs import LENGTH_TOLERANCE
from tiepoint.matching.top_k import select_keypoints
from tiepoint.training.data.pairs import describe_features
from tiepoint.types import Features
from tiepoint.types.options import Stretch

FeatureFunction: TypeAlias = Callable[[Image], Features]
"""Function image -> features of the image."""


class GivenExtractor(NeuralExtractor):
    """Features of a function; all images must have the kind and the dimensions of the first one.

    Args:
        function: Function image -> features.
        example: Features of the first image.
        settings: Settings; `max_keypoints`, `resize` and `upscale` have an effect.
        device: Device of the training; the function chooses its own.
    """

    def __init__(
        self,
        function: FeatureFunction,
        example: Features,
        settings: ExtractionSettings,
        device: torch.device,
    ) -> None:
        super().__init__(nn.Module(), settings)
        self.function, self.example, self._device = function, example, device
        _, self._descriptor_dim, self.position_dim = describe_features(example)
        self.fingerprint = short_digest(f"{fingerprint(settings)} {self._descriptor_dim} {self.position_dim}")

    @property
    def device(self) -> torch.device:
        """Device of the training."""
        return self._device

    @property
    def descriptor_dim(self) -> int:
        """Descriptor dimension."""
        return self._descriptor_dim

    def with_settings(self, settings: ExtractionSettings) -> "GivenExtractor":
        """Return an extractor with the same function and other settings."""
        return GivenExtractor(self.function, self.example, settings, self._device)

    def describe(self, image: Image, keypoints: Float[Tensor, "n 2"]) -> Features:
        """Raise InvalidInput: the function detects its own keypoints."""
        raise InvalidInput("given features cannot describe given keypoints; use extract")

    def extract(self, image: Image, mask: Bool[Tensor, "h w"] | None = None) -> Features:
        """Return the features of an image on the CPU, highest scores first.

        The function is called on the image of the size that is trained on; keypoints are mapped back to the original image.

        Args:
            image: Image.
            mask: None; masks are not supported.

        Raises:
            InvalidInput: If the function returns anything but features of this image, or features of another kind or
                with other dimensions than those of the first image.
        """
        transform = self.transform(image.image_size)
        resized = image
        if transform.resized_size != image.image_size:
            resized = replace(image, pixels=transform.apply(image))
        features = call(self.function, resized)
        if features.image_size != resized.image_size:
            raise InvalidInput(
                f"{_of(image.source)}: expected image_size {resized.image_size} (width, height), got {features.image_size}; "
                "return keypoints in px of the given image"
            )
        features = replace(
            features,
            keypoints=transform.to_original(features.keypoints),
            image_size=image.image_size,
            exif_orientation=image.exif_orientation,
        )
        return self.checked(features, image.source)

    def checked(self, features: Features, source: str | None) -> Features:
        """Check features against the first image, and limit their number.

        Args:
            features: Features of an image.
            source: Path of the image.

        Raises:
            InvalidInput: If they have another kind or other dimensions.
        """
        if not len(features):  # of any dimensions, such as OpenCV's None
            features = replace(
                top_keypoints(self.example, 0),
                image_size=features.image_size,
                exif_orientation=features.exif_orientation,
            )
        check_same(features, self.example, _of(source))
        _warn_about_lengths(features, _of(source))
        kept = top_keypoints(features.to("cpu"), self.settings.max_keypoints)
        return replace(kept, fingerprint=self.fingerprint, source=source)


def extractor_from_function(
    function: FeatureFunction, images: Path, device: torch.device, *, stretch: Stretch = None
) -> GivenExtractor:
    """Return the extractor of a function; it is called on the first images until one has keypoints.

    Args:
        function: Function image -> features.
        images: Folder of the images.
        device: Device of the training.
        stretch: Percentile stretch of images before they are passed to the function.

    Raises:
        InvalidInput: If no image can be read or has keypoints, or the function returns anything but features.
    """
    example = _first_features(function, images, stretch)
    if not example.kind:
        warn_without_kind("set Features.kind in the function")
    settings = ExtractionSettings(
        kind=example.kind, max_keypoints=None, resize=None, upscale=False, stretch=stretch
    )
    return GivenExtractor(function, example, settings, device)


def warn_without_kind(advice: str) -> None:
    """Warn that the trained matcher cannot tell its features from others.

    Args:
        advice: Instruction for naming the features.
    """
    warn_once(
        "kind of training",
        "the features have no kind: the trained matcher will accept any features of the same dimension without an error; "
        f"{advice} to a name that changes with the extractor",
    )


def call(function: FeatureFunction, image: Image) -> Features:
    """Call a function image -> features, and check the type of its result.

    Args:
        function: Function image -> features.
        image: Image.

    Raises:
        InvalidInput: If it returns anything else, or features with invalid values.
    """
    try:
        features: Any = function(image)
    except InvalidInput as error:
        raise InvalidInput(f"{_of(image.source)}: {error}") from error
    if not isinstance(features, Features):
        raise InvalidInput(
            f"the function of features returned {type(features).__name__}, expected tiepoint.Features; make them with "
            "Features.from_arrays"
        )
    return features


def check_same(features: Features, example: Features, where: str) -> None:
    """Check that features can be trained on together with those of the first image.

    Args:
        features: Features of an image.
        example: Features of the first image.
        where: Name of the features for the message.

    Raises:
        InvalidInput: If the kind, the descriptor dimension or the number of values per position differs.
    """
    names = ("kind", "descriptor dimension", "values per position (4 with scale and orientation)")
    values = zip(names, describe_features(features), describe_features(example), strict=True)
    for name, found, expected in values:
        if found != expected:
            raise InvalidInput(
                f"{where}: expected {name} {expected!r} like the first image, got {found!r}; all images need features of "
                "the same extractor"
            )


def top_keypoints(features: Features, count: int | None) -> Features:
    """Return the keypoints in descending order of score; equal scores keep their order.

    Args:
        features: Features of an image.
        count: Maximum number of keypoints; None keeps all.
    """
    order = torch.argsort(features.scores, descending=True, stable=True)[:count]
    return select_keypoints(features, order)


def _first_features(function: FeatureFunction, images: Path, stretch: Stretch) -> Features:
    """Return the features of the first readable image with keypoints."""
    problem = "it is empty"
    for path in find_images(images):
        try:
            image = read_image(path, stretch=stretch)
        except InvalidInput as error:
            problem = first_line(error)
            continue
        if len(features := call(function, image)):
            return features
        problem = f"no keypoints in {path}"
    raise InvalidInput(f"cannot train on the images in {images} ({problem}); expected images with keypoints")


def _warn_about_lengths(features: Features, where: str) -> None:
    if not len(features):
        return
    lengths = features.descriptors.float().norm(dim=1)
    shortest, longest = float(lengths.amin()), float(lengths.amax())
    if shortest < 1 - LENGTH_TOLERANCE or longest > 1 + LENGTH_TOLERANCE:
        warn_once(
            "descriptor lengths of training",
            f"{where} have descriptors of lengths between {shortest:.3g} and {longest:.3g}; LightGlue trains better with "
            "unit length, also when it is used: Features.from_arrays(..., normalize='l2')",
        )


def _of(source: str | None) -> str:
    return f"features of {source or 'an image'}"
