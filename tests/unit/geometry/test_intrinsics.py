"""Cameras from the user, a text, EXIF data, or a guess; and intrinsics of another image size are noticed."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.synthetic_scenes import K0, K1, POSE, SIZE0, SIZE1, distort, space_scene

from tiepoint.errors import InvalidInput
from tiepoint.geometry.estimate import estimate_relative_pose
from tiepoint.geometry.intrinsics import (
    camera_for,
    camera_from_matrix,
    default_camera,
    exif_camera,
    parse_intrinsics,
    undistort,
)
from tiepoint.geometry.metrics import pose_error_deg
from tiepoint.types import Camera, ImageInfo


def error_message(call, *arguments: object, **options: object) -> str:
    with pytest.raises(InvalidInput) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def write_photo(
    path: Path, size: tuple[int, int] = (64, 48), orientation: int = 1, film_mm: int = 28
) -> Path:
    """Write a photo with a 35 mm equivalent focal length in its EXIF data."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0xA405] = film_mm
    PIL.Image.new("RGB", size).save(path, exif=exif)
    return path


class TestDefaultCamera:
    def test_it_is_flagged_as_a_default(self):
        camera = default_camera((1600, 1200))
        assert camera.source == "default"
        assert camera.intrinsics == pytest.approx(np.array([[1920, 0, 799.5], [0, 1920, 599.5], [0, 0, 1]]))

    def test_focal_length_is_relative_to_the_longer_side(self):
        assert default_camera((1200, 1600)).focal_lengths == (1920, 1920)


class TestExif:
    @pytest.mark.parametrize("orientation", [1, 3, 6, 8])
    def test_focal_length_in_px_of_the_upright_image(self, tmp_path: Path, orientation: int):
        """28 mm on a film of 43.27 mm diagonal, 80 px of diagonal here, however the camera was held."""
        path = write_photo(tmp_path / "a.jpg", orientation=orientation)
        size = (48, 64) if orientation in (6, 8) else (64, 48)
        camera = exif_camera(path, size)
        assert camera.source == "exif"
        assert camera.focal_lengths[0] == pytest.approx(28 / 43.27 * 80)
        assert camera.principal_point == ((size[0] - 1) / 2, (size[1] - 1) / 2)

    def test_a_file_without_exif_data(self, tmp_path: Path):
        PIL.Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
        assert exif_camera(tmp_path / "a.png", (64, 48)) is None


class TestCameraFor:
    def test_given_cameras_have_priority(self, tmp_path: Path):
        image = ImageInfo(SIZE0, str(write_photo(tmp_path / "a.jpg")))
        camera = Camera.from_intrinsics(K0, SIZE0)
        assert camera_for(camera, image) is camera
        assert camera_for(K0, image) == camera
        assert camera.source == "given"

    def test_then_exif_data_then_the_default(self, tmp_path: Path):
        path = write_photo(tmp_path / "a.jpg")
        assert camera_for(None, ImageInfo((64, 48), str(path))).source == "exif"
        path.unlink()
        assert camera_for(None, ImageInfo((64, 48), str(path))).source == "default"
        assert camera_for(None, ImageInfo((64, 48), None)).source == "default"
        assert camera_for(None, ImageInfo((64, 48), "https://example.org/a.jpg")).source == "default"

    def test_points_of_unknown_images_require_one(self):
        assert "camera1 is required" in error_message(camera_for, None, ImageInfo(), name="camera1")
        assert camera_for(K0, ImageInfo()).image_size is None

    def test_a_camera_of_another_image_size(self):
        message = error_message(camera_for, Camera.from_intrinsics(K0, SIZE0), ImageInfo((800, 600)))
        assert "800 x 600 px (width x height), got one of 1600 x 1200 px" in message
        assert "by 0.5" in message

    def test_a_camera_without_an_image_size_is_not_checked(self):
        camera = Camera.from_intrinsics(K0, None)
        assert camera_for(camera, ImageInfo((1600, 1200))) is camera


class TestAnotherImageSize:
    @pytest.mark.parametrize("scale", [0.25, 0.5, 0.8, 1.25, 1.9, 2.0, 4.0])
    def test_it_is_detected_by_the_principal_point(self, scale: float):
        K = K0 * np.array([[scale], [scale], [1.0]])
        message = error_message(camera_from_matrix, K, SIZE0, name="camera1")
        assert "camera1" in message
        assert f"about {2 * K[0, 2] + 1:.0f} x {2 * K[1, 2] + 1:.0f} px" in message
        assert "1600 x 1200 px" in message

    def test_a_portrait_is_not_a_landscape(self):
        error_message(camera_from_matrix, K0, (1200, 1600))

    @pytest.mark.parametrize("scale", [0.95, 1.0, 1.05])
    def test_the_principal_point_may_be_slightly_off_center(self, scale: float):
        assert camera_from_matrix(K0 * np.array([[scale], [scale], [1.0]]), SIZE0).image_size == SIZE0

    def test_rectified_pairs_are_off_center_in_one_direction(self):
        """Middlebury's motorcycle: 2964 x 2000, cx = 1176.7, cy = 1011.7."""
        K = np.array([[3997.7, 0.0, 1176.7], [0.0, 3997.7, 1011.7], [0.0, 0.0, 1.0]])
        assert camera_from_matrix(K, (2964, 2000)).principal_point == (1176.7, 1011.7)

    def test_a_crop_is_passed_as_a_camera(self):
        K = K0 * np.array([[0.6], [0.6], [1.0]])
        assert camera_for(Camera.from_intrinsics(K, SIZE0), ImageInfo(SIZE0)).intrinsics == pytest.approx(K)

    def test_an_unknown_size_is_not_checked(self):
        assert camera_from_matrix(K0 * 2, None).intrinsics == pytest.approx(K0)


class TestParse:
    @pytest.mark.parametrize(
        ("text", "focal"),
        [
            ("1500,799.5,599.5", (1500, 1500)),
            ("1500, 799.5, 599.5", (1500, 1500)),
            ("1500,1510,799.5,599.5", (1500, 1510)),
            ("1500 0 799.5; 0 1510 599.5; 0 0 1", (1500, 1510)),
        ],
    )
    def test_numbers(self, text: str, focal: tuple[float, float]):
        camera = parse_intrinsics(text, SIZE0)
        assert camera.focal_lengths == focal
        assert camera.principal_point == (799.5, 599.5)
        assert camera.source == "given"
        assert camera.image_size == SIZE0

    @pytest.mark.parametrize(
        "content",
        [
            "1500 0 799.5\n0 1510 599.5\n0 0 1\n",
            "1500,0,799.5\n0,1510,599.5\n0,0,1",
            "1500 1510 799.5 599.5\n",
        ],
        ids=["spaces", "commas", "four"],
    )
    def test_files(self, tmp_path: Path, content: str):
        path = tmp_path / "K of a camera.txt"
        path.write_text(content)
        assert parse_intrinsics(str(path), SIZE0).focal_lengths == (1500, 1510)

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("1500,799.5", "got 2 numbers"),
            ("1,2,3,4,5,6", "got 6 numbers"),
            ("", "got 0 numbers"),
            ("missing.txt", "expected numbers"),
            ("1500;a;b", "expected numbers"),
            ("a\0b", "expected numbers"),
            ("nan,799.5,599.5", "finite"),
            ("0,799.5,599.5", "singular"),
            ("-1500,799.5,599.5", "positive"),
            ("1500,399.5,299.5", "about 800 x 600 px"),
            ("1 0 0 0 1 0 0 0 0", "singular"),
        ],
    )
    def test_invalid_texts(self, text: str, part: str):
        assert part in error_message(parse_intrinsics, text, SIZE0)

    def test_files_without_numbers(self, tmp_path: Path):
        path = tmp_path / "K.txt"
        path.write_text("fx = 1500")
        assert "numbers only" in error_message(parse_intrinsics, str(path), SIZE0)
        path.write_bytes(b"\xff\xfe\x00")
        assert "expected numbers" in error_message(parse_intrinsics, str(path), SIZE0)

    def test_a_folder(self, tmp_path: Path):
        assert "expected numbers" in error_message(parse_intrinsics, str(tmp_path), SIZE0)


class TestDistortion:
    LENS = (-0.25, 0.08, 1e-3, -2e-3)

    def camera(self, K: np.ndarray, size: tuple[int, int]) -> Camera:
        return Camera.from_intrinsics(K, size, distortion=self.LENS)

    def test_undistortion_inverts_distortion(self):
        camera = self.camera(K0, SIZE0)
        points = np.random.default_rng(0).uniform((100, 100), (1500, 1100), (200, 2))
        there = distort(points, camera)
        assert np.abs(there - points).max() > 5
        assert undistort(there, camera) == pytest.approx(points, abs=1e-4)

    def test_points_are_unchanged_without_distortion(self):
        points = np.random.default_rng(0).uniform(0, 1000, (20, 2))
        assert undistort(points, Camera.from_intrinsics(K0, SIZE0)) is points

    @pytest.mark.parametrize(
        "model", [("SIMPLE_RADIAL", (-0.2,)), ("RADIAL", (-0.2, 0.05))], ids=lambda m: m[0]
    )
    def test_other_camera_models(self, model: tuple[str, tuple[float, ...]]):
        name, lens = model
        camera = Camera(model=name, image_size=SIZE0, params=(1400.0, 790.5, 605.5, *lens))
        points = np.random.default_rng(0).uniform((100, 100), (1500, 1100), (200, 2))
        assert undistort(distort(points, camera), camera) == pytest.approx(points, abs=1e-4)

    def test_distortion_that_is_not_invertible_is_an_error(self):
        camera = Camera.from_intrinsics(K0, SIZE0, distortion=(-2.0, 0.0, 0.0, 0.0))
        message = error_message(undistort, np.array([[790.0, 600.0], [0.0, 0.0]]), camera)
        assert "1 of 2 points" in message

    @pytest.mark.parametrize("method", ["poselib", "opencv", "pycolmap"])
    def test_pose_estimation_with_distortion(self, method: str):
        scene = space_scene(noise_px=0.3)
        cameras = self.camera(K0, SIZE0), self.camera(K1, SIZE1)
        points = distort(scene.points0, cameras[0]), distort(scene.points1, cameras[1])
        options = {"method": method, "max_error_px": 1.5}
        found = estimate_relative_pose(*points, camera0=cameras[0], camera1=cameras[1], **options)
        assert pose_error_deg(found.cam1_from_cam0, POSE) < 0.5
        assert found.inliers[~scene.outliers].mean() > 0.97
        ignored = estimate_relative_pose(*points, camera0=K0, camera1=K1, **options)
        assert pose_error_deg(ignored.cam1_from_cam0, POSE) > 2.0
        assert ignored.num_inliers < found.num_inliers
