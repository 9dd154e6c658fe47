"""Models of known poses with the ids of a database."""

from pathlib import Path

import numpy as np
import pycolmap
from tests.helpers.synthetic_collections import PLAIN_NAMES, make_collection

from tiepoint.collection.export.colmap_database import export_colmap
from tiepoint.collection.sfm.known_poses import model_in_database, poses_of
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct


def test_points_are_taken_over_with_the_ids_of_the_database(tmp_path: Path) -> None:
    smaller, _ = make_collection(tmp_path / "smaller", PLAIN_NAMES[:5], leave_out="a.jpg")
    reconstruct(smaller)
    points = read_model(smaller)
    names = PLAIN_NAMES[1:5]
    cameras = {name: points.camera(points.find_image_with_name(name).camera_id) for name in names}
    larger, _ = make_collection(tmp_path / "larger", PLAIN_NAMES[:5])
    database = export_colmap(larger, known_cameras=cameras)
    model = model_in_database(database, poses_of(points, names), points)
    with pycolmap.Database.open(str(database)) as file:
        ids = {image.name: image.image_id for image in file.read_all_images()}
        keypoints = file.read_keypoints(ids["b.jpg"])[:, :2]
    assert {model.image(number).name: number for number in model.reg_image_ids()} == {
        n: ids[n] for n in names
    }
    assert ids["b.jpg"] != points.find_image_with_name("b.jpg").image_id
    assert model.num_points3D() == points.num_points3D()
    assert model.compute_num_observations() == points.compute_num_observations()
    found = np.array([point.xy for point in model.image(ids["b.jpg"]).points2D])
    np.testing.assert_allclose(found, keypoints, atol=1e-6)
    model.update_point_3d_errors()
    assert (
        model.compute_mean_reprojection_error() < 5
    )  # with the cameras of the database, which are not refined
