"""reconstruct: correct poses, a summary that matches the model, failure as a value."""

import json
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, Scene, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.sfm import reconstruction
from tiepoint.collection.sfm.reconstruction import Reconstruction, read_model, reconstruct
from tiepoint.errors import InvalidInput

Made = tuple[Collection, Scene, Reconstruction]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    collection, scene = make_collection(tmp_path_factory.mktemp("model"))
    return collection, scene, reconstruct(collection)


@pytest.mark.slow
def test_camera_positions_are_correct(made: Made) -> None:
    collection, scene, _ = made
    model = read_model(collection)
    found = np.array([model.find_image_with_name(name).projection_center() for name in PLAIN_NAMES])
    true = np.array([scene.center(name) for name in PLAIN_NAMES])
    similarity = pycolmap.estimate_sim3d(found, true)
    moved = np.array([similarity * center for center in found])
    assert np.linalg.norm(moved - true, axis=1).max() < 0.005 * np.linalg.norm(np.ptp(true, axis=0))


def test_summary_matches_the_model(made: Made) -> None:
    collection, _, found = made
    model = read_model(collection)
    assert found.success
    assert (found.images, found.registered, found.unregistered) == (6, 6, ())
    assert found.points == model.num_points3D() > 250
    assert found.mean_track_length == model.compute_mean_track_length() > 4
    assert 0.05 < found.mean_reprojection_error_px < 0.3
    assert (found.models, found.reason) == (1, "")
    assert found.folder == collection.folder / "colmap" / "sparse" / "0"


def test_summary_file(made: Made) -> None:
    collection, _, found = made
    written = json.loads((collection.folder / "colmap" / "reconstruction.json").read_text())
    assert written["points"] == found.points
    assert written["folder"] == str(found.folder)


@pytest.mark.slow
def test_second_reconstruction_replaces_the_model_identically(made: Made) -> None:
    collection, _, found = made
    before = {point.xyz.tobytes() for point in read_model(collection).points3D.values()}
    (collection.folder / "colmap" / "sparse" / "0" / "old").touch()
    again = reconstruct(collection.folder)
    assert {point.xyz.tobytes() for point in read_model(collection).points3D.values()} == before
    assert again.mean_reprojection_error_px == found.mean_reprojection_error_px
    assert not (collection.folder / "colmap" / "sparse" / "0" / "old").exists()
    kept = {path.name for path in (collection.folder / "colmap").iterdir()}
    assert kept == {"database.db", "sparse", "reconstruction.json"}


@pytest.mark.parametrize("moment", ["the former one is away", "the new one stands"])
def test_killed_while_replacing_a_model(tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill leaves the state before or after a rename."""
    sparse = tmp_path / "sparse"
    (sparse / "0").mkdir(parents=True)
    (sparse / "0" / "old").touch()
    rename = Path.rename

    def killed(path: Path, target: Path) -> Path:
        before = target == sparse and moment == "the former one is away"
        if not before:
            rename(path, target)
        if target == sparse:
            monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # a killed process does not clean up
            raise KeyboardInterrupt
        return target

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt), reconstruction._replace_folder(sparse) as new:
            (new / "new").touch()
    monkeypatch.undo()
    found = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {"old", "new"}
    with pytest.raises(ZeroDivisionError), reconstruction._replace_folder(sparse):
        raise ZeroDivisionError
    assert [path.name for path in sparse.rglob("*") if path.is_file()] == [
        "old" if moment == "the former one is away" else "new"
    ]
    with reconstruction._replace_folder(sparse) as new:
        (new / "newest").touch()
    assert [path.name for path in sparse.iterdir()] == ["newest"]
    assert not (tmp_path / "sparse-former").exists()


def test_too_few_images_fail_with_a_reason(tmp_path: Path) -> None:
    found = reconstruct(make_collection(tmp_path, PLAIN_NAMES[:1])[0])
    assert not found.success
    assert (found.images, found.registered, found.unregistered) == (1, 0, PLAIN_NAMES[:1])
    assert found.reason.startswith("no suitable initial pair")
    assert json.loads((tmp_path / "out" / "colmap" / "reconstruction.json").read_text())["folder"] is None


def test_missing_model(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:1])
    with pytest.raises(InvalidInput, match="no reconstruction"):
        read_model(collection)


def test_damaged_model(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:1])
    folder = collection.folder / "colmap" / "sparse" / "0"
    folder.mkdir(parents=True)
    for name in ("cameras", "images", "points3D", "rigs", "frames"):
        (folder / f"{name}.bin").write_bytes(b"damaged")
    with pytest.raises(InvalidInput, match="truncated"):
        read_model(collection)
