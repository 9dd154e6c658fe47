"""Pairs are a pure function of their number, padding is marked, and memory doesn't grow with what is drawn."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from tiepoint.errors import InvalidInput
from tiepoint.feature_store import Store
from tiepoint.models.lightglue.network import normalize_keypoints
from tiepoint.training.data.ground_truth import IGNORED, UNMATCHED, matches_from_homography
from tiepoint.training.data.homography_views import KIND, CachedViews, View, views_to_record
from tiepoint.training.data.pairs import PairSample, ViewPairs, collate, positions_of
from tiepoint.types import Features

PHOTOGRAPHS, VIEWS = 12, 3


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
def views(tmp_path_factory: pytest.TempPathFactory) -> CachedViews:
    """Photographs of random keypoints, the same in all views but for a shift, and of different numbers."""
    store = Store(tmp_path_factory.mktemp("samples"), {"made": "by a test"})
    records = {
        str(number): views_to_record(
            [
                View(features(20 + 3 * number + k, 10 * number + k), shift(10 * number + k))
                for k in range(VIEWS)
            ],
            str(number),
        )
        for number in range(PHOTOGRAPHS)
    }
    store.write(KIND, records)
    return CachedViews(store=store, keys=tuple(records), problems=())


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


class TestViewPairs:
    def test_a_number_is_a_pair_whatever_was_drawn_before(self, views: CachedViews):
        source = ViewPairs(views, seed=3, negatives=0.3)
        forwards = [source[k] for k in range(30)]
        again = ViewPairs(views, seed=3, negatives=0.3, cached=1)
        assert all(equal(again[k], forwards[k]) for k in (29, 0, 17, 5))
        assert source.fingerprint == again.fingerprint

    def test_another_seed_is_other_pairs(self, views: CachedViews):
        one, other = ViewPairs(views, seed=1), ViewPairs(views, seed=2)
        assert not all(equal(one[k], other[k]) for k in range(5))
        assert one.fingerprint != other.fingerprint

    def test_every_photograph_comes_once_a_round(self, views: CachedViews):
        source = ViewPairs(views, negatives=0.0)
        orders = [
            [source[round_ * PHOTOGRAPHS + k].features0.source for k in range(PHOTOGRAPHS)]
            for round_ in range(3)
        ]
        for order in orders:
            assert sorted(order) == sorted(views.keys)
        assert orders[0] != orders[1] != orders[2]

    def test_the_truth_is_that_of_the_homographies(self, views: CachedViews):
        source = ViewPairs(views, negatives=0.0)
        for k in range(20):
            sample = source[k]
            of_photograph = views.read(views.keys.index(str(sample.features0.source)))
            first, second = (
                next(v for v in of_photograph if torch.equal(v.features.keypoints, f.keypoints))
                for f in (sample.features0, sample.features1)
            )
            assert first is not second
            H = np.linalg.inv(second.homography) @ first.homography
            expected = matches_from_homography(first.features.keypoints, second.features.keypoints, H)
            assert torch.equal(sample.matches0, expected.matches0)
            assert torch.equal(sample.matches1, expected.matches1)

    def test_all_pairs_of_views_come_in_both_orders(self, views: CachedViews):
        source = ViewPairs(views, negatives=0.0)
        sizes = Counter((len(s.features0) - len(s.features1)) for s in (source[k] for k in range(200)))
        assert set(sizes) == {-2, -1, 1, 2}

    def test_negatives_are_different_photographs_without_a_match(self, views: CachedViews):
        source = ViewPairs(views, negatives=0.4)
        samples = [source[k] for k in range(300)]
        negatives = [sample for sample in samples if is_negative(sample)]
        assert 0.3 < len(negatives) / 300 < 0.5
        for sample in negatives:
            assert set(sample.matches0.tolist()) == set(sample.matches1.tolist()) == {UNMATCHED}

    @pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 40)])
    def test_none_or_all_negative(self, views: CachedViews, share: float, expected: int):
        source = ViewPairs(views, negatives=share)
        assert sum(is_negative(source[k]) for k in range(40)) == expected

    def test_memory_holds_the_last_few_photographs(self, views: CachedViews):
        source = ViewPairs(views, cached=2)
        for k in range(30):
            assert source[k].features0.kind == "test"
        assert source._read.cache_info().currsize == 2

    def test_what_the_features_are(self, views: CachedViews):
        source = ViewPairs(views)
        assert (source.kind, source.descriptor_dim, source.position_dim) == ("test", 4, 2)

    def test_impossible_shares_are_refused(self, views: CachedViews):
        with pytest.raises(InvalidInput, match="negatives must be a share"):
            ViewPairs(views, negatives=1.5)
        one = CachedViews(store=views.store, keys=views.keys[:1], problems=())
        with pytest.raises(InvalidInput, match="negatives need at least 2 photographs"):
            ViewPairs(one, negatives=0.1)
        assert len(ViewPairs(one, negatives=0.0)[5].features0) >= 20


class TestCollate:
    def test_pads_and_marks(self, views: CachedViews):
        source = ViewPairs(views, negatives=0.2)
        samples = [source[k] for k in range(6)]
        batch = source.batch(range(6))
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

    def test_scales_and_orientations_go_along(self):
        seen = features(5, 0, oriented=True)
        sample = PairSample(
            features0=seen, features1=seen, matches0=torch.arange(5), matches1=torch.arange(5)
        )
        positions = collate([sample], 4).positions0[0]
        assert seen.scales is not None
        assert seen.orientations is not None
        assert torch.equal(positions[:, 2], seen.scales)
        assert torch.equal(positions[:, 3], seen.orientations)
        assert collate([sample]).positions0.shape == (1, 5, 2)

    def test_what_features_lack_is_said(self):
        with pytest.raises(
            InvalidInput, match="positions of 4 numbers were asked for, but the features have no more than 2"
        ):
            positions_of(features(5, 0), 4)

    def test_an_image_without_keypoints(self):
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

    def test_moves_as_a_whole(self, views: CachedViews):
        batch = ViewPairs(views).batch([0, 1])
        moved = batch.to("meta")
        assert {tensor.device.type for tensor in (*moved.inputs, *moved.truth)} == {"meta"}
        assert all(torch.equal(a, b) for a, b in zip(batch.inputs, batch.to("cpu").inputs, strict=True))


def test_the_store_may_be_opened_again(views: CachedViews):
    again = CachedViews(
        store=Store(Path(views.store.folder), views.store.settings), keys=views.keys, problems=()
    )
    assert equal(ViewPairs(views)[7], ViewPairs(again)[7])
    assert ViewPairs(views).fingerprint == ViewPairs(again).fingerprint
