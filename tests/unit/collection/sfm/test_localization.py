"""localize: images that the model lacks are localized at their true position; other scenes are refused."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.localization_scenes import QUERY, FixedFeaturesMatcher, Reconstructed, position_error
from tests.helpers.synthetic_collections import (
    FOCAL,
    SIZE,
)

from tiepoint.cli.localize import localize as command
from tiepoint.collection.sfm import localization
from tiepoint.collection.sfm.localization import NUM_IMAGES, localize, localize_to_files
from tiepoint.collection.sfm.matches_2d3d import match_to_model
from tiepoint.errors import InvalidInput
from tiepoint.io.progress import Advance
from tiepoint.types import Features


@pytest.mark.parametrize("num_images", [None, 2], ids=["all", "most-similar"])
def test_position_is_correct(reconstructed: Reconstructed, query: str, num_images: int | None) -> None:
    collection, scene = reconstructed
    found = localize(
        query, collection, num_images=num_images, matcher=FixedFeaturesMatcher(scene.features(QUERY))
    )
    assert found.success
    assert found.focal_source == "model"
    assert found.camera_params[0] == pytest.approx(FOCAL, rel=0.03)
    assert found.num_inliers > 200
    assert position_error(found.position, reconstructed) < 0.005
    points = found.world_points @ found.cam_from_world[:, :3].T + found.cam_from_world[:, 3]
    projected = found.camera_params[0] * points[:, :2] / points[:, 2:] + np.array(SIZE) / 2 - 0.5
    assert np.abs(projected - found.points)[found.inliers].mean() < 1.0


def test_default_number_of_images(
    reconstructed: Reconstructed, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection, scene = reconstructed
    asked = []
    monkeypatch.setattr(
        localization, "match_to_model", lambda *args: asked.append(args[4]) or match_to_model(*args)
    )
    totals, advanced = [], []

    @contextmanager
    def progress(description: str, total: int | None) -> Iterator[Advance]:
        totals.append(total)
        yield advanced.append

    localize(query, collection, matcher=FixedFeaturesMatcher(scene.features(QUERY)), progress=progress)
    assert advanced == [1] * totals[0]
    assert asked == [NUM_IMAGES]
    assert signature(command).parameters["num_images"].default == NUM_IMAGES


@pytest.mark.slow
def test_another_scene_fails_with_a_reason(reconstructed: Reconstructed, query: str) -> None:
    collection, scene = reconstructed
    features = scene.features(QUERY)
    elsewhere = torch.rand(len(features), 2, generator=torch.Generator().manual_seed(0)) * torch.tensor(SIZE)
    found = localize(
        query, collection, matcher=FixedFeaturesMatcher(replace(features, keypoints=elsewhere - 0.5))
    )
    assert not found.success
    assert found.position is None
    assert not found.inliers.any()
    assert found.reason.startswith("got 0 2D-3D correspondences")


def test_no_matches_fail_with_a_reason(reconstructed: Reconstructed, query: str, tmp_path: Path) -> None:
    collection, scene = reconstructed
    features = scene.features(QUERY)
    none = Features(
        keypoints=features.keypoints[:0],
        scores=features.scores[:0],
        descriptors=features.descriptors[:0],
        image_size=SIZE,
    )
    found = localize_to_files(
        query,
        collection,
        matcher=FixedFeaturesMatcher(none),
        image_path=tmp_path / "p.png",
        json_path=tmp_path / "p.json",
    )
    assert found.reason.startswith("got 0 2D-3D correspondences")
    assert json.loads((tmp_path / "p.json").read_text())["success"] is False
    assert not (tmp_path / "p.png").exists()


def test_image_and_json_are_written(reconstructed: Reconstructed, query: str, tmp_path: Path) -> None:
    collection, scene = reconstructed
    files = {"image_path": tmp_path / "p.png", "json_path": tmp_path / "p.json"}
    found = localize_to_files(
        query, collection.folder, matcher=FixedFeaturesMatcher(scene.features(QUERY)), **files
    )
    written = json.loads((tmp_path / "p.json").read_text())
    assert written["position"] == found.position.tolist()
    assert sum(written["inliers"]) == written["num_inliers"] == found.num_inliers
    with PIL.Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (2 * SIZE[0], SIZE[1])


def test_neighbor_observes_the_same_points(reconstructed: Reconstructed, query: str) -> None:
    collection, scene = reconstructed
    found = localize(query, collection, matcher=FixedFeaturesMatcher(scene.features(QUERY)))
    shared = np.isfinite(found.neighbor_points).all(axis=1)
    assert shared.sum() > 200
    keypoints = collection.features(found.neighbor).keypoints.numpy()
    distances = np.linalg.norm(keypoints[None] - found.neighbor_points[shared][:, None], axis=2)
    assert distances.min(axis=1).max() < 1e-3


def test_output_paths_are_validated_before_starting(
    reconstructed: Reconstructed, query: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=r"p\.txt"):
        localize_to_files(query, reconstructed[0], image_path=tmp_path / "p.txt")
    with pytest.raises(InvalidInput, match=r"\.json"):
        localize_to_files(query, reconstructed[0], json_path=tmp_path / "p.npz")
