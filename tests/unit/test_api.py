"""load, match, Matcher and match_to_files, with a detector of bright dots instead of a network.

Tests that need published weights are at the end.
"""

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import PIL.Image
import pytest
import torch
from tests.helpers.errors import one_line
from torch import Tensor, nn

import tiepoint
from tiepoint import api
from tiepoint.api import Matcher, load, match, match_to_files
from tiepoint.errors import InvalidInput, TiepointError, WeightsError
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.geometry.verification import make_verifier
from tiepoint.loading.config import LoadConfig
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.matching.precision import threshold_for
from tiepoint.models.keypoints import Detection
from tiepoint.presets import PRESETS
from tiepoint.result import MatchResult
from tiepoint.types import Features, TwoViewEstimate

FREE = (
    "aliked+lightglue",
    "aliked+lightglue-small",
    "aliked-n16rot+lightglue",
    "aliked-n32+lightglue",
    "aliked-t16+nearest",
    "disk+lightglue",
    "aliked+nearest",
    "xfeat+lighterglue",
    "xfeat+nearest",
)
"""Presets whose weights are free for any use."""
SHIFT = (7, 4)  # (x, y) px from image 0 to image 1


class BrightDots(nn.Module):
    """Detects white pixels, and describes them by the colors of the pixels below."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(
        self, images: Tensor, *, max_keypoints: int | None, detection_threshold: float
    ) -> list[Detection]:
        image = images[0]
        ys, xs = (image.amin(0) == 1).nonzero().T[:, :max_keypoints]
        below = torch.stack([image[:, ys + 1, xs], image[:, ys + 2, xs]], dim=1).permute(2, 0, 1).flatten(1)
        scores = torch.linspace(1, 0.5, len(xs))
        return [
            Detection(
                torch.stack((xs, ys), dim=1).float(), scores, nn.functional.normalize(below - 0.4, dim=1)
            )
        ]


def dots(shift: tuple[int, int] = (0, 0)) -> np.ndarray:
    """Eight white dots on black, each with two colored pixels below it."""
    random = np.random.default_rng(0)
    image = np.zeros((60, 80, 3), np.uint8)
    for k in range(8):
        x, y = 5 + 8 * k + shift[0], int(random.integers(2, 40)) + shift[1]
        image[y, x] = 255
        image[y + 1 : y + 3, x] = random.integers(0, 250, (2, 3))
    return image


@pytest.fixture
def matcher() -> Matcher:
    settings = ExtractionSettings(kind="dots@0", max_keypoints=None, resize=None)
    return Matcher(
        NeuralExtractor(BrightDots(), settings), NearestMatcher(kind="dots@0", filter_threshold=0.9)
    )


@pytest.fixture
def loaded(matcher: Matcher, monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Calls of `load`, which gives the matcher of dots."""
    calls: list[tuple] = []
    monkeypatch.setattr(api, "load", lambda *given, **options: calls.append((given, options)) or matcher)
    return calls


@pytest.fixture
def photos(tmp_path: Path) -> tuple[str, str]:
    paths = str(tmp_path / "a.png"), str(tmp_path / "b.png")
    for path, shift in zip(paths, ((0, 0), SHIFT), strict=True):
        PIL.Image.fromarray(dots(shift)).save(path)
    return paths


@pytest.fixture
def without_type_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    """As users run it: the checker that wraps the package in tests would refuse wrong types before we do."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


class TestMatcher:
    def test_points_move_with_the_scene(self, matcher: Matcher) -> None:
        result = matcher.match(dots(), dots(SHIFT))
        assert len(result) == 8
        np.testing.assert_array_equal(result.points1 - result.points0, [SHIFT] * 8)
        np.testing.assert_allclose(result.scores, 1, atol=1e-6)

    def test_durations_of_the_three_stages(self, matcher: Matcher) -> None:
        seconds = matcher.match(dots(), dots()).seconds
        assert list(seconds) == ["read", "extract", "match"]
        assert all(isinstance(value, float) and value >= 0 for value in seconds.values())

    def test_match_equals_extract_and_match_features(self, matcher: Matcher, photos: tuple[str, str]) -> None:
        features = [matcher.extract(path) for path in photos]
        (result,) = matcher.match_features([(features[0], features[1])])
        together = matcher.match(*photos)
        np.testing.assert_array_equal(result.matches, together.matches)
        np.testing.assert_array_equal(result.points1, together.points1)
        assert list(result.seconds) == ["match"]
        assert (result.features0.source, together.features1.source) == photos

    def test_results_come_in_the_order_of_the_pairs(self, matcher: Matcher) -> None:
        images = [matcher.extract(dots(shift)) for shift in ((0, 0), (1, 1), (2, 3))]
        pairs = [(images[i], images[j]) for i, j in ((0, 2), (2, 1), (1, 1))]
        moved = [(result.points1 - result.points0)[0].tolist() for result in matcher.match_features(pairs)]
        assert moved == [[2, 3], [-1, -2], [0, 0]]

    def test_any_iterable_of_pairs_is_accepted(self, matcher: Matcher, without_type_checker: None) -> None:
        features = matcher.extract(dots())
        assert len(matcher.match_features(iter([(features, features)] * 3))) == 3  # type: ignore[arg-type]
        assert len(matcher.match_features([[features, features]])) == 1  # type: ignore[list-item]

    def test_no_pairs_no_results(self, matcher: Matcher) -> None:
        assert matcher.match_features([]) == []

    def test_an_image_without_keypoints_gives_an_empty_result(self, matcher: Matcher) -> None:
        black = np.zeros((60, 80, 3), np.uint8)
        for pair in ((black, dots()), (dots(), black), (black, black)):
            result = matcher.match(*pair)
            assert len(result) == 0
            assert result.points0.shape == result.points1.shape == (0, 2)
            assert (result.features0.image_size, result.layers_run) == ((80, 60), 0)

    @pytest.mark.usefixtures("without_type_checker")
    @pytest.mark.parametrize("wrong", [lambda f: (f, f), lambda f: [f, f], lambda f: [f], lambda f: f])
    def test_a_pair_outside_a_list_is_an_error_with_the_right_call(self, matcher: Matcher, wrong) -> None:
        with pytest.raises(InvalidInput, match=r"match_features\(\[\(features0, features1\)\]\)") as error:
            matcher.match_features(wrong(matcher.extract(dots())))
        one_line(error)

    @pytest.mark.usefixtures("without_type_checker")
    @pytest.mark.parametrize("wrong", [[("a.jpg", "b.jpg")], [None], [3]])
    def test_invalid_pairs_are_errors(self, matcher: Matcher, wrong: list) -> None:
        with pytest.raises(InvalidInput, match=r"extract") as error:
            matcher.match_features(wrong)
        one_line(error)

    def test_features_of_another_preset_are_an_error(self, matcher: Matcher) -> None:
        mine = matcher.extract(dots())
        other = Features(
            keypoints=mine.keypoints,
            scores=mine.scores,
            descriptors=mine.descriptors,
            image_size=mine.image_size,
            kind="disk@1",
        )
        with pytest.raises(InvalidInput, match="'dots@0', got 'disk@1'") as error:
            matcher.match_features([(mine, other)])
        one_line(error)

    def test_keypoints_far_outside_the_image_are_an_error(self) -> None:
        with pytest.raises(
            InvalidInput, match="1 of 2 keypoints are more than 1 px outside the 80 x 60"
        ) as error:
            Features(
                keypoints=torch.tensor([[0.0, 0.0], [60.0, 70.0]]),
                scores=torch.ones(2),
                descriptors=torch.ones(2, 4),
                image_size=(80, 60),
            )
        one_line(error)


@pytest.mark.usefixtures("without_type_checker")
class TestImagesThatCannotBeUsed:
    """Each of the two images is checked, and the message is one line that names what is wrong."""

    def broken(self, folder: Path, what: str) -> Path:
        path = folder / f"{what}.jpg"
        if what == "folder":
            path.mkdir()
        elif what == "text":
            path.write_text("dear diary")
        elif what == "empty":
            path.touch()
        elif what == "truncated":
            PIL.Image.fromarray(
                np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)
            ).save(path)
            path.write_bytes(path.read_bytes()[:5000])
        return path

    @pytest.mark.parametrize("what", ["missing", "folder", "text", "empty", "truncated"])
    @pytest.mark.parametrize("side", [0, 1])
    def test_files(self, matcher: Matcher, tmp_path: Path, what: str, side: int) -> None:
        images: list = [dots(), dots()]
        images[side] = self.broken(tmp_path, what)
        with pytest.raises(InvalidInput, match=f"{what}\\.jpg") as error:
            matcher.match(*images)
        one_line(error)

    @pytest.mark.parametrize(
        "image",
        [
            np.full((9, 9, 3), np.nan, np.float32),
            np.zeros((9, 9, 3), complex),
            np.full((9, 9, 3), 200.0),
            np.zeros((9, 9, 7), np.uint8),
            np.zeros(9, np.uint8),
            np.zeros((2, 9, 9, 3), np.uint8),
            np.zeros((0, 9, 3), np.uint8),
            np.array([["a"]]),
            torch.zeros(9, 9, 3),
            torch.full((3, 9, 9), torch.inf),
            None,
            3,
            b"\xff\xd8\xff",
            "",
            [1, 2],
        ],
        ids=repr,
    )
    def test_values(self, matcher: Matcher, image: object) -> None:
        with pytest.raises(InvalidInput) as error:
            matcher.extract(image)  # type: ignore[arg-type]
        assert len(one_line(error)) > 20


class TestMatch:
    def test_it_loads_and_matches(self, loaded: list[tuple], photos: tuple[str, str]) -> None:
        result = match(*photos, preset="disk+lightglue", max_keypoints=7, device="cpu")
        assert loaded == [(("disk+lightglue",), {"max_keypoints": 7, "device": "cpu"})]
        assert len(result) == 8

    def test_the_default_is_the_default_preset(self, loaded: list[tuple], photos: tuple[str, str]) -> None:
        match(*photos)
        assert loaded == [(("aliked+lightglue",), {})]

    def test_an_unknown_option_is_named_with_the_closest_one(self, photos: tuple[str, str]) -> None:
        with pytest.raises(InvalidInput, match="'max_keypoint'; did you mean 'max_keypoints'") as error:
            match(*photos, max_keypoint=7)  # type: ignore[call-arg]
        one_line(error)


@pytest.mark.usefixtures("loaded")
class TestMatchToFiles:
    def test_all_requested_files_are_written(self, photos: tuple[str, str], tmp_path: Path) -> None:
        picture, npz = tmp_path / "m.png", tmp_path / "m.npz"
        result, estimate = match_to_files(
            *photos, picture=picture, json=tmp_path / "m.json", npz=npz, draw={"max_lines": 3}
        )
        assert len(result) == 8
        assert estimate is None
        with np.load(npz) as arrays:
            np.testing.assert_array_equal(arrays["points1"], result.points1)
        with PIL.Image.open(picture) as drawn:
            np.testing.assert_array_equal(drawn, result.draw(max_lines=3))
        assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png", "m.png", "m.json", "m.npz"}

    @pytest.mark.parametrize("reason", ["", "no consensus"], ids=["found", "failed"])
    def test_the_estimate_is_written_too(self, reason: str, photos: tuple[str, str], tmp_path: Path) -> None:
        fits = np.arange(8) < (0 if reason else 6)
        found = TwoViewEstimate(
            kind="homography",
            matrix=None if reason else np.eye(3),
            inliers=fits,
            method="poselib",
            max_error_px=3.0,
            reason=reason,
        )
        picture, json_file = tmp_path / "m.png", tmp_path / "m.json"
        result, estimate = match_to_files(
            *photos, picture=picture, json=json_file, npz=tmp_path / "m.npz", verify=lambda matches: found
        )
        assert estimate is found
        assert list(result.seconds) == [
            *("load_weights", "read", "extract", "match", "verify", "draw", "total")
        ]
        assert json.loads(json_file.read_text())["estimate"]["inliers"] == fits.tolist()
        with np.load(tmp_path / "m.npz") as arrays:
            np.testing.assert_array_equal(arrays["estimate_inliers"], fits)
        with PIL.Image.open(picture) as drawn:
            np.testing.assert_array_equal(drawn, result.draw_inliers(found))

    @pytest.mark.parametrize("kind", [None, "homography"])
    def test_a_page_has_an_estimate_and_a_homography(
        self, kind: str | None, photos: tuple[str, str], tmp_path: Path
    ) -> None:
        """The page estimates what it shows if no verification was asked for; the returned value stays None."""
        verify = make_verifier(kind) if kind else None
        result, estimate = match_to_files(
            *photos, picture=tmp_path / "pair.html", draw={"max_lines": 3, "keypoints": True}, verify=verify
        )
        assert (estimate is None) == (kind is None)
        page = (tmp_path / "pair.html").read_text(encoding="utf-8")
        (text,) = re.findall(r'id="pair">(.*?)</script>', page, re.DOTALL)
        data = json.loads(text)
        assert len(data["scores"]) == len(result) == 8
        assert data["initial"] == {"max_lines": 3, "unmatched": True}
        assert data["estimate"]["kind"] in (("fundamental", "homography") if kind is None else (kind,))
        assert data["verification"]["probability"] == pytest.approx(result.verify().probability, abs=1e-4)

    def test_nothing_is_written_by_default(self, photos: tuple[str, str], tmp_path: Path) -> None:
        match_to_files(*photos)
        assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png"}

    @pytest.mark.parametrize(
        "bad",
        [
            {"picture": "x.doc"},
            {"picture": "no/x.png"},
            {"picture": "no/x.html"},
            {"json": "x.txt"},
            {"json": "x.npz"},
            {"npz": "x.json"},
            {"json": "x.json", "npz": "no/x.npz"},
        ],
    )
    def test_paths_are_validated_before_matching(
        self, bad: dict, photos: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(api, "load", lambda *given, **options: pytest.fail("the work has started"))
        with pytest.raises(InvalidInput) as error:
            match_to_files(*photos, **bad)
        one_line(error)
        assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png"}

    def test_a_failure_keeps_an_existing_file(self, photos: tuple[str, str], tmp_path: Path) -> None:
        with pytest.raises(InvalidInput):
            match_to_files(photos[0], tmp_path / "missing.png", picture=photos[0])
        with PIL.Image.open(photos[0]) as kept:
            np.testing.assert_array_equal(kept, dots())


@pytest.mark.weights
class TestLoad:
    """With the published weights."""

    @pytest.mark.parametrize("name", FREE)
    def test_every_preset_loads(self, name: str) -> None:
        preset, matcher = (
            PRESETS[name],
            load(name, device="cpu", max_keypoints=9, resize=99, filter_threshold=0.3),
        )
        settings = matcher.extractor.settings
        assert (settings.max_keypoints, settings.resize) == (9, 99)
        assert settings.kind.startswith(f"{preset.extractor}@")
        assert matcher.matcher.settings.kind == settings.kind  # type: ignore[attr-defined]
        assert matcher.matcher.settings.filter_threshold == 0.3  # type: ignore[attr-defined]
        assert isinstance(
            matcher.matcher, LightGlueMatcher if preset.matcher == "lightglue" else NearestMatcher
        )

    def test_min_precision_chooses_the_threshold(self) -> None:
        thresholds = [
            load("xfeat+nearest", min_precision=p).matcher.settings.filter_threshold  # type: ignore[attr-defined]
            for p in (None, 0.5, 0.8)
        ]
        assert thresholds == [
            0.1,
            *(threshold_for("xfeat+nearest", p, asdict(LoadConfig())) for p in (0.5, 0.8)),
        ]
        assert thresholds == sorted(set(thresholds))

    @pytest.mark.slow
    def test_the_kind_is_that_of_the_extractor_and_not_of_the_settings(self) -> None:
        kinds = [
            load(name, resize=resize).extractor.settings.kind
            for name, resize in (("aliked+lightglue", 64), ("aliked+nearest", 32), ("aliked-t16+nearest", 64))
        ]
        assert kinds[0] == kinds[1] != kinds[2]

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("adaptive", "depth", "width"), [(True, 1, 1), (False, 0, 0), ("depth", 1, 0), ("width", 0, 1)]
    )
    def test_adaptive_inference_is_the_published_one_or_a_part(
        self, adaptive, depth: int, width: int
    ) -> None:
        found = load(adaptive=adaptive).matcher.settings.adaptivity  # type: ignore[attr-defined]
        assert found.depth_confidence == (0.95 if depth else -1)
        assert found.width_confidence == (0.99 if width else -1)

    @pytest.mark.slow
    def test_settings_do_not_depend_on_the_device(self) -> None:
        assert load(device="cpu").matcher.settings.adaptivity.pruning_min_keypoints == 0  # type: ignore[attr-defined]
        found = load(pruning_min_keypoints=7).matcher.settings  # type: ignore[attr-defined]
        assert found.adaptivity.pruning_min_keypoints == 7

    @pytest.mark.slow
    def test_every_option_that_decides_matches_is_in_the_fingerprint(self) -> None:
        options = [
            {},
            {"resize": 64},
            {"border": 3},
            {"adaptive": False},
            {"pruning_min_keypoints": 7},
            {"max_layers": 3},
            {"filter_threshold": 0.3},
            {"dtype": "bfloat16"},
            {"preset": "disk+lightglue"},
            {"preset": "aliked+nearest"},
            {"preset": "aliked+nearest", "filter_threshold": 0.5},
        ]
        assert len({load(**option).fingerprint for option in options}) == len(options)

    @pytest.mark.slow
    def test_torch_dtypes_are_accepted(self) -> None:
        assert load(dtype=torch.bfloat16).fingerprint == load(dtype="bfloat16").fingerprint
        with pytest.raises(InvalidInput, match=r"'float16', 'bfloat16', got torch\.int8"):
            load(dtype=torch.int8)

    @pytest.mark.slow
    def test_no_option_that_decides_nothing_is_in_the_fingerprint(self) -> None:
        options = [
            {},
            {"batch_size": 3},
            {"memory_budget": 1 << 30},
            {"pruning_min_keypoints": 0},
            {"max_layers": 9},
        ]
        assert len({load(device="cpu", **option).fingerprint for option in options}) == 1

    @pytest.mark.parametrize("option", ["batch_size", "memory_budget", "pruning_min_keypoints"])
    @pytest.mark.parametrize("value", [-1, True])
    def test_invalid_numbers(self, option: str, value: object) -> None:
        with pytest.raises(InvalidInput, match=f"^{option} .*got {value!r}$"):
            load(**{option: value})

    @pytest.mark.parametrize(
        "name", [FREE[0], *(pytest.param(name, marks=pytest.mark.slow) for name in FREE[1:])]
    )
    def test_blank_images_have_no_keypoints(self, name: str) -> None:
        matcher = load(name, resize=64)
        one, black, gray = (
            np.full(shape, value, np.uint8)
            for shape, value in (((1, 1), 9), ((48, 64, 3), 0), ((33, 17), 130))
        )
        for images in ((one, black), (black, gray)):
            result = matcher.match(*images)
            assert (len(result.features0), len(result.features1), len(result), result.layers_run) == (
                0,
                0,
                0,
                0,
            )
            assert result.features0.image_size == images[0].shape[1::-1]

    @pytest.mark.slow
    def test_descriptors_of_another_preset_are_an_error(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        aliked, disk = (
            load(name, resize=64, max_keypoints=20) for name in ("aliked+lightglue", "disk+lightglue")
        )
        mine, theirs = aliked.extract(noise), disk.extract(noise)
        with pytest.raises(InvalidInput, match=r"'aliked-n16@.*', got 'disk@") as error:
            aliked.match_features([(mine, mine), (theirs, theirs)])
        one_line(error)


def test_a_result_of_the_public_function_is_the_public_type(
    loaded: list[tuple], photos: tuple[str, str]
) -> None:
    assert type(tiepoint.match(*photos)) is MatchResult is tiepoint.MatchResult


class TestMatchNearest:
    """Own features, without weights."""

    def features(self, count: int = 40, seed: int = 0) -> Features:
        random = np.random.default_rng(seed)
        return Features(
            keypoints=random.uniform(0, 99, (count, 2)),
            scores=random.uniform(size=count),
            descriptors=random.normal(size=(count, 32)),
            image_size=np.array([100, 100]),
        )

    def test_arrays_of_another_program(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api, "load_state_dict", None)  # no weights
        features0, features1 = self.features(), self.features()
        same, other = tiepoint.match_nearest(
            [(features0, features1), (features0, self.features(seed=1))], max_ratio=0.8
        )
        assert same.matches.tolist() == [[i, i] for i in range(40)]
        np.testing.assert_allclose(same.scores, 1, atol=1e-6)
        np.testing.assert_array_equal(same.points0, same.points1)
        assert len(other) == 0

    def test_a_single_pair_and_invalid_options_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
        features = self.features()
        with pytest.raises(InvalidInput, match="expected a list of pairs"):
            tiepoint.match_nearest((features, features))  # type: ignore[arg-type]
        with pytest.raises(InvalidInput, match="max_ratio: expected a number from 0 to 1"):
            tiepoint.match_nearest([], max_ratio=80)
        assert tiepoint.match_nearest([]) == []


@pytest.mark.parametrize(
    ("preset", "options", "message"),
    [
        ("aliked+lightglue", {"filter_threshold": -0.1}, "number from 0 to 1"),
        ("aliked+nearest", {"filter_threshold": -1.1}, "number from -1 to 1"),
        ("aliked+lightglue", {"max_ratio": 0.8}, "does not support max_ratio"),
        ("aliked+nearest", {"max_ratio": 0}, None),
        ("aliked+nearest", {"filter_threshold": -1}, None),
    ],
)
def test_thresholds_are_those_of_the_matcher(
    preset: str, options: dict[str, Any], message: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise WeightsError("valid options")

    monkeypatch.setattr(api, "load_state_dict", stop)
    with pytest.raises(TiepointError, match=message or "valid options"):
        tiepoint.load(preset, **options)  # type: ignore[arg-type]
