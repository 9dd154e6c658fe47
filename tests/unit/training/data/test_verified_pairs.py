"""Verified pairs of a collection against the points that their keypoints observe."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.synthetic_collections import make_collection, true_matches

from tiepoint.collection.collection import Collection
from tiepoint.errors import InvalidInput
from tiepoint.geometry.ground_truth import IGNORED, UNMATCHED
from tiepoint.training.data.pairs import PairSample
from tiepoint.training.data.verified_pairs import (
    VerifiedPairs,
    folder_of,
    is_usable,
    label_by_geometry,
    split_verified_pairs,
)
from tiepoint.types import TwoViewEstimate

PAIR = ("a.jpg", "b.jpg")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return make_collection(tmp_path_factory.mktemp("collection"))[0]


def pairs_of(collection: Collection, **options: object) -> VerifiedPairs:
    return VerifiedPairs(collection, list(collection.pairs()), max_keypoints=512, **options)  # type: ignore[arg-type]


def check_labels(sample: PairSample, true: np.ndarray) -> None:
    """Matched keypoints observe the same point; keypoints that share a point are never called unmatched."""
    partner = dict(true.tolist())
    for index, label in enumerate(sample.matches0.tolist()):
        if label >= 0:
            assert partner[index] == label
            assert sample.matches1[label] == index
        elif label == UNMATCHED:
            assert index not in partner
    for index, label in enumerate(sample.matches1.tolist()):
        if label >= 0:
            assert sample.matches0[label] == index


def test_inliers_are_the_labels(collection: Collection) -> None:
    sample = pairs_of(collection).sample(PAIR)
    check_labels(sample, true_matches(*PAIR))
    assert int((sample.matches0 >= 0).sum()) > 150
    assert int((sample.matches0 == IGNORED).sum()) > 10  # the wrong matches, among others


@pytest.mark.parametrize("motion", ["forward", "none"])
def test_other_motions(tmp_path: Path, motion: str) -> None:
    """Epipoles inside the image; a homography, which also tells what is unmatched."""
    collection, _ = make_collection(tmp_path, motion=motion)  # type: ignore[arg-type]
    sample = pairs_of(collection).sample(PAIR)
    check_labels(sample, true_matches(*PAIR))
    if motion == "none":
        estimate = collection.geometry(*PAIR)
        assert estimate is not None
        assert estimate.kind == "homography"
        assert int((sample.matches0 == UNMATCHED).sum()) > 10


def test_fewer_keypoints_keep_their_labels(collection: Collection) -> None:
    dataset = VerifiedPairs(collection, [PAIR], max_keypoints=100)
    sample = dataset.sample(PAIR)
    assert (len(sample.features0), len(sample.features1)) == (100, 100)
    true = true_matches(*PAIR)
    check_labels(sample, true[(true < 100).all(1)])
    assert int((sample.matches0 >= 0).sum()) > 10


def test_an_index_determines_its_pair(collection: Collection) -> None:
    dataset, again = pairs_of(collection, seed=3), pairs_of(collection, seed=3)
    order = [17, 3, 0, 40]
    samples = {index: dataset[index] for index in order}
    for index in reversed(order):
        assert torch.equal(again[index].matches0, samples[index].matches0)
        assert torch.equal(again[index].features1.keypoints, samples[index].features1.keypoints)
    assert dataset.fingerprint == again.fingerprint
    assert dataset.fingerprint != pairs_of(collection, seed=4).fingerprint
    assert dataset.descriptor_dim == 32


def test_every_pair_is_used_once_per_epoch(collection: Collection) -> None:
    dataset = pairs_of(collection, negatives=0.0)
    count = len(dataset.pairs)
    seen = [
        frozenset(
            (dataset[index].features0.keypoints[0, 0].item(), dataset[index].features1.keypoints[0, 0].item())
        )
        for index in range(count)
    ]
    assert len(set(seen)) == count == 15


def test_negatives_are_images_of_different_folders(collection: Collection) -> None:
    dataset = pairs_of(collection, negatives=1.0)
    assert bool((dataset[0].matches0 == UNMATCHED).all())
    of_one_folder = [pair for pair in dataset.pairs if {folder_of(name) for name in pair} == {"."}]
    assert VerifiedPairs(collection, of_one_folder, max_keypoints=512, negatives=1.0).negatives == 0.0


def test_folders_are_held_out(collection: Collection) -> None:
    split = split_verified_pairs(collection)
    training, held_out = (
        {folder_of(name) for pair in pairs for name in pair} for pairs in (split.training, split.held_out)
    )
    assert training
    assert held_out
    assert not training & held_out


def test_images_are_held_out_of_one_folder(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, tuple(f"{k}.jpg" for k in range(6)))
    split = split_verified_pairs(collection)
    training = {name for pair in split.training for name in pair}
    assert len(training) == 5
    assert all(set(pair) - training for pair in split.held_out)
    assert not split.held_out_images & training


def test_too_few_verified_pairs_are_refused(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, verify=False)
    with pytest.raises(InvalidInput, match=r"at least 8 pairs .* got 0; match more images"):
        split_verified_pairs(collection)


def test_failed_and_weak_geometry_is_not_used(collection: Collection) -> None:
    assert not is_usable(None)
    failed = TwoViewEstimate(
        kind="fundamental",
        matrix=None,
        inliers=np.zeros(9, bool),
        method="m",
        max_error_px=1.0,
        reason="few",
    )
    assert not is_usable(failed)
    weak = TwoViewEstimate(
        kind="fundamental", matrix=np.eye(3), inliers=np.ones(29, bool), method="m", max_error_px=1.0
    )
    assert not is_usable(weak)
    assert is_usable(collection.geometry(*PAIR))


def test_without_keypoints(collection: Collection) -> None:
    features = collection.features("a.jpg")
    empty = type(features)(
        keypoints=features.keypoints[:0],
        scores=features.scores[:0],
        descriptors=features.descriptors[:0],
        image_size=features.image_size,
    )
    estimate = collection.geometry(*PAIR)
    assert estimate is not None
    none = torch.zeros((0, 2), dtype=torch.int64, device="cpu")
    truth = label_by_geometry(features, empty, none, estimate, 5.0)
    assert bool((truth.matches0 == UNMATCHED).all())
    assert truth.matches1.shape == (0,)
