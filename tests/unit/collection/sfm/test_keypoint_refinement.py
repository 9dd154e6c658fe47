"""Keypoints of a rendered, textured plane: noisy observations move to where the points are."""

from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pycolmap
import pytest

from tiepoint.collection.images import ImageRecord, read_image_record
from tiepoint.collection.sfm.keypoint_refinement import MAX_MOVE_PX, Refinement, refine_keypoints
from tiepoint.collection.sfm.matches_2d3d import MAX_REFINEMENT_PX

WIDTH, HEIGHT, FOCAL = 240, 180, 220.0
ANGLES = (-0.25, 0.0, 0.2)
NOISE_PX = 0.7
EXIF_ORIENTATION = 0x0112


def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values of a plane, from 0 to 255, whose waves are about 10 px long."""
    waves = np.random.default_rng(0).normal(0, 20, (24, 2))
    phases = np.arange(24) * 1.7
    value = sum(np.sin(a * x + b * y + phase) for (a, b), phase in zip(waves, phases, strict=True))
    return np.clip(127 + 20 * value, 0, 255)


def pose_at(angle: float) -> np.ndarray:
    """A camera in 3 units from the origin of the plane z = 0, turned around the vertical."""
    c, s = np.cos(angle), np.sin(angle)
    return np.column_stack([[[c, 0, s], [0, 1, 0], [-s, 0, c]], [0, 0, 3.0]])


def render(pose: np.ndarray) -> np.ndarray:
    u, v = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    rays = np.stack([(u - WIDTH / 2) / FOCAL, (v - HEIGHT / 2) / FOCAL, np.ones_like(u)], axis=-1)
    rays, center = rays @ pose[:, :3], -pose[:, :3].T @ pose[:, 3]
    depth = -center[2] / rays[..., 2]
    return texture(center[0] + depth * rays[..., 0], center[1] + depth * rays[..., 1])


def project(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    X = points @ pose[:, :3].T + pose[:, 3]
    return FOCAL * X[:, :2] / X[:, 2:] + (WIDTH / 2, HEIGHT / 2)


@pytest.fixture
def scene(tmp_path: Path) -> tuple[Any, dict[str, ImageRecord], list[np.ndarray]]:
    """Model with noisy keypoints, its images, and the true keypoints. One file is stored sideways."""
    generator = np.random.default_rng(1)
    points = np.column_stack(
        [generator.uniform(-0.9, 0.9, 80), generator.uniform(-0.7, 0.7, 80), np.zeros(80)]
    )
    model, records, true = pycolmap.Reconstruction(), {}, []
    camera = pycolmap.Camera(
        camera_id=1, model="SIMPLE_PINHOLE", width=WIDTH, height=HEIGHT, params=[FOCAL, WIDTH / 2, HEIGHT / 2]
    )
    model.add_camera_with_trivial_rig(camera)
    for number, angle in enumerate(ANGLES, start=1):
        pose, name = pose_at(angle), f"{number}.png"
        exif = PIL.Image.Exif()
        exif[EXIF_ORIENTATION] = 6 if number == 2 else 1
        PIL.Image.fromarray(render(pose).round().astype(np.uint8)).save(tmp_path / name, exif=exif)
        records[name] = read_image_record(tmp_path / name, name)
        true.append(project(pose, points))
        noisy = true[-1] + generator.normal(0, NOISE_PX, true[-1].shape)
        image = pycolmap.Image(name=name, keypoints=noisy, camera_id=1, image_id=number)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose))
    for index, point in enumerate(points):
        track = pycolmap.Track()
        for number in range(1, len(ANGLES) + 1):
            track.add_element(number, index)
        model.add_point3D(point, track, np.zeros(3, np.uint8))
    return model, records, true


def relative_errors(model: Any, true: list[np.ndarray]) -> np.ndarray:
    """Differences of the keypoint errors of images 1 and 3 from those of image 2, the reference of the tracks."""
    found = [np.array([point.xy for point in model.image(n).points2D]) for n in (1, 2, 3)]
    errors = [a - b for a, b in zip(found, true, strict=True)]
    return np.linalg.norm(np.concatenate([errors[0] - errors[1], errors[2] - errors[1]]), axis=1)


def test_tracks_become_consistent(scene: tuple[Any, dict[str, ImageRecord], list[np.ndarray]]) -> None:
    model, records, true = scene
    before = [np.array([point.xy for point in model.image(n).points2D]) for n in (1, 2, 3)]
    moved = refine_keypoints(model, records, Refinement(refine_poses=False, refine_intrinsics=False))
    assert moved > 0.7 * 160
    assert np.median(relative_errors(model, true)) < 0.2 < NOISE_PX
    assert model.compute_mean_reprojection_error() < 0.4 < NOISE_PX
    after = np.array([point.xy for point in model.image(1).points2D])
    assert 0.1 < np.linalg.norm(after - before[0], axis=1).max() <= MAX_MOVE_PX < MAX_REFINEMENT_PX
    assert model.image(1).cam_from_world().matrix() == pytest.approx(pose_at(ANGLES[0]))


def test_keypoints_that_are_not_found_again_stay(
    scene: tuple[Any, dict[str, ImageRecord], list[np.ndarray]],
) -> None:
    model, records, _ = scene
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    PIL.Image.fromarray(noise).save(records["3.png"].path)
    before = np.array([point.xy for point in model.image(3).points2D])
    refine_keypoints(model, records, Refinement(refine_poses=False, refine_intrinsics=False))
    after = np.array([point.xy for point in model.image(3).points2D])
    assert (after == before).all(axis=1).mean() > 0.95
