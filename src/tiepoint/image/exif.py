"""What a photograph's EXIF data say of its lens, and of where it was taken."""

import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL.ExifTags import GPS, IFD, Base as ExifTag

from tiepoint.errors import InvalidInput
from tiepoint.image.decoding import open_pillow

logger = logging.getLogger(__name__)

FILM_DIAGONAL_MM = 43.27
"""Of the 36 mm x 24 mm frame that 35 mm equivalents compare with, as CIPA DCG-001 rounds it."""

UNITS_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""FocalPlaneResolutionUnit: inch, and centimeter; 4 and 5 aren't EXIF's, but some cameras write them."""

MAX_ASPECT_CHANGE = 0.02
"""Photographs that were cropped since they were taken have another aspect, and the sensor's pitch is of no use."""


class GPSPosition(NamedTuple):
    """A place on the Earth, in degrees of WGS 84."""

    latitude_deg: float
    longitude_deg: float


def read_focal_length_px(path: str | os.PathLike[str], image_size: tuple[int, int]) -> float | None:
    """The focal length in px of the upright image, from the file's EXIF data; pixels are taken to be square.

    The 35 mm equivalent comes first, as in COLMAP, although it is rounded to whole millimeters; then the focal
    length with the sensor's pixel pitch. Neither is a calibration: errors of 1 to 5 % are usual.

    Args:
        path: a local file; URLs are not fetched again.
        image_size: (width, height) in px.

    Returns:
        None where the file has none, or is no longer there.
    """
    tags = _read_tags(path)
    focal = _from_film(tags, image_size) or _from_sensor(tags, image_size)
    return focal if focal is not None and math.isfinite(focal) else None


def read_position(path: str | os.PathLike[str]) -> GPSPosition | None:
    """Where a photograph was taken, by the GPS data in its EXIF data.

    Args:
        path: a local file.

    Returns:
        None where the file has none, or what it has is no place: some cameras without reception write 0, 0.
    """
    tags = _read_tags(path, IFD.GPSInfo)
    latitude = _degrees(tags.get(GPS.GPSLatitude), tags.get(GPS.GPSLatitudeRef), "S")
    longitude = _degrees(tags.get(GPS.GPSLongitude), tags.get(GPS.GPSLongitudeRef), "W")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    return None if latitude == longitude == 0 else GPSPosition(latitude, longitude)


def _read_tags(path: str | os.PathLike[str], directory: IFD = IFD.Exif) -> Mapping[int, Any]:
    file = Path(path).expanduser()
    try:
        with file.open("rb") as stream:
            return dict(open_pillow(stream, repr(str(path))).getexif().get_ifd(directory))
    except (OSError, InvalidInput) as error:
        logger.info("no EXIF data from %s: %s", path, error)
    except Exception as error:  # Pillow's parsers raise nearly every type that there is
        logger.warning("EXIF data of %s ignored, they can't be read: %s", path, error)
    return {}


def _from_film(tags: Mapping[int, Any], image_size: tuple[int, int]) -> float | None:
    equivalent_mm = _positive(tags.get(ExifTag.FocalLengthIn35mmFilm))
    return None if equivalent_mm is None else equivalent_mm / FILM_DIAGONAL_MM * math.hypot(*image_size)


def _from_sensor(tags: Mapping[int, Any], image_size: tuple[int, int]) -> float | None:
    """The file may have been reduced since it was taken, so its pitch is scaled by the longer sides."""
    names = (
        ExifTag.FocalLength,
        ExifTag.FocalPlaneXResolution,
        ExifTag.ExifImageWidth,
        ExifTag.ExifImageHeight,
    )
    values = [_positive(tags.get(name)) for name in names]
    if None in values:
        return None
    focal_mm, per_unit, width, height = (value for value in values if value is not None)
    unit_mm = UNITS_MM.get(int(_positive(tags.get(ExifTag.FocalPlaneResolutionUnit)) or 2))
    taken, now = sorted((width, height)), sorted(image_size)
    if unit_mm is None or abs(taken[0] / taken[1] * now[1] / now[0] - 1) > MAX_ASPECT_CHANGE:
        return None
    return focal_mm * per_unit / unit_mm * now[1] / taken[1]


def _positive(value: Any) -> float | None:
    """EXIF writes 0 for "unknown", and damaged files write anything."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if number > 0 and math.isfinite(number) else None


def _degrees(parts: Any, reference: Any, negative: str) -> float | None:
    """EXIF writes degrees, minutes and seconds, and the half of the globe beside them."""
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(value):
        return None
    return -value if str(reference).strip("\0 ").upper() == negative else value
