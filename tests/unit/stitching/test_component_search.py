"""Which pairs are matched in rotated views, and how they enter the match graph; the matcher is a fake."""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from tests.helpers.stitch_pairs import homography_pair, inputs_for, matched_pair

from tiepoint.errors import InvalidInput
from tiepoint.io.progress import no_progress
from tiepoint.matcher import Matcher
from tiepoint.result import MatchResult
from tiepoint.stitching import component_search
from tiepoint.stitching.component_search import search_views
from tiepoint.stitching.match_graph import MatchGraph
from tiepoint.stitching.settings import StitchSettings

SHIFT = np.array([[1.0, 0, -200], [0, 1, 0], [0, 0, 1]])
FEW = np.random.default_rng(0).uniform(0, 400, (3, 2))


class RotationMatcher(Matcher):
    """Finds the overlaps of some pairs; the pixel of an image is its index."""

    def __init__(self, *overlaps: tuple[int, int]) -> None:
        self.views = "rotation"
        self.extractor: Any = SimpleNamespace(settings=SimpleNamespace(resize=None))
        self.overlaps = set(overlaps)
        self.calls: list[tuple[int, list[int]]] = []

    def match_one_to_many(
        self, reference: Any, images: Iterable[Any], **options: Any
    ) -> Iterator[MatchResult | InvalidInput]:
        assert options == {"views": "rotation"}
        index, others = reference.item(), [image.item() for image in images]
        self.calls.append((index, others))
        for other in others:
            i, j = min(index, other), max(index, other)
            found = homography_pair(SHIFT, i, j) if (i, j) in self.overlaps else matched_pair(FEW, FEW, i, j)
            yield found.result if index == i else found.result.swapped()


def searched(matcher: RotationMatcher, *edges: tuple[int, int], count: int) -> MatchGraph:
    pairs = [homography_pair(SHIFT, *edge) for edge in edges]
    (image, _) = inputs_for([homography_pair(SHIFT)])
    graph = MatchGraph(
        inputs=dict.fromkeys(range(count), image), pairs={pair.indices: pair for pair in pairs}
    )
    sources = [np.full((1, 1), index) for index in range(count)]
    search_views(matcher, graph, sources, StitchSettings(), no_progress)
    return graph


def test_the_image_with_the_lower_index_is_image_0() -> None:
    graph = searched(RotationMatcher((0, 1)), count=2)
    assert list(graph.pairs) == [(0, 1)]
    pair = graph.pairs[0, 1]
    assert pair.indices == (0, 1)
    assert pair.estimate.matrix is not None
    np.testing.assert_allclose(pair.estimate.matrix, SHIFT, atol=1e-3)


def test_components_of_several_images_are_searched() -> None:
    matcher = RotationMatcher((2, 4))
    graph = searched(matcher, (0, 1), (1, 2), (3, 4), count=5)
    assert graph.components() == [[0, 1, 2, 3, 4]]


def test_small_components_are_joined_with_each_other() -> None:
    graph = searched(RotationMatcher((3, 4), (2, 4)), (0, 1), (1, 2), count=5)
    assert graph.components() == [[0, 1, 2, 3, 4]]
    assert searched(RotationMatcher((1, 2)), count=4).components()[0] == [1, 2]


def test_a_success_ends_the_search_of_a_component() -> None:
    matcher = RotationMatcher((0, 2), (0, 3))
    searched(matcher, (0, 1), (2, 3), count=4)
    assert len(matcher.calls) == 1


def test_no_pair_is_searched_twice_and_the_search_is_limited() -> None:
    matcher = RotationMatcher()
    searched(matcher, (0, 1), (2, 3), count=4)
    pairs = [tuple(sorted((index, other))) for index, others in matcher.calls for other in others]
    assert (
        len(pairs) == len(set(pairs)) == 4
    )  # both images of the smaller component with both of the larger one
    many = RotationMatcher()
    searched(many, count=40)
    assert len(many.calls) == component_search.MAX_SEARCHES
    assert max(len(others) for _, others in many.calls) == component_search.MAX_PARTNERS


def test_nothing_is_searched_without_views() -> None:
    matcher = RotationMatcher((0, 1))
    matcher.views = None
    assert searched(matcher, count=2).pairs == {}
