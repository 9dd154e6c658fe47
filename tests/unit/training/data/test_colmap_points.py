"""A synthetic reconstruction whose images show a white dot at each of its points: the truth of every pair is known."""

import math
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.fake_networks import IdentityDetector

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.geometry.colmap import colmap_keypoints, quiet_pycolmap, read_reconstruction
from tiepoint.io.progress import untracked
from tiepoint.training.data.colmap_images import CachedModel, PosedImage, TrackSettings, cache_model
from tiepoint.training.data.colmap_pairs import TrackPairs, matches_of_posed
from tiepoint.training.data.colmap_points import (
    neighbors,
    points_of_depth,
    points_of_tracks,
    read_depth_map,
    shared_points,
)
from tiepoint.training.data.dataset import Places, prepare_data
from tiepoint.training.data.deduplication import content_digest
from tiepoint.training.data.ground_truth import IGNORED, UNMATCHED
from tiepoint.training.distributed import Processes
from tiepoint.training.recipes import RECIPES

SETTINGS = TrackSettings(size=640, max_keypoints=300, min_shared_points=20)
SIDEWAYS = 6
"""EXIF orientation of one of the photographs: COLMAP works on its raster, we on the upright image."""


def identity_extractor() -> NeuralExtractor:
    return NeuralExtractor(IdentityDetector(), ExtractionSettings(kind="echo"))


def random_model(seed: int = 1) -> Any:
    import pycolmap

    pycolmap.set_random_seed(seed)
    options = pycolmap.SyntheticDatasetOptions(
        num_rigs=1,
        num_frames_per_rig=4,
        num_points3D=120,
        camera_width=640,
        camera_height=480,
        camera_params=[700.0, 320.0, 240.0, 0.05],
        num_points2D_without_point3D=0,
    )
    with quiet_pycolmap():
        return pycolmap.synthesize_dataset(options)


def write_dots(path: Path, image: Any, hidden: set[int], orientation: int) -> None:
    """A white px at each observation, in the raster of the file; COLMAP's first px reaches from 0 to 1."""
    raster = np.zeros((480, 640, 3), np.uint8)
    for point in image.get_observation_points2D():
        x, y = np.floor(point.xy).astype(int)
        if point.point3D_id not in hidden and 0 <= x < 640 and 0 <= y < 480:
            raster[y, x] = 255
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    PIL.Image.fromarray(raster).save(path, exif=exif)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders `model` and `photos`; each photograph lacks the dots of some points."""
    folder = tmp_path_factory.mktemp("scene")
    model = random_model()
    (folder / "model").mkdir()
    (folder / "photos").mkdir()
    with quiet_pycolmap():
        model.write(folder / "model")
    for place, number in enumerate(sorted(model.images)):
        image = model.images[number]
        hidden = {point for point in model.points3D if point % 5 == place}
        write_dots(folder / "photos" / image.name, image, hidden, SIDEWAYS if place == 0 else 1)
    return folder


@pytest.fixture(scope="module")
def cached(scene: Path) -> CachedModel:
    return cache_model(scene / "model", scene / "photos", identity_extractor(), scene / "store", SETTINGS)


def points_by_hand(model: Any, posed: PosedImage, name: str) -> list[int]:
    """The point of the observation that lies nearest to each keypoint; every dot is one."""
    seen = model.find_image_with_name(name).get_observation_points2D()
    found = []
    for place in colmap_keypoints(posed.features):
        nearest = min(seen, key=lambda point: math.dist(point.xy, place))
        assert math.dist(nearest.xy, place) < 1
        found.append(nearest.point3D_id)
    return found


def test_the_features_are_the_dots(cached: CachedModel, scene: Path):
    sideways, upright = (cached.read(key) for key in cached.pairs[0])
    assert sideways.features.image_size == (480, 640)
    assert upright.features.image_size == (640, 480)
    assert len(sideways.features) > 80


def test_matches_are_keypoints_of_one_point(cached: CachedModel, scene: Path):
    model = read_reconstruction(scene / "model")
    labels = Counter()
    for key0, key1 in cached.pairs:
        image0, image1 = cached.read(key0), cached.read(key1)
        points0, points1 = (
            points_by_hand(model, image, key.split("@")[0]) for image, key in ((image0, key0), (image1, key1))
        )
        truth = matches_of_posed(image0, image1)
        for i, match in enumerate(truth.matches0.tolist()):
            labels[min(match, 0)] += 1
            if match >= 0:
                assert points0[i] == points1[match]
                assert truth.matches1[match] == i
            elif match == UNMATCHED:
                assert points0[i] not in points1
    assert labels[0] > 3 * labels[UNMATCHED] > 0.4 * labels[0]  # every photograph lacks a fifth of the dots
    assert labels[IGNORED] < 0.1 * labels[0]


def test_the_turned_photograph_matches_as_well_as_the_others(cached: CachedModel):
    shares = []
    for pair in cached.pairs:
        truth = matches_of_posed(*(cached.read(key) for key in pair))
        shares.append(float((truth.matches0 >= 0).float().mean()))
    assert min(shares) > 0.6


def test_thresholds_count_in_px_of_what_the_extractor_saw(cached: CachedModel):
    """Half the size: 3 px there are 6 px here, so nearly every keypoint that is 5 px off still matches."""
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
        counts.append(int((matches_of_posed(first, second).matches0 >= 0).sum()))
    assert counts[1] > 2 * counts[0]


def test_pairs_are_a_pure_function_of_their_number(cached: CachedModel):
    source, again = TrackPairs(cached, seed=4), TrackPairs(cached, seed=4, cached=1)
    count = len(cached.pairs)
    for k in (3, 0, count + 1):
        assert torch.equal(source[k].matches0, again[k].matches0)
        assert torch.equal(source[k].features1.keypoints, again[k].features1.keypoints)
    drawn = {frozenset((source[k].features0.source, source[k].features1.source)) for k in range(count)}
    assert len(drawn) == count
    assert source.fingerprint == again.fingerprint != TrackPairs(cached, seed=5).fingerprint
    assert source.batch([0, 1]).positions0.shape[::2] == (2, 2)


class TestNegatives:
    """Of four images a, b, c, d: as if only a and b, and c and d, shared points."""

    @pytest.fixture
    def model(self, cached: CachedModel) -> CachedModel:
        a, b, c, d = cached.neighbors
        partners = {a: b, b: a, c: d, d: c}
        return replace(
            cached, pairs=((a, b), (c, d)), neighbors={key: frozenset({partners[key]}) for key in partners}
        )

    def test_they_are_strangers_without_a_match(self, model: CachedModel):
        source = TrackPairs(model, negatives=0.4)
        sides = [{Path(name).name for name in drawn} for drawn in drawn_sources(source, 100)]
        friends = [{key.split("@")[0] for key in pair} for pair in model.pairs]
        negative = [k for k, names in enumerate(sides) if names not in friends]
        assert 25 < len(negative) < 55
        assert len({frozenset(sides[k]) for k in negative}) == 4
        for k in range(100):
            labels = set(source[k].matches0.tolist()) | set(source[k].matches1.tolist())
            assert (labels == {UNMATCHED}) == (k in negative)

    def test_they_are_a_pure_function_of_their_number(self, model: CachedModel):
        sources = [TrackPairs(model, seed=3, negatives=0.5, cached=cached) for cached in (64, 1)]
        forwards, backwards = (
            drawn_sources(sources[0], 20),
            [drawn(sources[1], k) for k in reversed(range(20))],
        )
        assert forwards == backwards[::-1]

    def test_the_fingerprint_knows_them(self, model: CachedModel):
        prints = [TrackPairs(model, negatives=share).fingerprint for share in (0.0, 0.1, 0.1)]
        assert prints[0] != prints[1] == prints[2]

    def test_images_that_all_see_the_same_give_none(self, cached: CachedModel):
        source, without = TrackPairs(cached, negatives=1.0), TrackPairs(cached, negatives=0.0)
        assert all(cached.strangers(key) == [] for key in cached.neighbors)
        assert (source[0].matches0 >= 0).any()
        assert source.fingerprint == without.fingerprint

    def test_impossible_shares_are_refused(self, cached: CachedModel):
        with pytest.raises(InvalidInput, match="negatives must be a share"):
            TrackPairs(cached, negatives=1.5)


def drawn(source: TrackPairs, k: int) -> tuple[str | None, str | None]:
    return source[k].features0.source, source[k].features1.source


def drawn_sources(source: TrackPairs, count: int) -> list[tuple[str | None, str | None]]:
    return [drawn(source, k) for k in range(count)]


def test_photographs_to_validate_on_take_no_part_in_any_pair(scene: Path, tmp_path: Path):
    photographs = sorted((scene / "photos").iterdir())
    (tmp_path / "val").mkdir()
    shutil.copy(photographs[1], tmp_path / "val" / "another name.png")
    places = Places(
        photographs=scene / "photos", cache=tmp_path / "cache", val=tmp_path / "val", colmap=scene / "model"
    )
    alone = Processes(0, 1, torch.device("cpu"))
    data = prepare_data(places, RECIPES["homography"], identity_extractor(), alone, seed=0, track=untracked)
    assert isinstance(data.source, TrackPairs)
    keys = data.source.model.neighbors
    assert len(keys) == 3
    assert content_digest(photographs[1]) not in {key.rpartition("@")[2] for key in keys}
    assert all(set(pair) <= keys.keys() for pair in data.source.model.pairs)
    assert data.problems[0].startswith("1 of 4 photographs in ")


def test_what_is_cached_is_not_done_again(cached: CachedModel, scene: Path):
    network = identity_extractor()
    again = cache_model(scene / "model", scene / "photos", network, scene / "store", SETTINGS)
    assert again.pairs == cached.pairs
    assert network.network.seen == []
    other = TrackSettings(size=640, max_keypoints=100, min_shared_points=20)
    with pytest.raises(StoreError, match="max_keypoints 300, not 100"):
        cache_model(scene / "model", scene / "photos", identity_extractor(), scene / "store", other)


def test_bad_photographs_are_named_and_the_others_used(cached: CachedModel, scene: Path, tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    names = sorted(path.name for path in (scene / "photos").iterdir())
    for name in names[2:]:
        (photos / name).write_bytes((scene / "photos" / name).read_bytes())
    PIL.Image.new("RGB", (320, 240)).save(photos / names[1])
    found = cache_model(scene / "model", photos, identity_extractor(), tmp_path / "store", SETTINGS)
    assert len(found.pairs) == 1
    assert len(found.problems) == 2
    assert "No such file" in found.problems[0]
    assert f"the model is of 640 x 480 px, but {names[1]} has 320 x 240; was it resized?" in found.problems[1]


def test_no_pair_is_an_error(scene: Path, tmp_path: Path):
    settings = TrackSettings(size=640, min_shared_points=500)
    with pytest.raises(InvalidInput, match=r"no two usable images of .*model share 500 points"):
        cache_model(scene / "model", scene / "photos", identity_extractor(), tmp_path / "store", settings)


def test_no_model_is_an_error(tmp_path: Path):
    with pytest.raises(InvalidInput, match="as a COLMAP model"):
        read_reconstruction(tmp_path)


def test_shared_points_by_hand(scene: Path):
    model = read_reconstruction(scene / "model")
    seen = {
        image.name: {point.point3D_id for point in image.get_observation_points2D()}
        for image in model.images.values()
    }
    expected = {(a, b): len(seen[a] & seen[b]) for a in sorted(seen) for b in sorted(seen) if a < b}
    found = shared_points(model, {name: name for name in seen})
    assert list(found.items()) == [(pair, count) for pair, count in expected.items() if count]
    a, *_, d = sorted(seen)
    assert shared_points(model, {d: "d", a: "a"}) == {("a", "d"): expected[a, d]}


def test_neighbors_are_those_of_any_pair():
    found = neighbors("abcd", {("a", "b"): 7, ("b", "c"): 1})
    assert found == {"a": {"b"}, "b": {"a", "c"}, "c": {"b"}, "d": set()}


def test_a_keypoint_takes_the_point_of_its_mutual_nearest():
    keypoints = np.array([[0.0, 0], [1, 0], [50, 50]])
    seen = np.array([[0.9, 0.0], [80, 80]])
    found = points_of_tracks(keypoints, seen, np.array([[1.0, 2, 3], [4, 5, 6]]), 3.0)
    assert np.isnan(found[[0, 2]]).all()
    assert found[1].tolist() == [1, 2, 3]


class TestDepth:
    def test_points_lie_at_their_depth(self):
        rng = np.random.default_rng(0)
        depth = rng.uniform(1, 5, (24, 32)).astype(np.float32)
        depth[3, 5] = 0
        keypoints = np.array([[0.5, 0.5], [631.0, 470.0], [110.0, 70.0]])
        rays = rng.uniform(-1, 1, (3, 2))
        R, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        pose = np.column_stack([R, [1.0, -2, 3]])
        points = points_of_depth(keypoints, rays, depth, (640, 480), pose)
        in_camera = points @ pose[:, :3].T + pose[:, 3]
        np.testing.assert_allclose(in_camera[:2, 2], [depth[0, 0], depth[23, 31]], rtol=1e-6)
        np.testing.assert_allclose(in_camera[:2, :2] / in_camera[:2, 2:], rays[:2], rtol=1e-6)
        assert np.isnan(points[2]).all()

    def test_files_are_colmaps(self, tmp_path: Path):
        import pycolmap

        array = np.arange(12, dtype=np.float32).reshape(3, 4)
        pycolmap.DepthMap.from_array(array, 0.0, 11.0).write(tmp_path / "a.jpg.photometric.bin")
        found = read_depth_map(tmp_path, "a.jpg")
        assert found is not None
        np.testing.assert_array_equal(found, array)
        assert read_depth_map(tmp_path, "b.jpg") is None

    def test_other_maps_are_other_features(self, scene: Path, tmp_path: Path):
        import pycolmap

        maps = tmp_path / "maps"
        maps.mkdir()
        path = maps / f"{min(path.name for path in (scene / 'photos').iterdir())}.geometric.bin"

        def cached_with(depth: float) -> CachedModel:
            pycolmap.DepthMap.from_array(np.full((48, 64), depth, np.float32), 1.0, 3.0).write(path)
            return cache_model(
                scene / "model",
                scene / "photos",
                identity_extractor(),
                tmp_path / "store",
                SETTINGS,
                depth_maps=maps,
            )

        first = cached_with(2.0)
        assert cached_with(2.0).store.fingerprint == first.store.fingerprint
        with pytest.raises(StoreError, match=r"depth_maps '[0-9a-f]{16}', not '[0-9a-f]{16}'"):
            cached_with(2.5)

    def test_a_folder_without_maps_of_the_images_is_refused(self, scene: Path, tmp_path: Path):
        (tmp_path / "other.jpg.geometric.bin").touch()
        with pytest.raises(InvalidInput, match="no depth map of any image of the model"):
            cache_model(
                scene / "model",
                scene / "photos",
                identity_extractor(),
                tmp_path / "s",
                SETTINGS,
                depth_maps=tmp_path,
            )

    def test_they_are_taken_where_given(self, scene: Path, cached: CachedModel, tmp_path: Path):
        import pycolmap

        name = cached.pairs[-1][1].split("@")[0]
        pycolmap.DepthMap.from_array(np.full((48, 64), 2.0, np.float32), 1.0, 3.0).write(
            tmp_path / f"{name}.geometric.bin"
        )
        model = cache_model(
            scene / "model",
            scene / "photos",
            identity_extractor(),
            tmp_path / "store",
            SETTINGS,
            depth_maps=tmp_path,
        )
        posed = model.read(cached.pairs[-1][1])
        depths = posed.points @ posed.cam_from_world[2, :3] + posed.cam_from_world[2, 3]
        np.testing.assert_allclose(depths, 2.0, rtol=1e-9)
