"""Image headers with Pillow: our formats only, no global limits, and a one-line error for everything else."""

import io
import re

import PIL.Image

from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.image.tiff import open_unusual_tiff
from tiepoint.io.optional import import_optional

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM", "GIF", "JPEG2000", "AVIF", "HEIF", "DIB")
"""Pillow's names of the supported formats; HEIF if pillow-heif is installed, or another plugin is registered."""

HEIF_START = rb"....ftyp(hei|hev|mif1|msf1)"
"""First bytes of HEIC and other HEIF files, as a regular expression; AVIF has other brands."""

LOOKALIKES = (
    (rb"version https://git-lfs", "is a Git LFS pointer, not the image itself; run 'git lfs pull'"),
    (rb"\s*<svg|\s*<\?xml", "is SVG or other XML, not pixels; convert it to PNG"),
    (rb"\s*<", "is a web page, not an image; use the address of the image itself"),
    (rb"%PDF", "is a PDF document; convert the page to PNG"),
)
"""First bytes of files commonly mistaken for images, and the rest of the error message."""

SIGNATURE_BYTES = 16  # some of Pillow's signature checks fail on fewer bytes


def open_pillow(stream: io.BufferedReader | io.BytesIO, name: str) -> PIL.Image.Image:
    """Open an image like `PIL.Image.open`, for `FORMATS` only and without Pillow's limit of 89 megapixels.

    Pillow keeps that limit in a module global and reports it through Python's global warning filters. Changing either
    would affect other threads, so the check is skipped here and `max_megapixels` replaces it.

    Args:
        stream: Binary stream of the file.
        name: Name of the image for error messages.

    Raises:
        InvalidInput: If the file is empty, damaged, or in an unsupported format.
    """
    PIL.Image.init()
    start = stream.read(64)
    signature = start[:SIGNATURE_BYTES].ljust(SIGNATURE_BYTES, b"\0")
    if not start:
        raise InvalidInput(f"{name} is empty (0 bytes); copy or download it again")
    try:
        for factory, accept in (PIL.Image.OPEN[key] for key in FORMATS if key in PIL.Image.OPEN):
            if accept is not None and accept(signature) is True:  # a string if this Pillow lacks the format
                stream.seek(0)
                return factory(stream, "")
        if re.match(HEIF_START, start, re.DOTALL):
            return _open_heif(stream, name)
    except InvalidInput:
        raise
    except Exception as error:  # Pillow's parsers raise almost any type
        if not isinstance(error, SyntaxError) or start[:2] not in (b"II", b"MM"):
            raise damaged(error, name) from error
        return _open_refused_tiff(stream, error, name)
    raise _unsupported(start, name)


def _open_refused_tiff(
    stream: io.BufferedReader | io.BytesIO, refusal: Exception, name: str
) -> PIL.Image.Image:
    try:
        return open_unusual_tiff(stream, name)
    except InvalidInput:
        raise
    except Exception:  # the header cannot be read
        raise damaged(refusal, name) from refusal


def _open_heif(stream: io.BufferedReader | io.BytesIO, name: str) -> PIL.Image.Image:
    """Open a HEIC image with pillow-heif, without registering it for all of Pillow."""
    try:
        heif = import_optional("pillow_heif", purpose="reading it", install="tiepoint[heic]")
    except MissingDependency as error:  # one image of many, so not an error of the whole run
        raise InvalidInput(f"{name} is a HEIC photo; {error}, or convert it to JPEG") from error
    stream.seek(0)
    return heif.HeifImageFile(stream, "")


def damaged(error: Exception, name: str) -> InvalidInput:
    """Return the error for an image that Pillow failed to decode.

    Args:
        error: Exception of Pillow.
        name: Name of the image for the message.
    """
    reason = one_line(error)
    if isinstance(error, MemoryError):
        return InvalidInput(f"{name} does not fit into memory; resize it first")
    if re.search("truncated|end of file", reason, re.IGNORECASE) or isinstance(error, EOFError):
        return InvalidInput(
            f"{name} is truncated: the file ends before the image does; copy or download it again"
        )
    return InvalidInput(
        f"{name} is damaged or not supported by Pillow ({reason}); copy it again or convert it"
    )


def one_line(error: BaseException) -> str:
    """Return an error's message on one line, or its class name if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def _unsupported(start: bytes, name: str) -> InvalidInput:
    for pattern, problem in LOOKALIKES:
        if re.match(pattern, start, re.DOTALL | re.IGNORECASE):
            return InvalidInput(f"{name} {problem}")
    return InvalidInput(
        f"{name} is not in a supported image format (JPEG, PNG, TIFF, WebP, BMP, PPM and some others): "
        f"it starts with {start[:16]!r}; convert it to JPEG or PNG"
    )
