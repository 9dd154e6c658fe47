"""Correspondences: validation, conversion, and the input of estimators."""

from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.types import Assignment, Correspondences, Features, HasCorrespondences, as_correspondences
from tiepoint.types.correspondences import ImageInfo

POINTS0, POINTS1 = np.arange(8.0).reshape(4, 2), np.arange(8.0).reshape(4, 2) + 1


@pytest.fixture
def without_type_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def some_features(count: int, source: str) -> Features:
    return Features(
        keypoints=torch.arange(2.0 * count).reshape(count, 2),
        scores=torch.ones(count),
        descriptors=torch.ones(count, 4),
        image_size=(640, 480),
        source=source,
    )


@pytest.mark.parametrize(
    "convert", [np.float32, torch.from_numpy, np.ndarray.tolist], ids=["float32", "tensor", "list"]
)
def test_points_are_copied_to_float64(convert: Any) -> None:
    found = Correspondences.from_points(convert(POINTS0), convert(POINTS1), convert(POINTS0[:, 0]))
    for array, expected in (
        (found.points0, POINTS0),
        (found.points1, POINTS1),
        (found.scores, POINTS0[:, 0]),
    ):
        assert array.dtype == np.float64
        assert array is not expected
        np.testing.assert_array_equal(array, expected)
    assert len(found) == 4


def test_scores_are_1_by_default() -> None:
    assert Correspondences.from_points(POINTS0, POINTS1).scores.tolist() == [1, 1, 1, 1]


def test_negative_scores_are_kept() -> None:
    assert Correspondences.from_points(POINTS0, POINTS1, [-1.0, 0, 0.5, 1]).scores[0] == -1


@pytest.mark.usefixtures("without_type_checker")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"points0": np.zeros((4, 3))}, "points0"),
        ({"points1": np.zeros(4)}, "points1"),
        ({"points1": POINTS1[:3]}, "4 and 3"),
        ({"points0": np.full((4, 2), np.nan)}, "4 of 4"),
        ({"scores": np.ones(3)}, "scores"),
        ({"scores": np.full(4, np.inf)}, "scores"),
        ({"scores": ["a"] * 4}, "scores"),
        ({"points0": "a.jpg"}, "points0"),
    ],
    ids=str,
)
def test_invalid_values_are_named(change: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidInput, match=word) as error:
        Correspondences.from_points(**{"points0": POINTS0, "points1": POINTS1, **change})
    assert "\n" not in str(error.value)


def test_matched_keypoints_are_selected_from_features() -> None:
    features0, features1 = some_features(5, "a.jpg"), some_features(3, "b.jpg")
    assignment = Assignment(
        matches=torch.tensor([[0, 2], [4, 1]]),
        scores=torch.tensor([0.5, 0.25]),
        matching_scores0=torch.zeros(5),
        matching_scores1=torch.zeros(3),
        prune0=torch.zeros(5, dtype=torch.int64),
        prune1=torch.zeros(3, dtype=torch.int64),
        layers_run=7,
    )
    found = Correspondences.from_assignment(features0, features1, assignment, rotation1=90)
    assert found.points0.tolist() == [[0, 1], [8, 9]]
    assert found.points1.tolist() == [[4, 5], [2, 3]]
    assert found.scores.tolist() == [0.5, 0.25]
    assert found.layers_run == 7
    assert found.image0 == ImageInfo((640, 480), "a.jpg", num_keypoints=5, rotation=0)
    assert found.image1 == ImageInfo((640, 480), "b.jpg", num_keypoints=3, rotation=90)
    assert repr(assignment) == "Assignment(2 matches of 5 and 3 keypoints, 7 layers)"


class TestAsCorrespondences:
    def test_correspondences_are_returned_as_they_are(self) -> None:
        given = Correspondences.from_points(POINTS0, POINTS1)
        assert as_correspondences(given) is given

    def test_objects_with_correspondences(self) -> None:
        class Pair:
            correspondences = Correspondences.from_points(POINTS0, POINTS1)

        assert isinstance(Pair(), HasCorrespondences)
        assert as_correspondences(Pair()) is Pair.correspondences

    def test_two_arrays_of_points(self) -> None:
        np.testing.assert_array_equal(as_correspondences(POINTS0, POINTS1).points1, POINTS1)

    @pytest.mark.parametrize("given", [POINTS0, "a.jpg", None], ids=["points", "text", "none"])
    def test_anything_else_is_an_error(self, given: Any) -> None:
        with pytest.raises(InvalidInput, match="points0 and points1"):
            as_correspondences(given)


def test_repr_is_one_short_line() -> None:
    assert repr(Correspondences.from_points(POINTS0, POINTS1)) == "Correspondences(4 matches)"
