"""OpenedImage: an image of a search, with the features of its views, each extracted once."""

import math
from dataclasses import replace
from functools import cached_property

from jaxtyping import Bool
from torch import Tensor

from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.masks import exclude_border, resize_mask
from tiepoint.extraction.views import View, ViewFeatures, extract_view
from tiepoint.image import Image, ImageTransform


class OpenedImage:
    """An image of a search, with the features of its views, each extracted once.

    Args:
        image: Image.
        mask: Mask of allowed keypoints, shape (h, w); None allows all.
        extractor: Extractor of the full matches.
        cheap_extractor: Extractor of the cheap matches, of smaller images.
    """

    def __init__(
        self,
        image: Image,
        mask: Bool[Tensor, "h w"] | None,
        extractor: NeuralExtractor,
        cheap_extractor: NeuralExtractor,
    ) -> None:
        self._image = image
        self._mask = mask
        self._extractor = extractor
        self._cheap_extractor = _with_min_side(cheap_extractor, extractor, image.image_size)
        self._cheap: dict[View, ViewFeatures] = {}

    def features(self, view: View) -> ViewFeatures:
        """Extract the features of a view for a full match; they are not kept.

        Args:
            view: View of the image.
        """
        return extract_view(self._extractor, self._image, self._mask, view)

    def cheap_features(self, view: View) -> ViewFeatures:
        """Return the features of a view for a cheap match; its image is the small one.

        Args:
            view: View of the image.
        """
        if view not in self._cheap:
            self._cheap[view] = extract_view(self._cheap_extractor, *self._small, view)
        return self._cheap[view]

    @cached_property
    def _small(self) -> tuple[Image, Tensor | None]:
        image, settings = self._image, self._cheap_extractor.settings
        transform = ImageTransform.fit(image.image_size, settings.resize, upscale=settings.upscale)
        allowed = exclude_border(self._mask, image.image_size, self._extractor.settings.border)
        small = Image(pixels=transform.apply(image))
        return small, None if allowed is None else resize_mask(allowed, transform)


def _with_min_side(
    cheap: NeuralExtractor, full: NeuralExtractor, image_size: tuple[int, int]
) -> NeuralExtractor:
    """Return the extractor of cheap matches, with larger images where the network refuses the shorter side of a strip."""
    settings = cheap.settings
    small = ImageTransform.fit(image_size, settings.resize, upscale=settings.upscale).resized_size
    if min(small) >= cheap.min_side:
        return cheap
    longer = max(image_size)
    side = min(math.ceil(cheap.min_side * longer / min(image_size)), full.settings.resize or longer)
    return cheap.with_settings(replace(settings, resize=side))
