"""Map coordinates of pixels, by scale and tie point or by a matrix, for pixels that are areas or points."""

import numpy as np
import pytest

from tiepoint.image.georeferencing import GeoTags

SCALE = (33550, 12, 3, (0.5, 0.25, 0.0), True)
TIEPOINT = (33922, 12, 6, (0.0, 0.0, 0.0, 100.0, 200.0, 0.0), True)
MATRIX = (34264, 12, 16, (0.5, 0, 0, 100.0, 0, -0.25, 0, 200.0, 0, 0, 0, 0, 0, 0, 0, 1.0), True)


def keys(raster_type: int) -> tuple[int, int, int, tuple[int, ...], bool]:
    return (34735, 3, 8, (1, 1, 0, 1, 1025, 0, 1, raster_type), True)


@pytest.mark.parametrize("tags", [(SCALE, TIEPOINT), (MATRIX,)])
@pytest.mark.parametrize(("raster_type", "center"), [(1, 0.5), (2, 0.0), (None, 0.5)])
def test_the_center_of_the_first_pixel(tags: tuple, raster_type: int | None, center: float):
    geo = GeoTags(tags if raster_type is None else (*tags, keys(raster_type)))
    x, y, _ = geo.map_from_pixel @ (0, 0, 1)
    assert (x, y) == pytest.approx((100 + 0.5 * center, 200 - 0.25 * center))
    assert geo.map_from_pixel @ (10, 4, 1) - geo.map_from_pixel @ (0, 0, 1) == pytest.approx((5, -1, 0))


@pytest.mark.parametrize("tags", [(), (SCALE,), (TIEPOINT,), (keys(1),)])
def test_images_without_a_transform(tags: tuple):
    assert GeoTags(tags).map_from_pixel is None


def test_values():
    assert GeoTags((SCALE,)).value(33550) == (0.5, 0.25, 0.0)
    assert GeoTags((SCALE,)).value(34264) is None
    assert np.array_equal(GeoTags((MATRIX,)).map_from_pixel[2], [0, 0, 1])
