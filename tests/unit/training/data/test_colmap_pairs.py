"""Pairs of a COLMAP reconstruction against the points that their keypoints observe."""

import math
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.helpers.noise_images import identity_extractor

from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import colmap_keypoints, read_reconstruction
from tiepoint.geometry.ground_truth import IGNORED, UNMATCHED
from tiepoint.io.progress import no_progress
from tiepoint.training.config import TrainConfig
from tiepoint.training.data.colmap_images import (
    CachedReconstruction,
    PosedImage,
)
from tiepoint.training.data.colmap_pairs import ColmapPairs, ground_truth_from_poses
from tiepoint.training.data.dataset import DataPaths, prepare_data
from tiepoint.training.data.deduplication import content_digest
from tiepoint.training.distributed import DistributedContext


def points_by_hand(model: Any, posed: PosedImage, name: str) -> list[int]:
    """The point of the observation closest to each keypoint."""
    observed = model.find_image_with_name(name).get_observation_points2D()
    found = []
    for keypoint in colmap_keypoints(posed.features):
        nearest = min(observed, key=lambda point: math.dist(point.xy, keypoint))
        assert math.dist(nearest.xy, keypoint) < 1
        found.append(nearest.point3D_id)
    return found


@pytest.mark.slow
def test_matches_are_observations_of_the_same_point(cached: CachedReconstruction, scene: Path):
    model = read_reconstruction(scene / "model")
    labels = Counter()
    for key0, key1 in cached.pairs:
        image0, image1 = cached.read(key0), cached.read(key1)
        points0, points1 = (
            points_by_hand(model, image, key.split("@")[0]) for image, key in ((image0, key0), (image1, key1))
        )
        truth = ground_truth_from_poses(image0, image1)
        for i, match in enumerate(truth.matches0.tolist()):
            labels[min(match, 0)] += 1
            if match >= 0:
                assert points0[i] == points1[match]
                assert truth.matches1[match] == i
            elif match == UNMATCHED:
                assert points0[i] not in points1
    assert labels[0] > 3 * labels[UNMATCHED] > 0.4 * labels[0]  # every image lacks a fifth of the dots
    assert labels[IGNORED] < 0.1 * labels[0]


def test_exif_rotated_image_matches_too(cached: CachedReconstruction):
    shares = []
    for pair in cached.pairs:
        truth = ground_truth_from_poses(*(cached.read(key) for key in pair))
        shares.append(float((truth.matches0 >= 0).float().mean()))
    assert min(shares) > 0.6


def test_thresholds_are_in_px_of_the_resized_image(cached: CachedReconstruction):
    """At half the size, 3 px are 6 px of the original, so keypoints with an error of 5 px still match."""
    image0, image1 = (cached.read(key) for key in cached.pairs[-1])
    moved = image1.features.keypoints + torch.tensor([4.0, 3.0])
    inside = (moved < torch.tensor([639.0, 479.0])).all(1)
    moved = torch.where(inside[:, None], moved, image1.features.keypoints)
    features1 = type(image1.features)(
        keypoints=moved,
        scores=image1.features.scores,
        descriptors=image1.features.descriptors,
        image_size=image1.features.image_size,
    )
    counts = []
    for scale in (1.0, 2.0):
        first, second = image0._replace(scale=scale), image1._replace(features=features1, scale=scale)
        counts.append(int((ground_truth_from_poses(first, second).matches0 >= 0).sum()))
    assert counts[1] > 2 * counts[0]


def test_pairs_depend_on_their_index_only(cached: CachedReconstruction):
    dataset, again = ColmapPairs(cached, seed=4), ColmapPairs(cached, seed=4, cache_size=1)
    count = len(cached.pairs)
    for k in (3, 0, count + 1):
        assert torch.equal(dataset[k].matches0, again[k].matches0)
        assert torch.equal(dataset[k].features1.keypoints, again[k].features1.keypoints)
    drawn = {frozenset((dataset[k].features0.source, dataset[k].features1.source)) for k in range(count)}
    assert len(drawn) == count
    assert dataset.fingerprint == again.fingerprint != ColmapPairs(cached, seed=5).fingerprint
    assert dataset.batch([0, 1]).positions0.shape[::2] == (2, 2)


class TestNegatives:
    """Four images a, b, c, d, of which only a and b, and c and d, share points."""

    @pytest.fixture
    def model(self, cached: CachedReconstruction) -> CachedReconstruction:
        a, b, c, d = cached.covisible
        partners = {a: b, b: a, c: d, d: c}
        return replace(
            cached, pairs=((a, b), (c, d)), covisible={key: frozenset({partners[key]}) for key in partners}
        )

    @pytest.mark.slow
    def test_negatives_are_non_covisible_and_unmatched(self, model: CachedReconstruction):
        dataset = ColmapPairs(model, negatives=0.4)
        sides = [{Path(name).name for name in drawn} for drawn in drawn_sources(dataset, 100)]
        covisible = [{key.split("@")[0] for key in pair} for pair in model.pairs]
        negative = [k for k, names in enumerate(sides) if names not in covisible]
        assert 25 < len(negative) < 55
        assert len({frozenset(sides[k]) for k in negative}) == 4
        for k in range(100):
            labels = set(dataset[k].matches0.tolist()) | set(dataset[k].matches1.tolist())
            assert (labels == {UNMATCHED}) == (k in negative)

    @pytest.mark.slow
    def test_negatives_depend_on_their_index_only(self, model: CachedReconstruction):
        sources = [ColmapPairs(model, seed=3, negatives=0.5, cache_size=size) for size in (64, 1)]
        forwards, backwards = (
            drawn_sources(sources[0], 20),
            [drawn(sources[1], k) for k in reversed(range(20))],
        )
        assert forwards == backwards[::-1]

    def test_fingerprint_depends_on_negatives(self, model: CachedReconstruction):
        prints = [ColmapPairs(model, negatives=fraction).fingerprint for fraction in (0.0, 0.1, 0.1)]
        assert prints[0] != prints[1] == prints[2]

    def test_fully_covisible_images_have_no_negatives(self, cached: CachedReconstruction):
        dataset, without = ColmapPairs(cached, negatives=1.0), ColmapPairs(cached, negatives=0.0)
        assert all(cached.non_covisible(key) == [] for key in cached.covisible)
        assert (dataset[0].matches0 >= 0).any()
        assert dataset.fingerprint == without.fingerprint

    def test_invalid_negatives_are_refused(self, cached: CachedReconstruction):
        with pytest.raises(InvalidInput, match=r"negatives.*1.5"):
            ColmapPairs(cached, negatives=1.5)


def drawn(dataset: ColmapPairs, k: int) -> tuple[str | None, str | None]:
    return dataset[k].features0.source, dataset[k].features1.source


def drawn_sources(dataset: ColmapPairs, count: int) -> list[tuple[str | None, str | None]]:
    return [drawn(dataset, k) for k in range(count)]


def test_validation_images_are_in_no_pair(scene: Path, tmp_path: Path):
    image_paths = sorted((scene / "photos").iterdir())
    (tmp_path / "val").mkdir()
    shutil.copy(image_paths[1], tmp_path / "val" / "another name.png")
    paths = DataPaths(
        images=scene / "photos", cache=tmp_path / "cache", val=tmp_path / "val", colmap=scene / "model"
    )
    single = DistributedContext(0, 1, torch.device("cpu"))
    data = prepare_data(paths, TrainConfig(), identity_extractor(), single, no_progress)
    assert isinstance(data.dataset, ColmapPairs)
    keys = data.dataset.reconstruction.covisible
    assert len(keys) == 3
    assert content_digest(image_paths[1]) not in {key.rpartition("@")[2] for key in keys}
    assert all(set(pair) <= keys.keys() for pair in data.dataset.reconstruction.pairs)
    assert data.problems[0].startswith("1 of 4 images in ")
