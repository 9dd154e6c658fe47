"""The matcher of a bundle: which form the options choose, and that it matches as the package."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.helpers.tiny_bundles import KIND, noisy_pair, tiny_network

from tiepoint.errors import InvalidInput
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.models.lightglue.inference import AdaptiveInference
from tiepoint.runtimes.bundle import open_bundle
from tiepoint.runtimes.lightglue import ImageInputs
from tiepoint.runtimes.matching import BundleMatcher, MatchingOptions
from tiepoint.types import Assignment, Features

OPTIONS: list[dict[str, Any]] = [
    {},
    {"adaptive": False},
    {"adaptive": "depth"},
    {"adaptive": "width"},
    {"max_layers": 2},
    {"adaptive": False, "max_layers": 3},
    {"pruning_min_keypoints": 50},
]
COUNTS = [(60, 40), (1, 7), (0, 5), (0, 0)]


def pair_of(m: int, n: int) -> tuple[ImageInputs, ImageInputs]:
    """Features in images that are large enough for all keypoints."""
    image0, image1 = noisy_pair(m, n)
    return replace(image0, image_size=(120, 100)), replace(image1, image_size=(110, 128))


def package_matches(images: tuple[ImageInputs, ImageInputs], options: dict[str, Any]) -> Assignment:
    adaptivity = AdaptiveInference.from_flag(
        options.get("adaptive", True), options.get("pruning_min_keypoints")
    )
    matcher = LightGlueMatcher(
        tiny_network(), kind=KIND, adaptivity=adaptivity, max_layers=options.get("max_layers")
    )
    features0, features1 = (
        Features(
            keypoints=image.keypoints,
            scores=torch.ones(len(image)),
            descriptors=image.descriptors,
            image_size=image.image_size,
            kind=KIND,
        )
        for image in images
    )
    (assignment,) = matcher.match([(features0, features1)])
    return assignment


@pytest.mark.parametrize("options", OPTIONS)
def test_options_match_as_in_the_package(tiny_bundle: Path, options: dict[str, Any]) -> None:
    matcher = BundleMatcher(open_bundle(tiny_bundle), MatchingOptions(**options), threads=1)
    stops = set()
    for m, n in COUNTS:
        images = pair_of(m, n)
        found, expected = matcher.match(*images), package_matches(images, options)
        matched = np.flatnonzero(found.matches0 >= 0)
        assert [(i, int(found.matches0[i])) for i in matched] == [
            tuple(row) for row in expected.matches.tolist()
        ]
        np.testing.assert_allclose(found.matching_scores0, expected.matching_scores0.numpy(), atol=1e-4)
        assert (found.layers_run, found.stopped_by) == (expected.layers_run, expected.stopped_by)
        for own, theirs in ((found.prune0, expected.prune0), (found.prune1, expected.prune1)):
            np.testing.assert_array_equal(own, theirs.numpy())
        stops.add(found.stopped_by)
    assert len(stops) >= 2


def test_invalid_options_are_named() -> None:
    for options, message in (
        ({"max_layers": 0}, "max_layers must be an integer of at least 1"),
        ({"pruning_min_keypoints": -1}, "pruning_min_keypoints must be an integer of at least 0"),
    ):
        with pytest.raises(InvalidInput, match=message):
            MatchingOptions(**options)


def test_layers_need_the_adaptive_form(tiny_bundle: Path) -> None:
    bundle = open_bundle(tiny_bundle)
    manifest = bundle.manifest
    single = replace(bundle, manifest=replace(manifest, matcher=replace(manifest.matcher, adaptive=None)))
    with pytest.raises(InvalidInput, match="max_layers needs the adaptive form"):
        BundleMatcher(single, MatchingOptions(max_layers=2))
    images = noisy_pair(60, 40)
    assert BundleMatcher(single, threads=1).match(*images).layers_run == manifest.matcher.layers
