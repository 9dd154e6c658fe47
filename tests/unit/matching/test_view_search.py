"""rotations="auto": when turns are tried, which one wins, and that nothing is lost; with a detector of dots."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

import tiepoint
from tiepoint import api
from tiepoint.cli import app
from tiepoint.errors import InvalidInput
from tiepoint.extraction.extractor import ExtractionSettings, NeuralExtractor
from tiepoint.matcher import Matcher
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.matching.view_search import TurnProbe, apparent_turn, find_turn
from tiepoint.models.keypoints import Detection
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.result import MatchResult
from tiepoint.types import Features

SIZE = (640, 480)
"""As large as the images of the probe, so that nothing is resized."""

SHIFT = (9, 5)
ORIENTATION = 0x0112


class DotsFromAbove(nn.Module):
    """Finds white pixels, and describes them by the colors below: nothing of it survives a turn."""

    descriptor_dim = 6

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(
        self,
        images: Tensor,
        *,
        max_keypoints: int | None,
        detection_threshold: float,
        masks: Tensor | None = None,
    ) -> list[Detection]:
        image = images[0]
        white = image.amin(0) == 1
        ys, xs = (white if masks is None else white & masks[0]).nonzero().T[:, :max_keypoints]
        below = torch.stack([image[:, ys + 1, xs], image[:, ys + 2, xs]], dim=1).permute(2, 0, 1).flatten(1)
        found = torch.stack((xs, ys), dim=1).float()
        return [
            Detection(found, torch.linspace(1, 0.5, len(xs)), nn.functional.normalize(below - 0.5, dim=1))
        ]


def dots(shift: tuple[int, int] = (0, 0), seed: int = 0, count: int = 80) -> np.ndarray:
    """White dots on black, each in a cross of colors, so that every turn has something below it."""
    random = np.random.default_rng(seed)
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    cells = random.permutation([(x, y) for x in range(20, 480, 16) for y in range(20, 350, 16)])[:count]
    for x, y in cells + np.array(shift):
        image[y - 2 : y + 3, x] = random.integers(0, 250, (5, 3))
        image[y, x - 2 : x + 3] = random.integers(0, 250, (5, 3))
        image[y, x] = 255
    return image


def make_matcher(rotations: Any = "auto", **settings: Any) -> Matcher:
    extraction = ExtractionSettings(kind="dots@0", **{"max_keypoints": None, "resize": None, **settings})
    nearest = NearestMatcher(kind="dots@0", filter_threshold=0.99)
    return Matcher(NeuralExtractor(DotsFromAbove(), extraction), nearest, rotations)


@pytest.fixture(scope="module")
def upright() -> MatchResult:
    return make_matcher(None).match(dots(), dots(SHIFT))


def tried(matcher: Matcher) -> bool:
    """Whether turns were tried in small."""
    return "_turn_probe" in vars(matcher)


def points(result: MatchResult) -> list[list[float]]:
    """Both points of each match, in any order."""
    return sorted(np.hstack([result.points0, result.points1]).tolist())


class TestMatch:
    @pytest.mark.parametrize("turns", [1, 2, 3])
    def test_a_turned_image_gives_what_the_upright_one_gives(self, upright: MatchResult, turns: int) -> None:
        image1 = np.rot90(dots(SHIFT), turns).copy()
        result = make_matcher().match(dots(), image1)
        assert result.rotation1 == 360 - 90 * turns
        assert len(result) == 80
        assert result.features1.image_size == (image1.shape[1], image1.shape[0])
        assert (image1[tuple(result.points1.astype(int).T[::-1])] == 255).all()
        back = make_matcher(None).extract(image1).keypoints  # white pixels, of whatever descriptor
        assert sorted(result.features1.keypoints.tolist()) == sorted(back.tolist())
        np.testing.assert_array_equal(result.matches[:, 0], upright.matches[:, 0])

    def test_upright_images_cost_a_verdict_only(self, upright: MatchResult) -> None:
        matcher = make_matcher()
        result = matcher.match(dots(), dots(SHIFT))
        assert not tried(matcher)
        assert result.rotation1 == 0
        assert points(result) == points(upright)
        assert list(result.seconds) == ["read", "extract", "match", "rotate"]

    def test_never_means_never(self) -> None:
        matcher = make_matcher(None)
        result = matcher.match(dots(), np.rot90(dots(SHIFT)).copy())
        assert (result.rotation1, "rotate" in result.seconds, tried(matcher)) == (0, False, False)

    def test_where_no_turn_helps_the_upright_matches_stay(self) -> None:
        other, matcher = dots(seed=1), make_matcher()
        result = matcher.match(dots(), other)
        assert tried(matcher)
        assert result.rotation1 == 0
        assert points(result) == points(make_matcher(None).match(dots(), other))

    def test_images_without_keypoints(self) -> None:
        black = np.zeros((*SIZE[::-1], 3), np.uint8)
        for pair in ((black, dots()), (dots(), black), (black, black)):
            result = make_matcher().match(*pair)
            assert (len(result), result.rotation1) == (0, 0)

    def test_a_turn_that_is_worse_in_full_is_dropped(
        self, upright: MatchResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tiepoint.matcher.find_turn", lambda *given: 180)
        result = make_matcher().match(dots(), dots(SHIFT))
        assert result.rotation1 == 0
        assert points(result) == points(upright)

    def test_masks_and_borders_turn_too(self) -> None:
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

    def test_exif_orientation_comes_first(self, upright: MatchResult, tmp_path: Path) -> None:
        exif = PIL.Image.Exif()
        exif[ORIENTATION] = 6  # shown after a quarter turn clockwise
        PIL.Image.fromarray(dots(SHIFT)).save(tmp_path / "b.png", exif=exif)
        result = make_matcher().match(dots(), tmp_path / "b.png")
        assert (result.features1.exif_orientation, result.rotation1) == (6, 90)
        assert result.features1.image_size == SIZE[::-1]
        width = SIZE[1]
        expected = [[x0, y0, width - 1 - y1, x1] for x0, y0, x1, y1 in points(upright)]
        assert points(result) == sorted(expected)

    def test_features_of_a_turned_image_have_a_fingerprint_of_their_own(self) -> None:
        matcher = make_matcher()
        result = matcher.match(dots(), np.rot90(dots(), 2).copy())
        assert result.features0.fingerprint == matcher.extractor.fingerprint
        assert result.features1.fingerprint == f"{matcher.extractor.fingerprint}-turned180"

    def test_one_against_many_turns_them_too(self) -> None:
        images = [dots(SHIFT), np.rot90(dots(SHIFT)).copy()]
        found = list(make_matcher().match_one_to_many(dots(), images))
        assert [result.rotation1 for result in found if isinstance(result, MatchResult)] == [0, 270]


def test_it_decides_about_matches_so_the_fingerprint_says_it() -> None:
    assert make_matcher("auto").fingerprint != make_matcher(None).fingerprint


class TestFindTurn:
    @staticmethod
    def never() -> int:
        raise AssertionError("turns must not be tried")

    def test_sure_matches_are_not_questioned(self, upright: MatchResult) -> None:
        assert find_turn(upright, self.never) == 0

    def test_sure_matches_that_are_turned_say_by_how_much(self, upright: MatchResult) -> None:
        assert find_turn(rotated(upright, 100), self.never) == 90

    def test_doubt_asks_the_probe(self, upright: MatchResult) -> None:
        chance = replace(rotated(upright, 0, wrong=80), scores=np.full(80, 0.3, np.float32))
        assert find_turn(chance, lambda: 180) == 180


def rotated(result: MatchResult, degrees: float, wrong: int = 0) -> MatchResult:
    """The same with the points of image 1 turned clockwise about the center of those of image 0."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = (result.points0 - np.array(SIZE) / 2) @ turn + 512
    moved[:wrong] = np.random.default_rng(0).uniform(0, 1024, (wrong, 2))
    features1 = replace(
        result.features1,
        keypoints=torch.from_numpy(moved).float(),
        scores=torch.ones(len(moved)),
        descriptors=torch.ones(len(moved), 1),
        image_size=(1024, 1024),
    )
    matches = np.column_stack([result.matches[:, 0], np.arange(len(moved))])
    return replace(result, features1=features1, matches=matches)


class TestApparentTurn:
    @pytest.mark.parametrize(
        ("degrees", "turn"),
        [
            (0, 0),
            (30, 0),
            (-45, 0),
            (60, 90),
            (90, 90),
            (130, 90),
            (150, 180),
            (-170, 180),
            (-100, 270),
            (-60, 270),
        ],
    )
    @pytest.mark.parametrize("wrong", [0, 8])
    def test_it_is_the_nearest_one(self, upright: MatchResult, degrees: float, turn: int, wrong: int) -> None:
        assert apparent_turn(rotated(upright, degrees, wrong)) == turn

    def test_chance_is_no_turn(self, upright: MatchResult) -> None:
        assert apparent_turn(rotated(upright, 180, wrong=80)) == 0

    @pytest.mark.parametrize("count", [0, 1])
    def test_too_few_matches_say_nothing(self, upright: MatchResult, count: int) -> None:
        turned = rotated(upright, 180)
        assert apparent_turn(replace(turned, matches=turned.matches[:count])) == 0

    def test_matches_at_one_point_say_nothing(self, upright: MatchResult) -> None:
        same = replace(upright, matches=np.repeat(upright.matches[:1], 5, axis=0))
        assert apparent_turn(same) == 0


class TestProbe:
    @pytest.mark.parametrize(
        ("settings", "side", "keypoints"),
        [
            ({}, 640, 1024),
            ({"resize": 1024, "max_keypoints": 2048}, 640, 1024),
            ({"resize": 320, "max_keypoints": 256}, 320, 256),
        ],
        ids=["none", "large", "small"],
    )
    def test_it_never_sees_more_than_the_matcher(self, settings: dict, side: int, keypoints: int) -> None:
        matcher = make_matcher(**settings)
        small = TurnProbe.of(matcher.extractor, matcher.matcher).extractor.settings
        assert (small.resize, small.max_keypoints) == (side, keypoints)

    def test_image_0_is_looked_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        matcher = make_matcher()
        seen: list[tuple[int, int]] = []
        extract = NeuralExtractor.extract
        monkeypatch.setattr(
            NeuralExtractor,
            "extract",
            lambda self, *given: seen.append(given[0].image_size) or extract(self, *given),
        )
        images = [(tiepoint.read_image(image), None) for image in (dots(), np.rot90(dots()).copy())]
        assert matcher._turn_probe.best_turn(*images) == 270  # type: ignore[arg-type]
        assert seen == [SIZE, SIZE[::-1], SIZE, SIZE[::-1], SIZE]

    def test_it_runs_the_first_layers_of_lightglue_only(self) -> None:
        network = tiny_network()
        matcher = LightGlueMatcher(network, adaptivity=AdaptiveInference())
        layers = [
            m.layers_run for m in TurnProbe.of(make_matcher().extractor, matcher).match([pair_of_features()])
        ]
        assert layers == [3]


def tiny_network() -> LightGlue:
    torch.manual_seed(0)
    return LightGlue(LightGlueShape(input_dim=6, dim=8, layers=5, heads=2)).eval()


def pair_of_features() -> tuple[Features, Features]:
    extractor = make_matcher().extractor
    first, second = (extractor.extract(tiepoint.read_image(dots(shift))) for shift in ((0, 0), SHIFT))
    return first, second


class TestWhatIsSaid:
    @pytest.fixture
    def turned(self, upright: MatchResult) -> MatchResult:
        return replace(upright, rotation1=270)

    def test_files_hold_the_turn(self, turned: MatchResult, upright: MatchResult, tmp_path: Path) -> None:
        assert turned.to_dict()["rotation1"] == 270
        assert upright.to_dict()["rotation1"] == 0
        with np.load(turned.save(tmp_path / "m.npz")) as arrays:
            assert int(arrays["rotation1"]) == 270
        assert json.loads(turned.save(tmp_path / "m.json").read_text())["rotation1"] == 270

    def test_pictures_say_it(self, turned: MatchResult, upright: MatchResult) -> None:
        different = np.asarray(turned.draw(dots(), dots(SHIFT))) != np.asarray(
            upright.draw(dots(), dots(SHIFT))
        )
        rows, _ = np.nonzero(different.any(axis=2))
        assert len(rows)
        assert rows.max() < 60  # the caption, and nothing else

    @pytest.mark.parametrize("command", ["match", "pose", "stitch"])
    def test_commands_take_and_tell_it(
        self, turned: MatchResult, command: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = stand_in(monkeypatch, turned)
        done = CliRunner().invoke(app, [command, "a.png", "b.png", "--rotations", "auto"])
        assert asked["rotations"] == "auto"
        assert any(line.split() == ["turned", "by", "270", "degrees"] for line in done.output.splitlines()), (
            done.output
        )

    @pytest.mark.parametrize("arguments", [[], ["--rotations", "none"]], ids=["default", "none"])
    def test_commands_never_turn_unasked(
        self, upright: MatchResult, arguments: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = stand_in(monkeypatch, upright)
        done = CliRunner().invoke(app, ["match", "a.png", "b.png", *arguments])
        assert asked["rotations"] is None
        assert "turned" not in done.output


def stand_in(monkeypatch: pytest.MonkeyPatch, result: MatchResult) -> dict[str, Any]:
    """The work of all commands is this result; gives what `match_to_files` was asked for."""
    from tiepoint.stitching import panorama

    asked: dict[str, Any] = {}

    def work(*images: object, verify: Callable | None = None, **options: Any) -> tuple[MatchResult, Any]:
        asked.update(options)
        return result, tiepoint.estimate_homography(result) if verify else None

    monkeypatch.setattr(api, "match_to_files", work)
    monkeypatch.setattr(panorama, "match_to_files", work)
    monkeypatch.setattr(panorama, "save_image", lambda *given: None)
    monkeypatch.setattr(MatchResult, "panorama", lambda *given: None)
    return asked


@pytest.mark.parametrize("wrong", ["always", True, 90, "none"], ids=str)
def test_what_rotations_can_be(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(
        InvalidInput, match="rotations must be 'auto', or None to match images as they are, but is"
    ):
        tiepoint.load(rotations=wrong)
