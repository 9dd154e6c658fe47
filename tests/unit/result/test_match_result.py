"""MatchResult: matched points, drawings, and files that any program can read."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch

from tiepoint import visualization
from tiepoint.errors import InvalidInput
from tiepoint.geometry.pair_verification import PairVerification
from tiepoint.image import read_image
from tiepoint.io.serialization import check_output_path
from tiepoint.result import MatchResult
from tiepoint.types import Assignment, Camera, Features, TwoViewEstimate

SIZE0, SIZE1 = (40, 30), (50, 20)
MATCHES = [[0, 3], [2, 0], [4, 1]]
SCORES = [0.25, 0.5, 1.0]
HOMOGRAPHY = np.array([[1.0, 0, 2], [0, 1, 3], [0, 0, 1]])
RECTIFIED = np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])
SECONDS = {"read": 0.25, "extract": 0.5, "match": 0.125}
NAMES = {
    *(
        f"{name}{side}"
        for name in (
            "image",
            "image_size",
            "exif_orientation",
            "points",
            "keypoints",
            "keypoint_scores",
        )
        for side in (0, 1)
    ),
    *(
        "format",
        "features",
        "scores",
        "matches",
        "layers_run",
        "prune0",
        "prune1",
        "rotation0",
        "rotation1",
        "seconds",
    ),
}


def some_features(count: int, size: tuple[int, int], source: str | None = None) -> Features:
    generator = torch.Generator().manual_seed(count)
    return Features(
        keypoints=torch.rand(count, 2, generator=generator) * (torch.tensor(size) - 1),
        scores=torch.linspace(1, 0.5, count),
        descriptors=torch.nn.functional.normalize(torch.randn(count, 8, generator=generator), dim=1),
        image_size=size,
        kind="test@0123",
        source=source,
        exif_orientation=6,
    )


def some_matches(m: int, n: int, matches: list[list[int]], scores: list[float]) -> Assignment:
    return Assignment(
        matches=torch.tensor(matches, dtype=torch.int64).reshape(-1, 2),
        scores=torch.tensor(scores),
        matching_scores0=torch.zeros(m),
        matching_scores1=torch.zeros(n),
        prune0=torch.arange(m),
        prune1=torch.arange(n) + 1,
        layers_run=7,
    )


@pytest.fixture
def result() -> MatchResult:
    return MatchResult.from_assignment(
        some_features(6, SIZE0), some_features(4, SIZE1), some_matches(6, 4, MATCHES, SCORES), SECONDS
    )


@pytest.fixture
def empty() -> MatchResult:
    return MatchResult.from_assignment(
        some_features(0, SIZE0), some_features(4, SIZE1), some_matches(0, 4, [], [])
    )


@pytest.fixture
def images() -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.full((height, width, 3), 200, np.uint8) for width, height in (SIZE0, SIZE1))  # type: ignore[return-value]


def test_points_are_the_matched_keypoints(result: MatchResult) -> None:
    for k, (i, j) in enumerate(MATCHES):
        assert result.points0[k].tolist() == result.features0.keypoints[i].tolist()
        assert result.points1[k].tolist() == result.features1.keypoints[j].tolist()


def test_shapes_and_dtypes_of_arrays(result: MatchResult) -> None:
    assert len(result) == 3
    for array, shape, kind in (
        (result.points0, (3, 2), np.float32),
        (result.points1, (3, 2), np.float32),
        (result.scores, (3,), np.float32),
        (result.matches, (3, 2), np.integer),
        (result.prune0, (6,), np.integer),
        (result.prune1, (4,), np.integer),
    ):
        assert isinstance(array, np.ndarray)
        assert array.shape == shape
        assert np.issubdtype(array.dtype, kind)
    assert (result.layers_run, result.seconds) == (7, SECONDS)


def test_points_are_float32_for_keypoints_of_any_dtype(result: MatchResult) -> None:
    double = replace(result.features0, keypoints=result.features0.keypoints.double().requires_grad_())
    again = replace(result, features0=double)
    assert again.points0.dtype == np.float32
    np.testing.assert_array_equal(again.points0, result.points0)


def test_empty_results_have_empty_arrays(empty: MatchResult) -> None:
    assert len(empty) == 0
    assert empty.points0.shape == empty.points1.shape == empty.matches.shape == (0, 2)
    assert empty.scores.shape == (0,)


class TestInliers:
    @staticmethod
    def estimate(inliers: list[bool], **changes: object) -> TwoViewEstimate:
        some = {"kind": "homography", "matrix": np.eye(3), "method": "dlt", "max_error_px": 3.0}
        return TwoViewEstimate(inliers=np.array(inliers, dtype=bool), **(some | changes))  # type: ignore[arg-type]

    def test_only_inliers_are_kept(self, result: MatchResult) -> None:
        inliers = result.inliers(self.estimate([True, False, True]))
        assert inliers.matches.tolist() == [MATCHES[0], MATCHES[2]]
        assert inliers.scores.tolist() == [SCORES[0], SCORES[2]]
        assert np.array_equal(inliers.points1, result.points1[[0, 2]])
        assert inliers.features0 is result.features0
        assert inliers.prune0 is result.prune0
        assert len(result) == 3

    def test_a_failed_estimate_has_no_inliers(self, result: MatchResult) -> None:
        failed = self.estimate([False] * 3, matrix=None, reason="got 3 matches")
        assert len(result.inliers(failed)) == 0

    def test_inliers_of_an_empty_result(self, empty: MatchResult) -> None:
        assert len(empty.inliers(self.estimate([], matrix=None, reason="got 0 matches"))) == 0

    def test_an_estimate_from_other_matches_is_an_error(self, result: MatchResult) -> None:
        with pytest.raises(InvalidInput, match=r"3 matches.*2 matches"):
            result.inliers(self.estimate([True, True]))


class TestRepr:
    def test_it_is_one_short_line(self, result: MatchResult) -> None:
        named = replace(result, features0=replace(result.features0, source="photos/a.jpg"))
        assert repr(named) == str(named) == "MatchResult(3 matches, a.jpg: 6 keypoints, image 1: 4 keypoints)"

    def test_notebooks_show_a_drawing(self, result: MatchResult, images, tmp_path: Path) -> None:
        sides = []
        for side, image in enumerate(images):
            PIL.Image.fromarray(image).save(tmp_path / f"{side}.png")
            features = (result.features0, result.features1)[side]
            sides.append(replace(features, source=str(tmp_path / f"{side}.png")))
        png = replace(result, features0=sides[0], features1=sides[1])._repr_png_()
        assert png is not None
        with PIL.Image.open(BytesIO(png)) as shown:
            np.testing.assert_array_equal(shown, result.draw(*images))

    def test_notebooks_show_text_if_the_images_cannot_be_read(self, result: MatchResult) -> None:
        assert result._repr_png_() is None
        missing = replace(result.features0, source="missing.png")
        assert replace(result, features0=missing)._repr_png_() is None


def test_results_are_frozen(result: MatchResult) -> None:
    with pytest.raises(FrozenInstanceError):
        result.layers_run = 9  # type: ignore[misc]


class TestDraw:
    def test_images_matched_from_memory_are_given_again(self, result: MatchResult, images) -> None:
        picture = result.draw(*images)
        assert isinstance(picture, PIL.Image.Image)
        assert picture.size == (SIZE0[0] + SIZE1[0], max(SIZE0[1], SIZE1[1]))

    @pytest.mark.parametrize("given", [0, 1])
    def test_missing_images_are_named(self, result: MatchResult, images, given: int) -> None:
        with pytest.raises(
            InvalidInput, match=f"image {1 - given} was matched from memory.*draw\\(image0, image1\\)"
        ):
            result.draw(**{f"image{given}": images[given]})

    def test_files_are_read_again(self, result: MatchResult, images, tmp_path: Path) -> None:
        for side, image in enumerate(images):
            PIL.Image.fromarray(image).save(tmp_path / f"{side}.png")
        known = replace(
            result,
            features0=replace(result.features0, source=str(tmp_path / "0.png")),
            features1=replace(result.features1, source=str(tmp_path / "1.png")),
        )
        np.testing.assert_array_equal(known.draw(), result.draw(*images))

    def test_another_image_size_is_an_error(self, result: MatchResult, images) -> None:
        with pytest.raises(InvalidInput, match=r"image 1: .* 50 x 20 px, got 40 x 30 px"):
            result.draw(images[0], images[0])

    def test_lines_have_the_color_of_their_score(self, result: MatchResult, images) -> None:
        weak, strong = (
            np.asarray(replace(result, scores=np.full(3, score, np.float32)).draw(*images), dtype=int)
            for score in (0.0, 1.0)
        )
        red_over_green = [(picture[..., 0] - picture[..., 1]) for picture in (weak, strong)]
        assert red_over_green[0].max() > 100  # red where the score is low …
        assert red_over_green[1].min() < -100  # … green where it is high
        assert red_over_green[0].min() >= 0 >= red_over_green[1].max()

    def test_max_lines_keeps_the_highest_scores(self, result: MatchResult, images) -> None:
        one = result.draw(*images, max_lines=1)
        best = replace(result, matches=result.matches[2:], scores=result.scores[2:])
        np.testing.assert_array_equal(one, best.draw(*images))
        assert np.any(np.asarray(one) != np.asarray(result.draw(*images)))
        np.testing.assert_array_equal(result.draw(*images, max_lines=None), result.draw(*images, max_lines=3))

    def test_unmatched_keypoints_are_drawn_on_request(self, result: MatchResult, images) -> None:
        plain, full = (
            np.asarray(result.draw(*images, max_lines=0, keypoints=wanted)) for wanted in (False, True)
        )
        x, y = result.features0.keypoints[1].round().int().tolist()
        assert np.any(plain[y, x] != full[y, x])

    def test_an_empty_result_is_drawn_without_lines(self, empty: MatchResult, images) -> None:
        assert empty.draw(*images, keypoints=True).size == (90, 30)


def an_estimate(
    inliers: list[bool], kind: str = "homography", matrix: np.ndarray | None = HOMOGRAPHY, **others: Any
) -> TwoViewEstimate:
    return TwoViewEstimate(
        kind=kind,  # type: ignore[arg-type]
        matrix=matrix,
        inliers=np.array(inliers),
        method="poselib",
        max_error_px=2.5,
        reason="" if matrix is not None else "got 3 matches",
        **others,
    )


class TestGeometry:
    FOUND = an_estimate([True, False, True])

    def test_inliers_and_outliers_are_drawn(self, result: MatchResult, images) -> None:
        expected = visualization.draw_inliers(
            *map(read_image, images),
            result.points0,
            result.points1,
            self.FOUND.inliers,
            result.scores,
            caption="homography",
        )
        np.testing.assert_array_equal(result.draw_inliers(self.FOUND, *images), expected)

    def test_unmatched_keypoints_are_drawn_on_request(self, result: MatchResult, images) -> None:
        plain, full = (
            np.asarray(result.draw_inliers(self.FOUND, *images, max_lines=0, keypoints=wanted))
            for wanted in (False, True)
        )
        x, y = result.features0.keypoints[1].round().int().tolist()
        assert np.any(plain[y, x] != full[y, x])

    def test_all_matches_are_outliers_of_a_failed_estimate(self, result: MatchResult, images) -> None:
        seen = np.asarray(result.draw_inliers(an_estimate([False] * 3, matrix=None), *images)).astype(int)
        assert (seen[..., 0] - seen[..., 1]).max() > 100
        assert (seen[..., 0] - seen[..., 1]).min() >= 0

    def test_epipolar_lines_are_those_of_the_inliers(self, result: MatchResult, images) -> None:
        estimate = an_estimate([True, False, True], "fundamental", RECTIFIED)
        expected = visualization.draw_epipolar_lines(
            *map(read_image, images),
            result.points0[[0, 2]],
            result.points1[[0, 2]],
            RECTIFIED,
            caption="fundamental",
        )
        np.testing.assert_array_equal(result.draw_epipolar_lines(estimate, *images), expected)

    @pytest.mark.parametrize("mode", ["blend", "checkerboard"])
    def test_an_overlay_has_the_size_of_image_1(self, result: MatchResult, images, mode: str) -> None:
        seen = result.overlay(self.FOUND, *images, mode=mode, alpha=0.3)
        expected = visualization.draw_overlay(*map(read_image, images), HOMOGRAPHY, mode=mode, alpha=0.3)
        np.testing.assert_array_equal(seen, expected)
        assert seen.size == SIZE1

    def test_a_panorama_contains_both_images(self, result: MatchResult, images) -> None:
        seen = result.panorama(self.FOUND, *images)
        np.testing.assert_array_equal(seen, visualization.draw_panorama(*map(read_image, images), HOMOGRAPHY))
        assert seen.size == (50, 33)

    @pytest.mark.parametrize("picture", ["overlay", "panorama", "draw_epipolar_lines"])
    def test_a_failed_estimate_cannot_be_drawn(self, result: MatchResult, images, picture: str) -> None:
        kind = "fundamental" if picture == "draw_epipolar_lines" else "homography"
        with pytest.raises(InvalidInput, match=f"{kind} estimation failed: got 3 matches"):
            getattr(result, picture)(an_estimate([False] * 3, kind, None), *images)

    @pytest.mark.parametrize(
        ("picture", "kind", "text"),
        [
            ("overlay", "fundamental", "expected a homography estimate, got 'fundamental'"),
            ("panorama", "essential", "expected a homography estimate, got 'essential'"),
            (
                "draw_epipolar_lines",
                "homography",
                "expected a fundamental estimate, got 'homography'",
            ),
        ],
    )
    def test_each_drawing_requires_its_model(
        self, result: MatchResult, images, picture: str, kind: str, text: str
    ) -> None:
        with pytest.raises(InvalidInput, match=text):
            getattr(result, picture)(an_estimate([True] * 3, kind), *images)

    @pytest.mark.parametrize("picture", ["draw_inliers", "draw_epipolar_lines"])
    def test_inliers_of_other_matches_cannot_be_drawn(
        self, result: MatchResult, images, picture: str
    ) -> None:
        with pytest.raises(InvalidInput, match="4"):
            getattr(result, picture)(an_estimate([True] * 4, "fundamental", RECTIFIED), *images)

    def test_files_are_read_again(self, result: MatchResult) -> None:
        with pytest.raises(InvalidInput, match="image 0 was matched from memory"):
            result.panorama(self.FOUND)

    def test_an_estimate_is_saved_with_the_matches(self, result: MatchResult, tmp_path: Path) -> None:
        camera = Camera(model="SIMPLE_PINHOLE", image_size=SIZE0, params=(50.0, 20.0, 15.0), source="exif")
        motion = np.column_stack([np.eye(3), [1.0, 0, 0]])
        pose = an_estimate(
            [True, False, True], "pose", RECTIFIED, cam1_from_cam0=motion, camera0=camera, camera1=camera
        )
        values = json.loads(result.save(tmp_path / "m.json", pose).read_text())
        assert values == result.to_dict(pose)
        assert {name: values[name] for name in NAMES} == result.to_dict()
        assert values["estimate"] == {
            "kind": "pose",
            "matrix": RECTIFIED.tolist(),
            "inliers": [True, False, True],
            "method": "poselib",
            "max_error_px": 2.5,
            "cam1_from_cam0": [[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0]],
            "camera0": {
                "model": "SIMPLE_PINHOLE",
                "image_size": [40, 30],
                "params": [50, 20, 15],
                "source": "exif",
            },
            "camera1": values["estimate"]["camera0"],
            "reason": "",
            "success": True,
            "num_inliers": 2,
        }
        with np.load(result.save(tmp_path / "m.npz", pose), allow_pickle=False) as arrays:
            assert arrays["estimate_inliers"].tolist() == [True, False, True]
            assert arrays["estimate_camera0_params"].tolist() == [50, 20, 15]
            assert [name for name, array in arrays.items() if array.dtype == object] == []

    def test_a_failed_estimate_is_saved_too(self, result: MatchResult, tmp_path: Path) -> None:
        failed = an_estimate([False] * 3, matrix=None)
        saved = json.loads(result.save(tmp_path / "m.json", failed).read_text())["estimate"]
        assert (saved["matrix"], saved["success"], saved["reason"]) == (None, False, "got 3 matches")
        with np.load(result.save(tmp_path / "m.npz", failed)) as arrays:
            assert "estimate_matrix" not in arrays
            assert not arrays["estimate_success"]


class TestSave:
    def test_json_and_npz_have_the_same_names(self, result: MatchResult, tmp_path: Path) -> None:
        """Except seconds: .npz cannot hold a dict, so each value has a name of its own."""
        sourced = replace(
            result,
            features0=replace(result.features0, source="a"),
            features1=replace(result.features1, source="b"),
        )
        assert set(json.loads(sourced.save(tmp_path / "m.json").read_text())) == NAMES
        with np.load(sourced.save(tmp_path / "m.npz"), allow_pickle=False) as arrays:
            assert set(arrays) - NAMES == {f"seconds_{stage}" for stage in SECONDS}
            assert NAMES - set(arrays) == {"seconds"}
            assert {stage: float(arrays[f"seconds_{stage}"]) for stage in SECONDS} == SECONDS

    def test_npz_needs_no_pickle(self, result: MatchResult, tmp_path: Path) -> None:
        with np.load(result.save(tmp_path / "m.npz"), allow_pickle=False) as arrays:
            contents = {name: arrays[name] for name in arrays}
        assert [name for name, array in contents.items() if array.dtype == object] == []

    def test_npz_keeps_every_bit_and_type(self, result: MatchResult, tmp_path: Path) -> None:
        with np.load(result.save(tmp_path / "m.npz")) as arrays:
            for name in ("points0", "points1", "scores", "matches", "prune0", "prune1"):
                np.testing.assert_array_equal(arrays[name], getattr(result, name))
                assert arrays[name].dtype == getattr(result, name).dtype
            np.testing.assert_array_equal(arrays["keypoints1"], result.features1.keypoints)
            assert arrays["image_size0"].tolist() == list(SIZE0)
            assert arrays["layers_run"] == 7

    def test_json_keeps_float32_exactly(self, result: MatchResult, tmp_path: Path) -> None:
        values = json.loads(result.save(tmp_path / "m.json").read_text(encoding="utf-8"))
        for name in ("points0", "points1", "scores"):
            np.testing.assert_array_equal(np.array(values[name], np.float32), getattr(result, name))
        assert values["matches"] == MATCHES
        assert (values["image_size0"], values["image_size1"]) == ([40, 30], [50, 20])
        assert (values["exif_orientation0"], values["features"]) == (6, "test@0123")
        assert values["seconds"] == SECONDS
        assert values["image0"] is None

    def test_to_dict_equals_the_json_file(self, result: MatchResult, tmp_path: Path) -> None:
        assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
        assert json.loads(result.save(tmp_path / "m.json").read_text()) == result.to_dict()

    def test_names_may_be_unicode(self, result: MatchResult, tmp_path: Path) -> None:
        named = replace(result, features0=replace(result.features0, source="Föhr/写真.jpg"))
        assert (
            json.loads(named.save(tmp_path / "m.json").read_text(encoding="utf-8"))["image0"]
            == "Föhr/写真.jpg"
        )
        with np.load(named.save(tmp_path / "m.npz")) as arrays:
            assert str(arrays["image0"]) == "Föhr/写真.jpg"

    @pytest.mark.parametrize("name", ["m.json", "m.npz", "M.JSON", "M.NPZ"])
    def test_an_empty_result_is_saved_too(self, empty: MatchResult, tmp_path: Path, name: str) -> None:
        path = empty.save(str(tmp_path / name))
        assert path == tmp_path / name
        if path.suffix.lower() == ".json":
            assert json.loads(path.read_text())["points0"] == []
        else:
            with np.load(path) as arrays:
                assert arrays["points0"].shape == (0, 2)

    def test_numpy_alone_reads_the_file(self, result: MatchResult, tmp_path: Path) -> None:
        path = result.save(tmp_path / "m.npz")
        program = (
            f"import numpy, sys; values = dict(numpy.load({str(path)!r}))\n"
            "assert values['points0'].shape == (3, 2); assert not {'torch', 'tiepoint'} & set(sys.modules)"
        )
        subprocess.run([sys.executable, "-c", program], check=True)

    @pytest.mark.parametrize("name", ["m.txt", "m", "m.npz.gz", ".json"])
    def test_an_unsupported_suffix_is_an_error_and_nothing_is_written(
        self, result: MatchResult, tmp_path: Path, name: str
    ) -> None:
        for attempt in (result.save, check_output_path):
            with pytest.raises(InvalidInput, match=r"\.npz or \.json") as error:
                attempt(tmp_path / name)
            assert "\n" not in str(error.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["m.json", "m.npz"])
    def test_a_failure_leaves_the_old_file(
        self, result: MatchResult, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / name).write_text("old")
        full = OSError(28, "No space left on device")

        def fail(*arguments: object, **options: object) -> None:
            raise full

        monkeypatch.setattr(Path, "write_text", fail)
        monkeypatch.setattr(np, "savez_compressed", fail)
        with pytest.raises(InvalidInput, match="No space left on device"):
            result.save(tmp_path / name)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        assert (tmp_path / name).read_text() == "old"

    def test_a_missing_output_folder_is_an_error(self, result: MatchResult, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="does not exist"):
            result.save(tmp_path / "missing" / "m.npz")


POSE = an_estimate(
    [True, False, True],
    "pose",
    RECTIFIED,
    cam1_from_cam0=np.column_stack([np.eye(3), [1.0, 0, 0]]),
    camera0=Camera(model="SIMPLE_PINHOLE", image_size=SIZE0, params=(50.0, 20.0, 15.0), source="exif"),
    camera1=Camera(model="PINHOLE", image_size=None, params=(50.0, 51.0, 20.0, 15.0)),
)
VERIFICATION = PairVerification(same_scene=False, probability=0.25, reason="few inliers", num_inliers=2)


@pytest.mark.parametrize("suffix", [".json", ".npz"])
class TestLoad:
    def test_everything_but_the_descriptors_comes_back(
        self, result: MatchResult, tmp_path: Path, suffix: str
    ) -> None:
        features0 = replace(result.features0, source="Föhr/写真.jpg")
        saved = replace(result, features0=features0, rotation0=90, rotation1=270)
        loaded = MatchResult.load(saved.save(tmp_path / f"m{suffix}"))
        assert loaded.to_dict() == saved.to_dict()
        for name in ("matches", "scores", "points0", "points1", "prune0", "prune1"):
            assert getattr(loaded, name).dtype == getattr(saved, name).dtype
        assert (loaded.rotation0, loaded.rotation1, loaded.layers_run) == (90, 270, 7)
        assert loaded.features0.descriptors.shape == (6, 0)
        assert (loaded.features0.kind, loaded.features0.source) == ("test@0123", "Föhr/写真.jpg")
        assert loaded.features1.source is None
        assert loaded.seconds == SECONDS

    @pytest.mark.parametrize("estimate", [None, POSE, an_estimate([False] * 3, matrix=None)], ids=str)
    def test_estimate_and_verification_come_back(
        self, result: MatchResult, tmp_path: Path, suffix: str, estimate: TwoViewEstimate | None
    ) -> None:
        path = result.save(tmp_path / f"m{suffix}", estimate, VERIFICATION)
        loaded, found = MatchResult.load(path), MatchResult.load_estimate(path)
        assert loaded.verify() == VERIFICATION
        assert loaded.inliers(an_estimate([True, False, False])).verify() == VERIFICATION
        assert (found is None) == (estimate is None)
        assert loaded.to_dict(found, loaded.verify()) == result.to_dict(estimate, VERIFICATION)

    def test_an_empty_result_comes_back(self, empty: MatchResult, tmp_path: Path, suffix: str) -> None:
        loaded = MatchResult.load(empty.save(tmp_path / f"m{suffix}"))
        assert loaded.to_dict() == empty.to_dict()
        assert loaded.points0.shape == (0, 2)
        assert loaded.verify() == empty.verify()

    def test_another_format_is_an_error(
        self, result: MatchResult, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tiepoint.result.files.FORMAT", 0)
        path = result.save(tmp_path / f"m{suffix}")
        monkeypatch.undo()
        for load in (MatchResult.load, MatchResult.load_estimate):
            with pytest.raises(InvalidInput, match="format 1, got 0"):
                load(path)

    @pytest.mark.parametrize("content", [None, b"", b"[1]", b"PK\x03\x04 damaged", b"\xff\x00"], ids=str)
    def test_a_damaged_file_is_an_error(self, tmp_path: Path, suffix: str, content: bytes | None) -> None:
        path = tmp_path / f"m{suffix}"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InvalidInput, match=path.name) as error:
            MatchResult.load(path)
        assert "\n" not in str(error.value)
