"""COLMAP's conventions and its database."""

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pycolmap
import pytest
import torch
from PIL.ExifTags import IFD
from tests.helpers.synthetic_collections import (
    EXIF_ORIENTATION,
    FOCAL,
    NAMES,
    PLAIN_NAMES,
    SIZE,
    make_collection,
    true_matches,
    with_wrong_ones,
)

from tiepoint.collection.collection import Collection
from tiepoint.collection.export import colmap_database
from tiepoint.collection.export.colmap_database import check_sharing, export_colmap
from tiepoint.collection.images import scan_images
from tiepoint.errors import InvalidInput
from tiepoint.geometry.colmap import (
    colmap_camera,
    colmap_keypoints,
    from_raster,
    quiet_pycolmap,
    raster_size,
    to_raster,
    upright_points,
)
from tiepoint.image import read_image
from tiepoint.types import Features

ORIENTATIONS = pytest.mark.parametrize("orientation", range(1, 9))


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return make_collection(tmp_path_factory.mktemp("plain"))[0]


@pytest.fixture(scope="module")
def odd_names(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return make_collection(tmp_path_factory.mktemp("odd"), NAMES)[0]


@ORIENTATIONS
def test_upright_pixels_map_to_the_raster_that_colmap_reads(orientation: int, tmp_path: Path) -> None:
    """Each upright pixel has the color that COLMAP reads at the mapped position."""
    raster = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    exif = PIL.Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    PIL.Image.fromarray(raster).save(tmp_path / "a.png", exif=exif)
    upright = read_image(tmp_path / "a.png")
    width, height = upright.image_size
    points = np.array([(x, y) for y in range(height) for x in range(width)], np.float32)
    features = Features(
        keypoints=torch.from_numpy(points),
        scores=torch.ones(len(points)),
        descriptors=torch.ones(len(points), 1),
        image_size=upright.image_size,
        exif_orientation=upright.exif_orientation,
    )
    theirs = pycolmap.Bitmap.read(str(tmp_path / "a.png"), as_rgb=True)
    assert (theirs.width, theirs.height) == raster_size(upright.image_size, upright.exif_orientation)
    x, y = np.floor(colmap_keypoints(features)).astype(int).T  # a pixel's center is at .5
    ours = upright.pixels.numpy()[:, points[:, 1].astype(int), points[:, 0].astype(int)].T
    np.testing.assert_array_equal(theirs.to_array()[y, x], ours)
    np.testing.assert_allclose(upright_points(colmap_keypoints(features).astype(float), features), points)


@ORIENTATIONS
def test_from_raster_inverts_to_raster(orientation: int) -> None:
    points = np.random.default_rng(1).uniform(0, 100, (20, 2))
    there = to_raster(points, (300, 200), orientation)
    np.testing.assert_allclose(from_raster(there, (300, 200), orientation), points)


def test_cameras_have_colmaps_priors() -> None:
    guessed, known = colmap_camera((640, 480), None), colmap_camera((480, 640), 700.0)
    assert guessed.params.tolist() == [768.0, 320.0, 240.0, 0.0]
    assert known.params.tolist() == [700.0, 240.0, 320.0, 0.0]
    assert (guessed.has_prior_focal_length, known.has_prior_focal_length) == (False, True)


@pytest.mark.slow
def test_database_content(odd_names: Collection) -> None:
    path = export_colmap(odd_names)
    with pycolmap.Database.open(str(path)) as database:
        images = {image.name: image for image in database.read_all_images()}
        assert list(images) == [image.name for image in odd_names.images]
        for name, image in images.items():
            stored = database.read_keypoints(image.image_id)[:, :2]
            np.testing.assert_array_equal(stored, colmap_keypoints(odd_names.features(name)))
        for name0, name1 in odd_names.pairs():
            ids = images[name0].image_id, images[name1].image_id
            np.testing.assert_array_equal(database.read_matches(*ids), odd_names.matches(name0, name1)[0])
            geometry = database.read_two_view_geometry(*ids)
            good = {tuple(match) for match in true_matches(name0, name1).tolist()}
            assert len(geometry.inlier_matches) > 200
            assert np.mean([tuple(match) in good for match in geometry.inlier_matches.tolist()]) > 0.99
    assert [file.name for file in path.parent.iterdir()] == ["database.db"]


def test_keypoints_are_shifted_by_half_a_pixel(collection: Collection) -> None:
    features = collection.features("a.jpg")
    np.testing.assert_array_equal(colmap_keypoints(features), features.keypoints.numpy() + np.float32(0.5))


@pytest.mark.parametrize(("cameras", "expected"), [("shared", 2), ("each", 6)])
def test_camera_sharing(collection: Collection, cameras: str, expected: int, tmp_path: Path) -> None:
    path = export_colmap(collection, tmp_path / "d.db", cameras=cameras)
    with pycolmap.Database.open(str(path)) as database:
        assert database.num_cameras() == expected
        assert database.num_rigs() == expected
        assert database.num_frames() == database.num_images() == 6
        by_folder = {image.name.rpartition("/")[0]: image.camera_id for image in database.read_all_images()}
    assert len(set(by_folder.values())) == 2


def test_unverified_pairs_are_estimated_from_all_matches(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:2], verify=False)
    with pycolmap.Database.open(str(export_colmap(collection))) as database:
        (geometry,) = database.read_two_view_geometries()[1]
    everything = len(with_wrong_ones(true_matches("a.jpg", "b.jpg")))
    assert 200 < len(geometry.inlier_matches) < everything


def test_existing_database_is_replaced(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "d.db").write_text("no database")
    with pycolmap.Database.open(str(export_colmap(collection, tmp_path / "d.db"))) as database:
        assert database.num_images() == 6


COMPANIONS = ("-wal", "-shm", "-journal")


@pytest.mark.slow
def test_auxiliary_files_of_a_killed_program_are_removed(collection: Collection, tmp_path: Path) -> None:
    """SQLite applies any write-ahead log with a matching name, also of another database."""
    left = kill_within_a_change(tmp_path)
    path = export_colmap(collection, tmp_path / "d.db")
    (tmp_path / "d.db-journal").touch()
    assert export_colmap(collection, path) == path
    assert left
    assert [file.name for file in tmp_path.iterdir()] == ["d.db"]
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT count(*) FROM images").fetchone() == (6,)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def kill_within_a_change(folder: Path) -> list[Path]:
    """Leave a database whose last changes are only in its write-ahead log; return the files of the log."""
    path = folder / "d.db"
    open_one = "database = sqlite3.connect(sys.argv[1]); database.execute('PRAGMA journal_mode=WAL')"
    change = "database.execute('CREATE TABLE images (id)'); database.commit()"
    program = f"import os, sqlite3, sys; {open_one}; {change}; os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    return [found for ending in COMPANIONS if (found := path.with_name(path.name + ending)).exists()]


def test_failed_export_leaves_no_file(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "d.db").write_text("the former one")
    (tmp_path / "d.db-wal").write_text("its log")

    def fail(file: Any, *_: object) -> None:
        name = next(path.name for path in tmp_path.glob(".tiepoint-*.db"))
        (tmp_path / f"{name}-journal").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("tiepoint.collection.export.colmap_database._write_pairs", fail)
    with pytest.raises(KeyboardInterrupt):
        export_colmap(collection, tmp_path / "d.db")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["d.db", "d.db-wal"]
    assert (tmp_path / "d.db").read_text() == "the former one"


def test_colmaps_log_level_is_restored(collection: Collection, tmp_path: Path) -> None:
    before = pycolmap.logging.minloglevel
    export_colmap(collection, tmp_path / "d.db")
    assert pycolmap.logging.minloglevel == before


def test_unknown_sharing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="'some'"):
        check_sharing("some")


def test_missing_output_folder(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="missing"):
        export_colmap(collection, tmp_path / "missing" / "d.db")


def test_assumptions_about_the_synthetic_scene(collection: Collection) -> None:
    assert collection.features("a.jpg").image_size == SIZE
    assert max(SIZE) < FOCAL


def gps(altitude: dict[int, object]) -> PIL.Image.Exif:
    exif = PIL.Image.Exif()
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (48.0, 46.0, 20.5), 3: "W", 4: (2.0, 17.0, 50.0)} | altitude)
    return exif


def pose_priors(path: Path) -> dict[str, list[float]]:
    """Positions of the WGS 84 priors of a database by image name."""
    with pycolmap.Database.open(str(path)) as database:
        names = {image.image_id: image.name for image in database.read_all_images()}
        priors = database.read_all_pose_priors()
        assert all(prior.coordinate_system == pycolmap.PosePriorCoordinateSystem.WGS84 for prior in priors)
        assert all(np.isnan(prior.position_covariance).all() for prior in priors)
        return {names[prior.corr_data_id.id]: prior.position.tolist() for prior in priors}


def test_gps_positions_are_the_pose_priors_of_colmaps_own_reader(tmp_path: Path) -> None:
    """COLMAP's pose prior mapper needs them (colmap/colmap#2976, #3329)."""
    altitudes = {"above": {5: b"\0", 6: 80.5}, "below": {5: b"\1", 6: 80.5}, "unknown": {}, "none": None}
    (tmp_path / "photos").mkdir()
    for name, altitude in altitudes.items():
        exif = PIL.Image.Exif() if altitude is None else gps(altitude)
        pixels = np.random.default_rng(len(name)).integers(0, 255, (48, 64, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "photos" / f"{name}.jpg", exif=exif)
    pycolmap.Database.open(str(tmp_path / "theirs.db")).close()
    with quiet_pycolmap():
        pycolmap.import_images(str(tmp_path / "theirs.db"), str(tmp_path / "photos"))
    images, _ = scan_images(tmp_path / "photos")
    with colmap_database._open_database(tmp_path / "ours.db") as file:
        camera = colmap_database._write_camera(file, colmap_camera((64, 48), None))
        for image in images:
            colmap_database._write_image(file, image, camera)
    ours, theirs = pose_priors(tmp_path / "ours.db"), pose_priors(tmp_path / "theirs.db")
    assert list(theirs) == ["above.jpg", "below.jpg"]
    assert ours == theirs
