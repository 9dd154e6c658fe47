"""Masks: where in an image keypoints may lie. Files, arrays and polygons become one boolean map of its size.

A mask is in px of the upright original image, as keypoints are. Networks see a resized image: a pixel of that is
allowed only if every original pixel that it covers is, so that no refined keypoint rounds to a forbidden pixel.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.extraction.polygons import fill_polygons
from tiepoint.image import Image, ImageTransform, read_image
from tiepoint.types import describe

MaskSource: TypeAlias = str | os.PathLike | PIL.Image.Image | np.ndarray | Tensor | Sequence
"""A file, pixels (not zero = allowed), or a list of polygons (inside = allowed)."""

LOSSY = (".jpg", ".jpeg")
MID_GRAY = 0.5  # from here on a pixel of a JPEG is allowed: its black is seldom quite black


def read_mask(source: MaskSource, image: Image, name: str = "mask") -> Bool[Tensor, "h w"]:
    """Read where keypoints may lie.

    Args:
        source: path or URL of an image, or PIL image: allowed is what is not black (in a JPEG: what is brighter than
            mid-gray), after its own EXIF orientation; path of a .json file that holds polygons; array or tensor
            (height, width): allowed is what is not zero; or polygons [[(x, y), …], …] in px: allowed is what lies
            inside of any.
        image: which it is for; the mask has its upright size.
        name: what error messages call it.

    Returns:
        True where keypoints may lie.

    Raises:
        InvalidInput: it can't be read, has another size than the image, or is of another form.
    """
    mask = _from_source(source, image.image_size, name)
    width, height = image.image_size
    if tuple(mask.shape) != (height, width):
        raise _wrong_size(mask, image, name)
    return mask


def with_border(
    mask: Bool[Tensor, "h w"] | None, image_size: tuple[int, int], border: int
) -> Bool[Tensor, "h w"] | None:
    """The mask without the outermost pixels; None stays None where there is no border.

    Args:
        mask: True where keypoints may lie; None: everywhere.
        image_size: (width, height) in px.
        border: forbidden on each side, in px.
    """
    if border == 0:
        return mask
    width, height = image_size
    inner = slice(border, max(height - border, 0)), slice(border, max(width - border, 0))
    allowed = torch.zeros(height, width, dtype=torch.bool)
    allowed[inner] = True if mask is None else mask[inner]
    return allowed


def resized_mask(mask: Bool[Tensor, "h w"], transform: ImageTransform) -> Bool[Tensor, "H W"]:
    """The mask for the resized image: a pixel is allowed if all that it covers is allowed."""
    if transform.original_size == transform.resized_size:
        return mask
    width, height = transform.resized_size
    # adaptive pooling looks from floor(i / scale) to ceil((i + 1) / scale): exactly what a pixel covers
    return F.adaptive_max_pool2d((~mask)[None].float(), (height, width))[0] == 0


def allowed_at(mask: Bool[Tensor, "h w"], keypoints: Float[Tensor, "n 2"]) -> Bool[Tensor, "n"]:
    """Which keypoints, (x, y) in px of the mask, lie in an allowed pixel."""
    last = keypoints.new_tensor([mask.shape[1] - 1, mask.shape[0] - 1])
    columns, rows = keypoints.round().clamp(min=0).minimum(last).long().to(mask.device).unbind(dim=1)
    return mask[rows, columns].to(keypoints.device)


def mask_digest(mask: Bool[Tensor, "h w"]) -> str:
    """Sixteen hexadecimal digits that change whenever a pixel or the size does."""
    digest = hashlib.sha256(repr(tuple(mask.shape)).encode())
    digest.update(np.packbits(mask.cpu().numpy()).tobytes())
    return digest.hexdigest()[:16]


def _from_source(source: Any, image_size: tuple[int, int], name: str) -> Tensor:
    if isinstance(source, np.ndarray | Tensor):
        return _from_array(source, name)
    if isinstance(source, str | os.PathLike) and Path(source).suffix.lower() == ".json":
        return fill_polygons(_polygons_in(Path(source), name), image_size, name)
    if isinstance(source, str | os.PathLike | PIL.Image.Image):
        return _from_picture(source)
    if isinstance(source, Sequence) and not isinstance(source, bytes):
        return fill_polygons(source, image_size, name)
    raise InvalidInput(
        f"{name} must be a path, a PIL image, an array (height, width) or a list of polygons [[(x, y), …], …], "
        f"but came as {describe(source)}"
    )


def _from_array(array: np.ndarray | Tensor, name: str) -> Tensor:
    if array.ndim != 2:
        raise InvalidInput(
            f"{name} must be an array (height, width), but came as {describe(array)}; "
            "pass one channel, such as mask[..., 0]"
        )
    allowed = array != 0
    return (
        torch.from_numpy(np.ascontiguousarray(allowed)) if isinstance(allowed, np.ndarray) else allowed.cpu()
    )


def _from_picture(source: str | os.PathLike | PIL.Image.Image) -> Tensor:
    pixels = read_image(source).pixels
    brightest = pixels.amax(dim=0)
    if not _is_lossy(source):
        return brightest > 0
    return brightest > MID_GRAY * (255 if pixels.dtype == torch.uint8 else 1)


def _is_lossy(source: str | os.PathLike | PIL.Image.Image) -> bool:
    if isinstance(source, PIL.Image.Image):
        return source.format == "JPEG"
    return Path(source).suffix.lower() in LOSSY


def _polygons_in(path: Path, name: str) -> list:
    try:
        polygons = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not JSON"
        raise InvalidInput(
            f"{name} {str(path)!r} can't be read ({reason}); it should hold polygons [[[x, y], …], …]"
        ) from error
    if not isinstance(polygons, list):
        raise InvalidInput(
            f"{name} {str(path)!r} should hold polygons [[[x, y], …], …], but holds {polygons!r:.60}"
        )
    return polygons


def _wrong_size(mask: Tensor, image: Image, name: str) -> InvalidInput:
    (height, width), size = mask.shape, image.image_size
    turned = (height, width) == size and image.exif_orientation >= 5
    fix = (
        "turn it as the image is shown, upright" if turned else "make it for the whole image at its full size"
    )
    return InvalidInput(
        f"{name} is {width} x {height} px, but its image is {size[0]} x {size[1]} px (width x height); {fix}"
    )
