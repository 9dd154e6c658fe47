"""LoFTR's index of ScanNet-1500."""

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.posed_pairs import (
    POSE,
    POSE4,
    write_image,
)

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_dataset


class TestScanNetIndex:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        for frame in (15, 585):
            write_image(tmp_path / "scans_test" / "scene0707_00" / "color" / f"{frame}.jpg", (1296, 968))
        np.savez(tmp_path / "test.npz", name=np.array([[707, 0, 15, 585], [708, 1, 0, 30]], dtype=np.uint16))
        return tmp_path

    def write_poses(self, folder: Path) -> None:
        for frame, cam_from_world in ((15, np.eye(4)), (585, POSE4)):
            file = folder / "scans_test" / "scene0707_00" / "pose" / f"{frame}.txt"
            file.parent.mkdir(exist_ok=True)
            np.savetxt(file, np.linalg.inv(cam_from_world))

    def test_intrinsics_are_scaled_from_loftrs_size(self, folder: Path) -> None:
        self.write_poses(folder)
        K = np.array([[577.87, 0, 319.5], [0, 577.87, 239.5], [0, 0, 1]])
        np.savez(folder / "intrinsics.npz", scene0707_00=K)
        dataset = read_dataset("scannet1500", folder)
        assert [pair.name for pair in dataset.pairs] == ["scene0707_00/15-585"]
        truth = dataset.pairs[0].truth
        np.testing.assert_allclose(
            truth.camera0.principal_point, (647.5, 483.5)
        )  # the center stays the center
        np.testing.assert_allclose(truth.camera0.focal_lengths, (577.87 * 1296 / 640, 577.87 * 968 / 480))
        np.testing.assert_allclose(truth.cam1_from_cam0, POSE, atol=1e-9)
        assert len(dataset.problems) == 1
        assert "name[1]" in dataset.problems[0]
        assert "0.jpg not found" in dataset.problems[0]

    def test_the_color_cameras_own_intrinsics_and_relative_poses(self, folder: Path) -> None:
        names = np.load(folder / "test.npz")["name"]
        poses = np.stack([POSE.ravel(), POSE.ravel()])
        np.savez(folder / "test.npz", name=names, rel_pose=poses)
        file = folder / "scans_test" / "scene0707_00" / "intrinsic" / "intrinsic_color.txt"
        file.parent.mkdir()
        K = np.eye(4)
        K[:3, :3] = [[1170, 0, 648], [0, 1170, 484], [0, 0, 1]]
        np.savetxt(file, K)
        pair = read_dataset("scannet1500", folder).pairs[0]
        assert pair.truth.camera0.focal_lengths == (1170, 1170)
        np.testing.assert_allclose(pair.truth.cam1_from_cam0, POSE)

    def test_missing_intrinsics_are_reported(self, folder: Path) -> None:
        self.write_poses(folder)
        problem = read_dataset("scannet1500", folder).problems[0]
        assert "intrinsic_color.txt" in problem
        assert "intrinsics.npz" in problem

    def test_an_invalid_array_of_names(self, folder: Path) -> None:
        np.savez(folder / "test.npz", name=np.zeros((3, 2)))
        with pytest.raises(InvalidInput, match=r"shape \(n, 4\)"):
            read_dataset("scannet1500", folder)
