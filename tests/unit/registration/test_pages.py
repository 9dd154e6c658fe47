"""The page of a deformed image shows it as it was resampled, and the control points on it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.colored_dots import SHIFT, dots, make_matcher

from tiepoint.image.displacement import DisplacementField
from tiepoint.image.rasters import Raster
from tiepoint.io.stages import Stages
from tiepoint.registration.alignment import Alignment, AlignSettings, View, align
from tiepoint.registration.deformation import Deformation
from tiepoint.registration.pages import _aligned_preview, _aligned_result, write_page


@pytest.fixture(scope="module")
def alignment() -> Alignment:
    """A pair of shifted images, and a deformation by a constant offset."""
    moving, fixed = (View.of(Raster(pixels=dots(shift), source="a.png"), None) for shift in ((0, 0), SHIFT))
    found = align(make_matcher(None), moving, fixed, AlignSettings(), Stages())
    deformation = Deformation(
        displacement=DisplacementField(np.broadcast_to([3.0, -2.0], (2, 2, 2)), 500.0),
        is_control_point=found.estimate.inliers.copy(),
        num_fitted=9,
        held_out_rms_px=1.0,
        model_rms_px=4.0,
    )
    return replace(found, deformation=deformation)


def test_matches_are_where_the_pixels_are(alignment: Alignment) -> None:
    assert alignment.deformation is not None
    result, estimate = _aligned_result(alignment, alignment.deformation)
    assert len(result) == alignment.deformation.is_control_point.sum()
    np.testing.assert_allclose(result.points0 - result.points1, [[-3.0, 2.0]] * len(result), atol=0.01)
    assert estimate.inliers.all() == (np.hypot(3, 2) <= estimate.max_error_px)
    assert result.verify() is alignment.result.verify()  # of all matches
    preview = _aligned_preview(alignment, alignment.deformation)
    np.testing.assert_array_equal(preview[20:200, 20:300], dots()[20 - 7 : 200 - 7, 20 - 6 : 300 - 6])
    assert not preview[:2].any()  # as dark as the darkest pixel


def test_both_pages_are_written(alignment: Alignment, tmp_path: Path) -> None:
    for name, shown in (("a.html", alignment), ("b.html", replace(alignment, deformation=None))):
        write_page(tmp_path / name, shown)
        assert "<html" in (tmp_path / name).read_text()
