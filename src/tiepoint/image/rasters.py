"""Raster: pixels of any depth and number of bands, read from TIFF and other image files at full precision."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from jaxtyping import Bool

from tiepoint.errors import InvalidInput
from tiepoint.image.decoding import decode
from tiepoint.image.georeferencing import NO_DATA, GeoTags
from tiepoint.io.messages import first_line, quote
from tiepoint.io.optional import import_optional

MAX_MEGAPIXELS = 2_000.0
ROWS_PER_CHUNK = 256
MEMORY_BYTES = 1 << 28  # larger images are decoded into a temporary file that is mapped
TIFF_SUFFIXES = (".tif", ".tiff")
URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://|data:")
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_BIT_DEPTH, PNG_COLOR_TYPE = 24, 25  # bytes of the header

CONVERTED = ("PALETTE", "SEPARATED", "CIELAB", "ICCLAB", "ITULAB")
"""Photometric interpretations that Pillow converts to RGB."""

ORIENT = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a.swapaxes(0, 1)[::-1],
}
"""TIFF orientation -> view of the upright image."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Raster:
    """Pixels of an image at full size and depth.

    Attributes:
        pixels: Values, shape (h, w, bands), integers or floating point; may be mapped from a file.
        source: Path of the file.
        has_alpha: Whether the last band is the opacity.
        is_white_zero: Whether 0 is white.
        nodata: Value of pixels without data, of GDAL's tag; None if there is none.
        geo: GeoTIFF tags.
    """

    pixels: np.ndarray
    source: str
    has_alpha: bool = False
    is_white_zero: bool = False
    nodata: float | None = None
    geo: GeoTags = field(default_factory=GeoTags)

    @property
    def image_size(self) -> tuple[int, int]:
        """Size (width, height) in px."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @property
    def bands(self) -> np.ndarray:
        """Bands without the opacity, shape (h, w, bands)."""
        return self.pixels[..., :-1] if self.has_alpha else self.pixels

    def validity(self) -> Bool[np.ndarray, "h w"] | None:
        """Return which pixels have data: they are opaque, finite, and not `nodata` in all bands; None if all have."""
        has_nodata = self.nodata is not None and not np.isnan(self.nodata)
        if not (self.has_alpha or has_nodata or self.pixels.dtype.kind == "f"):
            return None
        valid = np.ones(self.pixels.shape[:2], dtype=bool)
        for top in range(0, len(valid), ROWS_PER_CHUNK):  # whole masks of many bands do not fit into memory
            rows = slice(top, top + ROWS_PER_CHUNK)
            bands = self.bands[rows]
            if self.has_alpha:
                valid[rows] &= self.pixels[rows, :, -1] > 0
            if has_nodata:
                valid[rows] &= (bands != self.nodata).any(axis=2)
            if bands.dtype.kind == "f":
                valid[rows] &= np.isfinite(bands).all(axis=2)
        return None if valid.all() else valid


def read_raster(path: str | os.PathLike[str]) -> Raster:
    """Read an image file at full size, depth and number of bands; upright.

    TIFF is read with tifffile (extra `register`): integers and floating point of any number of bands, any compression.
    Other formats are read with Pillow, 16-bit color PNG with imagecodecs.

    Args:
        path: Path of the image, or its http, https or data URL.

    Raises:
        InvalidInput: If the file is missing, damaged, not an image, or has several pages or samples that are not numbers.
        MissingDependency: If the library for the format is not installed.
    """
    name = str(path)
    if URL.match(name):
        return _from_decoded(name)
    try:
        with Path(name).expanduser().open("rb") as file:
            start = file.read(32)
    except OSError as error:
        raise InvalidInput(f"cannot read {quote(name)}: {error.strerror or error}") from error
    if start[:2] in (b"II", b"MM"):
        return _read_tiff(name)
    if (
        start[:8] == PNG_START
        and len(start) > PNG_COLOR_TYPE
        and start[PNG_BIT_DEPTH] == 16
        and start[PNG_COLOR_TYPE] != 0
    ):
        return _read_deep_png(name)
    return _from_decoded(name)


def _from_decoded(name: str) -> Raster:
    return _from_pillow(
        decode(name, max_megapixels=MAX_MEGAPIXELS, timeout=10, max_download_mb=500).image, name
    )


def _read_tiff(name: str) -> Raster:
    tifffile = import_optional("tifffile", purpose="reading TIFF at full depth", install="tiepoint[register]")
    try:
        with tifffile.TiffFile(Path(name).expanduser()) as file:
            series = file.series[0]
            page = series.keyframe
            if series.axes not in ("YX", "YXS", "SYX"):
                raise InvalidInput(
                    f"{quote(name)} has {len(file.pages)} pages or planes (axes {series.axes}); extract one image of it"
                )
            if page.photometric.name in CONVERTED:
                return _from_decoded(name)
            megapixels = page.imagewidth * page.imagelength / 1e6
            if megapixels > MAX_MEGAPIXELS:
                raise InvalidInput(
                    f"{quote(name)} has {megapixels:,.0f} megapixels, more than {MAX_MEGAPIXELS:,.0f}; crop or reduce it"
                )
            pixels = series.asarray(out="memmap" if series.nbytes > MEMORY_BYTES else None)
            return _from_tiff_page(page, _with_bands_last(pixels, series.axes), name)
    except InvalidInput:
        raise
    except Exception as error:  # tifffile and codecs raise almost any type
        if "imagecodecs" in str(error):
            raise InvalidInput(
                f"cannot read {quote(name)}: {first_line(error)}; run: pip install 'tiepoint[register]'"
            ) from error
        raise InvalidInput(
            f"cannot read {quote(name)}: {first_line(error)}; the file is damaged or unsupported, copy it again or convert it"
        ) from error


def _from_tiff_page(page: Any, pixels: np.ndarray, name: str) -> Raster:
    if pixels.dtype.kind not in "uif":
        raise InvalidInput(
            f"{quote(name)} has samples of type {pixels.dtype}; convert them to integers or floating point"
        )
    orientation = int(page.tags.valueof(274, 1))
    if orientation in ORIENT:
        pixels = ORIENT[orientation](pixels)
    color_bands = 3 if page.photometric.name == "RGB" else 1
    alpha = [kind.name for kind in page.extrasamples][-1:] in (["UNASSALPHA"], ["ASSOCALPHA"])
    text = page.tags.valueof(NO_DATA)
    return Raster(
        pixels=pixels,
        source=name,
        has_alpha=alpha and pixels.shape[2] > color_bands,
        is_white_zero=page.photometric.name == "MINISWHITE",
        nodata=_number(text),
        geo=GeoTags.from_page(page) if orientation == 1 else GeoTags(),
    )


def _with_bands_last(pixels: np.ndarray, axes: str) -> np.ndarray:
    if axes == "YX":
        return pixels[..., None]
    return np.moveaxis(pixels, 0, 2) if axes == "SYX" else pixels


def _number(text: object) -> float | None:
    try:
        return float(str(text).strip("\0 ")) if text is not None else None
    except ValueError:
        return None


def _read_deep_png(name: str) -> Raster:
    codecs = import_optional("imagecodecs", purpose="reading 16-bit color PNG", install="tiepoint[register]")
    try:
        pixels = codecs.png_decode(Path(name).expanduser().read_bytes())
    except Exception as error:  # of libpng
        raise InvalidInput(f"cannot read {quote(name)}: {first_line(error)}; copy it again") from error
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return Raster(pixels=pixels, source=name, has_alpha=pixels.shape[2] in (2, 4))


def _from_pillow(image: PIL.Image.Image, name: str) -> Raster:
    if image.mode in ("P", "PA") or (image.mode in ("1", "L", "RGB") and "transparency" in image.info):
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "I;16", "I;16B", "I", "F"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    pixels = np.asarray(image)
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return Raster(
        pixels=pixels[..., None] if pixels.ndim == 2 else pixels,
        source=name,
        has_alpha=image.mode in ("LA", "RGBA"),
    )
