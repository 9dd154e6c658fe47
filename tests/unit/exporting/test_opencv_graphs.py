"""Graphs for OpenCV: its names and shapes, and never an empty tensor."""

from typing import Any

import pytest
import torch
from tests.helpers.tiny_bundles import KIND, tiny_detector, tiny_source

from tiepoint.exporting.opencv_graphs import (
    OpenCvExtractorGraph,
    _never_empty,
    opencv_extractor_graph,
    opencv_matcher_graph,
    opencv_problem,
)
from tiepoint.matching.lightglue import LightGlueMatcher
from tiepoint.matching.mutual_nearest import NearestMatcher
from tiepoint.models.lightglue.network import LightGlue, LightGlueShape


@torch.no_grad()
def test_keypoints_are_relative_to_the_size() -> None:
    network, image = tiny_detector(), torch.rand(1, 3, 40, 60)
    (expected,) = network(image, max_keypoints=20)
    found = OpenCvExtractorGraph(network, 0.0, 20)(image)
    pixels = (found.keypoints + 1) / 2 * torch.tensor([60.0, 40.0])
    torch.testing.assert_close(pixels, expected.keypoints + 0.5, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.descriptors, expected.descriptors)
    torch.testing.assert_close(found.scores, expected.scores)


@torch.no_grad()
@pytest.mark.parametrize("threshold", [0.0, 1e6])
def test_images_without_keypoints_return_one(threshold: float) -> None:
    blank = OpenCvExtractorGraph(tiny_detector(), 0.0, 20)(torch.zeros(1, 3, 40, 60))
    assert (blank.keypoints.shape, blank.scores.tolist()) == ((1, 2), [0])
    found = OpenCvExtractorGraph(tiny_detector(), threshold, 20)(torch.rand(1, 3, 40, 60))
    assert (len(found.scores), float(found.scores.amax()) > 0) == ((1, False) if threshold else (20, True))


def test_matches_are_never_empty() -> None:
    scores = torch.tensor([0.5, 0.2, 0.9])
    found = _never_empty(torch.tensor([4, -1, 0]), scores)
    assert found.matches0.tolist() == [[0, 4], [2, 0]]
    torch.testing.assert_close(found.mscores0, scores[[0, 2]])
    found = _never_empty(torch.tensor([-1, -1, -1]), scores)
    assert (found.matches0.tolist(), found.mscores0.tolist()) == ([[-1, -1]], [0])


def test_names_and_sizes() -> None:
    extractor = opencv_extractor_graph(tiny_detector(), max_keypoints=7)
    assert (list(extractor.inputs), extractor.outputs) == (["image"], ("keypoints", "descriptors", "scores"))
    matcher = opencv_matcher_graph(tiny_source().matcher.matcher, 8)
    assert {name: tuple(value.shape) for name, value in matcher.inputs.items()} == {
        "kpts0": (1, 24, 2),
        "kpts1": (1, 40, 2),
        "desc0": (1, 24, 8),
        "desc1": (1, 40, 8),
    }
    assert matcher.outputs == ("matches0", "mscores0")
    assert {tuple(sizes) for sizes in matcher.open_sizes.values()} == {(1,)}


def test_nearest_neighbors_ignore_the_positions() -> None:
    graph = opencv_matcher_graph(NearestMatcher(kind=KIND, filter_threshold=0.5), 8)
    descriptors = torch.eye(8)[None]
    found = graph.module(torch.rand(1, 8, 2), torch.rand(1, 5, 2), descriptors, descriptors[:, :5])
    assert found.matches0.tolist() == [[index, index] for index in range(5)]


@pytest.mark.parametrize(
    ("switch", "message"),
    [
        ({"position_dim": 4}, "need keypoint scales and orientations"),
        ({"size_order": "hw"}, "do not scale positions by the longer image side"),
    ],
)
def test_weights_that_opencv_cannot_serve(switch: dict[str, Any], message: str) -> None:
    network = LightGlue(LightGlueShape(input_dim=8, dim=16, layers=1, heads=2, **switch))
    problem = opencv_problem(LightGlueMatcher(network, kind=KIND))
    assert problem is not None
    assert message in problem


def test_weights_that_opencv_serves() -> None:
    assert opencv_problem(tiny_source().matcher.matcher) is None
    assert opencv_problem(NearestMatcher()) is None
