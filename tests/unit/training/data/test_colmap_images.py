"""Cached features and 3D points of the images of a COLMAP reconstruction."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.noise_images import identity_extractor
from tests.helpers.synthetic_reconstruction import SETTINGS

from tiepoint.errors import InvalidInput, StoreError
from tiepoint.training.data.colmap_images import (
    CachedReconstruction,
    ColmapConfig,
    cache_reconstruction,
)


def test_features_are_the_dots(cached: CachedReconstruction, scene: Path):
    sideways, upright = (cached.read(key) for key in cached.pairs[0])
    assert sideways.features.image_size == (480, 640)
    assert upright.features.image_size == (640, 480)
    assert len(sideways.features) > 80


def test_cached_features_are_reused(cached: CachedReconstruction, scene: Path):
    network = identity_extractor()
    again = cache_reconstruction(scene / "model", scene / "photos", network, scene / "store", SETTINGS)
    assert again.pairs == cached.pairs
    assert network.network.seen == []
    other = ColmapConfig(resize=640, max_keypoints=100, min_shared_points=20)
    with pytest.raises(StoreError, match="max_keypoints 300, not 100"):
        cache_reconstruction(scene / "model", scene / "photos", identity_extractor(), scene / "store", other)


def test_bad_images_are_reported_and_skipped(cached: CachedReconstruction, scene: Path, tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    names = sorted(path.name for path in (scene / "photos").iterdir())
    for name in names[2:]:
        (photos / name).write_bytes((scene / "photos" / name).read_bytes())
    PIL.Image.new("RGB", (320, 240)).save(photos / names[1])
    found = cache_reconstruction(scene / "model", photos, identity_extractor(), tmp_path / "store", SETTINGS)
    assert len(found.pairs) == 1
    assert len(found.problems) == 2
    assert "No such file" in found.problems[0]
    assert all(part in found.problems[1] for part in (names[1], "640 x 480", "320 x 240"))


def test_too_few_shared_points_are_refused(scene: Path, tmp_path: Path):
    settings = ColmapConfig(resize=640, min_shared_points=500)
    with pytest.raises(InvalidInput, match=r"no two usable images of .*share 500 points"):
        cache_reconstruction(
            scene / "model", scene / "photos", identity_extractor(), tmp_path / "store", settings
        )


class TestDepth:
    def test_other_depth_maps_are_refused(self, scene: Path, tmp_path: Path):
        import pycolmap

        maps = tmp_path / "maps"
        maps.mkdir()
        path = maps / f"{min(path.name for path in (scene / 'photos').iterdir())}.geometric.bin"

        def cached_with(depth: float) -> CachedReconstruction:
            pycolmap.DepthMap.from_array(np.full((48, 64), depth, np.float32), 1.0, 3.0).write(path)
            return cache_reconstruction(
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

    def test_missing_depth_maps_are_refused(self, scene: Path, tmp_path: Path):
        (tmp_path / "other.jpg.geometric.bin").touch()
        with pytest.raises(InvalidInput, match="no depth map"):
            cache_reconstruction(
                scene / "model",
                scene / "photos",
                identity_extractor(),
                tmp_path / "s",
                SETTINGS,
                depth_maps=tmp_path,
            )

    def test_depth_maps_replace_tracks(self, scene: Path, cached: CachedReconstruction, tmp_path: Path):
        import pycolmap

        name = cached.pairs[-1][1].split("@")[0]
        pycolmap.DepthMap.from_array(np.full((48, 64), 2.0, np.float32), 1.0, 3.0).write(
            tmp_path / f"{name}.geometric.bin"
        )
        model = cache_reconstruction(
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


def test_missing_model_is_refused(tmp_path: Path):
    with pytest.raises(InvalidInput, match="as a COLMAP model"):
        cache_reconstruction(tmp_path, tmp_path, identity_extractor(), tmp_path / "store", SETTINGS)
