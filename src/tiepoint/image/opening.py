"""Image headers with Pillow: our formats only, no global limits, and a one-line error for everything else."""

import io
import re

import PIL.Image

from tiepoint.errors import InvalidInput

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM", "GIF", "JPEG2000", "AVIF", "HEIF")
"""Pillow's names of the supported formats; HEIF only if a plugin such as pillow-heif is registered."""

LOOKALIKES = (
    (rb"version https://git-lfs", "is a Git LFS pointer, not the image itself; run 'git lfs pull'"),
    (rb"....ftyp(hei|hev|mif1)", "is a HEIC photo; convert it to JPEG, or register pillow-heif"),
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
    except Exception as error:  # Pillow's parsers raise almost any type
        raise damaged(error, name) from error
    raise _unsupported(start, name)


def damaged(error: Exception, name: str) -> InvalidInput:
    """Return the error for an image that Pillow failed to decode.

    Args:
        error: Exception of Pillow.
        name: Name of the image for the message.
    """
    reason = one_line(error)
    if isinstance(error, MemoryError):
        return InvalidInput(f"{name} does not fit into memory; resize it first")
    if "truncated" in reason.lower() or isinstance(error, EOFError):
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
