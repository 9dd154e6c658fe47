"""Features and matches as records: round trips, dtypes, missing arrays."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from tiepoint.feature_store.records import (
    DTYPES,
    features_from_record,
    features_to_record,
    matches_to_record,
)
from tiepoint.types import Features


def features(*, oriented: bool = True) -> Features:
    draw = torch.Generator().manual_seed(0)
    return Features(
        keypoints=torch.rand(5, 2, generator=draw) * 90,
        scores=torch.rand(5, generator=draw),
        descriptors=normalize(torch.randn(5, 16, generator=draw), dim=1),
        image_size=(120, 100),
        scales=torch.rand(5, generator=draw) if oriented else None,
        orientations=torch.rand(5, generator=draw) if oriented else None,
        covariances=torch.rand(5, 2, 2, generator=draw) if oriented else None,
        kind="aliked",
        fingerprint="0123",
        source="a.jpg",
        exif_orientation=6,
    )


def test_a_round_trip_keeps_everything_but_precision_of_descriptors():
    given = features()
    found = features_from_record(features_to_record(given))
    for name in ("keypoints", "scores", "scales", "orientations", "covariances"):
        assert torch.equal(getattr(found, name), getattr(given, name)), name
    assert (found.descriptors - given.descriptors).abs().max() <= 2.5e-4
    for name in ("image_size", "kind", "fingerprint", "source", "exif_orientation"):
        assert getattr(found, name) == getattr(given, name), name


def test_a_second_round_trip_changes_nothing():
    once = features_from_record(features_to_record(features()))
    twice = features_from_record(features_to_record(once))
    assert torch.equal(once.descriptors, twice.descriptors)


def test_arrays_that_are_missing_stay_missing():
    record = features_to_record(features(oriented=False))
    assert {"scales", "orientations", "covariances"}.isdisjoint(record)
    assert features_from_record(record).scales is None


def test_dtypes_of_images():
    record = features_to_record(features())
    assert {name: record[name].dtype for name in DTYPES} == {
        name: np.dtype(dtype) for name, dtype in DTYPES.items()
    }


@pytest.mark.parametrize("count", [0, 3])
def test_dtypes_of_pairs(count: int):
    record = matches_to_record(np.zeros((count, 2), np.int64), np.ones(count))
    assert (record["matches"].dtype, record["matches"].shape) == (np.int32, (count, 2))
    assert record["scores"].dtype == np.float32
