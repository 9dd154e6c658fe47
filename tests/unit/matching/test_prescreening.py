"""Prescreening: cheap matches of the highest-scoring keypoints, and the threshold of a preset."""

from typing import Any

import pytest
import torch
from tests.helpers.colored_dots import SHIFT, dots, make_matcher

from tiepoint.errors import InvalidInput
from tiepoint.matching import prescreening
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.prescreening import (
    CALIBRATIONS,
    Calibration,
    Effort,
    Prescreener,
    check_prescreen,
    prescreen_threshold,
)
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape
from tiepoint.types import Assignment


class TestProbabilities:
    def test_tell_scenes_apart(self) -> None:
        matcher = make_matcher(None)
        same, other = matcher.extract(dots(SHIFT)), matcher.extract(dots(seed=1))
        reference = matcher.extract(dots())
        screen = Prescreener(matcher.matcher, Effort(keypoints=60))
        first, second = screen.probabilities([(reference, same), (reference, other)])
        assert first > 0.9 > 0.5 > second

    def test_only_the_best_keypoints_are_matched(self, monkeypatch: pytest.MonkeyPatch) -> None:
        matcher, counts = make_matcher(None), []
        match = type(matcher.matcher).match

        def counted(self: Any, pairs: Any) -> list[Assignment]:
            counts.extend((len(one), len(other)) for one, other in pairs)
            return match(self, pairs)

        monkeypatch.setattr(type(matcher.matcher), "match", counted)
        features = matcher.extract(dots()), matcher.extract(dots(SHIFT))
        Prescreener(matcher.matcher, Effort(keypoints=30)).probabilities([features])
        assert counts == [(30, 30)]

    def test_no_pairs(self) -> None:
        assert Prescreener(make_matcher(None).matcher, Effort()).probabilities([]) == []

    @pytest.mark.parametrize(("layers", "expected"), [(2, 2), (0, 4), (9, 4)])
    def test_first_layers_of_the_preset(self, layers: int, expected: int) -> None:
        torch.manual_seed(0)
        network = LightGlue(LightGlueShape(input_dim=6, dim=8, layers=4, heads=2)).eval()
        screen = Prescreener(LightGlueMatcher(network), Effort(layers=layers))
        matcher = make_matcher(None)
        features = matcher.extract(dots()), matcher.extract(dots(SHIFT))
        assert screen._matcher.match([features])[0].layers_run == expected


class TestOption:
    @pytest.mark.parametrize("value", ["auto", None, 0, 0.25, 1])
    def test_known_values(self, value: Any) -> None:
        assert check_prescreen(value) == value

    @pytest.mark.parametrize("value", ["off", -0.1, 1.5, "0.3"])
    def test_others_are_an_error(self, value: Any) -> None:
        with pytest.raises(InvalidInput, match="prescreen"):
            check_prescreen(value)

    @pytest.fixture(autouse=True)
    def calibration(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = Calibration(effort=Effort(), threshold=0.125)
        monkeypatch.setattr(prescreening, "CALIBRATIONS", {"aliked+lightglue": row})

    @pytest.mark.parametrize(
        ("prescreen", "preset", "by_default", "expected"),
        [
            ("auto", "default", True, 0.125),
            ("auto", "aliked+lightglue", False, None),
            ("auto", "aliked+nearest", True, None),
            (None, "default", True, None),
            (0.4, "default", False, 0.4),
        ],
    )
    def test_threshold(self, prescreen: Any, preset: str, by_default: bool, expected: Any) -> None:
        assert prescreen_threshold(prescreen, preset, {}, by_default=by_default) == expected

    @pytest.mark.parametrize(
        ("preset", "options"),
        [
            ("aliked+nearest", {}),
            ("default", {"matcher_weights": "mine.pth"}),
            ("default", {"max_keypoints": 512}),
            ("default", {"resize": 320}),
        ],
    )
    def test_a_threshold_needs_a_calibration(self, preset: str, options: dict[str, Any]) -> None:
        assert prescreen_threshold("auto", preset, options, by_default=True) is None
        with pytest.raises(InvalidInput, match=r"prescreen: no calibration for .*aliked\+lightglue"):
            prescreen_threshold(0.3, preset, options, by_default=True)


def test_thresholds_are_probabilities() -> None:
    assert all(0 < row.threshold < 0.5 for row in CALIBRATIONS.values())
