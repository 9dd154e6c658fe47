"""Comparisons count what differs, whatever the order of the keypoints."""

from pathlib import Path

import torch
from tests.helpers.tiny_bundles import noise, tiny_source

from tiepoint.exporting.comparison import Rule, _same_keypoints, compare_extraction, compare_matches
from tiepoint.exporting.random_features import as_inputs, random_pair
from tiepoint.runtimes.bundle import open_bundle
from tiepoint.runtimes.detector import BundleDetector
from tiepoint.runtimes.lightglue import AdaptiveLightGlue


def test_same_keypoints_are_found_at_large_coordinates() -> None:
    keypoints = 4000 + 90 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
    order = torch.arange(199, -1, -1)
    own, other = _same_keypoints(keypoints, keypoints[order])
    assert torch.equal(own, torch.arange(200))
    assert torch.equal(other, order)


def test_an_image_is_extracted_once(tiny_bundle: Path) -> None:
    """The features of the comparison are those that the package extracts."""
    extractor = tiny_source().matcher.extractor
    detector = BundleDetector(open_bundle(tiny_bundle))
    comparison, features = compare_extraction(extractor, detector, noise(), Rule())
    assert (comparison.differing, comparison.counts[0]) == (0, len(features))
    expected = extractor.extract(noise())
    torch.testing.assert_close(features.keypoints, expected.keypoints)
    torch.testing.assert_close(features.descriptors, expected.descriptors)


def test_scores_of_matches_only(tiny_bundle: Path) -> None:
    """A runtime may return matches only: scores below the threshold are no decisions then."""
    matcher, pair = tiny_source().matcher.matcher, random_pair(40, 30, 8, kind="tiny@0")
    (expected,) = matcher.match([pair])
    found = AdaptiveLightGlue(open_bundle(tiny_bundle)).match(*map(as_inputs, pair))
    for scores, matches in (
        (found.matching_scores0, found.matches0),
        (found.matching_scores1, found.matches1),
    ):
        scores[matches < 0] = 0
    compared = compare_matches("single", "random", found, expected, Rule(), matches_only=True)
    assert (compared.differing, compared.scores) == (0, 2 * len(expected.matches))
