"""Evaluation pairs and data sets."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

from tiepoint.evaluation.ground_truth import Dataset, EvaluationPair, HomographyGroundTruth


def pair_of() -> EvaluationPair:
    truth = HomographyGroundTruth(homography=np.eye(3))
    return EvaluationPair(name="s/a-b", scene="s", image0=Path("a"), image1=Path("b"), truth=truth)


def test_defaults() -> None:
    pair = pair_of()
    assert (pair.tags, pair.num_rotations0, pair.num_rotations1) == ({}, 0, 0)
    assert Dataset(name="x", pairs=(pair,)).problems == ()


def test_the_length_of_a_data_set_is_its_number_of_pairs() -> None:
    assert len(Dataset(name="x", pairs=(pair_of(), pair_of()), problems=("a", "b", "c"))) == 2


def test_pairs_are_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        pair_of().name = "other"  # type: ignore[misc]
