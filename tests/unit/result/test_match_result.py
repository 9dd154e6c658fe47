"""MatchResult: matched points, drawings, geometry."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from tests.helpers.match_results import (
    HOMOGRAPHY,
    MATCHES,
    RECTIFIED,
    SCORES,
    SECONDS,
    SIZE0,
    SIZE1,
    an_estimate,
)

from tiepoint import visualization
from tiepoint.errors import InvalidInput
from tiepoint.image import read_image
from tiepoint.result import MatchResult
from tiepoint.types import TwoViewEstimate


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


def test_swapped_images(result: MatchResult) -> None:
    turned = replace(result, rotation0=90, scale=2.0, tilt=3.0)
    swapped = turned.swapped()
    order = np.argsort(result.matches[:, 1])
    np.testing.assert_array_equal(swapped.points0, result.points1[order])
    np.testing.assert_array_equal(swapped.points1, result.points0[order])
    np.testing.assert_array_equal(swapped.scores, result.scores[order])
    assert (np.diff(swapped.matches[:, 0]) > 0).all()
    assert (swapped.rotation0, swapped.rotation1) == (0, 90)
    assert (swapped.scale, swapped.tilt) == (0.5, 3.0)
    assert (len(swapped.prune0), len(swapped.prune1)) == (4, 6)
    assert result.features0 is swapped.features1
    verification = result.verify()
    assert result.swapped().verify() is verification
    np.testing.assert_array_equal(swapped.swapped().matches, result.matches)


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
        brightness = [
            np.asarray(replace(result, scores=np.full(3, score, np.float32)).draw(*images).convert("L")).max()
            for score in (0.0, 1.0)
        ]
        assert brightness[0] + 50 < brightness[1]

    def test_max_lines_limits_the_lines(self, result: MatchResult, images) -> None:
        one, none = result.draw(*images, max_lines=1), result.draw(*images, max_lines=0)
        assert np.any(np.asarray(one) != np.asarray(none))
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


class TestPage:
    def test_save_writes_a_page(
        self, result: MatchResult, images: tuple[np.ndarray, np.ndarray], tmp_path: Path
    ) -> None:
        estimate = an_estimate([True, False, True])
        path = result.save(tmp_path / "pair.html", estimate, image0=images[0], image1=images[1])
        page = path.read_text(encoding="utf-8")
        assert page.startswith("<!doctype html>")
        assert "TiepointViewer.mount" in page

    def test_images_from_memory_are_needed(self, result: MatchResult, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="image 0 was matched from memory"):
            result.save(tmp_path / "pair.html")
        assert not list(tmp_path.iterdir())

    def test_estimates_of_other_matches_are_refused(
        self, result: MatchResult, images: tuple[np.ndarray, np.ndarray]
    ) -> None:
        for name in ("estimate", "homography"):
            with pytest.raises(InvalidInput, match="3 matches"):
                result.viewer_data(**{name: an_estimate([True])}, image0=images[0], image1=images[1])

    def test_unknown_suffixes_name_all_formats(self, result: MatchResult, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"\.npz or \.json or \.html"):
            result.save(tmp_path / "pair.doc")


class TestNotebook:
    def test_numbers_verification_and_picture(
        self, result: MatchResult, images: tuple[np.ndarray, np.ndarray], tmp_path: Path
    ) -> None:
        paths = [tmp_path / name for name in ("a<b>.png", "c.png")]
        for path, image in zip(paths, images, strict=True):
            PIL.Image.fromarray(image).save(path)
        features = [
            replace(part, source=str(path))
            for part, path in zip((result.features0, result.features1), paths, strict=True)
        ]
        shown = replace(result, features0=features[0], features1=features[1])._repr_html_()
        assert "3 matches of a&lt;b&gt;.png and c.png" in shown
        assert "same scene" in shown
        assert "data:image/jpeg" in shown
        assert len(shown) < 300_000

    def test_images_from_memory_have_no_picture(self, result: MatchResult, empty: MatchResult) -> None:
        assert "matched from memory" in result._repr_html_()
        assert "0 matches of image 0 and image 1" in empty._repr_html_()

    def test_show_is_the_page_in_a_frame(
        self, result: MatchResult, images: tuple[np.ndarray, np.ndarray], tmp_path: Path
    ) -> None:
        estimate = an_estimate([True, False, True])
        given = {"image0": images[0], "image1": images[1]}
        view = result.show(estimate, **given)
        assert view.page == result.save(tmp_path / "p.html", estimate, **given).read_text(encoding="utf-8")
        assert "srcdoc=" in view._repr_html_()
