"""Options of stitching are validated."""

from typing import Any

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.stitching.settings import StitchSettings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"projection": "cube"}, "unknown projection 'cube'"),
        ({"model": "affine"}, "unknown model 'affine'"),
        ({"model": "homography", "projection": "sphere"}, "needs cameras that rotate"),
        ({"max_error_px": 0.0}, "max_error_px"),
        ({"max_output_megapixels": 0}, "max_output_megapixels"),
    ],
    ids=str,
)
def test_wrong_options(options: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(InvalidInput, match=message):
        StitchSettings(**options)


def test_the_threshold_grows_with_the_images() -> None:
    assert StitchSettings().threshold((4000, 3000), 1024) == pytest.approx(1.5 * 4000 / 1024)
    assert StitchSettings().threshold((640, 480), 1024) == StitchSettings().threshold((9, 9), None) == 3
    assert StitchSettings(max_error_px=1.0).threshold((4000, 3000), 1024) == 1
