"""OpenedImage: an image of a search, with the features of its views, each extracted once."""

import math
from dataclasses import replace
from functools import cached_property

from jaxtyping import Bool
from torch import Tensor

from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.extraction.masks import exclude_border, resize_mask
from tiepoint.extraction.views import ORIGINAL, View, ViewFeatures, extract_view, view_from_image
from tiepoint.extraction.warping import Warp, extract_warp
from tiepoint.image import Image, ImageTransform
from tiepoint.types import Features

# Minimum side in px of a reduced view: smaller ones have hardly any keypoints
MIN_VIEW_SIDE = 48


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
        self._original: ViewFeatures | None = None

    @property
    def image_size(self) -> tuple[int, int]:
        """Size (width, height) of the image in px."""
        return self._image.image_size

    @cached_property
    def transform(self) -> ImageTransform:
        """Resize of the image by the extractor of the full matches."""
        return self._extractor.transform(self.image_size)

    def keep_original(self, features: Features) -> None:
        """Keep the features of the image as it is, so that they are not extracted again.

        Args:
            features: Features of the extractor of the full matches.
        """
        self._original = ViewFeatures(in_view=features, in_image=features)

    def features(self, view: View) -> ViewFeatures:
        """Extract the features of a view for a full match; only those of the image as it is may be kept.

        Args:
            view: View of the image.
        """
        if view == ORIGINAL and self._original is not None:
            return self._original
        return extract_view(self._extractor, self._image, self._mask, view)

    def cheap_features(self, view: View) -> ViewFeatures:
        """Return the features of a view for a cheap match; its image is the small one.

        Args:
            view: View of the image.
        """
        if view not in self._cheap:
            self._cheap[view] = extract_view(self._cheap_extractor, *self._small, view)
        return self._cheap[view]

    def reduced_features(self, view: View, side: int, max_keypoints: int) -> ViewFeatures | None:
        """Extract the features of a view with fewer px and keypoints than for a full match.

        Args:
            view: View of the image, without rotation; its scale is that of the image as it is matched in full.
            side: Longer side in px to which the image is reduced first, if the view is tilted.
            max_keypoints: Maximum number of keypoints.

        Returns:
            Features; None if the view is too small for keypoints.
        """
        settings = self._extractor.settings
        longer = max(self.transform.resized_size)
        resize = max(1, round(view.scale * longer)) if view.tilt == 1 else min(side, longer)
        limit = min(settings.max_keypoints or max_keypoints, max_keypoints)
        extractor = self._extractor.with_settings(
            replace(settings, resize=resize, upscale=True, max_keypoints=limit)
        )
        as_resized = replace(view, scale=1.0)
        _, view_size = view_from_image(as_resized, extractor.transform(self.image_size).resized_size)
        if min(view_size) < max(MIN_VIEW_SIDE, extractor.min_side):
            return None
        return extract_view(extractor, self._image, self._mask, as_resized)

    def warped_features(self, warp: Warp, name: str) -> ViewFeatures | None:
        """Extract the features of a warped view for a full match.

        Args:
            warp: View of the image.
            name: Name of the view.

        Returns:
            Features; None if the view does not show the image, or is too small for the network.
        """
        if min(warp.size) < self._extractor.min_side:
            return None
        return extract_warp(self._extractor, self._image, self._mask, warp, name)

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
