"""Metrics against cases that can be checked by hand, bounds, and a second computation."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tiepoint.errors import InvalidInput
from tiepoint.geometry import metrics
from tiepoint.geometry.metrics import accuracy, auc, mean_average_accuracy

IDENTITY = np.eye(3, 4)
SHIFT_3_4 = np.array([[1.0, 0, 3], [0, 1, 4], [0, 0, 1]])
ERRORS = st.lists(st.floats(0, 40) | st.just(math.inf), min_size=1, max_size=30)


def turned(degrees: float, *, axis: int = 2) -> np.ndarray:
    """A rotation about a coordinate axis."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    R = np.eye(3)
    i, j = [k for k in range(3) if k != axis]
    R[i, i], R[j, j], R[i, j], R[j, i] = c, c, -s, s
    return R


def pose(degrees: float, translation: tuple[float, float, float]) -> np.ndarray:
    return np.column_stack([turned(degrees), translation])


class TestPose:
    @pytest.mark.parametrize("degrees", [0, 10, 90, 180])
    def test_rotation_error_is_the_angle(self, degrees: int) -> None:
        assert metrics.rotation_error_deg(turned(degrees, axis=1), np.eye(3)) == pytest.approx(degrees)

    def test_rounding_never_makes_a_rotation_error_nan(self) -> None:
        assert metrics.rotation_error_deg(np.eye(3) * (1 + 1e-9), np.eye(3)) == 0

    def test_translations_count_up_to_length_and_sign(self) -> None:
        true = np.array([1.0, 0, 0])
        assert metrics.translation_error_deg(np.array([-5.0, 0, 0]), true) == pytest.approx(0)
        assert metrics.translation_error_deg(np.array([1.0, 1, 0]), true) == pytest.approx(45)
        assert metrics.translation_error_deg(np.array([-1.0, 1, 0]), true) == pytest.approx(45)
        assert metrics.translation_error_deg(np.array([0.0, 0, 2]), true) == pytest.approx(90)

    def test_translations_of_length_zero(self) -> None:
        zero, some = np.zeros(3), np.array([0.0, 1, 0])
        assert metrics.translation_error_deg(some, zero) == 0
        assert metrics.translation_error_deg(zero, some) == 90

    def test_the_larger_error_counts(self) -> None:
        true = pose(0, (1, 0, 0))
        assert metrics.pose_error_deg(pose(30, (1, 0, 0)), true) == pytest.approx(30)
        assert metrics.pose_error_deg(pose(30, (1, 1, 0)), true) == pytest.approx(45)

    def test_a_failure_is_an_infinite_error(self) -> None:
        assert metrics.pose_error_deg(None, IDENTITY) == math.inf


class TestHomography:
    def test_a_translation_moves_all_corners_equally(self) -> None:
        assert metrics.corner_error_px(SHIFT_3_4, np.eye(3), (100, 50)) == pytest.approx(5)

    def test_corners_are_those_of_the_image(self) -> None:
        twice = np.diag([2.0, 2, 1])
        corners = [0, 100, math.hypot(100, 50), 50]  # how far doubling moves each of them
        assert metrics.corner_error_px(twice, np.eye(3), (100, 50)) == pytest.approx(sum(corners) / 4)

    def test_the_scale_of_the_matrix_does_not_matter(self) -> None:
        assert metrics.corner_error_px(-7 * SHIFT_3_4, SHIFT_3_4, (100, 50)) == pytest.approx(0, abs=1e-9)

    def test_failures_are_infinite(self) -> None:
        horizon = np.array([[1.0, 0, 0], [0, 1, 0], [1, 0, -100]])
        assert metrics.corner_error_px(None, np.eye(3), (100, 50)) == math.inf
        assert metrics.corner_error_px(horizon, np.eye(3), (100, 50)) == math.inf
        assert metrics.corner_error_px(np.zeros((3, 3)), np.eye(3), (100, 50)) == math.inf

    def test_errors_are_averaged_over_the_two_images(self) -> None:
        twice = np.diag([2.0, 2, 1])
        errors = metrics.homography_errors_px(np.array([[1.0, 1]]), np.array([[2.0, 4]]), twice)
        assert errors.tolist() == [pytest.approx((2 + 1) / 2)]

    def test_precision(self) -> None:
        points0 = np.zeros((4, 2))
        points1 = np.array([[0.5, 0], [2, 0], [4, 0], [100, 0]])
        shares = metrics.homography_precision(points0, points1, np.eye(3), [1, 3, 5, 1000])
        assert shares.tolist() == [0.25, 0.5, 0.75, 1]

    def test_precision_of_no_matches_is_zero(self) -> None:
        none = np.zeros((0, 2))
        assert metrics.homography_precision(none, none, np.eye(3), [1, 3]).tolist() == [0, 0]


class TestRecall:
    KEYPOINTS0 = np.array([[0.0, 0], [10, 0], [20, 0], [50, 50]])
    KEYPOINTS1 = np.array([[10.5, 0], [1, 0], [0, 2], [24, 0]])

    def test_recall_is_the_fraction_of_ground_truth_matches_found(self) -> None:
        arguments = (self.KEYPOINTS0, self.KEYPOINTS1, np.eye(3))
        assert metrics.homography_recall(np.array([[0, 1], [3, 3]]), *arguments) == 0.5
        assert metrics.homography_recall(np.array([[1, 0], [0, 1]]), *arguments) == 1
        assert metrics.homography_recall(np.zeros((0, 2), dtype=np.int64), *arguments) == 0

    def test_recall_without_ground_truth_matches_is_nan(self) -> None:
        far = np.array([[500.0, 500]])
        none = np.zeros((0, 2), dtype=np.int64)
        assert math.isnan(metrics.homography_recall(none, self.KEYPOINTS0, far, np.eye(3)))
        assert math.isnan(metrics.homography_recall(none, np.zeros((0, 2)), far, np.eye(3)))


class TestEpipolar:
    """The camera moves to the right: epipolar lines are horizontal, distances are differences of y."""

    POSE = np.column_stack([np.eye(3), [-1.0, 0, 0]])
    K = np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]])
    F = np.array([[0.0, 0, 0], [0, 0, 1], [0, -1, 0]])

    def test_the_errors_of_both_images_are_squared_and_added(self) -> None:
        points0, points1 = np.array([[0.0, 0], [3, 1]]), np.array([[1.0, 0.5], [3, 1]])
        np.testing.assert_allclose(metrics.epipolar_errors(points0, points1, self.F), [0.5, 0], atol=1e-15)

    def test_precision_without_unit(self) -> None:
        points0 = np.array([[10.0, 20], [10, 20], [10, 20]])
        points1 = np.array(
            [[90.0, 20], [90, 21.5], [90, 22]]
        )  # 2 (1.5 / 100)^2 = 4.5e-4, 2 (2 / 100)^2 = 8e-4
        precision = metrics.epipolar_precision(points0, points1, self.POSE, self.K, self.K)
        assert precision == pytest.approx(2 / 3)
        strict = metrics.epipolar_precision(points0, points1, self.POSE, self.K, self.K, max_error=1e-4)
        assert strict == pytest.approx(1 / 3)

    def test_precision_of_no_matches_is_zero(self) -> None:
        none = np.zeros((0, 2), dtype=np.float32)
        assert metrics.epipolar_precision(none, none, self.POSE, self.K, self.K) == 0

    def test_the_larger_distance_counts_in_px(self) -> None:
        stretched = np.diag([1.0, 3, 1]).T @ self.F  # lines y0 = 3 y1: distances of 3 px and of 1 px
        errors = metrics.epipolar_errors_px(np.array([[0.0, 3]]), np.array([[0.0, 2]]), stretched)
        assert errors.tolist() == [pytest.approx(3)]

    def test_failures_have_infinite_errors(self) -> None:
        marked = np.ones((5, 2))
        errors = metrics.epipolar_errors_px(marked, marked, None)
        assert mean_average_accuracy(errors, range(1, 21)) == 0

    def test_share_of_marked_points(self) -> None:
        marked0 = np.zeros((4, 2))
        marked1 = np.array([[5.0, 0.5], [5, 1.5], [5, 10.5], [5, 99]])
        errors = metrics.epipolar_errors_px(marked0, marked1, self.F)
        assert accuracy(errors, [1, 2, 20]).tolist() == [0.25, 0.5, 0.75]
        assert mean_average_accuracy(errors, range(1, 21)) == pytest.approx((20 + 19 + 10) / 80)


class TestDisparity:
    def test_errors(self) -> None:
        disparity = np.array([[2.0, np.nan], [1, 0]])
        points0 = np.array([[0.2, 0.1], [0, 1], [1, 0], [1, 1]], dtype=np.float32)
        points1 = np.array([[-1.8, 0.1], [3, 4], [1, 0], [4, 5]], dtype=np.float32)
        errors = metrics.disparity_errors_px(points0, points1, disparity)
        np.testing.assert_allclose(errors, [0, math.hypot(4, 3), np.nan, 5], atol=1e-6)
        assert accuracy(errors, [1, 6]).tolist() == [pytest.approx(1 / 3), 1]

    def test_points_on_the_border_read_the_border(self) -> None:
        errors = metrics.disparity_errors_px(
            np.array([[1.9, -0.9]]), np.array([[1.9, -0.9]]), np.zeros((2, 2))
        )
        assert errors.tolist() == [0]


class TestAUC:
    def test_by_hand(self) -> None:
        # The curve goes (0, 0), (1, 1/2), and is flat to 2: a triangle of 1/4, a rectangle of 1/2.
        assert auc(np.array([1.0, math.inf]), [2])[0] == pytest.approx(0.75 / 2)
        # (0, 0), (1, 1/2), (3, 1), flat to 5: 1/4 + 3/2 + 2.
        assert auc(np.array([3.0, 1.0]), [5])[0] == pytest.approx(3.75 / 5)

    def test_an_error_that_equals_the_threshold_does_not_count(self) -> None:
        assert auc(np.array([5.0]), [5])[0] == 0

    def test_no_error_at_all(self) -> None:
        assert auc(np.zeros(3), [5, 10]).tolist() == [1, 1]

    def test_failures_only(self) -> None:
        assert auc(np.array([math.inf, math.nan]), [5])[0] == 0

    @pytest.mark.parametrize(
        ("errors", "thresholds"), [([], [5]), ([1.0], [0]), ([-1.0], [5])], ids=["none", "zero", "negative"]
    )
    def test_misuse(self, errors: list[float], thresholds: list[float]) -> None:
        with pytest.raises(InvalidInput, match="auc: expected"):
            auc(np.array(errors, dtype=np.float64), thresholds)

    @given(ERRORS, st.floats(0.1, 30))
    def test_equals_a_step_by_step_integration(self, errors: list[float], limit: float) -> None:
        assert auc(np.array(errors), [limit])[0] == pytest.approx(_auc_again(errors, limit), abs=1e-12)

    @given(ERRORS)
    def test_lies_between_zero_and_one_and_below_the_recall(self, errors: list[float]) -> None:
        values, recall = auc(np.array(errors), [5, 10, 20]), accuracy(np.array(errors), [5, 10, 20])
        assert (values >= 0).all()
        assert (values <= recall + 1e-12).all()
        assert (recall <= 1).all()

    @given(ERRORS, st.floats(0, 1))
    def test_smaller_errors_never_decrease_it(self, errors: list[float], factor: float) -> None:
        # From below the threshold on: SuperGlue's curve may drop by an error that passes the threshold.
        before = np.array([error for error in errors if error < 20] or [1.0])
        assert auc(before * factor, [20])[0] >= auc(before, [20])[0] - 1e-12

    @given(ERRORS)
    def test_order_does_not_matter(self, errors: list[float]) -> None:
        assert auc(np.array(errors), [5, 10]).tolist() == auc(np.array(errors[::-1]), [5, 10]).tolist()

    def test_samples_are_computed_row_by_row(self) -> None:
        samples = np.random.default_rng(0).exponential(8, (6, 4, 9))
        values = auc(samples, [5, 10])
        assert values.shape == (6, 4, 2)
        np.testing.assert_allclose(values[2, 3], auc(samples[2, 3], [5, 10]))


@given(ERRORS)
def test_accuracy_increases_with_the_threshold(errors: list[float]) -> None:
    shares = accuracy(np.array(errors), range(1, 21))
    assert (np.diff(shares) >= 0).all()
    mean = mean_average_accuracy(np.array(errors), range(1, 21))
    assert shares[0] - 1e-12 <= mean <= shares[-1] + 1e-12


def test_accuracy_ignores_unknown_errors() -> None:
    assert accuracy(np.array([1.0, math.nan, math.inf]), [2]).tolist() == [0.5]
    assert accuracy(np.array([]), [2]).tolist() == [0]


def _auc_again(errors: list[float], limit: float) -> float:
    """Integrate from error to error."""
    area, x, height = 0.0, 0.0, 0.0
    for rank, error in enumerate(sorted(errors), start=1):
        if error >= limit:
            break
        area += (error - x) * (height + rank / len(errors)) / 2
        x, height = error, rank / len(errors)
    return (area + (limit - x) * height) / limit
