"""Lists with intrinsics and poses, LoFTR's indices and Strecha's cameras: small trees in the exact layouts."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiepoint.errors import InvalidInput
from tiepoint.evaluation.datasets import read_dataset
from tiepoint.evaluation.datasets.rotation import rotate_camera
from tiepoint.evaluation.datasets.safe_npz import load_npz
from tiepoint.evaluation.ground_truth import EvaluationPair, PoseGroundTruth
from tiepoint.geometry.multiview import epipolar_distances, essential_from_pose, fundamental_from_essential
from tiepoint.types import Camera

SIZE = (64, 48)
K0 = np.array([[70.0, 0, 31], [0, 72, 24], [0, 0, 1]])
K1 = np.array([[90.0, 0, 33], [0, 88, 22], [0, 0, 1]])
ANGLE = np.deg2rad(20)
R = np.array([[np.cos(ANGLE), 0, np.sin(ANGLE)], [0, 1, 0], [-np.sin(ANGLE), 0, np.cos(ANGLE)]])
POSE = np.column_stack([R, [-1.0, 0.1, 0.2]])
POSE4 = np.vstack([POSE, [0, 0, 0, 1]])
WORLD = np.random.default_rng(0).uniform([-0.5, -0.5, 3], [0.5, 0.5, 5], (12, 3))


def write_image(path: Path, size: tuple[int, int] = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size).save(path)


def words(*arrays: np.ndarray) -> str:
    return " ".join(str(value) for array in arrays for value in np.asarray(array).ravel())


def superglue_line(name0: str, name1: str, turns: tuple[int, int] = (0, 0)) -> str:
    return f"{name0} {name1} {turns[0]} {turns[1]} {words(K0, K1, POSE4)}"


def project(pose: np.ndarray, K: np.ndarray) -> np.ndarray:
    rays = (WORLD @ pose[:, :3].T + pose[:, 3]) @ K.T
    return rays[:, :2] / rays[:, 2:]


def turn_points(points: np.ndarray, size: tuple[int, int], quarter_turns: int) -> np.ndarray:
    """Where numpy.rot90 puts pixels: one turn sends (x, y) to (y, width - 1 - x)."""
    for _ in range(quarter_turns):
        points = np.column_stack([points[:, 1], size[0] - 1 - points[:, 0]])
        size = size[::-1]
    return points


def assert_truth_holds(pair: EvaluationPair, turns: tuple[int, int] = (0, 0)) -> None:
    """The world's points, seen by both cameras and turned with the images, lie on their epipolar lines."""
    truth = pair.truth
    assert isinstance(truth, PoseGroundTruth)
    E = essential_from_pose(truth.cam1_from_cam0)
    F = fundamental_from_essential(E, truth.camera0.intrinsics, truth.camera1.intrinsics)
    points0 = turn_points(project(np.eye(3, 4), K0), SIZE, turns[0])
    points1 = turn_points(project(POSE, K1), SIZE, turns[1])
    np.testing.assert_allclose(epipolar_distances(points0, points1, F), 0, atol=1e-6)


class TestSuperGlue:
    @pytest.fixture
    def listing(self, tmp_path: Path) -> Path:
        for name in ("a", "b", "scene0707_00_frame-000015", "scene0707_00_frame-000585"):
            write_image(tmp_path / "test_images" / f"{name}.jpg")
        return tmp_path / "test_pairs_with_gt.txt"

    def test_a_list(self, listing: Path) -> None:
        scannet = ("scene0707_00_frame-000015.jpg", "scene0707_00_frame-000585.jpg")
        listing.write_text(superglue_line(*scannet) + "\n" + superglue_line("a.jpg", "b.jpg") + "\n")
        dataset = read_dataset("superglue-pairs", listing)
        assert dataset.problems == ()
        names = ["scene0707_00/frame-000015-frame-000585", f"{listing.parent.name}/a-b"]
        assert [pair.name for pair in dataset.pairs] == names
        pair = dataset.pairs[0]
        assert pair.image0 == listing.parent / "test_images" / scannet[0]
        assert pair.truth.camera1.intrinsics.tolist() == K1.tolist()
        assert pair.truth.camera0.image_size == SIZE
        assert pair.tags == {"rot_deg": 20.0}
        assert_truth_holds(pair)

    @pytest.mark.parametrize("turns", [(1, 0), (0, 1), (2, 3), (3, 1), (3, 3)], ids=str)
    def test_quarter_turns(self, listing: Path, turns: tuple[int, int]) -> None:
        listing.write_text(superglue_line("a.jpg", "b.jpg", turns))
        pair = read_dataset("superglue-pairs", listing).pairs[0]
        assert (pair.quarter_turns0, pair.quarter_turns1) == turns
        assert pair.truth.camera0.image_size == (SIZE if turns[0] % 2 == 0 else SIZE[::-1])
        assert_truth_holds(pair, turns)

    def test_the_folder_of_the_images_may_be_named(self, listing: Path) -> None:
        (listing.parent / "test_images").rename(listing.parent / "elsewhere")
        listing.write_text(superglue_line("a.jpg", "b.jpg"))
        assert "a.jpg not found" in read_dataset("superglue-pairs", listing).problems[0]
        assert len(read_dataset("superglue-pairs", f"{listing}#elsewhere")) == 1

    def test_problems_have_line_numbers(self, listing: Path) -> None:
        good = superglue_line("a.jpg", "b.jpg")
        lines = [
            "a.jpg b.jpg",
            "a.jpg b.jpg 0 1",
            good.rpartition(" ")[0],
            good.replace(" 0 0 ", " 0 4 ", 1),
            good.replace("70.0", "seventy", 1),
            good.replace("a.jpg", "c.jpg", 1),
            good.replace("31.0", "310.0", 1),
            f"a.jpg b.jpg 0 0 {words(K0, K1, 2 * POSE4)}",
            f"a.jpg b.jpg 0 0 {words(K0, K1, np.vstack([1.1 * POSE, [0, 0, 0, 1]]))}",
            good,
        ]
        listing.write_text("\n".join(lines))
        dataset = read_dataset("superglue-pairs", listing)
        texts = [
            "no ground truth",
            "no ground truth",
            "got 37",
            "got '4'",
            "K0 must be 9 numbers",
            "c.jpg not found",
            "(310.0, 24.0)",
            "last row of a pose",
            "no valid rotation",
        ]
        assert len(dataset) == 1
        assert len(dataset.problems) == len(texts)
        for number, (problem, text) in enumerate(zip(dataset.problems, texts, strict=True), start=1):
            assert problem.startswith(f"{listing}:{number}: ")
            assert text in problem

    def test_intrinsics_of_half_the_size_are_noticed(self, listing: Path) -> None:
        half = np.diag([0.5, 0.5, 1]) @ K0
        listing.write_text(f"a.jpg b.jpg 0 0 {words(half, K1, POSE4)}")
        assert "another image size" in read_dataset("superglue-pairs", listing).problems[0]


@pytest.mark.parametrize("distortion", [None, (0.1, -0.02, 0.003, -0.004)], ids=["pinhole", "lens"])
def test_four_quarter_turns_bring_a_camera_back(distortion: tuple[float, ...] | None) -> None:
    camera = Camera.from_intrinsics(K0, SIZE, distortion=distortion)
    back = rotate_camera(camera, 4)
    assert back.image_size == SIZE
    np.testing.assert_allclose(back.intrinsics, K0)
    np.testing.assert_allclose(back.distortion, camera.distortion)


def test_distortion_turns_with_the_image() -> None:
    camera = Camera.from_intrinsics(K0, SIZE, distortion=(0.1, -0.02, 0.003, -0.004))
    rays = WORLD[:, :2] / WORLD[:, 2:]
    turned_rays = np.column_stack([rays[:, 1], -rays[:, 0]])
    expected = turn_points(_distort(camera, rays), SIZE, 1)
    np.testing.assert_allclose(_distort(rotate_camera(camera, 1), turned_rays), expected, atol=1e-9)


def _distort(camera: Camera, rays: np.ndarray) -> np.ndarray:
    """OpenCV's model, written out."""
    k1, k2, p1, p2 = camera.distortion
    x, y = rays.T
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2 * r2
    distorted = np.column_stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ]
    )
    return distorted * camera.focal_lengths + camera.principal_point


class TestGlueFactoryLists:
    @pytest.mark.parametrize("name", ["megadepth1500", "scannet1500"])
    @pytest.mark.parametrize("subfolder", ["images", "."])
    def test_poses_of_sixteen_and_of_twelve_numbers(self, tmp_path: Path, name: str, subfolder: str) -> None:
        for image in ("a", "b", "c"):
            write_image(tmp_path / subfolder / "0022" / f"{image}.jpg")
        lines = [
            f"0022/a.jpg 0022/b.jpg {words(K0, K1, POSE4)}",
            f"0022/a.jpg 0022/c.jpg {words(K0, K1, POSE[:, :3], POSE[:, 3])}",
            "0022/b.jpg 0022/c.jpg 1 2 3",
        ]
        (tmp_path / "pairs_calibrated.txt").write_text("\n".join(lines))
        dataset = read_dataset(name, tmp_path)
        assert dataset.name == name
        assert [pair.name for pair in dataset.pairs] == ["0022/a-b", "0022/a-c"]
        assert [pair.scene for pair in dataset.pairs] == ["0022", "0022"]
        for pair in dataset.pairs:
            assert_truth_holds(pair)
        assert dataset.problems[0].startswith(f"{tmp_path / 'pairs_calibrated.txt'}:3: ")


class TestMegaDepthIndex:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        index = tmp_path / "megadepth_test_1500_scene_info"
        index.mkdir()
        names = np.array([None, *(f"Undistorted_SfM/0022/images/{n}.jpg" for n in "abc")], dtype=object)
        for name in names[1:]:
            write_image(tmp_path / name)
        world = np.vstack([np.column_stack([R.T, [3.0, 2, 1]]), [0, 0, 0, 1]])  # any frame will do
        poses, intrinsics = np.empty(4, dtype=object), np.empty(4, dtype=object)
        poses[1:], intrinsics[1:] = [world, POSE4 @ world, POSE4 @ world], [K0, K1, K1]
        infos = np.empty(2, dtype=object)
        infos[:] = [((1, 2), 0.15, np.zeros((3, 2))), ((1, 3), np.float64(0.3), [(1, 2)])]
        np.savez(
            index / "0022_0.1_0.3.npz",
            image_paths=names,
            poses=poses,
            intrinsics=intrinsics,
            pair_infos=infos,
            depth_paths=np.array(["x"]),
        )
        return index

    def test_images_are_found_above_the_index(self, folder: Path) -> None:
        dataset = read_dataset("megadepth1500", folder)
        assert dataset.problems == ()
        assert [pair.name for pair in dataset.pairs] == ["0022/a-b", "0022/a-c"]
        assert [pair.tags["overlap"] for pair in dataset.pairs] == [0.15, 0.3]
        for pair in dataset.pairs:
            assert_truth_holds(pair)

    def test_or_where_the_caller_says(self, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        other = tmp_path_factory.mktemp("images")
        (folder.parent / "Undistorted_SfM").rename(other / "Undistorted_SfM")
        assert len(read_dataset("megadepth1500", folder).problems) == 2
        assert len(read_dataset("megadepth1500", f"{folder}#{other}")) == 2

    def test_broken_and_incomplete_indices_are_named(self, folder: Path) -> None:
        (folder / "0015_0.1_0.3.npz").write_bytes(b"no zip file")
        np.savez(folder / "0015_0.3_0.5.npz", poses=np.zeros(1))
        dataset = read_dataset("megadepth1500", folder)
        assert len(dataset) == 2
        assert "0015_0.1_0.3.npz" in dataset.problems[0]
        assert "missing: image_paths, intrinsics, pair_infos" in dataset.problems[1]

    def test_rows_that_cannot_be_used_are_named(self, folder: Path) -> None:
        file = folder / "0022_0.1_0.3.npz"
        arrays = load_npz(file)
        infos = np.empty(4, dtype=object)
        infos[:] = [None, ((0, 1), 0.2, None), ((1, 9), 0.2, None), ((1, 2), 0.2, None)]
        np.savez(file, **(arrays | {"pair_infos": infos}))
        dataset = read_dataset("megadepth1500", folder)
        assert len(dataset) == 1
        texts = [
            "got None",
            "poses[0]",
            "4 images",
        ]
        for row, (problem, text) in enumerate(zip(dataset.problems, texts, strict=True)):
            assert f"pair_infos[{row}]" in problem
            assert text in problem

    def test_pickles_that_would_run_something_are_refused(self, tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> tuple:
                return Path.touch, (tmp_path / "touched",)

        evil = np.empty(1, dtype=object)
        evil[0] = Evil()
        np.savez(tmp_path / "evil.npz", pair_infos=evil)
        with pytest.raises(InvalidInput, match="unpickle pathlib"):
            load_npz(tmp_path / "evil.npz")
        assert not (tmp_path / "touched").exists()
        pickle.loads(pickle.dumps(evil[0]))
        assert (tmp_path / "touched").exists()  # which shows that the pickle was a working one

    def test_arrays_come_back_as_they_were(self, tmp_path: Path) -> None:
        objects = np.empty(3, dtype=object)
        objects[:] = [None, "text", (np.float64(2.5), np.arange(3))]
        np.savez_compressed(tmp_path / "a.npz", objects=objects, numbers=np.eye(2), texts=np.array(["x"]))
        arrays = load_npz(tmp_path / "a.npz")
        assert arrays["objects"][:2].tolist() == [None, "text"]
        assert arrays["objects"][2][1].tolist() == [0, 1, 2]
        assert arrays["numbers"].tolist() == np.eye(2).tolist()
        assert arrays["texts"].tolist() == ["x"]


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

    def test_without_intrinsics_the_files_are_named(self, folder: Path) -> None:
        self.write_poses(folder)
        problem = read_dataset("scannet1500", folder).problems[0]
        assert "intrinsic_color.txt" in problem
        assert "intrinsics.npz" in problem

    def test_another_array_of_names(self, folder: Path) -> None:
        np.savez(folder / "test.npz", name=np.zeros((3, 2)))
        with pytest.raises(InvalidInput, match=r"shape \(n, 4\)"):
            read_dataset("scannet1500", folder)


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

    def test_pairs_that_see_the_same(self, scene: Path) -> None:
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
    def test_a_broken_camera_is_named(self, scene: Path, old: str, new: str, text: str) -> None:
        self.write_camera(scene, 2, POSE, K1)
        file = scene / "gt_dense_cameras" / "0000.jpg.camera"
        file.write_text(file.read_text().replace(old, new))
        dataset = read_dataset("strecha", scene)
        assert [pair.name for pair in dataset.pairs] == ["fountain-P3/0001-0002"]
        assert len(dataset.problems) == 1
        assert dataset.problems[0].startswith(f"{file}: ")
        assert text in dataset.problems[0]

    def test_a_missing_photograph_is_named(self, scene: Path) -> None:
        (scene / "images" / "0001.jpg").unlink()
        dataset = read_dataset("strecha", scene)
        assert len(dataset) == 0
        assert "0001.jpg not found" in dataset.problems[0]
