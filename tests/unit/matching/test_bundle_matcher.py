"""The matcher of a bundle checks features as every matcher, and has a fingerprint of its options."""

from pathlib import Path

import pytest
import torch
from tests.helpers.tiny_bundles import DIM, KIND

from tiepoint.errors import InvalidInput
from tiepoint.matching.bundle_matcher import BundlePairMatcher
from tiepoint.runtimes.bundle import open_bundle
from tiepoint.runtimes.matching import BundleMatcher, MatchingOptions
from tiepoint.types import Features


def features(*, count: int = 3, dim: int = DIM, kind: str = KIND) -> Features:
    return Features(
        keypoints=10 * torch.rand(count, 2),
        scores=torch.ones(count),
        descriptors=torch.nn.functional.normalize(torch.randn(count, dim)),
        image_size=(20, 20),
        kind=kind,
    )


@pytest.fixture(scope="module")
def matcher(tiny_bundle: Path) -> BundlePairMatcher:
    options = MatchingOptions()
    return BundlePairMatcher(BundleMatcher(open_bundle(tiny_bundle), options, threads=1), options)


def test_pairs_without_keypoints_have_no_matches(matcher: BundlePairMatcher) -> None:
    empty, full = matcher.match([(features(count=0), features()), (features(), features())])
    assert (len(empty.matches), empty.layers_run, empty.stopped_by) == (0, 0, "no_keypoints")
    assert full.layers_run > 0
    assert full.prune1.shape == (3,)


@pytest.mark.parametrize(
    ("wrong", "message"), [({"dim": DIM + 1}, "dimension"), ({"kind": "disk@1"}, "expected kind")]
)
def test_other_features_are_refused(matcher: BundlePairMatcher, wrong: dict, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        matcher.match([(features(), features(**wrong))])


def test_fingerprints_tell_options_apart(matcher: BundlePairMatcher) -> None:
    other = BundlePairMatcher(matcher.matcher, MatchingOptions(adaptive=False))
    assert other.fingerprint != matcher.fingerprint


def test_features_without_keypoints_have_any_dimension(matcher: BundlePairMatcher) -> None:
    (found,) = matcher.match([(features(count=0, dim=1), features())])
    assert len(found.matches) == 0
    assert found.prune1.shape == (3,)
