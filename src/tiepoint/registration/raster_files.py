"""Writing of rasters: TIFF tile by tile, PNG, JPEG and WebP whole."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.image.georeferencing import NO_DATA, GeoTags
from tiepoint.image.resampling import TILE_SIDE, WarpedTile
from tiepoint.io.atomic import atomic_write
from tiepoint.io.optional import import_optional

BIG_TIFF_BYTES = 1 << 31
ASCII = 2  # data type of a TIFF tag

MAX_BANDS = {".png": 4, ".webp": 4, ".jpg": 3, ".jpeg": 3}
"""Suffix -> maximum number of bands, with the opacity; TIFF has no maximum."""

MAX_SIDE = {".webp": 16_383, ".jpg": 65_500, ".jpeg": 65_500}
"""Suffix -> maximum side in px."""

MASK_SUFFIXES = (".png", ".tif", ".tiff")
SUFFIXES = (".tif", ".tiff", *MAX_BANDS)
JPEG_QUALITY = 95


class Layout(NamedTuple):
    """What is written.

    Attributes:
        size: Size (width, height) in px.
        dtype: Type of the values.
        bands: Number of bands, without the opacity.
        has_alpha: Whether the opacity becomes the last band.
        nodata: Value outside of the image; None for 0.
        is_white_zero: Whether 0 is white.
        geo: GeoTIFF tags.
    """

    size: tuple[int, int]
    dtype: np.dtype
    bands: int
    has_alpha: bool
    nodata: float | None = None
    is_white_zero: bool = False
    geo: GeoTags = GeoTags()

    @property
    def samples(self) -> int:
        """Number of values per pixel."""
        return self.bands + self.has_alpha


def check_layout(path: Path, layout: Layout) -> None:
    """Check that the format of a file holds a raster.

    Args:
        path: Output path.
        layout: Size, type and bands of the raster.

    Raises:
        InvalidInput: If the suffix is unsupported, or the format does not hold the type or number of bands.
        MissingDependency: If the library for the format is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidInput(f"cannot write {path}: expected a name ending in {', '.join(SUFFIXES)}")
    if suffix in (".tif", ".tiff"):
        import_optional("tifffile", purpose="writing TIFF", install="tiepoint[register]")
        return
    if layout.is_white_zero:
        raise InvalidInput(
            f"cannot write {path}: 0 is white in the image, which only TIFF can say; use a name ending in .tif"
        )
    if max(layout.size) > MAX_SIDE.get(suffix, max(layout.size)):
        width, height = layout.size
        raise InvalidInput(
            f"cannot write {path}: {width} x {height} px is too large for {suffix[1:].upper()}; use a name ending in .tif"
        )
    deepest = 16 if suffix == ".png" else 8
    is_held = layout.dtype.kind == "u" and 8 * layout.dtype.itemsize <= deepest
    if not is_held or layout.samples > MAX_BANDS[suffix] or layout.bands not in (1, 3):
        raise InvalidInput(
            f"cannot write {path}: {suffix[1:].upper()} cannot hold {layout.samples} bands of {layout.dtype}; "
            "use a name ending in .tif"
        )


def write_raster(path: Path, tiles: Callable[[int], Iterator[WarpedTile]], layout: Layout) -> None:
    """Write a raster, atomically; TIFF is written tile by tile, other formats are held in memory.

    Args:
        path: Output path; the suffix decides the format.
        tiles: Function that yields the tiles of a side, row by row.
        layout: Size, type and bands of the raster.

    Raises:
        InvalidInput: If the format does not hold it.
    """
    check_layout(path, layout)
    with atomic_write(path) as temporary:
        if path.suffix.lower() in (".tif", ".tiff"):
            _write_tiff(temporary, tiles(TILE_SIDE), layout)
        else:
            _write_whole(temporary, path.suffix.lower(), _assemble(tiles(TILE_SIDE), layout))


def check_mask_path(path: Path) -> None:
    """Check the suffix of an output path.

    Raises:
        InvalidInput: If it is not one of `MASK_SUFFIXES`.
    """
    if path.suffix.lower() not in MASK_SUFFIXES:
        raise InvalidInput(
            f"cannot write a mask to {path}: expected a name ending in {', '.join(MASK_SUFFIXES)}"
        )


def write_mask(path: Path, is_inside: np.ndarray) -> None:
    """Write a mask as 8-bit gray image: 255 where the image is known, 0 elsewhere.

    Args:
        path: Output path ending in .png, .tif or .tiff.
        is_inside: Mask, shape (h, w).

    Raises:
        InvalidInput: If the suffix is unsupported.
    """
    check_mask_path(path)
    file_format = "PNG" if path.suffix.lower() == ".png" else "TIFF"
    with atomic_write(path) as temporary:
        PIL.Image.fromarray(np.where(is_inside, 255, 0).astype(np.uint8)).save(temporary, format=file_format)


def samples_of(tile: WarpedTile, layout: Layout) -> np.ndarray:
    """Return the values of a tile as they are written: with opacity, or the no-data value outside."""
    pixels = tile.pixels
    if layout.nodata is not None:
        pixels = np.where(tile.is_inside[..., None], pixels, np.asarray(layout.nodata).astype(layout.dtype))
    if not layout.has_alpha:
        return pixels
    opaque = 1 if layout.dtype.kind == "f" else np.iinfo(layout.dtype).max
    alpha = np.where(tile.is_inside, opaque, 0).astype(layout.dtype)
    return np.concatenate([pixels, alpha[..., None]], axis=2)


def _write_tiff(path: Path, tiles: Iterator[WarpedTile], layout: Layout) -> None:
    tifffile = import_optional("tifffile", purpose="writing TIFF", install="tiepoint[register]")
    width, height = layout.size
    shape = (height, width, layout.samples) if layout.samples > 1 else (height, width)
    is_color = layout.bands == 3 and layout.dtype.kind == "u"
    photometric = "rgb" if is_color else "miniswhite" if layout.is_white_zero else "minisblack"
    extra = layout.samples - (3 if is_color else 1)
    options: dict[str, Any] = {
        "shape": shape,
        "dtype": layout.dtype,
        "photometric": photometric,
        "planarconfig": "contig" if layout.samples > 1 else None,
        "extrasamples": (["unspecified"] * (extra - layout.has_alpha) + ["unassalpha"] * layout.has_alpha)
        or None,
        "compression": "zlib",
        "predictor": True,
        "tile": (TILE_SIDE, TILE_SIDE),
        "metadata": None,
        "extratags": [*layout.geo.tags, *_nodata_tag(layout)],
    }
    nbytes = height * width * layout.samples * layout.dtype.itemsize
    with tifffile.TiffWriter(path, bigtiff=nbytes > BIG_TIFF_BYTES) as file:
        file.write(_padded(tiles, layout), **options)


def _nodata_tag(layout: Layout) -> list[tuple[int, int, int, str, bool]]:
    if layout.nodata is None or layout.has_alpha:
        return []
    text = "nan" if np.isnan(layout.nodata) else f"{layout.nodata:.17g}"
    return [(NO_DATA, ASCII, len(text) + 1, text, True)]


def _padded(tiles: Iterator[WarpedTile], layout: Layout) -> Iterator[np.ndarray]:
    """Yield tiles of full size, as TIFF stores them."""
    for tile in tiles:
        values = samples_of(tile, layout)
        bottom, right = TILE_SIDE - values.shape[0], TILE_SIDE - values.shape[1]
        padded = np.pad(values, ((0, bottom), (0, right), (0, 0)))
        yield padded if layout.samples > 1 else padded[..., 0]


def _assemble(tiles: Iterator[WarpedTile], layout: Layout) -> np.ndarray:
    width, height = layout.size
    whole = np.zeros((height, width, layout.samples), dtype=layout.dtype)
    for tile in tiles:
        whole[tile.tile.slices] = samples_of(tile, layout)
    return whole[..., 0] if layout.samples == 1 else whole


def _write_whole(path: Path, suffix: str, pixels: np.ndarray) -> None:
    if pixels.dtype == np.uint16 and pixels.ndim == 3:
        codecs = import_optional(
            "imagecodecs", purpose="writing 16-bit color PNG", install="tiepoint[register]"
        )
        path.write_bytes(codecs.png_encode(pixels))
        return
    file_format = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".png": "PNG"}[suffix]
    options = (
        {"quality": JPEG_QUALITY}
        if file_format == "JPEG"
        else {"lossless": True}
        if file_format == "WEBP"
        else {}
    )
    PIL.Image.fromarray(pixels).save(path, format=file_format, **options)
