"""Panoramas as files, numbers and parts; the rest is in test_panorama."""

from dataclasses import replace

import numpy as np
from tests.helpers.stitch_pairs import homography_pair, inputs_for

from tiepoint.stitching.canvas import Canvas
from tiepoint.stitching.match_graph import LeftOutImage, MatchGraph
from tiepoint.stitching.result import Panorama, failure_to_dict, matches_to_dict, pairs_with_depth


def test_failures_have_reasons_and_the_matches_of_two_images() -> None:
    pair = homography_pair(np.array([[1.0, 0, -200], [0, 1, 0], [0, 0, 1]]))
    graph = MatchGraph(inputs={each.index: each for each in inputs_for([pair])}, pairs={(0, 1): pair})
    left_out = [LeftOutImage(index=1, name="b.jpg", reason="no overlap found")]
    values = failure_to_dict(graph, left_out, "cannot stitch")
    assert values["reason"] == "cannot stitch"
    assert values["left_out"] == [{"index": 1, "name": "b.jpg", "reason": "no overlap found"}]
    assert values["estimate"]["num_inliers"] == values["pairs"][0]["num_inliers"] == len(pair.result)
    assert matches_to_dict(MatchGraph(inputs=graph.inputs, pairs={})) == {}


def test_dropped_pairs_count_as_depth_and_are_written() -> None:
    shift = np.array([[1.0, 0, -200], [0, 1, 0], [0, 0, 1]])
    pairs = [homography_pair(shift, index, index + 1) for index in range(3)]
    dropped = replace(homography_pair(shift, 0, 3), has_parallax=True, reason="it contradicts")
    panorama = Panorama(
        pixels=np.zeros((3, 9, 4), dtype=np.uint8),
        images=(),
        left_out=(),
        pairs=tuple(pairs[:2]),
        views=(),
        canvas=Canvas(scale=9.0, left=0, top=0, width=9, height=3),
        model="rotation",
        projection="plane",
        rms_px=0.6,
        median_error_px=0.4,
        field_of_view_deg=None,
        warnings=(),
        seconds={},
    )
    assert not panorama.has_parallax
    assert replace(panorama, dropped_pairs=(dropped,)).has_parallax
    (written,) = replace(panorama, dropped_pairs=(dropped,)).to_dict()["dropped_pairs"]
    assert (written["index0"], written["index1"], written["reason"]) == (0, 3, "it contradicts")
    assert pairs_with_depth([*pairs, dropped]) == []  # no more than a quarter
    assert pairs_with_depth([*pairs[:2], dropped]) == [dropped]
