"""Components, duplicates and reasons."""

import numpy as np
from tests.helpers.stitch_pairs import homography_pair, inputs_for, matched_pair

from tiepoint.stitching.match_graph import MatchGraph


def shift(x: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1, 0], [0, 0, 1]])


def test_components_duplicates_and_reasons() -> None:
    none = np.random.default_rng(0).uniform(0, 400, (3, 2))
    pairs = [
        homography_pair(shift(-200), 0, 2),
        homography_pair(shift(-100), 2, 5),
        homography_pair(shift(0), 0, 6),
        homography_pair(shift(150), 1, 3),
        matched_pair(none, none, 3, 4),
    ]
    graph = MatchGraph(
        inputs={each.index: each for each in inputs_for(pairs)}, pairs={pair.indices: pair for pair in pairs}
    )
    assert graph.duplicates() == {6: 0}
    assert graph.components(graph.duplicates()) == [[0, 2, 5], [1, 3], [4]]
    assert len(graph.edges()) == 4
    assert len(graph.edges([0, 2, 5])) == 2
    assert (
        graph.reason_left_out(1, [0, 2, 5]) == "it overlaps with image 3, but with no image of the panorama"
    )
    assert graph.reason_left_out(4, [0, 2, 5]).startswith("no overlap found: ")
    assert graph.reason_left_out(4, [0, 2, 5]).endswith("(best match: image 3)")
