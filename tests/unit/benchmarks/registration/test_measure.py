"""The registration benchmark: error over the overlap, and the table."""

import numpy as np
import pytest
from benchmarks.registration.measure import overlap_error_px
from benchmarks.registration.render import row

SHIFT = np.array([[1.0, 0, 50], [0, 1, 0], [0, 0, 1]])


def test_the_error_is_over_points_that_both_images_show() -> None:
    wrong = SHIFT + np.array([[0, 0, 3.0], [0, 0, 4], [0, 0, 0]])
    assert overlap_error_px(SHIFT, SHIFT, (100, 80), (100, 80)) == 0
    assert overlap_error_px(wrong, SHIFT, (100, 80), (100, 80)) == 5
    bent = SHIFT.copy()
    bent[0, 0] = 2.0  # wrong by x: 0 to 49 px where image 1 shows something
    assert overlap_error_px(bent, SHIFT, (100, 80), (100, 80)) == pytest.approx(28, abs=1)


def test_rows_count_refused_pairs() -> None:
    assert row("p", "auto", [0.5, 2.0, None, 30.0]) == [
        *("p", "auto", "1", "2.00 px", "25 %", "50 %", "50 %", "1")
    ]
