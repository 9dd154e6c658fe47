"""Cheap matches: never more pixels, keypoints or layers than the preset, and the same answer on easy images."""

import numpy as np
import pytest
import torch
from tests.helpers.colored_dots import SHIFT, dots, make_matcher

import tiepoint
from tiepoint.extraction.views import ORIGINAL, View
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.views.cheap_match import CheapMatcher, CheapSettings
from tiepoint.matching.views.opened_image import OpenedImage
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape


def cheap(**settings: int | None) -> CheapMatcher:
    matcher = make_matcher(None, **settings)
    return CheapMatcher(matcher.extractor, matcher.matcher, CheapSettings())


@pytest.mark.parametrize(
    ("settings", "side", "keypoints"),
    [
        ({}, 400, 320),
        ({"resize": 1024, "max_keypoints": 2048}, 400, 320),
        ({"resize": 200, "max_keypoints": 100}, 200, 100),
    ],
    ids=["none", "large", "small"],
)
def test_never_uses_more_pixels_or_keypoints(settings: dict, side: int, keypoints: int) -> None:
    found = cheap(border=7, **settings).extractor.settings
    assert (found.resize, found.max_keypoints, found.border) == (side, keypoints, 0)


@pytest.mark.parametrize(("layers", "expected"), [(5, 3), (3, 3), (2, 2)])
def test_runs_only_the_first_layers_of_lightglue(layers: int, expected: int) -> None:
    torch.manual_seed(0)
    network = LightGlue(LightGlueShape(input_dim=6, dim=8, layers=layers, heads=2)).eval()
    full = make_matcher(None)
    matcher = CheapMatcher(
        full.extractor, LightGlueMatcher(network, adaptivity=AdaptiveInference()), CheapSettings()
    )
    features = full.extract(dots()), full.extract(dots(SHIFT))
    assert [match.layers_run for match in matcher.matcher.match([features])] == [expected]


def test_the_right_view_has_the_inliers_and_the_angle() -> None:
    full = make_matcher(None)
    matcher = CheapMatcher(full.extractor, full.matcher, CheapSettings())
    images = [
        OpenedImage(tiepoint.read_image(pixels), None, full.extractor, matcher.extractor)
        for pixels in (dots(), np.rot90(dots(SHIFT)).copy())
    ]
    pairs = [(ORIGINAL, View(rotation)) for rotation in (0, 90, 180, 270)]
    found = matcher.match(images[0], images[1], pairs)
    assert [match.views for match in found] == pairs
    assert [match.num_inliers > 70 for match in found] == [False, False, False, True]
    assert found[3].angle_deg == pytest.approx(-90, abs=0.1)
