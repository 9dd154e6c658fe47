"""EXIF data: orientation, focal length and position."""

import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import PIL.Image
from PIL.ExifTags import GPS, IFD, Base as ExifTag
from PIL.Image import Transpose

from tiepoint.errors import InvalidInput
from tiepoint.image.opening import one_line, open_pillow

logger = logging.getLogger(__name__)

FILM_DIAGONAL_MM = 43.27
"""Diagonal of the 36 mm x 24 mm frame of 35 mm equivalents, as rounded by CIPA DCG-001."""

UNITS_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
"""FocalPlaneResolutionUnit: inch and centimeter; 4 and 5 are not in the standard, but some cameras write them."""

MAX_ASPECT_CHANGE = 0.005
"""Maximum relative change of the shorter side, beyond rounding, of an image that was resized after capture.

Cropped images exceed it: neither the 35 mm equivalent nor the pixel pitch says how much of the frame is left.
"""

MIN_FOCAL_RATIO, MAX_FOCAL_RATIO = 0.2, 100.0
"""Plausible focal lengths relative to the longer image side: fields of view of 136 to 0.6 degrees.

Rectilinear lenses reach 0.25 (9 mm equivalent); the longest telephoto lenses 35, with digital zoom 70.
"""

MIN_ALTITUDE_M, MAX_ALTITUDE_M = -12_000.0, 100_000.0
"""Plausible altitudes: from the deepest trench to the edge of space."""

BELOW_SEA_LEVEL = (1, 3)
"""GPSAltitudeRef of negative altitudes: 1 relative to sea level; 3 to the ellipsoid (EXIF 3.0)."""


class Orientation(NamedTuple):
    """Relation of the upright image to the stored raster.

    Attributes:
        swaps_axes: From upright to raster, x and y are swapped first.
        flips_x: Then x is mirrored.
        flips_y: Then y is mirrored.
        to_upright: Pillow's operation that turns the raster upright; None for the identity.
        rotation_deg: Counter-clockwise rotation in degrees that turns the raster upright; None if it is mirrored.
    """

    swaps_axes: bool
    flips_x: bool
    flips_y: bool
    to_upright: Transpose | None
    rotation_deg: int | None


ORIENTATIONS: dict[int, Orientation] = {
    1: Orientation(False, False, False, None, 0),
    2: Orientation(False, True, False, Transpose.FLIP_LEFT_RIGHT, None),
    3: Orientation(False, True, True, Transpose.ROTATE_180, 180),
    4: Orientation(False, False, True, Transpose.FLIP_TOP_BOTTOM, None),
    5: Orientation(True, False, False, Transpose.TRANSPOSE, None),
    6: Orientation(True, False, True, Transpose.ROTATE_270, 270),
    7: Orientation(True, True, True, Transpose.TRANSVERSE, None),
    8: Orientation(True, True, False, Transpose.ROTATE_90, 90),
}
"""All EXIF orientations (EXIF 2.32, tag 0x0112); the only such table of the package."""


def compose_orientations(first: int, second: int) -> int:
    """Return the orientation of a raster that `first` turns into an image which `second` turns upright.

    The orientations are the symmetry group of the square: 1 is the identity, and 6 and 8 are inverse to each other.

    Args:
        first: EXIF orientation of the raster, 1 to 8, applied first.
        second: EXIF orientation of the result, 1 to 8.
    """
    inner, outer = ORIENTATIONS[first], ORIENTATIONS[second]
    # the raster is inner(outer(upright)); inner's axis swap also swaps outer's mirrored axes
    flips = (outer.flips_y, outer.flips_x) if inner.swaps_axes else (outer.flips_x, outer.flips_y)
    key = (
        inner.swaps_axes != outer.swaps_axes,
        inner.flips_x != flips[0],
        inner.flips_y != flips[1],
    )
    return next(number for number, orientation in ORIENTATIONS.items() if orientation[:3] == key)


def swap_sides(image_size: tuple[int, int], exif_orientation: int) -> tuple[int, int]:
    """Return the size (width, height) of the stored raster from that of the upright image, or the reverse.

    Args:
        image_size: Size (width, height) in px.
        exif_orientation: EXIF orientation of the file, 1 to 8.
    """
    width, height = image_size
    return (height, width) if ORIENTATIONS[exif_orientation].swaps_axes else (width, height)


def read_orientation(image: PIL.Image.Image, name: str = "image") -> int:
    """Return the EXIF orientation of a PIL image, 1 to 8; missing, invalid and damaged values are 1.

    Args:
        image: PIL image.
        name: Name of the image for the log.
    """
    try:
        value = image.getexif().get(ExifTag.Orientation, 1)
    except (
        Exception
    ) as error:  # Pillow's parsers raise almost any type; damaged EXIF data must not lose the image
        logger.warning("EXIF orientation of %s ignored: %s", name, one_line(error))
        return 1
    return value if value in ORIENTATIONS else 1


class GPSPosition(NamedTuple):
    """A position on the Earth in WGS 84: degrees, and the altitude and the horizontal error in m if they are known."""

    latitude_deg: float
    longitude_deg: float
    altitude_m: float | None = None
    error_m: float | None = None


def read_focal_length_px(path: str | os.PathLike[str], image_size: tuple[int, int]) -> float | None:
    """Read the focal length in px of the upright image from EXIF data; pixels are assumed to be square.

    The 35 mm equivalent has priority, as in COLMAP, although it is rounded to integer millimeters; then the focal
    length with the pixel pitch of the sensor. Neither is a calibration: errors of 1 to 5 % are common.

    Args:
        path: Path of a local file; URLs are not downloaded again.
        image_size: Size (width, height) of the image in px.

    Returns:
        Focal length in px; None if the file has none or does not exist, if no lens has it, or if the image was cropped
        after capture: its aspect ratio is not that of the EXIF data.
    """
    tags = _read_tags(path)
    if _is_cropped(tags, image_size):
        return None
    candidates = _from_film(tags, image_size), _from_sensor(tags, image_size)
    return next((focal for focal in candidates if _is_plausible_focal(focal, image_size)), None)


def read_position(path: str | os.PathLike[str]) -> GPSPosition | None:
    """Read the GPS position from EXIF data.

    Args:
        path: Path of a local file.

    Returns:
        Position; None if the file has none or an invalid one. (0, 0) is invalid: some cameras write it without
        reception. An implausible altitude is None.
    """
    tags = _read_tags(path, IFD.GPSInfo)
    latitude = _degrees(tags.get(GPS.GPSLatitude), tags.get(GPS.GPSLatitudeRef), "S")
    longitude = _degrees(tags.get(GPS.GPSLongitude), tags.get(GPS.GPSLongitudeRef), "W")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    if latitude == longitude == 0:
        return None
    error_m = _number(tags.get(GPS.GPSHPositioningError))
    return GPSPosition(latitude, longitude, _altitude(tags), error_m)


def _read_tags(path: str | os.PathLike[str], directory: IFD = IFD.Exif) -> Mapping[int, Any]:
    file = Path(path).expanduser()
    try:
        with file.open("rb") as stream:
            return dict(open_pillow(stream, repr(str(path))).getexif().get_ifd(directory))
    except (OSError, InvalidInput) as error:
        logger.info("no EXIF data from %s: %s", path, error)
    except Exception as error:  # Pillow's parsers raise almost any type
        logger.warning("EXIF data of %s ignored: %s", path, error)
    return {}


def _from_film(tags: Mapping[int, Any], image_size: tuple[int, int]) -> float | None:
    equivalent_mm = _number(tags.get(ExifTag.FocalLengthIn35mmFilm))
    return None if equivalent_mm is None else equivalent_mm / FILM_DIAGONAL_MM * math.hypot(*image_size)


def _from_sensor(tags: Mapping[int, Any], image_size: tuple[int, int]) -> float | None:
    """Return the focal length from the pixel pitch, scaled by the longer sides if the image was resized after capture."""
    names = (
        ExifTag.FocalLength,
        ExifTag.FocalPlaneXResolution,
        ExifTag.ExifImageWidth,
        ExifTag.ExifImageHeight,
    )
    values = [_number(tags.get(name)) for name in names]
    unit_mm = UNITS_MM.get(int(_number(tags.get(ExifTag.FocalPlaneResolutionUnit)) or 2))
    if None in values or unit_mm is None:
        return None
    focal_mm, per_unit, width, height = (value for value in values if value is not None)
    return focal_mm * per_unit / unit_mm * max(image_size) / max(width, height)


def _is_cropped(tags: Mapping[int, Any], image_size: tuple[int, int]) -> bool:
    """Whether the aspect ratio is not that of the captured image; False if the EXIF data have no size."""
    captured = [_number(tags.get(name)) for name in (ExifTag.ExifImageWidth, ExifTag.ExifImageHeight)]
    if None in captured:
        return False
    (short, long), (current_short, current_long) = sorted(filter(None, captured)), sorted(image_size)
    expected = short * current_long / long
    return abs(current_short - expected) > 1 + MAX_ASPECT_CHANGE * expected


def _is_plausible_focal(focal_px: float | None, image_size: tuple[int, int]) -> bool:
    return focal_px is not None and MIN_FOCAL_RATIO <= focal_px / max(image_size) <= MAX_FOCAL_RATIO


def _altitude(tags: Mapping[int, Any]) -> float | None:
    """Return the altitude in m; 0 m is a valid one, and some writers store a negative number instead of a reference."""
    value = _finite(tags.get(GPS.GPSAltitude))
    if value is None:
        return None
    altitude = -abs(value) if _altitude_reference(tags) in BELOW_SEA_LEVEL else value
    return altitude if MIN_ALTITUDE_M <= altitude <= MAX_ALTITUDE_M else None


def _altitude_reference(tags: Mapping[int, Any]) -> int:
    """Return GPSAltitudeRef: a byte, which some writers store as a number or as text; 0 (above sea level) otherwise."""
    value = tags.get(GPS.GPSAltitudeRef, 0)
    if isinstance(value, (bytes, str)):
        value = value.encode() if isinstance(value, str) else value
        value = 0 if not value else value[0] - ord("0") if value[:1].isdigit() else value[0]
    number = _finite(value)
    return 0 if number is None else int(number)


def _number(value: Any) -> float | None:
    """Return a positive number; None for 0, which means unknown in most EXIF fields, and for damaged values."""
    number = _finite(value)
    return number if number is not None and number > 0 else None


def _finite(value: Any) -> float | None:
    """Return a finite number; None for damaged values."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) else None


def _degrees(parts: Any, reference: Any, negative: str) -> float | None:
    """Return signed degrees from degrees, minutes and seconds and the hemisphere.

    Some writers store negative numbers, with or without the letter of the hemisphere: both mean the same side.
    """
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if len(numbers) != 3 or not all(map(math.isfinite, numbers)):
        return None
    degrees, minutes, seconds = map(abs, numbers)
    is_negative = min(numbers) < 0 or str(reference).strip("\0 ").upper() == negative
    value = degrees + minutes / 60 + seconds / 3600
    return -value if is_negative else value
