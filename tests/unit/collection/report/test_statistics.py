"""Statistics of images and pairs."""

import pytest
from tests.helpers.synthetic_collections import Scene

from tiepoint.collection.collection import Collection
from tiepoint.collection.report import statistics
from tiepoint.collection.report.statistics import compute_statistics
from tiepoint.collection.sfm.reconstruction import read_model


@pytest.mark.slow
def test_statistics_of_pairs_and_model(made: tuple[Collection, Scene]) -> None:
    collection, _ = made
    model = read_model(collection)
    rows, edges = compute_statistics(collection, model)
    assert list(rows) == [image.name for image in collection.images]
    assert sum(row.matches for row in rows.values()) == 2 * sum(
        len(collection.matches(*pair)[0]) for pair in collection.pairs()
    )
    assert {(edge.name0, edge.name1): edge.verified for edge in edges} == {
        pair: collection.geometry(*pair).num_inliers for pair in collection.pairs()
    }
    for row in rows.values():
        assert (row.pairs, row.keypoints, row.registered) == (5, 270, True)
        assert row.points == model.find_image_with_name(row.name).num_points3D
        assert 0.01 < row.mean_reprojection_error_px < 0.5


def test_only_the_strongest_edges_are_kept(
    made: tuple[Collection, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = compute_statistics(made[0], None)[1]
    monkeypatch.setattr(statistics, "MAX_EDGES", 4)
    assert compute_statistics(made[0], None)[1] == everything[:4]
