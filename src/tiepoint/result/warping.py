"""Image 0 of a result, resampled onto the pixel grid of image 1, at its own depth."""

import os
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from tiepoint.errors import InvalidInput
from tiepoint.image.rasters import read_raster
from tiepoint.image.resampling import Interpolation, Resampler, WarpedArray, warp_array, warp_whole
from tiepoint.io.messages import describe
from tiepoint.types import Features

WarpSource: TypeAlias = str | os.PathLike[str] | np.ndarray
"""Path or URL of an image, or array of shape (h, w) or (h, w, c), integers or floating point."""


def warp_matched(
    given: WarpSource | None,
    features: Features,
    homography: Float[np.ndarray, "3 3"],
    size: tuple[int, int],
    interpolation: Interpolation,
) -> WarpedArray:
    """Resample a matched image.

    Args:
        given: Image; None reads it again from the source of its features.
        features: Features of the image.
        homography: Homography from px of the image to px of the target.
        size: Size (width, height) of the target in px.
        interpolation: "nearest", "linear" or "cubic".

    Raises:
        InvalidInput: If the image cannot be read or has another size, or the homography maps a part of it to infinity.
        MissingDependency: If a library for its format is missing (extra `register`).
    """
    source = features.source if given is None else given
    if source is None:
        raise InvalidInput(
            "image 0 was matched from memory, so it cannot be read again; pass it: result.warp(estimate, image0)"
        )
    if isinstance(source, np.ndarray):
        _check_size(source.shape[1::-1], features)
        return warp_array(source, homography, size, interpolation=interpolation)
    if not isinstance(source, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"image 0: expected a path or an array, got {describe(source)}")
    raster = read_raster(source)
    _check_size(raster.image_size, features)
    return warp_whole(Resampler(raster.bands, homography, interpolation, raster.validity()), size)


def _check_size(size: tuple[int, ...], features: Features) -> None:
    if size != features.image_size:
        expected, got = (" x ".join(map(str, each)) for each in (features.image_size, size))
        raise InvalidInput(f"image 0: expected the matched image of {expected} px, got {got} px")
