"""Plots of a collection: frustums, points, match graph."""

import numpy as np
import pytest
from tests.helpers.synthetic_collections import Scene

from tiepoint.collection.collection import Collection
from tiepoint.collection.report.plots import frustum_line, graph_figure, scene_extent, scene_figure
from tiepoint.collection.report.statistics import Edge
from tiepoint.collection.sfm.reconstruction import read_model


@pytest.mark.slow
def test_frustum_projects_onto_the_image_border(made: tuple[Collection, Scene]) -> None:
    model = read_model(made[0])
    image = model.find_image_with_name("a.jpg")
    *stroke, end = frustum_line(image, 0.5)
    assert np.isnan(end).all()
    tip = image.projection_center()
    corners = {tuple(image.project_point(p).round(3)) for p in stroke if not np.allclose(p, tip)}
    assert corners == {(0.0, 0.0), (640.0, 0.0), (640.0, 480.0), (0.0, 480.0)}


def test_scene_figure_has_all_points_and_cameras(made: tuple[Collection, Scene]) -> None:
    model = read_model(made[0])
    points, lines, names = scene_figure(model).data
    assert len(points.x) == model.num_points3D()
    assert np.isnan(lines.x).sum() == len(names.x) == 6
    assert (
        1
        < scene_extent(model)
        / np.linalg.norm(np.ptp([i.projection_center() for i in model.images.values()], axis=0))
        < 5
    )


def test_edges_with_more_inliers_are_wider() -> None:
    edges = [Edge(400, "a", "b"), Edge(100, "a", "c"), Edge(1, "b", "c")]
    *lines, nodes = graph_figure(["a", "b", "c"], edges).data
    drawn = [(line.line.width, len(line.x) // 3) for line in lines]
    assert [count for _, count in drawn] == [1, 1, 0, 1]
    assert drawn == sorted(drawn, key=lambda pair: pair[0])
    assert list(nodes.text) == ["a: 2 partners", "b: 2 partners", "c: 2 partners"]
