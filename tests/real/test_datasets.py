"""The readers on real data sets, and their ground truth against the contents of the images."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tiepoint.evaluation.datasets import read_dataset, read_disparity
from tiepoint.evaluation.ground_truth import (
    DisparityGroundTruth,
    HomographyGroundTruth,
    PointsGroundTruth,
    PoseGroundTruth,
)
from tiepoint.geometry.metrics import epipolar_errors_px
from tiepoint.geometry.multiview import essential_from_pose, fundamental_from_essential

pytestmark = pytest.mark.real

TYPES = {
    "H": HomographyGroundTruth,
    "pose": PoseGroundTruth,
    "corr": PointsGroundTruth,
    "disp": DisparityGroundTruth,
}


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[dict]:
    return [json.loads(line) for line in (shared_data / "pairs.jsonl").read_text().splitlines()]


def test_every_row_of_pairs_jsonl_is_read(shared_data: Path, rows: list[dict]) -> None:
    dataset = read_dataset("pairs-jsonl", shared_data)
    assert dataset.problems == ()
    assert len(dataset) == len(rows)
    for pair, row in zip(dataset.pairs, rows, strict=True):
        assert isinstance(pair.truth, TYPES[row["type"]])
        assert (pair.image0, pair.image1) == (shared_data / row["a"], shared_data / row["b"])
        if "rot_deg" in row:
            assert pair.tags["rot_deg"] == pytest.approx(row["rot_deg"], abs=0.11)


def test_sets_add_up(shared_data: Path, rows: list[dict]) -> None:
    for name, count in Counter(row["set"] for row in rows).items():
        assert len(read_dataset("pairs-jsonl", f"{shared_data}#{name}")) == count


def test_oxford_affine_is_read_from_pairs_jsonl(shared_data: Path) -> None:
    dataset = read_dataset("oxford-affine", shared_data / "oxford_affine")
    assert dataset.name == "oxford-affine"
    assert len(dataset) == 40
    assert {pair.scene for pair in dataset.pairs} == {
        "bark", "bikes", "boat", "graf", "leuven", "trees", "ubc", "wall",
    }  # fmt: skip


def test_strechas_cameras_give_the_poses_of_pairs_jsonl(shared_data: Path) -> None:
    dataset = read_dataset("strecha", shared_data / "strecha")
    assert dataset.problems == ()
    others = {pair.name: pair for pair in read_dataset("pairs-jsonl", f"{shared_data}#strecha").pairs}
    assert {pair.name for pair in dataset.pairs} == set(others)
    for pair in dataset.pairs:
        np.testing.assert_allclose(
            pair.truth.cam1_from_cam0, others[pair.name].truth.cam1_from_cam0, atol=1e-4
        )
        assert pair.truth.camera0 == others[pair.name].truth.camera0
        assert pair.tags["gap"] == others[pair.name].tags["gap"]


def test_superglues_list_of_scannet(shared_data: Path, rows: list[dict], tmp_path: Path) -> None:
    scannet = [row for row in rows if row["set"] == "scannet15"]
    lines = [
        " ".join(
            [Path(row["a"]).name, Path(row["b"]).name, "0 0", *map(str, row["K0"] + row["K1"] + row["T"])]
        )
        for row in scannet
    ]
    listing = tmp_path / "scannet_sample_pairs_with_gt.txt"
    listing.write_text("\n".join(lines))
    images = shared_data / "superglue_assets" / "scannet_sample_images"
    dataset = read_dataset("superglue-pairs", f"{listing}#{images}")
    assert dataset.problems == ()
    for pair, row in zip(dataset.pairs, scannet, strict=True):
        assert pair.scene == row["scene"]
        assert pair.truth.camera0.intrinsics.ravel().tolist() == row["K0"]


def test_pairs_without_ground_truth_are_reported_per_line(shared_data: Path) -> None:
    listing = shared_data / "superglue_assets" / "phototourism_sample_pairs.txt"
    dataset = read_dataset("superglue-pairs", listing)
    assert len(dataset) == 0
    places = [problem.split(": ")[0] for problem in dataset.problems]
    assert places == [f"{listing}:{number}" for number in range(1, len(listing.read_text().splitlines()) + 1)]


def test_most_disparities_are_known(shared_data: Path) -> None:
    for pair in read_dataset("pairs-jsonl", f"{shared_data}#middlebury_stereo").pairs:
        disparity = read_disparity(pair.truth)
        assert 0.7 < np.isfinite(disparity).mean() < 1
        assert 0 < np.nanmin(disparity) < np.nanmax(disparity) < disparity.shape[1] / 2


def test_annotated_points_of_one_motion_fit_one_fundamental_matrix(shared_data: Path) -> None:
    """With eight or more points, the residuals of the eight-point algorithm are a few px at most."""
    import cv2

    for pair in read_dataset("pairs-jsonl", f"{shared_data}#wxbs").pairs:
        truth = pair.truth
        F = cv2.findFundamentalMat(truth.points0, truth.points1, cv2.FM_8POINT)[0]
        assert np.median(epipolar_errors_px(truth.points0, truth.points1, F)) < 5, pair.name


def test_the_temple_ring_agrees_with_its_images(shared_data: Path) -> None:
    """SIFT matches of neighbors on the ring are near the epipolar lines of the ground-truth pose."""
    import cv2

    pairs = read_dataset("pairs-jsonl", f"{shared_data}#templeRing47").pairs
    for pair in [pair for pair in pairs if pair.tags["gap"] == 1][:3]:
        sift = cv2.SIFT_create()
        images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in (pair.image0, pair.image1)]
        (keypoints0, descriptors0), (keypoints1, descriptors1) = (
            sift.detectAndCompute(i, None) for i in images
        )
        matches = cv2.BFMatcher(crossCheck=True).match(descriptors0, descriptors1)
        points0 = np.array([keypoints0[m.queryIdx].pt for m in matches])
        points1 = np.array([keypoints1[m.trainIdx].pt for m in matches])
        E = essential_from_pose(pair.truth.cam1_from_cam0)
        F = fundamental_from_essential(E, pair.truth.camera0.intrinsics, pair.truth.camera1.intrinsics)
        assert np.mean(epipolar_errors_px(points0, points1, F) < 3) > 0.5, pair.name
