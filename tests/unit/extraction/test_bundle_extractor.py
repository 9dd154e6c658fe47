"""tiepoint.load(BUNDLE): extractor and matcher of a bundle with the interface of the package."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.helpers.tiny_bundles import IMAGE_SIZE, tiny_source

import tiepoint
from tiepoint.errors import InvalidInput

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (IMAGE_SIZE[1], IMAGE_SIZE[0], 3), np.uint8)


@pytest.fixture(scope="module")
def matcher(tiny_bundle: Path) -> tiepoint.Matcher:
    return tiepoint.load(tiny_bundle)


def test_features_and_matches_are_those_of_the_package(matcher: tiepoint.Matcher) -> None:
    other = np.roll(IMAGE, 4, axis=1)
    found, expected = matcher.match(IMAGE, other), tiny_source().matcher.match(IMAGE, other)
    assert len(expected) > 5
    assert found.features0.kind == expected.features0.kind
    torch.testing.assert_close(found.features0.keypoints, expected.features0.keypoints, atol=1e-3, rtol=0)
    np.testing.assert_array_equal(found.matches, expected.matches)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    assert (found.layers_run, found.stopped_by) == (expected.layers_run, expected.stopped_by)


def test_the_maximum_number_of_keypoints_is_an_option(tiny_bundle: Path, matcher: tiepoint.Matcher) -> None:
    limited = tiepoint.load(tiny_bundle, max_keypoints=9)
    assert len(limited.extract(IMAGE)) == 9
    assert len(matcher.extract(IMAGE)) > 9
    assert limited.fingerprint != matcher.fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": 512}, "does not support resize"),
        ({"filter_threshold": 0.3}, "does not support filter_threshold"),
        ({"latency_budget_ms": 100.0}, "does not support latency_budget_ms"),
        ({"device": "meta"}, "runs on the CPU, got device 'meta'"),
    ],
)
def test_options_that_the_export_fixed_are_refused(
    tiny_bundle: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        tiepoint.load(tiny_bundle, **options)


def test_masks_are_refused(matcher: tiepoint.Matcher) -> None:
    with pytest.raises(InvalidInput, match="neither masks nor border"):
        matcher.extract(IMAGE, mask=np.ones(IMAGE.shape[:2], np.uint8))
