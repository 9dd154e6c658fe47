"""Matcher: search over views in `match` and `match_one_to_many`, how they are reported, and its short text form."""

import dataclasses
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from PIL.ExifTags import IFD, Base
from skimage.data import astronaut
from tests.helpers.colored_dots import SHIFT, SIZE, dots, make_matcher
from tests.helpers.cost_models import FREE, FakeClock, costs
from tests.helpers.tiny_detectors import tiny_raco_aliked
from tests.helpers.tiny_superpoint import TINY, tiny
from typer.testing import CliRunner

import tiepoint
from tiepoint import api
from tiepoint.cli import app
from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.geometry.pair_verification import verify_pair
from tiepoint.image import read_image
from tiepoint.io.progress import Advance
from tiepoint.matcher import Matcher
from tiepoint.matching.latency.budget import LatencyBudget
from tiepoint.matching.view_search import ViewSearch
from tiepoint.matching.views.rotation_level import RotationLevel
from tiepoint.result import MatchResult

ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def upright() -> MatchResult:
    return make_matcher(None).match(dots(), dots(SHIFT))


def has_searched(matcher: Matcher) -> bool:
    """Whether there were cheap matches."""
    return "cheap" in vars(matcher._searches.get("rotation", matcher))


def points(result: MatchResult) -> list[list[float]]:
    """Both points of each match, sorted."""
    return sorted(np.hstack([result.points0, result.points1]).tolist())


@pytest.mark.parametrize("views", [None, "rotation"])
def test_its_text_is_one_short_line(views: Any) -> None:
    text = repr(make_matcher(views))
    assert "dots@0" in text
    assert "NearestMatcher" in text
    assert ("rotation" in text) == (views is not None)
    assert len(text) < 100
    assert "\n" not in text


class TestMatch:
    @pytest.mark.parametrize("quarters", [1, 2, 3])
    def test_a_rotated_image_gives_the_matches_of_the_upright_one(
        self, upright: MatchResult, quarters: int
    ) -> None:
        image1 = np.rot90(dots(SHIFT), quarters).copy()
        result = make_matcher().match(dots(), image1)
        assert result.rotation1 == 360 - 90 * quarters
        assert len(result) == 80
        assert result.features1.image_size == (image1.shape[1], image1.shape[0])
        assert (image1[tuple(result.points1.astype(int).T[::-1])] == 255).all()
        back = make_matcher(None).extract(image1).keypoints  # all white pixels
        assert sorted(result.features1.keypoints.tolist()) == sorted(back.tolist())
        np.testing.assert_array_equal(result.matches[:, 0], upright.matches[:, 0])

    def test_upright_images_are_only_verified(self, upright: MatchResult) -> None:
        matcher = make_matcher()
        result = matcher.match(dots(), dots(SHIFT))
        assert not has_searched(matcher)
        assert result.rotation1 == 0
        assert points(result) == points(upright)
        assert list(result.seconds) == ["read", "extract", "match", "views"]

    @pytest.mark.parametrize("quarters", [0, 1])
    def test_the_search_has_verified_the_result_already(
        self, quarters: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        result = make_matcher().match(dots(), np.rot90(dots(SHIFT), quarters).copy())
        expected = verify_pair(result.correspondences)
        monkeypatch.setattr("tiepoint.result.match_result.verify_pair", None)
        verified = result.verify()
        assert verified.num_inliers == expected.num_inliers
        if quarters:  # corrected for the choice among views
            assert 0.9 < verified.probability < expected.probability
        else:
            assert verified == expected

    def test_none_disables_the_search(self) -> None:
        matcher = make_matcher(None)
        result = matcher.match(dots(), np.rot90(dots(SHIFT)).copy())
        assert (result.rotation1, "views" in result.seconds, has_searched(matcher)) == (0, False, False)

    def test_without_a_better_rotation_the_upright_matches_are_returned(self) -> None:
        other, matcher = dots(seed=1), make_matcher()
        result = matcher.match(dots(), other)
        assert has_searched(matcher)
        assert result.rotation1 == 0
        assert points(result) == points(make_matcher(None).match(dots(), other))

    def test_images_without_keypoints(self) -> None:
        black = np.zeros((*SIZE[::-1], 3), np.uint8)
        for pair in ((black, dots()), (dots(), black), (black, black)):
            result = make_matcher().match(*pair)
            assert (len(result), result.rotation0, result.rotation1) == (0, 0, 0)
            assert "no keypoints" in result.verify().reason

    def test_a_candidate_with_fewer_inliers_is_dropped(
        self, upright: MatchResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ViewSearch, "is_needed", lambda *given: True)
        monkeypatch.setattr(RotationLevel, "_find_angle", lambda *given: 180.0)
        result = make_matcher().match(dots(), dots(SHIFT))
        assert (result.rotation0, result.rotation1) == (0, 0)
        assert result.views_tried > 1
        assert points(result) == points(upright)

    def test_masks_and_borders_are_rotated(self) -> None:
        image1 = np.rot90(dots(SHIFT)).copy()
        height, width = image1.shape[:2]
        mask = np.zeros((height, width), bool)
        mask[: height // 2] = True
        result = make_matcher(border=30).match(dots(), image1, mask1=mask)
        assert result.rotation1 == 270
        assert len(result) > 20
        keypoints = result.features1.keypoints.numpy()
        assert keypoints[:, 1].max() < height // 2
        assert keypoints.min() >= 30
        assert keypoints[:, 0].max() < width - 30

    def test_rotations_are_relative_to_the_exif_orientation(
        self, upright: MatchResult, tmp_path: Path
    ) -> None:
        exif = PIL.Image.Exif()
        exif[ORIENTATION] = 6  # displayed after a 90-degree rotation clockwise
        PIL.Image.fromarray(dots(SHIFT)).save(tmp_path / "b.png", exif=exif)
        result = make_matcher().match(dots(), tmp_path / "b.png")
        assert (result.features1.exif_orientation, result.rotation1) == (6, 90)
        assert result.features1.image_size == SIZE[::-1]
        width = SIZE[1]
        expected = [[x0, y0, width - 1 - y1, x1] for x0, y0, x1, y1 in points(upright)]
        assert points(result) == sorted(expected)

    def test_features_of_a_rotated_image_have_their_own_fingerprint(self) -> None:
        matcher = make_matcher()
        result = matcher.match(dots(), np.rot90(dots(), 2).copy())
        assert result.features0.fingerprint == matcher.extractor.fingerprint
        assert result.features1.fingerprint == f"{matcher.extractor.fingerprint}-rotated180"

    def test_match_one_to_many_searches_on_request(self) -> None:
        images = [dots(SHIFT), np.rot90(dots(SHIFT)).copy()]
        for views, rotation in (("rotation", 270), (None, 0)):
            found = list(make_matcher().match_one_to_many(dots(), images, views=views))
            assert [result.rotation1 for result in found if isinstance(result, MatchResult)] == [0, rotation]


def test_views_are_part_of_the_fingerprint() -> None:
    assert make_matcher("rotation").fingerprint != make_matcher(None).fingerprint


class TestReporting:
    @pytest.fixture
    def rotated(self, upright: MatchResult) -> MatchResult:
        return dataclasses.replace(upright, rotation1=270)

    def test_files_contain_the_rotation(
        self, rotated: MatchResult, upright: MatchResult, tmp_path: Path
    ) -> None:
        assert rotated.to_dict()["rotation1"] == 270
        assert upright.to_dict()["rotation1"] == 0
        with np.load(rotated.save(tmp_path / "m.npz")) as arrays:
            assert int(arrays["rotation1"]) == 270
        assert json.loads(rotated.save(tmp_path / "m.json").read_text())["rotation1"] == 270

    def test_drawings_have_it_in_the_caption(self, rotated: MatchResult, upright: MatchResult) -> None:
        different = np.asarray(rotated.draw(dots(), dots(SHIFT))) != np.asarray(
            upright.draw(dots(), dots(SHIFT))
        )
        rows, _ = np.nonzero(different.any(axis=2))
        assert len(rows)
        assert rows.max() < 60  # the caption, and nothing else

    @pytest.mark.parametrize("command", ["match", "pose"])
    def test_commands_have_the_option_and_print_the_rotation(
        self, rotated: MatchResult, command: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passed = fake_matching(monkeypatch, rotated)
        done = CliRunner().invoke(app, [command, "a.png", "b.png", "--views", "rotation"])
        assert passed["views"] == "rotation"
        assert "270 degrees" in done.output

    @pytest.mark.parametrize("arguments", [[], ["--views", "none"]], ids=["default", "none"])
    def test_commands_leave_the_default_to_the_library(
        self, upright: MatchResult, arguments: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passed = fake_matching(monkeypatch, upright)
        done = CliRunner().invoke(app, ["match", "a.png", "b.png", *arguments])
        assert passed.get("views", "default") == (None if arguments else "default")
        assert "degrees" not in done.output


def fake_matching(monkeypatch: pytest.MonkeyPatch, result: MatchResult) -> dict[str, Any]:
    """Replace the matching of all commands by a result; returns the options passed to `match_to_files`."""
    passed: dict[str, Any] = {}

    def work(*images: object, verify: Callable | None = None, **options: Any) -> tuple[MatchResult, Any]:
        passed.update(options)
        return result, tiepoint.estimate_homography(result) if verify else None

    monkeypatch.setattr(api, "match_to_files", work)
    return passed


@pytest.mark.parametrize("wrong", ["always", True, 90, "none"], ids=str)
def test_other_values_of_views_are_an_error(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(InvalidInput, match=r"views.*'rotation'"):
        tiepoint.load(views=wrong)


def narrow(image: np.ndarray) -> np.ndarray:
    """The image in few of 16 bits, with an offset, as a thermal camera writes it."""
    return image.astype(np.uint16) + 29300


class TestStretch:
    def test_low_contrast_images_match_like_others(self, upright: MatchResult) -> None:
        result = make_matcher(None, stretch=0).match(narrow(dots()), narrow(dots(SHIFT)))
        assert points(result) == points(upright)

    def test_without_it_a_warning_names_the_option(self, caplog: pytest.LogCaptureFixture) -> None:
        result = make_matcher(None).match(narrow(dots()), dots())
        assert len(result) == 0
        assert caplog.text.count("low contrast") == 1
        assert "stretch='auto'" in caplog.text

    def test_images_and_rotated_images_are_stretched_once(self) -> None:
        matcher = make_matcher(stretch=0)
        image1 = np.rot90(narrow(dots(SHIFT))).copy()
        expected = make_matcher().match(dots(), np.rot90(dots(SHIFT)).copy())
        (result,) = matcher.match_one_to_many(tiepoint.read_image(narrow(dots())), [image1], views="rotation")
        assert not isinstance(result, InvalidInput)
        assert result.rotation1 == 270
        assert points(result) == points(expected)

    def test_values_beyond_the_range_are_drawn_too(self, tmp_path: Path) -> None:
        kelvin = PIL.Image.fromarray(dots()[..., 0].astype(np.float32) + 273)
        kelvin.save(tmp_path / "a.tif")
        result = make_matcher(None, stretch="auto").match(tmp_path / "a.tif", tmp_path / "a.tif")
        assert np.asarray(result.draw(), float)[: SIZE[1], : SIZE[0]].std() > 20

    def test_it_is_part_of_the_fingerprints(self) -> None:
        prints = {
            make_matcher(None, stretch=stretch).extractor.fingerprint for stretch in (None, "auto", 0, 1, 1.0)
        }
        assert len(prints) == 4


def test_results_belong_to_their_images_after_chdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both folders have an image of the same name."""
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = 1  # Pillow writes no PNG metadata without a tag in the base directory
    for name, focal_mm, image in (("a", 27, dots()), ("b", 85, 255 - dots())):
        (tmp_path / name).mkdir()
        exif.get_ifd(IFD.Exif)[Base.FocalLengthIn35mmFilm] = focal_mm
        PIL.Image.fromarray(image).save(tmp_path / name / "left.png", exif=exif)
    monkeypatch.chdir(tmp_path / "a")
    result = make_matcher(None).match("left.png", "left.png")
    for elsewhere in (tmp_path / "b", tmp_path):
        monkeypatch.chdir(elsewhere)
        drawn = np.asarray(result.draw(max_lines=1), int)[: SIZE[1], : SIZE[0]]
        assert np.abs(drawn - dots()).mean() < 10  # of the other image: more than 200
        estimate = tiepoint.estimate_relative_pose(result)
        assert (estimate.camera0.source, estimate.camera1.source) == ("exif", "exif")
        assert estimate.camera0.focal_lengths[0] == pytest.approx(27 / 43.27 * np.hypot(*SIZE), abs=1)
    result.save(tmp_path / "matches.json")
    monkeypatch.chdir(tmp_path / "b")
    assert MatchResult.load(tmp_path / "matches.json").draw().tobytes() == result.draw().tobytes()


@pytest.mark.parametrize(
    "convert", [Path.read_bytes, lambda path: io.BytesIO(path.read_bytes()), PIL.Image.open]
)
def test_encoded_images_and_masks(tmp_path: Path, convert: Callable[[Path], Any]) -> None:
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[:, : SIZE[0] // 2] = 255
    for name, pixels in (("a", dots()), ("mask", mask)):
        PIL.Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    matcher = make_matcher(None)
    found = matcher.extract(convert(tmp_path / "a.png"), mask=convert(tmp_path / "mask.png"))
    expected = matcher.extract(dots(), mask=mask)
    assert 0 < len(expected) < 80
    assert found.keypoints.tolist() == expected.keypoints.tolist()


class TestLatencyBudget:
    """10 ms per image, 10 us per keypoint, 1 ms for the matching; the images have 80 dots."""

    def limited(self, milliseconds: float, *, views: Any = None) -> Matcher:
        plain = make_matcher(None)
        self.clock = FakeClock()
        budget = LatencyBudget(milliseconds, costs(layers=0, layer=FREE), self.clock)
        return Matcher(plain.extractor, plain.matcher, views, budget)

    def test_enough_time_changes_nothing(self, upright: MatchResult) -> None:
        result = self.limited(10_000).match(dots(), dots(SHIFT))
        assert points(result) == points(upright)
        assert result.keypoints_used == (80, 80)
        assert list(result.seconds) == ["read", "extract", "match"]

    def test_images_that_take_too_long_are_an_error_with_the_smallest_time(self) -> None:
        with pytest.raises(InvalidInput, match=r"latency_budget_ms=20 .*at least 26 ms"):
            self.limited(20).match(dots(), dots(SHIFT))

    def test_features_need_the_time_of_matching_alone(self, upright: MatchResult) -> None:
        matcher = self.limited(20)
        pair = upright.features0, upright.features1
        results = matcher.match_features([pair, pair])
        assert [points(result) for result in results] == [points(upright)] * 2

    def test_every_pair_has_its_own_time(self, upright: MatchResult, monkeypatch: pytest.MonkeyPatch) -> None:
        matcher, left = self.limited(20), []
        match_within = type(matcher.matcher).match_within

        def slow(self_: Any, pair: Any, clock: Any) -> Any:
            left.append(clock.seconds_left)
            self.clock.now += 1
            return match_within(self_, pair, clock)

        monkeypatch.setattr(type(matcher.matcher), "match_within", slow)
        pair = upright.features0, upright.features1
        matcher.match_features([pair] * 3)
        assert left == [pytest.approx(0.0188)] * 3

    def test_many_images_take_one_extraction_each(self, upright: MatchResult) -> None:
        images = [dots(SHIFT), b"broken", upright.features1]
        first, broken, last = self.limited(20).match_one_to_many(dots(), images)
        assert isinstance(broken, InvalidInput)
        assert points(first) == points(last) == points(upright)  # type: ignore[arg-type]

    def test_it_is_part_of_the_fingerprint_and_the_text(self) -> None:
        matchers = [make_matcher(None), self.limited(50), self.limited(60)]
        assert len({matcher.fingerprint for matcher in matchers}) == 3
        assert "latency_budget_ms=50" in repr(matchers[1])

    def test_a_search_over_views_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="views='rotation'"):
            self.limited(50, views="rotation")
        with pytest.raises(InvalidInput, match="views='rotation'"):
            self.limited(50).match_one_to_many(dots(), [], views="rotation")

    def test_a_matcher_of_ones_own_needs_a_method(self) -> None:
        matcher = self.limited(10_000)
        matcher.matcher = SimpleNamespace(fingerprint="", match=lambda pairs: [])
        with pytest.raises(InvalidInput, match=r"SimpleNamespace .*TimedMatcher"):
            matcher.match(dots(), dots(SHIFT))


class TestManyImages:
    def test_progress_advances_once_per_image(self) -> None:
        totals, advanced = [], []

        @contextmanager
        def progress(description: str, total: int | None) -> Iterator[Advance]:
            totals.append((description, total))
            yield advanced.append

        images = [dots(seed=seed) for seed in range(3)]
        results = list(make_matcher(None).match_one_to_many(dots(), images, progress=progress))
        assert len(results) == 3
        assert (totals, advanced) == ([("matching", 3)], [1, 1, 1])
        list(make_matcher(None).match_one_to_many(dots(), iter(images), progress=progress))
        assert totals[1] == ("matching", None)

    def test_progress_is_a_bar_on_request(self, capsys: pytest.CaptureFixture[str]) -> None:
        for progress in (True, False):
            list(make_matcher(None).match_one_to_many(dots(), [dots(SHIFT)], progress=progress))
            assert ("matching" in capsys.readouterr().err) == progress


@pytest.mark.parametrize("views", [None, pytest.param("rotation", marks=pytest.mark.slow)])
def test_threads_may_share_a_matcher(views: Any) -> None:
    """Results of 8 threads at once are bit-identical to those of one."""
    matcher = make_matcher(views)
    images = [np.rot90(dots(SHIFT, seed=seed), seed % 2 if views else 0).copy() for seed in range(4)] * 4
    expected = [matcher.match(dots(), image) for image in images]
    shared = make_matcher(views)  # its cached parts are created by the threads
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda image: shared.match(dots(), image), images))
    for one, other in zip(found, expected, strict=True):
        assert one.rotation1 == other.rotation1
        for name in ("points0", "points1", "scores"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_covariances_are_of_the_image_of_the_features() -> None:
    extractor = NeuralExtractor(
        tiny_raco_aliked(), ExtractionSettings(kind="tiny", max_keypoints=9, resize=None)
    )
    matcher = Matcher(extractor, make_matcher().matcher)
    image = astronaut()[:96, :128]
    features = matcher.extract(image)
    assert matcher.estimate_covariances(image, features).covariances.shape == (9, 2, 2)
    with pytest.raises(InvalidInput, match=r"expected the image of the features, of \(128, 96\) px"):
        matcher.estimate_covariances(astronaut(), features)


class TestDescribe:
    """Descriptors at given keypoints: at the extractor's own they are its own."""

    @pytest.mark.weights
    @pytest.mark.parametrize(
        "preset", ["aliked+nearest", "aliked-t16+nearest", "xfeat+nearest", "disk+lightglue"]
    )
    @pytest.mark.parametrize("resize", [None, 200])
    def test_own_keypoints_have_their_own_descriptors(self, preset: str, resize: int | None) -> None:
        image = astronaut()[100:330, 50:300]
        matcher = tiepoint.load(preset, device="cpu", resize=resize, max_keypoints=150)
        features = matcher.extract(image)
        described = matcher.describe(image, features.keypoints)
        assert len(features) > 30
        assert (described.kind, described.image_size) == (features.kind, features.image_size)
        assert described.scores.tolist() == [1.0] * len(features)
        torch.testing.assert_close(described.keypoints, features.keypoints)
        errors = (described.descriptors - features.descriptors).abs().amax(1)
        # mapping to the original and back moves keypoints by 1e-5 px, which may select another pixel
        assert float(errors.median()) < 1e-4
        assert float((errors > 1e-3).float().mean()) < 0.02

    def test_a_random_superpoint(self) -> None:
        torch.manual_seed(0)
        settings = ExtractionSettings(kind="tiny", resize=None, max_keypoints=50)
        extractor = NeuralExtractor(tiny(TINY), settings)
        image = read_image(astronaut()[:96, :128])
        features = extractor.extract(image)
        assert len(features) > 5
        described = extractor.describe(image, features.keypoints)
        torch.testing.assert_close(described.descriptors, features.descriptors, rtol=0, atol=1e-5)

    @pytest.mark.weights
    def test_points_of_any_form_and_order(self) -> None:
        matcher = tiepoint.load("xfeat+nearest", device="cpu", resize=None)
        image, points = astronaut()[:128, :128], [[30.5, 40.25], [100, 20], [30.5, 40.25]]
        described = matcher.describe(image, points)
        assert described.keypoints.tolist() == points
        assert torch.equal(described.descriptors[0], described.descriptors[2])
        assert not torch.equal(described.descriptors[0], described.descriptors[1])
        assert len(matcher.describe(image, [])) == 0
        with pytest.raises(InvalidInput, match="outside"):
            matcher.describe(image, [[300.0, 4.0]])
        with pytest.raises(InvalidInput, match=r"shape \(n, 2\)"):
            matcher.describe(image, [[1.0, 2.0, 3.0]])
