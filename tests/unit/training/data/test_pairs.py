"""Pairs are a pure function of their index, padding is masked, and memory is bounded."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.feature_store import Store
from tiepoint.geometry.ground_truth import IGNORED, UNMATCHED, ground_truth_from_homography
from tiepoint.models.lightglue.network import normalize_keypoints
from tiepoint.training.data.homographic_warps import KIND, CachedWarps, Warp, warps_to_record
from tiepoint.training.data.pairs import HomographyPairs, PairSample, collate, keypoint_positions
from tiepoint.types import Features

NUM_IMAGES, WARPS_PER_IMAGE = 12, 3


def features(count: int, seed: int, *, oriented: bool = False, source: str = "") -> Features:
    generator = torch.Generator().manual_seed(seed)
    extra = torch.rand(2, count, generator=generator) if oriented else (None, None)
    return Features(
        keypoints=90 * torch.rand(count, 2, generator=generator),
        scores=torch.rand(count, generator=generator),
        descriptors=torch.rand(count, 4, generator=generator).half().float(),
        image_size=(100, 120),
        scales=extra[0],
        orientations=extra[1],
        kind="test",
        source=source,
    )


def shift(seed: int) -> np.ndarray:
    H = np.eye(3)
    H[:2, 2] = np.random.default_rng(seed).uniform(-20, 20, 2)
    return H


@pytest.fixture(scope="module")
def warps(tmp_path_factory: pytest.TempPathFactory) -> CachedWarps:
    """Warps with random keypoints, shifted randomly, with different numbers of keypoints."""
    store = Store(tmp_path_factory.mktemp("samples"), {"made": "by a test"})
    records = {
        str(number): warps_to_record(
            [
                Warp(features(20 + 3 * number + k, 10 * number + k), shift(10 * number + k))
                for k in range(WARPS_PER_IMAGE)
            ],
            str(number),
        )
        for number in range(NUM_IMAGES)
    }
    store.write(KIND, records)
    return CachedWarps(store=store, keys=tuple(records), problems=())


def equal(sample: PairSample, other: PairSample) -> bool:
    return all(
        torch.equal(left, right)
        for left, right in (
            (sample.features0.keypoints, other.features0.keypoints),
            (sample.features1.keypoints, other.features1.keypoints),
            (sample.matches0, other.matches0),
            (sample.matches1, other.matches1),
        )
    )


def is_negative(sample: PairSample) -> bool:
    return sample.features0.source != sample.features1.source


class TestHomographyPairs:
    def test_pair_depends_on_its_index_only(self, warps: CachedWarps):
        dataset = HomographyPairs(warps, seed=3, negatives=0.3)
        forwards = [dataset[k] for k in range(30)]
        again = HomographyPairs(warps, seed=3, negatives=0.3, cache_size=1)
        assert all(equal(again[k], forwards[k]) for k in (29, 0, 17, 5))
        assert dataset.fingerprint == again.fingerprint

    def test_seed_changes_the_pairs(self, warps: CachedWarps):
        one, other = HomographyPairs(warps, seed=1), HomographyPairs(warps, seed=2)
        assert not all(equal(one[k], other[k]) for k in range(5))
        assert one.fingerprint != other.fingerprint

    def test_every_image_is_used_once_per_epoch(self, warps: CachedWarps):
        dataset = HomographyPairs(warps, negatives=0.0)
        orders = [
            [dataset[epoch * NUM_IMAGES + k].features0.source for k in range(NUM_IMAGES)]
            for epoch in range(3)
        ]
        for order in orders:
            assert sorted(order) == sorted(warps.keys)
        assert orders[0] != orders[1] != orders[2]

    def test_ground_truth_is_that_of_the_homographies(self, warps: CachedWarps):
        dataset = HomographyPairs(warps, negatives=0.0)
        for k in range(20):
            sample = dataset[k]
            image_warps = warps.read(warps.keys.index(str(sample.features0.source)))
            first, second = (
                next(w for w in image_warps if torch.equal(w.features.keypoints, f.keypoints))
                for f in (sample.features0, sample.features1)
            )
            assert first is not second
            H = np.linalg.inv(second.homography) @ first.homography
            expected = ground_truth_from_homography(first.features.keypoints, second.features.keypoints, H)
            assert torch.equal(sample.matches0, expected.matches0)
            assert torch.equal(sample.matches1, expected.matches1)

    @pytest.mark.slow
    def test_all_pairs_of_warps_occur_in_both_orders(self, warps: CachedWarps):
        dataset = HomographyPairs(warps, negatives=0.0)
        sizes = Counter((len(s.features0) - len(s.features1)) for s in (dataset[k] for k in range(200)))
        assert set(sizes) == {-2, -1, 1, 2}

    @pytest.mark.slow
    def test_negatives_are_different_images_without_matches(self, warps: CachedWarps):
        dataset = HomographyPairs(warps, negatives=0.4)
        samples = [dataset[k] for k in range(300)]
        negatives = [sample for sample in samples if is_negative(sample)]
        assert 0.3 < len(negatives) / 300 < 0.5
        for sample in negatives:
            assert set(sample.matches0.tolist()) == set(sample.matches1.tolist()) == {UNMATCHED}

    @pytest.mark.parametrize(("fraction", "expected"), [(0.0, 0), (1.0, 40)])
    def test_none_or_all_negative(self, warps: CachedWarps, fraction: float, expected: int):
        dataset = HomographyPairs(warps, negatives=fraction)
        assert sum(is_negative(dataset[k]) for k in range(40)) == expected

    def test_cache_is_bounded(self, warps: CachedWarps):
        dataset = HomographyPairs(warps, cache_size=2)
        for k in range(30):
            assert dataset[k].features0.kind == "test"
        assert dataset._read.cache_info().currsize == 2

    def test_describes_the_features(self, warps: CachedWarps):
        dataset = HomographyPairs(warps)
        assert (dataset.kind, dataset.descriptor_dim, dataset.position_dim) == ("test", 4, 2)

    def test_invalid_negatives_are_refused(self, warps: CachedWarps):
        with pytest.raises(InvalidInput, match=r"negatives.*1.5"):
            HomographyPairs(warps, negatives=1.5)
        one = CachedWarps(store=warps.store, keys=warps.keys[:1], problems=())
        with pytest.raises(InvalidInput, match="negatives need at least 2 images, got 1"):
            HomographyPairs(one, negatives=0.1)
        assert len(HomographyPairs(one, negatives=0.0)[5].features0) >= 20


class TestCollate:
    def test_padding_is_masked(self, warps: CachedWarps):
        dataset = HomographyPairs(warps, negatives=0.2)
        samples = [dataset[k] for k in range(6)]
        batch = dataset.batch(range(6))
        assert len(batch) == 6
        for k, sample in enumerate(samples):
            m = len(sample.features0)
            assert batch.mask0[k].tolist() == [True] * m + [False] * (batch.mask0.shape[1] - m)
            assert torch.equal(batch.matches0[k, :m], sample.matches0)
            assert set(batch.matches0[k, m:].tolist()) <= {IGNORED}
            assert torch.equal(batch.descriptors0[k, :m], sample.features0.descriptors)
            size = torch.tensor([100.0, 120.0])
            torch.testing.assert_close(
                batch.positions0[k, :m], normalize_keypoints(sample.features0.keypoints, size)
            )
        assert batch.mask1.sum(1).tolist() == [len(sample.features1) for sample in samples]
        assert batch.mask0.sum(1).amax() == batch.mask0.shape[1]

    def test_scales_and_orientations_are_encoded(self):
        oriented = features(5, 0, oriented=True)
        sample = PairSample(
            features0=oriented, features1=oriented, matches0=torch.arange(5), matches1=torch.arange(5)
        )
        positions = collate([sample], 4).positions0[0]
        assert oriented.scales is not None
        assert oriented.orientations is not None
        assert torch.equal(positions[:, 2], oriented.scales)
        assert torch.equal(positions[:, 3], oriented.orientations)
        assert collate([sample]).positions0.shape == (1, 5, 2)

    def test_missing_scales_are_refused(self):
        with pytest.raises(InvalidInput, match=r"4 values.*have 2"):
            keypoint_positions(features(5, 0), 4)

    def test_image_without_keypoints(self):
        empty, some = features(0, 0), features(3, 1)
        nothing = PairSample(
            features0=empty,
            features1=some,
            matches0=torch.zeros(0, dtype=torch.int64),
            matches1=torch.full((3,), -1),
        )
        batch = collate([nothing])
        assert batch.positions0.shape == (1, 0, 2)
        assert batch.mask1.all()

    def test_moves_all_tensors(self, warps: CachedWarps):
        batch = HomographyPairs(warps).batch([0, 1])
        moved = batch.to("meta")
        assert {tensor.device.type for tensor in (*moved.inputs, *moved.ground_truth)} == {"meta"}
        assert all(torch.equal(a, b) for a, b in zip(batch.inputs, batch.to("cpu").inputs, strict=True))


def test_reopened_store_gives_the_same_pairs(warps: CachedWarps):
    again = CachedWarps(
        store=Store(Path(warps.store.folder), warps.store.settings), keys=warps.keys, problems=()
    )
    assert equal(HomographyPairs(warps)[7], HomographyPairs(again)[7])
    assert HomographyPairs(warps).fingerprint == HomographyPairs(again).fingerprint
