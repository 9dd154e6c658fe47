"""Files, URLs and PIL images to upright PIL images; every problem becomes a one-line InvalidInput."""

import difflib
import errno
import io
import itertools
import os
import re
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import PIL.Image

from tiepoint.errors import InvalidInput
from tiepoint.image.data_url import NAME as DATA_URL, decode_data_url, is_data_url
from tiepoint.image.download import download
from tiepoint.image.exif import ORIENTATIONS, read_orientation
from tiepoint.image.opening import damaged, one_line, open_pillow
from tiepoint.image.tiff import Samples, read_samples
from tiepoint.io.messages import quote, redact_url

MAX_NAMES_COMPARED = 2_000  # of the folder's entries, to suggest a similar name for a missing file


@runtime_checkable
class BinaryFile(Protocol):
    """An open binary file or other stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; all that are left if it is negative."""
        ...


class DecodedImage(NamedTuple):
    """An upright image and its origin.

    Attributes:
        image: Decoded PIL image of any mode; its EXIF orientation is applied.
        exif_orientation: EXIF orientation of the file, 1 to 8.
        source: Path or URL of the image, if known; None for a data: URL.
        name: Name of the image for error messages.
        samples: Format of the samples if the image is from a TIFF.
    """

    image: PIL.Image.Image
    exif_orientation: int
    source: str | None
    name: str
    samples: Samples | None = None


def decode(location: str, *, max_megapixels: float, timeout: float, max_download_mb: float) -> DecodedImage:
    """Decode the image at a path or URL.

    Args:
        location: Path ("~" is expanded), or http, https or data URL.
        max_megapixels: Maximum number of pixels in millions.
        timeout: Timeout of the server in s.
        max_download_mb: Maximum size of a download in MB.

    Raises:
        InvalidInput: If the image is missing, unreachable, too large, damaged, or in an unsupported format.
    """
    if is_data_url(location):
        stream = io.BytesIO(decode_data_url(location, max_download_mb))
        return _decode_opened(open_pillow(stream, DATA_URL), max_megapixels, None, DATA_URL)
    scheme = re.match(r"([a-z][a-z0-9+.-]+)://", location, re.IGNORECASE)
    if scheme is None:
        return _decode_file(location, max_megapixels)
    if scheme[1].lower() not in ("http", "https"):
        raise InvalidInput(
            f"unsupported URL scheme in {quote(redact_url(location))}; use http, https or data, or pass the path of a local file"
        )
    data = download(location, timeout, max_download_mb)
    return _decode_stream(io.BytesIO(data), location, max_megapixels)


def decode_bytes(data: bytes, max_megapixels: float) -> DecodedImage:
    """Decode the content of an image file.

    Args:
        data: Encoded image.
        max_megapixels: Maximum number of pixels in millions.

    Raises:
        InvalidInput: If the image is too large, damaged, or in an unsupported format.
    """
    name = "the image in memory"
    return _decode_opened(open_pillow(io.BytesIO(data), name), max_megapixels, None, name)


def decode_file_object(file: Any, max_megapixels: float) -> DecodedImage:
    """Decode an open binary file or other stream, from its beginning if it can seek.

    Args:
        file: Open file, `BinaryFile`; it is read from its beginning if it can seek.
        max_megapixels: Maximum number of pixels in millions.

    Raises:
        InvalidInput: If the stream is closed, is not binary, or does not contain a supported image.
    """
    path = getattr(file, "name", None)
    path = os.path.abspath(path) if isinstance(path, str) and os.path.isfile(path) else None  # noqa: PTH100, PTH113
    name = quote(path) if path else f"the image in {type(file).__name__}"
    try:
        if file.seekable():
            file.seek(0)
        data = file.read()
    except (OSError, ValueError, AttributeError) as error:  # ValueError: closed
        raise InvalidInput(f"cannot read {name}: {one_line(error)}") from error
    if not isinstance(data, bytes | bytearray):
        raise InvalidInput(f"cannot read {name}: it is open as text; open it with mode 'rb'")
    return _decode_opened(open_pillow(io.BytesIO(data), name), max_megapixels, path, name)


def decode_pillow(image: PIL.Image.Image, max_megapixels: float, source: str | None = None) -> DecodedImage:
    """Decode a PIL image, which Pillow may not have read yet, and apply its EXIF orientation.

    Args:
        image: PIL image.
        max_megapixels: Maximum number of pixels in millions.
        source: Path or URL of the image, if known.

    Raises:
        InvalidInput: If the image is too large or damaged.
    """
    name = quote(source) if source else "the PIL image"
    return _decode_opened(image, max_megapixels, source, name)


def check_megapixels(image_size: tuple[int, int], name: str, max_megapixels: float) -> None:
    """Check the size (width, height) of an image in px.

    Raises:
        InvalidInput: If the image has more than `max_megapixels` million pixels.
    """
    width, height = image_size
    if width * height > max_megapixels * 1e6:
        raise InvalidInput(
            f"{name} has {width} x {height} px = {width * height / 1e6:,.1f} megapixels, which exceeds the limit of "
            f"{max_megapixels:g}; resize it, or increase max_megapixels if there is enough memory"
        )


def _decode_opened(
    image: PIL.Image.Image, max_megapixels: float, source: str | None, name: str
) -> DecodedImage:
    check_megapixels(image.size, name, max_megapixels)
    try:
        samples = read_samples(image)
        return DecodedImage(*_make_upright(image), source, name, samples)
    except Exception as error:  # Pillow's decoders raise almost any type
        raise damaged(error, name) from error


def _decode_file(location: str, max_megapixels: float) -> DecodedImage:
    path = Path(os.path.expanduser(location))  # noqa: PTH111 (Path's fails on a file that is called "~a.jpg")
    name = quote(str(path))
    if _is_too_long(path):
        raise InvalidInput(
            f"{name} of {len(location):,} characters is too long for a path; shorten it, "
            "or pass a base64-encoded image as a URL: 'data:image/jpeg;base64,…'"
        )
    try:
        _check_is_file(path, name)
        with path.open("rb") as stream:
            opened = open_pillow(stream, name)
            return _decode_opened(opened, max_megapixels, os.path.abspath(path), name)  # noqa: PTH100
    except OSError as error:
        raise InvalidInput(f"cannot open {name}: {error.strerror or one_line(error)}") from error


def _decode_stream(
    stream: io.BufferedReader | io.BytesIO, source: str, max_megapixels: float
) -> DecodedImage:
    return decode_pillow(open_pillow(stream, quote(redact_url(source))), max_megapixels, source)


def _make_upright(image: PIL.Image.Image) -> tuple[PIL.Image.Image, int]:
    if image.format != "TIFF":
        image.load()  # before the orientation, which a PNG may store after the pixels
    orientation = read_orientation(image)
    image.load()  # for a TIFF, Pillow applies the orientation here and then removes it
    transpose = ORIENTATIONS[read_orientation(image)].to_upright
    return image if transpose is None else image.transpose(transpose), orientation


def _check_is_file(path: Path, name: str) -> None:
    if path.is_dir():
        raise InvalidInput(f"{name} is a folder; pass the path of one image file")
    if not path.exists():
        raise InvalidInput(f"image not found: {name}{_hint_for_missing(path)}")
    if not path.is_file():
        raise InvalidInput(f"{name} is a device or pipe, not a file; save its content to a file first")


def _is_too_long(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    except ValueError:  # a null character
        return False
    return False


def _hint_for_missing(path: Path) -> str:
    if not path.parent.is_dir():
        return f"; the folder {str(path.parent)!r} does not exist either; check the path"
    with os.scandir(path.parent) as entries:
        names = {entry.name.lower(): entry.name for entry in itertools.islice(entries, MAX_NAMES_COMPARED)}
    close = difflib.get_close_matches(
        path.name.lower(), names, n=3
    )  # regardless of case, unlike did_you_mean
    if not close:
        return f"; no similar name in {str(path.parent.absolute())!r}; check the path"
    return f"; did you mean {' or '.join(repr(names[key]) for key in close)}?"
