"""Cost model: its polynomials, and their fit to measured times."""

import math

import numpy as np
import pytest
from tests.helpers.cost_models import costs

from tiepoint.errors import InvalidInput
from tiepoint.image import ImageTransform
from tiepoint.io.config import from_dict, to_dict
from tiepoint.matching.latency.cost_model import CostModel, ExtractionCost, TokenCost, fit_nonnegative

LARGE = ImageTransform((800, 600), (400, 300))
SMALL = ImageTransform((400, 300), (400, 300))
NARROW = ImageTransform((400, 100), (400, 100))
EXTRACTION = ExtractionCost(constant=0.02, per_resized_pixel=1e-8, per_pixel=1e-6, per_keypoint=1e-5)


def test_extraction_counts_original_pixels_only_where_an_image_is_resized() -> None:
    assert EXTRACTION.seconds(SMALL, 1000) == pytest.approx(0.02 + 0.12 + 0.01)
    assert EXTRACTION.seconds(LARGE, 0) == pytest.approx(0.02 + 0.0048 + 0.12)


def test_matching_is_the_assignment_and_its_layers() -> None:
    assert costs().matching_seconds(200, layers=3) == pytest.approx(0.001 + 3 * 0.002)


@pytest.mark.parametrize(
    ("seconds", "layers"), [(0.0005, 0), (0.0029, 0), (0.0031, 1), (0.0071, 3), (1.0, 9), (-1.0, 0)]
)
def test_layers_that_fit_into_a_time(seconds: float, layers: int) -> None:
    assert costs().max_layers(200, seconds) == layers


def test_a_matcher_without_layers_has_none() -> None:
    assert costs(layers=0).max_layers(200, 1.0) == 0


def test_extraction_is_fitted_exactly_to_its_own_times() -> None:
    measured = [(SMALL, 2000), (SMALL, 64), (NARROW, 64), (LARGE, 64)]
    transforms, keypoints = [transform for transform, _ in measured], [count for _, count in measured]
    seconds = [EXTRACTION.seconds(*each) for each in measured]
    found = ExtractionCost.fit(transforms, keypoints, seconds)
    assert found.seconds(LARGE, 500) == pytest.approx(EXTRACTION.seconds(LARGE, 500))
    assert found.per_resized_pixel == pytest.approx(1e-8)


def test_tokens_are_fitted_exactly_to_their_own_times() -> None:
    known = TokenCost(constant=0.003, per_token=2e-6, per_token_pair=1e-9)
    sizes = [100, 1000, 4000]
    found = TokenCost.fit(sizes, [known.seconds(size) for size in sizes])
    assert found.seconds(2500) == pytest.approx(known.seconds(2500))


def test_noise_never_makes_more_work_cheaper() -> None:
    """A straight line through these times would have a negative quadratic coefficient."""
    found = TokenCost.fit([100, 1000, 4000], [0.01, 0.05, 0.06])
    assert min(found.constant, found.per_token, found.per_token_pair) >= 0
    assert found.seconds(4000) > found.seconds(1000) > found.seconds(100) > 0


def test_columns_of_zeros_have_no_cost() -> None:
    assert fit_nonnegative([(1.0, 0.0), (1.0, 0.0)], [2.0, 2.0]) == [pytest.approx(2.0), 0.0]


def test_decreasing_times_are_a_constant() -> None:
    constant, slope = fit_nonnegative([(1.0, 1.0), (1.0, 2.0)], [2.0, 1.0])
    assert slope == 0
    assert 1 < constant < 2


@pytest.mark.parametrize("value", [-1e-9, math.nan, math.inf])
def test_invalid_coefficients_are_named(value: float) -> None:
    with pytest.raises(InvalidInput, match=r"per_token.*got"):
        TokenCost(constant=0.0, per_token=value, per_token_pair=0.0)


def test_it_is_read_back_from_a_dict() -> None:
    assert from_dict(CostModel, to_dict(costs())) == costs()
    assert np.isfinite(to_dict(costs())["extraction"]["constant"])
