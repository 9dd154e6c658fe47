"""Image retrieval on synthetic descriptors: each scene has its own."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tiepoint.collection.images import ImageRecord
from tiepoint.collection.pairs import retrieval
from tiepoint.collection.pairs.retrieval import most_similar_images, most_similar_to, train_centroids, vlad
from tiepoint.collection.pairs.selection import PairSelection, select_pairs
from tiepoint.errors import MissingDependency
from tiepoint.types import Features

SCENES, NUM_IMAGES = 6, 24
"""Image i shows scene i modulo 6, so there are four images per scene."""


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def descriptors() -> list[np.ndarray]:
    """Descriptors of 24 images: 60 of the 80 points of the scene, with noise, and 40 common ones."""
    random = np.random.default_rng(0)
    scenes = [unit(random.standard_normal((80, 16))) for _ in range(SCENES)]
    everywhere = unit(random.standard_normal((40, 16)))
    return [
        unit(
            np.concatenate([random.permutation(scenes[index % SCENES])[:60], everywhere])
            + 0.1 * random.standard_normal((100, 16))
        )
        for index in range(NUM_IMAGES)
    ]


def test_most_similar_images_show_the_same_scene(descriptors: list[np.ndarray]):
    found = most_similar_images(descriptors.__getitem__, NUM_IMAGES, 3)
    expected = [
        [j for j in range(NUM_IMAGES) if j != i and j % SCENES == i % SCENES] for i in range(NUM_IMAGES)
    ]
    assert np.sort(found).tolist() == expected


def test_results_are_deterministic(descriptors: list[np.ndarray]):
    first, second = (most_similar_images(descriptors.__getitem__, NUM_IMAGES, 9) for _ in range(2))
    assert np.array_equal(first, second)


def test_block_size_does_not_change_results(descriptors: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    whole = most_similar_images(descriptors.__getitem__, NUM_IMAGES, 9)
    monkeypatch.setattr("tiepoint.collection.pairs.retrieval.BLOCK", 5)
    assert np.array_equal(most_similar_images(descriptors.__getitem__, NUM_IMAGES, 9), whole)


def test_centroids_from_a_sample(descriptors: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tiepoint.collection.pairs.retrieval.SAMPLED_IMAGES", 18)
    found = most_similar_images(descriptors.__getitem__, NUM_IMAGES, 3)
    assert (found % SCENES == np.arange(NUM_IMAGES)[:, None] % SCENES).mean() > 0.9


def test_no_image_is_its_own_neighbor_among_duplicates(descriptors: list[np.ndarray]):
    found = most_similar_images(lambda _: descriptors[0], 9, 4)
    assert found.shape == (9, 4)
    assert not (found == np.arange(9)[:, None]).any()
    assert [len(set(row)) for row in found.tolist()] == [4] * 9


@pytest.mark.parametrize("count", [1, 3, 50])
def test_without_descriptors_there_are_no_neighbors(descriptors: list[np.ndarray], count: int):
    blank = {2, 7}
    empty = np.empty((0, 16), np.float32)
    found = most_similar_images(lambda index: empty if index in blank else descriptors[index], 10, count)
    assert found.shape == (10, min(count, 9))
    assert (found[sorted(blank)] == -1).all()
    others = np.delete(found, sorted(blank), axis=0)
    assert not np.isin(others, sorted(blank)).any()
    assert ((others >= 0).sum(axis=1) == min(count, 7)).all()


def test_most_similar_to_is_a_row_of_most_similar_images(
    descriptors: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
):
    """Some images have no descriptors, so index positions differ from image indices."""
    blank, empty = {2, 7}, np.empty((0, 16), np.float32)

    def read_descriptors(index: int) -> np.ndarray:
        return empty if index in blank else descriptors[index]

    everything = most_similar_images(read_descriptors, NUM_IMAGES, 5)
    search, rows = retrieval._search, []
    monkeypatch.setattr(
        retrieval, "_search", lambda index, block, k: rows.append(len(block)) or search(index, block, k)
    )
    for query in (0, 8, NUM_IMAGES - 1):
        assert most_similar_to(query, read_descriptors, NUM_IMAGES, 5).tolist() == everything[query].tolist()
    assert rows == [1, 1, 1]
    assert most_similar_to(2, read_descriptors, NUM_IMAGES, 5).tolist() == []
    assert len(most_similar_to(8, read_descriptors, NUM_IMAGES, 50)) == NUM_IMAGES - 3
    assert most_similar_to(0, lambda _: empty, 3, 5).tolist() == []
    assert most_similar_to(0, descriptors.__getitem__, 1, 5).tolist() == []


@pytest.mark.parametrize("images", [0, 1, 2])
def test_no_neighbors(descriptors: list[np.ndarray], images: int):
    empty = np.empty((0, 16), np.float32)
    neighbors = max(images - 1, 0)
    assert most_similar_images(lambda _: empty, images, 5).shape == (images, neighbors)
    assert most_similar_images(descriptors.__getitem__, images, 5).shape == (images, neighbors)


def test_one_descriptor_per_image():
    found = most_similar_images(lambda index: np.eye(4, dtype=np.float32)[index // 2][None], 8, 1)
    assert found[:, 0].tolist() == [1, 0, 3, 2, 5, 4, 7, 6]


def test_descriptors_are_read_at_most_three_times(descriptors: list[np.ndarray]):
    read: list[int] = []

    def read_descriptors(index: int) -> np.ndarray:
        read.append(index)
        return descriptors[index]

    most_similar_images(read_descriptors, NUM_IMAGES, 3)
    assert max(map(read.count, range(NUM_IMAGES))) <= 3


def test_vlad_of_a_worked_example():
    centroids = np.array([[1, 0], [0, 1], [-1, 0]], np.float32)
    found = vlad(np.array([[0.8, 0.6], [0.8, -0.6], [0.6, 0.8]], np.float32), centroids)
    # to the first centroid: (-0.2, 0.6) + (-0.2, -0.6); to the second: (0.6, -0.2); to the third: nothing
    second = np.array([0.6, -0.2]) / np.hypot(0.6, 0.2)
    assert found == pytest.approx(np.array([-1, 0, *second, 0, 0]) / np.sqrt(2), abs=1e-6)


def test_vlad_without_descriptors():
    assert not vlad(np.empty((0, 2), np.float32), np.eye(2, dtype=np.float32)).any()


@pytest.mark.parametrize(("count", "centroids"), [(3, 1), (80, 2), (400, 5)])
def test_few_descriptors_make_few_centroids(count: int, centroids: int):
    descriptors = np.random.default_rng(0).standard_normal((count, 3)).astype(np.float32)
    assert train_centroids(descriptors, 5).shape == (centroids, 3)


def test_retrieved_pairs_are_ordered_by_name(descriptors: list[np.ndarray]):
    images = [
        ImageRecord(name=f"{index}", path=Path("a.jpg"), digest="0" * 16, image_size=(8, 6))
        for index in range(6)
    ]
    found = select_pairs(PairSelection("retrieval", "1"), images, read_features=features_of(descriptors))
    assert list(found) == [("0", "3"), ("2", "4")]
    assert [line.partition(":")[0] for line in found.problems] == ["1", "5"]


def features_of(descriptors: list[np.ndarray]) -> Callable[[str], Features]:
    """Images 0 and 3, 2 and 4 show the same scene; 1 and 5 have no descriptors."""
    scenes = {"0": 0, "3": SCENES, "2": 1, "4": SCENES + 1}

    def features(name: str) -> Features:
        rows = descriptors[scenes[name]] if name in scenes else np.empty((0, 16), np.float32)
        return Features(
            keypoints=torch.zeros(len(rows), 2),
            scores=torch.ones(len(rows)),
            descriptors=torch.from_numpy(rows),
            image_size=(8, 6),
        )

    return features


def test_without_faiss(descriptors: list[np.ndarray], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(MissingDependency, match="faiss-cpu"):
        most_similar_images(descriptors.__getitem__, 2, 1)
