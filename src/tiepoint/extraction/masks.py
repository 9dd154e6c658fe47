"""Masks: where keypoints are allowed. Files, arrays and polygons become a boolean map of the image's size.

A mask is in px of the upright original image, like keypoints. Networks process a resized image: a resized pixel is
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
from tiepoint.image import Image, ImageSource, ImageTransform, read_image
from tiepoint.io.hashing import SHORT_DIGEST_LENGTH
from tiepoint.types import describe

MaskSource: TypeAlias = ImageSource | Sequence[Any]
"""A file, an encoded image, pixels (nonzero = allowed), or a list of polygons (inside = allowed)."""

LOSSY_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")
JPEG_START = b"\xff\xd8\xff"
JPEG_THRESHOLD = (
    0.5  # brightness above which a JPEG pixel is allowed: compression leaves black not quite black
)
MAX_SHOWN_CHARS = 60  # of invalid values in error messages
MAX_MEGAPIXELS = 300.0  # default of `read_image`
MAX_COORDINATE = 1e9  # magnitude of a vertex in px; far larger ones overflow where edges cross rows


def read_mask(
    source: MaskSource, image: Image, name: str = "mask", max_megapixels: float = MAX_MEGAPIXELS
) -> Bool[Tensor, "h w"]:
    """Read a mask.

    Args:
        source: Path or URL of an image, encoded image (bytes or a file object that can seek), or PIL image, after its
            own EXIF orientation: pixels that are not black are allowed (in a JPEG: brighter than mid-gray). Path of a .json file with polygons. Array or tensor (height,
            width): nonzero pixels are allowed. Polygons [[(x, y), …], …] in px: pixels inside any polygon are allowed.
        image: Image that the mask is for; the mask must have its upright size.
        name: Name of the mask for error messages.
        max_megapixels: Maximum number of pixels of an image file in millions.

    Returns:
        Mask, shape (h, w), True where keypoints are allowed.

    Raises:
        InvalidInput: If the mask cannot be read, has another size than the image, or is of an unsupported type.
    """
    mask = _from_source(source, image.image_size, name, max_megapixels)
    width, height = image.image_size
    if tuple(mask.shape) != (height, width):
        raise _wrong_size(mask, image, name)
    return mask


def exclude_border(
    mask: Bool[Tensor, "h w"] | None, image_size: tuple[int, int], border: int
) -> Bool[Tensor, "h w"] | None:
    """Exclude the outermost pixels from a mask; without a border the mask is returned unchanged.

    Args:
        mask: Mask, shape (h, w), True where keypoints are allowed; None allows them everywhere.
        image_size: Size (width, height) of the image in px.
        border: Width of the excluded border in px.
    """
    if border == 0:
        return mask
    width, height = image_size
    inner = slice(border, max(height - border, 0)), slice(border, max(width - border, 0))
    allowed = torch.zeros(height, width, dtype=torch.bool, device="cpu")
    allowed[inner] = True if mask is None else mask[inner]
    return allowed


def resize_mask(mask: Bool[Tensor, "h w"], transform: ImageTransform) -> Bool[Tensor, "H W"]:
    """Resize a mask; a resized pixel is allowed if all original pixels that it covers are allowed."""
    if transform.original_size == transform.resized_size:
        return mask
    width, height = transform.resized_size
    # the windows of adaptive pooling, floor(i / scale) to ceil((i + 1) / scale), are the pixels that pixel i covers
    return F.adaptive_max_pool2d((~mask)[None].float(), (height, width))[0] == 0


def allowed_at(mask: Bool[Tensor, "h w"], keypoints: Float[Tensor, "n 2"]) -> Bool[Tensor, "n"]:
    """Return whether each keypoint (x, y), in px of the mask, is in an allowed pixel."""
    last = keypoints.new_tensor([mask.shape[1] - 1, mask.shape[0] - 1])
    columns, rows = keypoints.round().clamp(min=0).minimum(last).long().to(mask.device).unbind(dim=1)
    return mask[rows, columns].to(keypoints.device)


def mask_digest(mask: Bool[Tensor, "h w"]) -> str:
    """Return a short digest (16 hexadecimal digits) of the size and all pixels of a mask."""
    digest = hashlib.sha256(repr(tuple(mask.shape)).encode())
    digest.update(np.packbits(mask.cpu().numpy()).tobytes())
    return digest.hexdigest()[:SHORT_DIGEST_LENGTH]


def fill_polygons(polygons: Sequence, image_size: tuple[int, int], name: str) -> Bool[Tensor, "h w"]:
    """Rasterize polygons: mark pixels whose centers are inside any polygon; polygons may exceed the image.

    Args:
        polygons: Polygons, each a list of at least three vertices (x, y) in px; the center of the top-left pixel is
            (0, 0). Self-intersecting polygons are filled by the even-odd rule.
        image_size: Size (width, height) of the image in px.
        name: Name of the mask for error messages.

    Raises:
        InvalidInput: If a polygon has fewer than three vertices, is of another form, or far outside of the image.
    """
    width, height = image_size
    inside = np.zeros((height, width), bool)
    for index, polygon in enumerate(polygons):
        inside |= _fill_polygon(_check_vertices(polygon, index, name), width, height)
    return torch.from_numpy(inside)


def _check_vertices(polygon: Any, index: int, name: str) -> np.ndarray:
    try:
        vertices = np.asarray(polygon, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):  # OverflowError: an integer beyond floating point
        vertices = np.empty((0, 0))
    if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3 or not np.isfinite(vertices).all():
        raise InvalidInput(
            f"invalid {name}: expected polygons of at least three vertices, [[(x, y), (x, y), (x, y)], …], "
            f"got {_shorten(polygon)} as polygon {index}"
        )
    largest = float(np.abs(vertices).max())
    if largest > MAX_COORDINATE:
        raise InvalidInput(
            f"invalid {name}: expected vertices within ±{MAX_COORDINATE:,.0f} px, got {largest:g} in polygon {index}; "
            "use px of the image"
        )
    return vertices


def _fill_polygon(vertices: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scanline fill by the even-odd rule: each edge toggles the pixels to its right, row by row."""
    toggles = np.zeros((height, width + 1), bool)
    for (x0, y0), (x1, y1) in zip(vertices, np.roll(vertices, -1, axis=0), strict=True):
        top, bottom = np.clip(np.ceil([min(y0, y1), max(y0, y1)]), 0, height).astype(int)
        if top < bottom:
            rows = np.arange(top, bottom)
            with np.errstate(over="ignore", invalid="ignore"):  # a height near 0: 0 * inf at the first vertex
                crossings = np.nan_to_num(x0 + (rows - y0) * ((x1 - x0) / (y1 - y0)), nan=x0)
            toggles[rows, np.clip(np.ceil(crossings), 0, width).astype(int)] ^= True
    return np.logical_xor.accumulate(toggles, axis=1)[:, :-1]


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) < MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 3]}..."


def _from_source(source: Any, image_size: tuple[int, int], name: str, max_megapixels: float) -> Tensor:
    if isinstance(source, np.ndarray | Tensor):
        return _from_array(source, name)
    if isinstance(source, str | os.PathLike) and Path(source).suffix.lower() == ".json":
        return fill_polygons(_read_polygons(Path(source), name), image_size, name)
    is_encoded = isinstance(source, bytes | bytearray | memoryview) or hasattr(source, "read")
    if is_encoded or isinstance(source, str | os.PathLike | PIL.Image.Image):
        return _from_image(source, max_megapixels)
    if isinstance(source, Sequence):
        return fill_polygons(source, image_size, name)
    raise InvalidInput(
        f"{name} must be a path, a PIL image, an array (height, width) or a list of polygons [[(x, y), …], …], "
        f"got {describe(source)}"
    )


def _from_array(array: np.ndarray | Tensor, name: str) -> Tensor:
    if array.ndim != 2:
        raise InvalidInput(
            f"{name} must be an array (height, width), got {describe(array)}; "
            "pass one channel, such as mask[..., 0]"
        )
    allowed = array != 0
    return (
        torch.from_numpy(np.ascontiguousarray(allowed)) if isinstance(allowed, np.ndarray) else allowed.cpu()
    )


def _from_image(source: Any, max_megapixels: float) -> Tensor:
    pixels = read_image(source, max_megapixels=max_megapixels).pixels
    brightness = pixels.amax(dim=0)
    if not _is_lossy(source):
        return brightness > 0
    return brightness > JPEG_THRESHOLD * (255 if pixels.dtype == torch.uint8 else 1)


def _is_lossy(source: Any) -> bool:
    if isinstance(source, PIL.Image.Image):
        return source.format == "JPEG"
    if isinstance(source, str | os.PathLike):
        return Path(source).suffix.lower() in LOSSY_SUFFIXES
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source[: len(JPEG_START)]) == JPEG_START
    source.seek(0)
    return source.read(len(JPEG_START)) == JPEG_START


def _read_polygons(path: Path, name: str) -> list:
    try:
        polygons = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "invalid JSON"
        raise InvalidInput(
            f"cannot read {name} {str(path)!r}: {reason}; expected polygons [[[x, y], …], …]"
        ) from error
    if not isinstance(polygons, list):
        raise InvalidInput(
            f"invalid {name} {str(path)!r}: expected polygons [[[x, y], …], …], got {polygons!r:.60}"
        )
    return polygons


def _wrong_size(mask: Tensor, image: Image, name: str) -> InvalidInput:
    (height, width), size = mask.shape, image.image_size
    is_rotated = (height, width) == size and image.exif_orientation >= 5
    fix = (
        "rotate it upright, as the image is displayed"
        if is_rotated
        else "make it for the whole image at full size"
    )
    return InvalidInput(
        f"{name} must have the size of its image, {size[0]} x {size[1]} px (width x height), "
        f"got {width} x {height} px; {fix}"
    )
