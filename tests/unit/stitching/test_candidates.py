"""Pairs that may overlap."""

import pytest
import torch

from tiepoint.stitching import candidates
from tiepoint.stitching.candidates import candidate_pairs
from tiepoint.types import Features


def features_of(scene: int) -> Features:
    generator = torch.Generator().manual_seed(scene)
    descriptors = torch.nn.functional.normalize(torch.randn(20, 16, generator=generator), dim=1)
    return Features(
        keypoints=torch.rand(20, 2), scores=torch.ones(20), descriptors=descriptors, image_size=(9, 9)
    )


def test_all_pairs_of_few_images() -> None:
    assert candidate_pairs([features_of(0)] * 3) == [(0, 1), (0, 2), (1, 2)]


def test_similar_images_and_neighbors_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MAX_EXHAUSTIVE", 4)
    monkeypatch.setattr(candidates, "NUM_SIMILAR", 1)
    monkeypatch.setattr(candidates, "NUM_SUCCESSORS", 1)
    pairs = candidate_pairs([features_of(scene) for scene in (0, 1, 2, 0, 1, 2)])
    assert {(0, 3), (1, 4), (2, 5)} <= set(pairs)
    assert {(i, i + 1) for i in range(5)} <= set(pairs)
    assert len(pairs) == 8
