"""GeoTIFF tags of an image, and the transform from its pixels to map coordinates.

Source: OGC GeoTIFF 1.1, sections 7.1 and 7.2 (tags), B.6 (raster to model transformation).
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float

PIXEL_SCALE, TIEPOINT, TRANSFORMATION = 33550, 33922, 34264
GEO_KEYS, GEO_DOUBLES, GEO_ASCII = 34735, 34736, 34737
NO_DATA = 42113  # GDAL's text tag
GEO_TAGS = (PIXEL_SCALE, TIEPOINT, TRANSFORMATION, GEO_KEYS, GEO_DOUBLES, GEO_ASCII)

RASTER_TYPE_KEY, PIXEL_IS_POINT = 1025, 2

ExtraTag: TypeAlias = tuple[int, int, int, Any, bool]
"""Tag of tifffile: code, data type, count, value, whether it is written once."""


@dataclass(frozen=True, slots=True, eq=False)
class GeoTags:
    """GeoTIFF tags as tifffile writes them; none for other images."""

    tags: tuple[ExtraTag, ...] = ()

    @classmethod
    def from_page(cls, page: Any) -> "GeoTags":
        """Return the tags of a page of tifffile."""
        found = [page.tags[code] for code in GEO_TAGS if code in page.tags]
        return cls(tuple((tag.code, tag.dtype, tag.count, tag.value, True) for tag in found))

    def value(self, code: int) -> Any:
        """Return the value of a tag; None if there is none."""
        return next((tag[3] for tag in self.tags if tag[0] == code), None)

    @property
    def map_from_pixel(self) -> Float[np.ndarray, "3 3"] | None:
        """Affine transform from (x, y, 1) in px, the center of the top-left pixel at (0, 0), to map coordinates."""
        matrix = self._map_from_raster()
        if matrix is None:
            return None
        center = 0.0 if self._is_point() else 0.5  # of the top-left pixel, in raster coordinates
        return matrix @ np.array([[1, 0, center], [0, 1, center], [0, 0, 1.0]])

    def _map_from_raster(self) -> Float[np.ndarray, "3 3"] | None:
        transformation = self.value(TRANSFORMATION)
        if transformation is not None and len(transformation) == 16:
            rows = np.array(transformation, dtype=float).reshape(4, 4)
            return rows[np.ix_((0, 1, 3), (0, 1, 3))]
        scale, tiepoint = self.value(PIXEL_SCALE), self.value(TIEPOINT)
        if scale is None or tiepoint is None or len(tiepoint) < 6:
            return None
        (sx, sy), (i, j, _, x, y) = scale[:2], tiepoint[:5]
        return np.array([[sx, 0, x - sx * i], [0, -sy, y + sy * j], [0, 0, 1.0]])

    def _is_point(self) -> bool:
        # a header of 4 numbers, then 4 per key: key, location, count, value
        keys: list[int] = list(self.value(GEO_KEYS) or ())
        values = {keys[k]: keys[k + 3] for k in range(4, len(keys) - 3, 4)}
        return values.get(RASTER_TYPE_KEY) == PIXEL_IS_POINT
