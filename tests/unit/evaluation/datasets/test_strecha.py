"""Strecha's scenes."""

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.posed_pairs import (
    K0,
    K1,
    POSE,
    SIZE,
    assert_truth_holds,
    write_image,
)

from tiepoint.evaluation.datasets import read_dataset


class TestStrecha:
    @pytest.fixture
    def scene(self, tmp_path: Path) -> Path:
        folder = tmp_path / "fountain-P3"
        (folder / "gt_dense_cameras").mkdir(parents=True)
        poses = (
            np.eye(3, 4),
            POSE,
            np.column_stack([-np.diag([1.0, -1, 1]), [0.0, 0, 9]]),
        )  # 2: turned by 180
        for index, (pose, K) in enumerate(zip(poses, (K0, K1, K1), strict=True)):
            write_image(folder / "images" / f"000{index}.jpg")
            self.write_camera(folder, index, pose, K)
        return folder

    def write_camera(self, folder: Path, index: int, pose: np.ndarray, K: np.ndarray) -> None:
        center = -pose[:, :3].T @ pose[:, 3]
        rows = [*K, np.zeros(3), *pose[:, :3].T, center, SIZE]
        text = "".join(" ".join(str(value) for value in row) + " \n" for row in rows)
        (folder / "gt_dense_cameras" / f"000{index}.jpg.camera").write_text(text)

    def test_pairs_with_a_small_rotation(self, scene: Path) -> None:
        for path in (scene, scene.parent):
            dataset = read_dataset("strecha", path)
            assert dataset.problems == ()
            assert [pair.name for pair in dataset.pairs] == ["fountain-P3/0000-0001"]
            assert dataset.pairs[0].tags == {"rot_deg": 20.0, "gap": 1}
            assert_truth_holds(dataset.pairs[0])

    @pytest.mark.parametrize(
        ("old", "new", "text"),
        [
            ("70.0 0.0 31.0", "70.0 0.0", "line 1 must be 3 finite numbers, got 2"),
            ("64 48", "640 480", "640 x 480 px"),
            ("64 48", "", "expected 9 lines"),
            ("0.0 72.0 24.0", "0.0 seventy 24.0", "line 2 must be 3 numbers"),
        ],
        ids=["short", "size", "lines", "text"],
    )
    def test_an_invalid_camera_is_reported(self, scene: Path, old: str, new: str, text: str) -> None:
        self.write_camera(scene, 2, POSE, K1)
        file = scene / "gt_dense_cameras" / "0000.jpg.camera"
        file.write_text(file.read_text().replace(old, new))
        dataset = read_dataset("strecha", scene)
        assert [pair.name for pair in dataset.pairs] == ["fountain-P3/0001-0002"]
        assert len(dataset.problems) == 1
        assert dataset.problems[0].startswith(f"{file}: ")
        assert text in dataset.problems[0]

    def test_a_missing_image_is_reported(self, scene: Path) -> None:
        (scene / "images" / "0001.jpg").unlink()
        dataset = read_dataset("strecha", scene)
        assert len(dataset) == 0
        assert "0001.jpg not found" in dataset.problems[0]
