"""Files, URLs and PIL images to upright pixels; whatever is wrong with one becomes a one-line InvalidInput."""

import difflib
import http.client
import io
import itertools
import logging
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import PIL.Image
from PIL.ExifTags import Base as ExifTag
from PIL.Image import Transpose
from torch import Tensor

from tiepoint.errors import InvalidInput
from tiepoint.image.conversion import pixels_from_pillow

logger = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM", "GIF", "JPEG2000", "AVIF", "HEIF")
"""Pillow's names of the formats that are read; HEIF only where a plugin such as pillow-heif is registered."""

UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What turns a raster with this EXIF orientation upright (EXIF 2.32, tag 0x0112)."""

LOOKALIKES = (
    (rb"version https://git-lfs", "is a Git LFS pointer, not the image itself; run 'git lfs pull'"),
    (rb"....ftyp(hei|hev|mif1)", "is a HEIC photograph; convert it to JPEG, or register pillow-heif"),
    (rb"\s*<svg|\s*<\?xml", "is SVG or other XML, not pixels; convert it to PNG"),
    (rb"\s*<", "is a web page, not an image; use the address of the image itself"),
    (rb"%PDF", "is a PDF document; convert the page to PNG"),
)
"""What people often take for an image, by its first bytes."""

PIECE = 1 << 16  # bytes asked of a socket at a time
SLOWEST = 10_000  # bytes per second; a download slower than this runs into the time-out
NAMES_COMPARED = 2_000  # a missing file's neighbors that are looked at for a similar name


class Decoded(NamedTuple):
    """Upright RGB pixels as `tiepoint.image.Image` keeps them, and where they are from."""

    pixels: Tensor
    exif_orientation: int
    source: str | None


def load(location: str, *, max_megapixels: float, timeout: float, max_download_mb: float) -> Decoded:
    """Decode the image at a path or URL. Raises InvalidInput for everything that can be wrong with it."""
    scheme = re.match(r"([a-z][a-z0-9+.-]+)://", location, re.IGNORECASE)
    if scheme is None:
        return _load_file(location, max_megapixels)
    if scheme[1].lower() not in ("http", "https"):
        raise InvalidInput(
            f"{location!r}: only http and https URLs are fetched; pass the path of a local file"
        )
    data = _download(location, timeout, max_download_mb)
    return _load_stream(io.BytesIO(data), location, max_megapixels)


def load_pillow(image: PIL.Image.Image, max_megapixels: float, source: str | None = None) -> Decoded:
    """Decode a PIL image that may not have been read yet. Raises InvalidInput as `load` does."""
    name = repr(source) if source else "the PIL image"
    check_megapixels(image.size, name, max_megapixels)
    try:
        upright, orientation = _turn_upright(image)
        return Decoded(pixels_from_pillow(upright, name), orientation, source)
    except InvalidInput:
        raise
    except Exception as error:  # Pillow's decoders raise nearly every type that there is
        raise _damaged(error, name) from error


def check_megapixels(image_size: tuple[int, int], name: str, max_megapixels: float) -> None:
    """Raise InvalidInput if an image, (width, height) px, has more than `max_megapixels` million pixels."""
    width, height = image_size
    if width * height > max_megapixels * 1e6:
        raise InvalidInput(
            f"{name} has {width} x {height} px = {width * height / 1e6:,.1f} megapixels, the limit is "
            f"{max_megapixels:g}; reduce it, or pass a higher max_megapixels if there is memory for it"
        )


def _load_file(location: str, max_megapixels: float) -> Decoded:
    path = Path(os.path.expanduser(location))  # noqa: PTH111 (Path's fails on a file that is called "~a.jpg")
    name = repr(str(path))
    try:
        _check_is_file(path, name)
        with path.open("rb") as stream:
            return _load_stream(stream, str(path), max_megapixels)
    except OSError as error:
        raise InvalidInput(f"{name} can't be opened: {error.strerror or _one_line(error)}") from error


def _check_is_file(path: Path, name: str) -> None:
    if path.is_dir():
        raise InvalidInput(f"{name} is a folder, but one image file was expected; pass a file in it")
    if not path.exists():
        raise InvalidInput(f"{name} does not exist; {_hint_for_missing(path)}")
    if not path.is_file():
        raise InvalidInput(f"{name} is a device or pipe, not a file; save its content to a file first")


def _hint_for_missing(path: Path) -> str:
    if not path.parent.is_dir():
        return f"nor does the folder {str(path.parent)!r}; check the path"
    with os.scandir(path.parent) as entries:
        names = {entry.name.lower(): entry.name for entry in itertools.islice(entries, NAMES_COMPARED)}
    close = difflib.get_close_matches(path.name.lower(), names, n=3)
    if not close:
        return f"nothing in {str(path.parent.absolute())!r} has a similar name; check the path"
    return f"did you mean {' or '.join(repr(names[key]) for key in close)}?"


def _load_stream(stream: io.BufferedReader | io.BytesIO, source: str, max_megapixels: float) -> Decoded:
    return load_pillow(open_pillow(stream, repr(source)), max_megapixels, source)


def open_pillow(stream: io.BufferedReader | io.BytesIO, name: str) -> PIL.Image.Image:
    """What `PIL.Image.open` does, for our formats only and without Pillow's limit of 89 megapixels.

    Pillow keeps that limit in a module global and reports it through Python's global warning filters. Other
    threads would see a change of either, so the check is left out here, and `max_megapixels` takes its place.
    """
    PIL.Image.init()
    start = stream.read(64)
    signature = start[:16].ljust(16, b"\0")  # some of Pillow's tests of it fail on fewer bytes
    if not start:
        raise InvalidInput(f"{name} is empty (0 bytes); copy or download it again")
    try:
        for factory, accept in (PIL.Image.OPEN[key] for key in FORMATS if key in PIL.Image.OPEN):
            if accept is not None and accept(signature) is True:  # or a text: this Pillow lacks the format
                stream.seek(0)
                return factory(stream, "")
    except Exception as error:  # Pillow's parsers raise nearly every type that there is
        raise _damaged(error, name) from error
    raise _unknown(start, name)


def _turn_upright(image: PIL.Image.Image) -> tuple[PIL.Image.Image, int]:
    if image.format != "TIFF":
        image.load()  # before the orientation: a PNG may carry it behind the pixels
    orientation = _orientation(image)
    image.load()  # Pillow itself turns a TIFF upright here, and then forgets the orientation
    left = _orientation(image)
    return image.transpose(UPRIGHT[left]) if left in UPRIGHT else image, orientation


def _orientation(image: PIL.Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTag.Orientation, 1)
    except Exception as error:  # damaged EXIF data must not cost the image
        logger.warning("EXIF orientation ignored, it can't be read: %s", _one_line(error))
        return 1
    return value if value in range(1, 9) else 1


def _unknown(start: bytes, name: str) -> InvalidInput:
    for pattern, problem in LOOKALIKES:
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            return InvalidInput(f"{name} {problem}")
    return InvalidInput(
        f"{name} is no image in a format that can be read (JPEG, PNG, TIFF, WebP, BMP, PPM and some others), "
        f"it starts with {start[:16]!r}; convert it to JPEG or PNG"
    )


def _damaged(error: Exception, name: str) -> InvalidInput:
    reason = _one_line(error)
    if isinstance(error, MemoryError):
        return InvalidInput(f"{name} does not fit into memory; reduce it first")
    if "truncated" in reason.lower() or isinstance(error, EOFError):
        return InvalidInput(
            f"{name} is truncated: the file ends before the image does; copy or download it again"
        )
    return InvalidInput(
        f"{name} is damaged, or of a kind that Pillow can't read ({reason}); copy it again or convert it"
    )


def _download(url: str, timeout: float, max_download_mb: float) -> bytes:
    name = repr(url)
    ascii_url = urllib.parse.quote(url, safe="%/:=&?~#+!$,;'@()*[]")
    try:
        request = urllib.request.Request(ascii_url, headers={"User-Agent": "tiepoint"})
        with _web_opener().open(request, timeout=timeout) as response:
            return _read_response(response, name, timeout, max_download_mb)
    except InvalidInput:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        answer = f"{error.code} {error.reason}"
        raise InvalidInput(f"{name}: the server answered {answer!r}; check the address") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _unreachable(error, name, timeout) from error


def _web_opener() -> urllib.request.OpenerDirector:
    """An opener for http and https alone, through redirects too; urllib's own also opens files and FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _read_response(response: Any, name: str, timeout: float, max_download_mb: float) -> bytes:
    announced = int(response.headers.get("Content-Length") or 0)
    _check_download(announced, name, max_download_mb)
    data = bytearray()
    start = time.monotonic()
    while piece := response.read1(PIECE):
        data += piece
        _check_download(len(data), name, max_download_mb)
        if time.monotonic() - start > timeout + len(data) / SLOWEST:
            raise TimeoutError
    if len(data) < announced:
        raise InvalidInput(f"{name}: only {len(data):,} of {announced:,} bytes came; try again")
    return bytes(data)


def _check_download(size: int, name: str, max_download_mb: float) -> None:
    if size > max_download_mb * 1e6:
        raise InvalidInput(
            f"{name} is larger than the limit of {max_download_mb:g} MB; raise max_download_mb to fetch it"
        )


def _unreachable(error: Exception, name: str, timeout: float) -> InvalidInput:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return InvalidInput(
            f"{name}: the server took longer than timeout = {timeout:g} s; try again, or raise it"
        )
    reason = _one_line(cause) if isinstance(cause, Exception) else str(cause)
    return InvalidInput(f"{name} can't be downloaded ({reason}); check the address and the network")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
