"""Images in data: URLs (RFC 2397), as web interfaces pass them."""

import base64
import binascii
import re
import urllib.parse

from tiepoint.errors import InvalidInput

NAME = "the data: URL"
"""Name for error messages, which cannot show the URL: it is as long as the image."""

SCHEME = re.compile(r"data:[^,/]*/?[^,/]*,", re.IGNORECASE)
"""Media type and parameters up to the comma; a path beginning with "data:" has no comma, or more slashes before it."""


def is_data_url(location: str) -> bool:
    """Whether a location is a data: URL."""
    return SCHEME.match(location) is not None


def decode_data_url(url: str, max_download_mb: float) -> bytes:
    """Return the data of a data: URL.

    Args:
        url: data: URL; base64 or percent-encoded.
        max_download_mb: Maximum size of the URL in MB.

    Raises:
        InvalidInput: If the URL is too large or its base64 is invalid.
    """
    if len(url) > max_download_mb * 1e6:
        raise InvalidInput(
            f"{NAME} of {len(url) / 1e6:,.0f} MB exceeds the limit of {max_download_mb:g} MB; increase max_download_mb"
        )
    header, _, encoded = url.partition(",")
    data = urllib.parse.unquote_to_bytes(encoded)
    if not header.lower().endswith(";base64"):
        return data
    try:
        return decode_base64(data)
    except ValueError as error:
        raise InvalidInput(f"{NAME} contains invalid base64 ({error}); encode the image again") from error


def decode_base64(data: bytes) -> bytes:
    """Decode base64 in the standard alphabet; line breaks and missing padding are accepted.

    Raises:
        ValueError: If there are other characters.
    """
    compact = b"".join(data.split()).rstrip(b"=")
    try:
        return base64.b64decode(compact + b"=" * (-len(compact) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
