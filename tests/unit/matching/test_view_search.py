"""In-plane rotation search: when candidates are tried, which one is chosen, and what the coarse search costs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.helpers.colored_dots import SHIFT, SIZE, dots, make_matcher

import tiepoint
from tiepoint.extraction.extractor import NeuralExtractor
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.view_search import ImageAndMask, RotatedMatch, RotationSearch, relative_rotation
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.types import Correspondences, Features


def images(quarters: int = 0) -> tuple[ImageAndMask, ImageAndMask]:
    """A pair of images of the same dots, image 1 rotated by 90-degree steps (CCW)."""
    image1 = np.rot90(dots(SHIFT), quarters).copy()
    return (tiepoint.read_image(dots()), None), (tiepoint.read_image(image1), None)


def make_search(**settings: int | None) -> RotationSearch:
    matcher = make_matcher(**settings)
    return RotationSearch(matcher.extractor, matcher.matcher)


def pair_of_features() -> tuple[Features, Features]:
    extractor = make_matcher().extractor
    (image0, _), (image1, _) = images()
    return extractor.extract(image0), extractor.extract(image1)


def match_upright(quarters: int = 0) -> RotatedMatch:
    search = make_search()
    features0, features1 = (search.extractor.extract(*image_and_mask) for image_and_mask in images(quarters))
    (assignment,) = search.matcher.match([(features0, features1)])
    return RotatedMatch(features0=features0, features1=features1, assignment=assignment)


@pytest.fixture(scope="module")
def upright() -> RotatedMatch:
    return match_upright()


def rotated(match: RotatedMatch, degrees: float, wrong: int = 0, score: float = 1.0) -> RotatedMatch:
    """The same matches with the points of image 1 rotated clockwise, and some of them replaced by random points."""
    angle = np.deg2rad(degrees)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points1 = (match.correspondences.points0 - np.array(SIZE) / 2) @ rotation + 512
    points1[:wrong] = np.random.default_rng(0).uniform(0, 1024, (wrong, 2))
    features1 = replace(
        match.features1,
        keypoints=torch.from_numpy(points1).float(),
        scores=torch.ones(len(points1)),
        descriptors=torch.ones(len(points1), 1),
        image_size=(1024, 1024),
    )
    matches = torch.stack((match.assignment.matches[:, 0], torch.arange(len(points1))), dim=1)
    assignment = replace(match.assignment, matches=matches, scores=torch.full((len(points1),), score))
    return RotatedMatch(features0=match.features0, features1=features1, assignment=assignment)


def select(match: RotatedMatch, indices: list[int]) -> Correspondences:
    matches = replace(
        match.assignment,
        matches=match.assignment.matches[indices],
        scores=match.assignment.scores[indices],
    )
    return Correspondences.from_assignment(match.features0, match.features1, matches)


class TestRelativeRotation:
    @pytest.mark.parametrize(
        ("degrees", "rotation"),
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
    def test_is_the_nearest_multiple_of_90_degrees(
        self, upright: RotatedMatch, degrees: float, rotation: int, wrong: int
    ) -> None:
        assert relative_rotation(rotated(upright, degrees, wrong).correspondences) == rotation

    def test_random_matches_have_none(self, upright: RotatedMatch) -> None:
        assert relative_rotation(rotated(upright, 180, wrong=80).correspondences) == 0

    @pytest.mark.parametrize("count", [0, 1])
    def test_too_few_matches_have_none(self, upright: RotatedMatch, count: int) -> None:
        assert relative_rotation(select(rotated(upright, 180), list(range(count)))) == 0

    def test_matches_at_one_point_have_none(self, upright: RotatedMatch) -> None:
        assert relative_rotation(select(upright, [0] * 5)) == 0


class TestCandidates:
    @pytest.fixture
    def search(self, monkeypatch: pytest.MonkeyPatch) -> RotationSearch:
        """A search whose coarse search returns 180 degrees."""
        monkeypatch.setattr(RotationSearch, "_coarse_search", lambda *images: 180)
        return make_search()

    def test_confident_upright_matches_have_none(self, upright: RotatedMatch, search: RotationSearch) -> None:
        assert list(search._candidates(upright, *images())) == []
        assert not search.is_needed(upright)

    def test_confident_rotated_matches_determine_it(
        self, upright: RotatedMatch, search: RotationSearch
    ) -> None:
        match = rotated(upright, 100)
        assert list(search._candidates(match, *images())) == [90]
        assert search.is_needed(match)

    def test_otherwise_the_coarse_search_determines_it(
        self, upright: RotatedMatch, search: RotationSearch
    ) -> None:
        match = rotated(upright, 0, wrong=80, score=0.3)
        assert list(search._candidates(match, *images())) == [180]
        assert search.is_needed(match)


class TestSearch:
    def test_the_best_match_comes_first(self) -> None:
        upright = match_upright(quarters=1)
        found = make_search().search(upright, *images(quarters=1))
        assert [match.rotation1 for match in found] == [270, 0]
        assert found[1] is upright
        assert found[0].num_inliers > found[1].num_inliers
        assert found[0].features1.image_size == upright.features1.image_size

    def test_upright_matches_win_ties(self, upright: RotatedMatch, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(RotationSearch, "_candidates", lambda *given: iter([90]))
        monkeypatch.setattr(RotationSearch, "_match", lambda *given: replace(upright, rotation1=90))
        assert [match.rotation1 for match in make_search().search(upright, *images())] == [0, 90]

    def test_nothing_is_modified(self, upright: RotatedMatch) -> None:
        before = upright.assignment.matches.clone()
        assert make_search().search(upright, *images()) == [upright]
        assert torch.equal(upright.assignment.matches, before)


class TestCoarseSearch:
    @pytest.mark.parametrize(
        ("settings", "side", "keypoints"),
        [
            ({}, 640, 1024),
            ({"resize": 1024, "max_keypoints": 2048}, 640, 1024),
            ({"resize": 320, "max_keypoints": 256}, 320, 256),
        ],
        ids=["none", "large", "small"],
    )
    def test_never_uses_more_pixels_or_keypoints(self, settings: dict, side: int, keypoints: int) -> None:
        coarse = make_search(**settings).coarse_extractor.settings
        assert (coarse.resize, coarse.max_keypoints, coarse.border) == (side, keypoints, 0)

    def test_extracts_image_0_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes: list[tuple[int, int]] = []
        extract = NeuralExtractor.extract
        monkeypatch.setattr(
            NeuralExtractor,
            "extract",
            lambda self, *given: sizes.append(given[0].image_size) or extract(self, *given),
        )
        assert make_search()._coarse_search(*images(quarters=1)) == 270
        assert sizes == [SIZE, SIZE[::-1], SIZE, SIZE[::-1], SIZE]

    @pytest.mark.parametrize(("layers", "expected"), [(5, 3), (3, 3), (2, 2)])
    def test_runs_only_the_first_layers_of_lightglue(self, layers: int, expected: int) -> None:
        torch.manual_seed(0)
        network = LightGlue(LightGlueShape(input_dim=6, dim=8, layers=layers, heads=2)).eval()
        search = RotationSearch(
            make_matcher().extractor, LightGlueMatcher(network, adaptivity=AdaptiveInference())
        )
        assert [match.layers_run for match in search.coarse_matcher.match([pair_of_features()])] == [expected]

    def test_is_prepared_only_if_needed(self, upright: RotatedMatch) -> None:
        search = make_search()
        search.search(upright, *images())
        assert "coarse_extractor" not in vars(search)
        assert "coarse_matcher" not in vars(search)
