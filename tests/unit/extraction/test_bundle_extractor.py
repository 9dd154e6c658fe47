"""tiepoint.load(BUNDLE): extractor and matcher of a bundle with the interface of the package."""

from pathlib import Path

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


def test_masks_are_refused(matcher: tiepoint.Matcher) -> None:
    with pytest.raises(InvalidInput, match="neither masks nor border"):
        matcher.extract(IMAGE, mask=np.ones(IMAGE.shape[:2], np.uint8))
