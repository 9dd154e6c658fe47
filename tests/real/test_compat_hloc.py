"""The steps of hloc's SfM tutorial, with the imports of `tiepoint.compat.hloc`, on four images of a castle."""

import copy
from pathlib import Path

import numpy as np
import pytest

from tiepoint.compat.hloc import extract_features, match_features, pairs_from_retrieval, reconstruction
from tiepoint.compat.hloc.files import read_pairs

pytestmark = [pytest.mark.real, pytest.mark.weights]


def test_from_images_to_a_model(shared_data: Path, tmp_path: Path) -> None:
    images = shared_data / "sceaux_castle" / "images"
    names = sorted(path.name for path in images.iterdir())[:4]
    feature_conf = copy.deepcopy(extract_features.confs["aliked-n16"])
    feature_conf["model"]["max_num_keypoints"] = 300
    feature_conf["preprocessing"]["resize_max"] = 480
    matcher_conf = match_features.confs["aliked+lightglue"]
    sfm_pairs, sfm_dir = tmp_path / "pairs-sfm.txt", tmp_path / "sfm"

    features = extract_features.main(feature_conf, images, tmp_path, image_list=names)
    pairs_from_retrieval.main(features, sfm_pairs, num_matched=3)
    matches = match_features.main(matcher_conf, sfm_pairs, feature_conf["output"], tmp_path)
    model = reconstruction.main(sfm_dir, images, sfm_pairs, features, matches, image_list=names)

    assert len(read_pairs(sfm_pairs)) == 6
    assert sorted(model.image(image_id).name for image_id in model.reg_image_ids()) == names
    assert model.num_points3D() > 100
    assert model.compute_mean_reprojection_error() < 2
    (camera,) = model.cameras.values()
    assert np.isclose(camera.width / camera.height, 2832 / 2128, atol=0.01)
