"""Thin-plate splines on top of a model: they recover a smooth deformation, and stay away where a model is enough."""

import numpy as np
import pytest

from tiepoint.geometry.multiview import warp_points
from tiepoint.image.displacement import DisplacementField
from tiepoint.registration import deformation as module
from tiepoint.registration.deformation import fit_deformation
from tiepoint.types import Correspondences, ImageInfo, TwoViewEstimate

SIZE = (400, 300)
H = np.array([[0.9, -0.1, 30.0], [0.1, 0.9, -10.0], [0, 0, 1.0]])  # fixed from moving


def bend(fixed: np.ndarray, amplitude: float) -> np.ndarray:
    """Smooth offsets in px of the moving image."""
    x, y = fixed.T / 100
    return amplitude * np.stack([np.sin(x) * np.cos(y), np.cos(1.3 * x + 0.5)], axis=1)


def matches(amplitude: float, count: int = 400, outliers: int = 0, noise: float = 0.3) -> Correspondences:
    random = np.random.default_rng(0)
    fixed = random.uniform(0, SIZE, (count, 2))
    moving = (
        warp_points(fixed, np.linalg.inv(H)) + bend(fixed, amplitude) + random.normal(0, noise, (count, 2))
    )
    moving[:outliers] = random.uniform(0, SIZE, (outliers, 2))
    info = ImageInfo(image_size=SIZE)
    return Correspondences.from_points(
        moving.astype(np.float32), fixed.astype(np.float32), np.ones(count), image0=info, image1=info
    )


def estimate(count: int = 400) -> TwoViewEstimate:
    return TwoViewEstimate(
        kind="affine", matrix=H, inliers=np.ones(count, dtype=bool), method="opencv", max_error_px=3.0
    )


def test_a_smooth_deformation_is_recovered_in_spite_of_outliers() -> None:
    found, reason = fit_deformation(matches(8.0, outliers=100), estimate())
    assert found is not None, reason
    assert not found.is_control_point[:100].sum() > 5
    assert found.is_control_point[100:].mean() > 0.9
    assert found.held_out_rms_px < 1 < found.model_rms_px
    x, y = np.arange(20.0, 380.0), np.arange(20.0, 280.0)
    expected = bend(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2), 8.0)
    errors = np.stack(found.displacement.at(x, y), axis=-1).reshape(-1, 2) - expected
    assert np.sqrt((errors**2).sum(1).mean()) < 0.5
    assert set(found.to_dict()) == {"num_control_points", "num_fitted", "held_out_rms_px", "model_rms_px"}


def test_no_deformation_where_the_model_is_enough() -> None:
    found, reason = fit_deformation(matches(0.0), estimate())
    assert found is None
    assert "one model fits as well" in reason


def test_too_few_matches() -> None:
    found, reason = fit_deformation(matches(8.0, count=20), estimate(20))
    assert found is None
    assert "at least 30 are needed" in reason


def test_a_deformation_that_folds_the_image_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_agree_locally", lambda points, *_: np.ones(len(points), dtype=bool))
    found, reason = fit_deformation(matches(200.0), estimate())
    assert found is None
    assert "fold" in reason


def test_many_matches_are_sampled() -> None:
    found, _ = fit_deformation(matches(8.0, count=2500), estimate(2500))
    assert found is not None
    assert found.is_control_point.sum() > module.MAX_POINTS == found.num_fitted
    assert found.held_out_rms_px < 0.6


def test_a_horizon_in_the_fixed_image_is_no_fold() -> None:
    """An oblique fixed image shows more than the ground that the moving one shows."""
    moving_from_fixed = np.array([[1.0, 0, 0], [0, 1, 0], [0, -1 / 500, 1]])
    field = DisplacementField(np.zeros((30, 40, 2)), 20.0)
    assert not module._folds(field, moving_from_fixed, (400, 300))
    assert module._folds(field, np.array([[-1.0, 0, 400], [0, 1, 0], [0, 0, 1]]), (400, 300))  # mirrored


def test_offsets_stay_in_the_range_of_those_of_the_matches() -> None:
    """Matches in a band along the diagonal, whose offsets change fast across it."""
    random = np.random.default_rng(0)
    along, across = random.uniform(0, 1, 300), random.uniform(-0.04, 0.04, 300)
    fixed = np.stack([along + across, along - across], axis=1) * SIZE
    offsets = np.stack([300 * across, np.zeros(300)], axis=1) + random.normal(0, 0.2, (300, 2))
    moving = warp_points(fixed, np.linalg.inv(H)) + offsets
    info = ImageInfo(image_size=SIZE)
    given = Correspondences.from_points(
        moving.astype(np.float32), fixed.astype(np.float32), np.ones(300), image0=info, image1=info
    )
    found, reason = fit_deformation(given, estimate(300))
    assert found is not None, reason
    assert np.abs(found.displacement.offsets).max() < 15


def test_matches_on_a_line_have_no_spline() -> None:
    straight = matches(8.0)
    on_line = straight.points1.copy()
    on_line[:, 1] = 100.0
    info = ImageInfo(image_size=SIZE)
    moving = warp_points(on_line.astype(float), np.linalg.inv(H)) + 3 * np.sin(on_line[:, :1] / 50)
    given = Correspondences.from_points(
        moving.astype(np.float32), on_line, np.ones(400), image0=info, image1=info
    )
    found, reason = fit_deformation(given, estimate())
    assert (found, reason) == (None, "the matches lie on one line")
