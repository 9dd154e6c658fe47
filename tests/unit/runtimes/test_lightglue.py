"""The loop in the host does what the package's loop does: the same matches, stops and prunings."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.helpers.tiny_bundles import noisy_pair, tiny_network

from tiepoint.models.lightglue.inference import AdaptiveInference, PairAssignment, match_batch
from tiepoint.models.lightglue.network import normalize_keypoints
from tiepoint.runtimes.bundle import open_bundle
from tiepoint.runtimes.lightglue import AdaptiveLightGlue, ImageInputs, PairOutputs, SingleMatcher

COUNTS = [(0, 0), (0, 5), (1, 1), (7, 3), (64, 64), (200, 131)]


def package_result(pair: tuple[ImageInputs, ImageInputs], adaptivity: AdaptiveInference) -> PairAssignment:
    positions = [
        normalize_keypoints(
            torch.from_numpy(one.keypoints), torch.tensor(one.image_size, dtype=torch.float32)
        )
        for one in pair
    ]
    (result,) = match_batch(
        tiny_network(),
        torch.cat(positions),
        torch.cat([torch.from_numpy(one.descriptors) for one in pair]),
        [(len(pair[0]), len(pair[1]))],
        adaptivity=adaptivity,
        filter_threshold=0.1,
    )
    return result


def assert_same(ours: PairOutputs, expected: PairAssignment) -> None:
    assert (ours.layers_run, ours.stopped_by) == (expected.layers_run, expected.stopped_by)
    for image in (0, 1):
        np.testing.assert_array_equal(getattr(ours, f"prune{image}"), getattr(expected, f"prune{image}"))
        for name in (f"matches{image}", f"matching_scores{image}"):
            np.testing.assert_allclose(
                getattr(ours, name), getattr(expected.assignment, name).numpy(), atol=3e-5, err_msg=name
            )  # similarities up to 48 scale rounding errors


@pytest.fixture(scope="module")
def adaptive(tiny_bundle: Path) -> AdaptiveLightGlue:
    return AdaptiveLightGlue(open_bundle(tiny_bundle), threads=1)


@pytest.mark.parametrize("counts", COUNTS)
def test_adaptive_form_equals_the_package(adaptive: AdaptiveLightGlue, counts: tuple[int, int]) -> None:
    pair = noisy_pair(*counts)
    assert_same(adaptive.match(*pair), package_result(pair, AdaptiveInference()))


@pytest.mark.parametrize(
    ("depth", "width"), [(-1.0, 0.99), (0.95, -1.0), (-1.0, -1.0), (0.2, 0.5), (0.99, 0.3)]
)
def test_thresholds_of_the_manifest_decide(adaptive: AdaptiveLightGlue, depth: float, width: float) -> None:
    pair = noisy_pair(150, 120, seed=3)
    published = adaptive.settings
    adaptive.settings = replace(published, depth_confidence=depth, width_confidence=width)
    try:
        ours = adaptive.match(*pair)
    finally:
        adaptive.settings = published
    expected = package_result(pair, AdaptiveInference(depth_confidence=depth, width_confidence=width))
    assert_same(ours, expected)


def test_pairs_match_stop_and_prune(adaptive: AdaptiveLightGlue) -> None:
    pair = noisy_pair(150, 120)
    assert (adaptive.match(*noisy_pair(30, 30)).matches0 >= 0).sum() > 5
    published = adaptive.settings
    adaptive.settings = replace(published, depth_confidence=0.2)
    stopped = adaptive.match(*pair)
    adaptive.settings = replace(published, depth_confidence=-1.0, width_confidence=0.5)
    pruned = adaptive.match(*pair)
    adaptive.settings = published
    assert stopped.stopped_by == "confidence"
    assert pruned.prune0.min() < pruned.prune0.max()


def test_fewer_layers(adaptive: AdaptiveLightGlue) -> None:
    result = adaptive.match(*noisy_pair(60, 60), max_layers=1)
    assert (result.layers_run, result.stopped_by) == (1, "max_layers")


@pytest.mark.parametrize("counts", COUNTS)
def test_single_form_equals_all_layers(tiny_bundle: Path, counts: tuple[int, int]) -> None:
    pair = noisy_pair(*counts)
    ours = SingleMatcher(open_bundle(tiny_bundle), threads=1).match(*pair)
    assert_same(ours, package_result(pair, AdaptiveInference(depth_confidence=-1, width_confidence=-1)))
