"""Covisible images of a COLMAP reconstruction, and 3D points of keypoints."""

from pathlib import Path

import numpy as np

from tiepoint.geometry.colmap import read_reconstruction
from tiepoint.training.data.colmap_points import (
    count_shared_points,
    covisible_images,
    points_from_depth,
    points_from_tracks,
    read_depth_map,
)


def test_shared_points_by_hand(scene: Path):
    model = read_reconstruction(scene / "model")
    seen = {
        image.name: {point.point3D_id for point in image.get_observation_points2D()}
        for image in model.images.values()
    }
    expected = {(a, b): len(seen[a] & seen[b]) for a in sorted(seen) for b in sorted(seen) if a < b}
    found = count_shared_points(model, {name: name for name in seen})
    assert list(found.items()) == [(pair, count) for pair, count in expected.items() if count]
    a, *_, d = sorted(seen)
    assert count_shared_points(model, {d: "d", a: "a"}) == {("a", "d"): expected[a, d]}


def test_covisible_images_are_those_of_any_pair():
    found = covisible_images("abcd", {("a", "b"): 7, ("b", "c"): 1})
    assert found == {"a": {"b"}, "b": {"a", "c"}, "c": {"b"}, "d": set()}


def test_keypoint_takes_the_point_of_the_mutually_nearest_observation():
    keypoints = np.array([[0.0, 0], [1, 0], [50, 50]])
    seen = np.array([[0.9, 0.0], [80, 80]])
    found = points_from_tracks(keypoints, seen, np.array([[1.0, 2, 3], [4, 5, 6]]), 3.0)
    assert np.isnan(found[[0, 2]]).all()
    assert found[1].tolist() == [1, 2, 3]


class TestDepth:
    def test_points_are_at_their_depth(self):
        rng = np.random.default_rng(0)
        depth = rng.uniform(1, 5, (24, 32)).astype(np.float32)
        depth[3, 5] = 0
        keypoints = np.array([[0.5, 0.5], [631.0, 470.0], [110.0, 70.0]])
        rays = rng.uniform(-1, 1, (3, 2))
        R, _ = np.linalg.qr(rng.standard_normal((3, 3)))
        pose = np.column_stack([R, [1.0, -2, 3]])
        points = points_from_depth(keypoints, rays, depth, (640, 480), pose)
        in_camera = points @ pose[:, :3].T + pose[:, 3]
        np.testing.assert_allclose(in_camera[:2, 2], [depth[0, 0], depth[23, 31]], rtol=1e-6)
        np.testing.assert_allclose(in_camera[:2, :2] / in_camera[:2, 2:], rays[:2], rtol=1e-6)
        assert np.isnan(points[2]).all()

    def test_reads_colmap_depth_maps(self, tmp_path: Path):
        import pycolmap

        array = np.arange(12, dtype=np.float32).reshape(3, 4)
        pycolmap.DepthMap.from_array(array, 0.0, 11.0).write(tmp_path / "a.jpg.photometric.bin")
        found = read_depth_map(tmp_path, "a.jpg")
        assert found is not None
        np.testing.assert_array_equal(found, array)
        assert read_depth_map(tmp_path, "b.jpg") is None
