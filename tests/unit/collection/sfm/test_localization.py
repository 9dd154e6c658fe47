"""localize: a image that the model doesn't have is where it truly is, and another place is no pose."""

import json
from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from pathlib import Path

import numpy as np
import PIL.Image
import pycolmap
import pytest
import torch
from tests.helpers.synthetic_collections import (
    FOCAL,
    PLAIN_NAMES,
    SIZE,
    Scene,
    make_collection,
    write_image,
)

from tiepoint.cli.localize import localize as command
from tiepoint.collection.collection import Collection
from tiepoint.collection.sfm import localization
from tiepoint.collection.sfm.localization import NUM_IMAGES, localize, localize_to_files
from tiepoint.collection.sfm.matches_2d3d import MIN_PAIR_INLIERS, match_to_model, pair_inliers
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct
from tiepoint.errors import InvalidInput
from tiepoint.matcher import Matcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Features

QUERY = "sub/d.jpg"
Made = tuple[Collection, Scene]


class Known(Matcher):
    """Says of every image that it has these features."""

    def __init__(self, features: Features) -> None:
        self.features = features
        self.matcher = NearestMatcher(kind="", filter_threshold=0.9)

    def extract(self, image, *, mask=None) -> Features:
        return replace(self.features, source=image if isinstance(image, str) else None)


class Misled(Known):
    """Finds in all registered images but one what isn't there, as in a large model: as many matches, at random."""

    def match_features(self, pairs):
        seed = np.random.default_rng(0)
        results = super().match_features(pairs)
        return [
            result
            if result.features1.source.endswith("/e.jpg")
            else replace(
                result,
                matches=np.stack([result.matches[:, 0], seed.permutation(result.matches[:, 1])], axis=1),
            )
            for result in results
        ]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A model of all but one image."""
    collection, scene = make_collection(tmp_path_factory.mktemp("place"), leave_out=QUERY)
    reconstruct(collection)
    return collection, scene


@pytest.fixture
def query(tmp_path: Path) -> str:
    write_image(tmp_path / "query.jpg")
    return str(tmp_path / "query.jpg")


def error_of(position: np.ndarray, made: Made) -> float:
    """Distance between a position and the true one, as a share of the extent of the cameras."""
    collection, scene = made
    model = read_model(collection)
    names = [name for name in PLAIN_NAMES if name != QUERY]
    found = np.array([model.find_image_with_name(name).projection_center() for name in names])
    true = np.array([scene.center(name) for name in names])
    moved = pycolmap.estimate_sim3d(found, true) * position
    return float(np.linalg.norm(moved - scene.center(QUERY)) / np.linalg.norm(np.ptp(true, axis=0)))


@pytest.mark.parametrize("num_images", [None, 2], ids=["all", "the most alike"])
def test_a_image_is_where_it_was_taken(made: Made, query: str, num_images: int | None) -> None:
    collection, scene = made
    found = localize(query, collection, num_images=num_images, matcher=Known(scene.features(QUERY)))
    assert found.success
    assert found.focal_source == "model"
    assert found.camera_params[0] == pytest.approx(FOCAL, rel=0.03)
    assert found.num_inliers > 200
    assert error_of(found.position, made) < 0.005
    points = found.world_points @ found.cam_from_world[:, :3].T + found.cam_from_world[:, 3]
    projected = found.camera_params[0] * points[:, :2] / points[:, 2:] + np.array(SIZE) / 2 - 0.5
    assert np.abs(projected - found.points)[found.inliers].mean() < 1.0


def test_a_focal_length_that_is_given_is_used(made: Made, query: str) -> None:
    collection, scene = made
    found = localize(query, collection, focal_px=FOCAL, matcher=Known(scene.features(QUERY)))
    assert (found.focal_source, found.camera_params[0]) == ("given", FOCAL)
    assert error_of(found.position, made) < 0.02


def test_an_unknown_focal_length_is_found_with_the_pose(made: Made, query: str) -> None:
    """A image of another size can't be of the model's camera."""
    collection, scene = made
    features = scene.features(QUERY)
    cropped = replace(
        features, image_size=(SIZE[0], SIZE[1] - 2), keypoints=features.keypoints.clamp(max=SIZE[1] - 3)
    )
    inside = (features.keypoints <= SIZE[1] - 3).all(dim=1)
    kept = {name: getattr(cropped, name)[inside] for name in ("keypoints", "scores", "descriptors")}
    found = localize(query, collection, matcher=Known(replace(cropped, **kept)))
    assert found.focal_source == "guess"
    assert found.camera_params[0] == pytest.approx(FOCAL, rel=0.05)
    assert error_of(found.position, made) < 0.05


def test_what_other_images_seem_to_match_doesnt_refuse_a_pose(made: Made, query: str) -> None:
    """Without verification four in five of all hits were false, and a pose must explain a quarter of them."""
    collection, scene = made
    found = localize(query, collection, matcher=Misled(scene.features(QUERY)))
    assert found.success
    assert found.neighbor == "e.jpg"
    assert found.num_inliers > 0.9 * len(found.points)
    assert error_of(found.position, made) < 0.02


def pair(matches: int, *, on_a_plane: bool) -> MatchResult:
    """Matches of points on a plane, or at random."""
    generator = np.random.default_rng(0)
    points0, points1 = (generator.uniform(0, 1, (matches, 2)) * (1600, 1200) for _ in range(2))
    if on_a_plane:
        points1 = 1.1 * points0 + 20
    sides = [
        Features(
            keypoints=torch.from_numpy(points).float(),
            scores=torch.ones(matches),
            descriptors=torch.zeros(matches, 8),
            image_size=(4000, 3000),
        )
        for points in (points0, points1)
    ]
    some = torch.arange(matches)
    found = Assignment(
        matches=torch.stack([some, some], dim=1),
        scores=torch.ones(matches),
        matching_scores0=torch.ones(matches),
        matching_scores1=torch.ones(matches),
        layers_run=0,
        prune0=some,
        prune1=some,
    )
    return MatchResult.from_assignment(*sides, found)


@pytest.mark.parametrize("matches", [0, 6, 20, 60, 300, 1000])
def test_what_agrees_by_chance_is_not_verified(matches: int) -> None:
    assert not pair_inliers(pair(matches, on_a_plane=False)).any()


def test_a_plane_is_verified_by_its_homography() -> None:
    assert pair_inliers(pair(MIN_PAIR_INLIERS, on_a_plane=True)).all()
    assert not pair_inliers(pair(MIN_PAIR_INLIERS - 1, on_a_plane=True)).any()


def test_so_many_registered_images_are_matched_by_default(
    made: Made, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection, scene = made
    asked = []
    monkeypatch.setattr(
        localization, "match_to_model", lambda *args: asked.append(args[-1]) or match_to_model(*args)
    )
    localize(query, collection, matcher=Known(scene.features(QUERY)))
    assert asked == [NUM_IMAGES]
    assert signature(command).parameters["num_images"].default == NUM_IMAGES


def test_another_place_is_a_failure_with_a_reason(made: Made, query: str) -> None:
    collection, scene = made
    features = scene.features(QUERY)
    elsewhere = torch.rand(len(features), 2, generator=torch.Generator().manual_seed(0)) * torch.tensor(SIZE)
    found = localize(query, collection, matcher=Known(replace(features, keypoints=elsewhere - 0.5)))
    assert not found.success
    assert found.position is None
    assert not found.inliers.any()
    assert found.reason.startswith("got 0 2D-3D correspondences")


def test_nothing_that_matches_is_a_failure_too(made: Made, query: str, tmp_path: Path) -> None:
    collection, scene = made
    features = scene.features(QUERY)
    none = Features(
        keypoints=features.keypoints[:0],
        scores=features.scores[:0],
        descriptors=features.descriptors[:0],
        image_size=SIZE,
    )
    found = localize_to_files(
        query, collection, matcher=Known(none), image_path=tmp_path / "p.png", json_path=tmp_path / "p.json"
    )
    assert found.reason.startswith("got 0 2D-3D correspondences")
    assert json.loads((tmp_path / "p.json").read_text())["success"] is False
    assert not (tmp_path / "p.png").exists()


def test_picture_and_numbers_are_written(made: Made, query: str, tmp_path: Path) -> None:
    collection, scene = made
    files = {"picture": tmp_path / "p.png", "json": tmp_path / "p.json"}
    found = localize_to_files(query, collection.folder, matcher=Known(scene.features(QUERY)), **files)
    written = json.loads((tmp_path / "p.json").read_text())
    assert written["position"] == found.position.tolist()
    assert sum(written["inliers"]) == written["num_inliers"] == found.num_inliers
    with PIL.Image.open(tmp_path / "p.png") as picture:
        assert picture.size == (2 * SIZE[0], SIZE[1])


def test_the_neighbor_sees_the_same_points(made: Made, query: str) -> None:
    collection, scene = made
    found = localize(query, collection, matcher=Known(scene.features(QUERY)))
    shared = np.isfinite(found.neighbor_points).all(axis=1)
    assert shared.sum() > 200
    keypoints = collection.features(found.neighbor).keypoints.numpy()
    distances = np.linalg.norm(keypoints[None] - found.neighbor_points[shared][:, None], axis=2)
    assert distances.min(axis=1).max() < 1e-3


def fewer(features: Features) -> Features:
    names = ("keypoints", "scores", "descriptors")
    return replace(features, **{name: getattr(features, name)[:200] for name in names})


def in_another_order(features: Features) -> Features:
    names = ("keypoints", "scores", "descriptors")
    return replace(features, **{name: getattr(features, name).flip(0) for name in names})


def half_a_pixel_off(features: Features) -> Features:
    return replace(features, keypoints=features.keypoints + 0.5)


@pytest.mark.parametrize("change", [fewer, in_another_order, half_a_pixel_off])
def test_a_model_of_other_features_is_refused(
    made: Made, query: str, monkeypatch: pytest.MonkeyPatch, change: Callable[[Features], Features]
) -> None:
    collection, scene = made
    read = Collection.features
    monkeypatch.setattr(Collection, "features", lambda self, name: change(read(self, name)))
    with pytest.raises(InvalidInput, match="reconstruct again"):
        localize(query, collection, matcher=Known(scene.features(QUERY)))


def test_features_of_registered_images_are_read_once_to_match_all(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection, scene = made
    read, asked = Collection.features, []
    monkeypatch.setattr(Collection, "features", lambda self, name: asked.append(name) or read(self, name))
    match_to_model(
        scene.features(QUERY), collection, read_model(collection), Known(scene.features(QUERY)), None
    )
    assert sorted(asked) == sorted(name for name in PLAIN_NAMES if name != QUERY)


def test_paths_are_checked_before_the_work(made: Made, query: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="picture|image"):
        localize_to_files(query, made[0], image_path=tmp_path / "p.txt")
    with pytest.raises(InvalidInput, match=r"\.json"):
        localize_to_files(query, made[0], json_path=tmp_path / "p.npz")
