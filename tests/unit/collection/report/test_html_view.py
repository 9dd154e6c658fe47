"""The page of a collection: what stands in it, that it needs nothing else, and its geometry."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.synthetic_collections import NAMES, PLAIN_NAMES, Scene, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.report import statistics
from tiepoint.collection.report.html_view import write_html_view
from tiepoint.collection.report.plots import frustum_line, graph_figure, scene_extent, scene_figure
from tiepoint.collection.report.statistics import Edge, compute_statistics
from tiepoint.collection.sfm.reconstruction import read_model, reconstruct
from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.types import Features


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Collection, Scene]:
    collection, scene = make_collection(tmp_path_factory.mktemp("view"), NAMES)
    reconstruct(collection)
    return collection, scene


def test_the_page_has_everything_and_loads_nothing(made: tuple[Collection, Scene]) -> None:
    page = write_html_view(made[0].folder).read_text(encoding="utf-8")
    for heading in ("Reconstruction", "Match graph", "Images"):
        assert f"<h2>{heading}</h2>" in page
    for name in NAMES:
        assert f"<td>{name}</td>" in page
    assert "6 images registered" in page
    assert page.count("Plotly.newPlot(") >= 2
    assert not re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=", page)


def test_statistics_are_those_of_pairs_and_model(made: tuple[Collection, Scene]) -> None:
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


def test_a_frustum_projects_onto_the_borders_of_its_image(made: tuple[Collection, Scene]) -> None:
    model = read_model(made[0])
    image = model.find_image_with_name("a.jpg")
    *stroke, end = frustum_line(image, 0.5)
    assert np.isnan(end).all()
    tip = image.projection_center()
    corners = {tuple(image.project_point(p).round(3)) for p in stroke if not np.allclose(p, tip)}
    assert corners == {(0.0, 0.0), (640.0, 0.0), (640.0, 480.0), (0.0, 480.0)}


def test_the_scene_has_all_points_and_cameras(made: tuple[Collection, Scene]) -> None:
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


def test_broader_lines_are_pairs_with_more_matches() -> None:
    edges = [Edge(400, "a", "b"), Edge(100, "a", "c"), Edge(1, "b", "c")]
    *lines, nodes = graph_figure(["a", "b", "c"], edges).data
    drawn = [(line.line.width, len(line.x) // 3) for line in lines]
    assert [count for _, count in drawn] == [1, 1, 0, 1]
    assert drawn == sorted(drawn, key=lambda pair: pair[0])
    assert list(nodes.text) == ["a: 2 partners", "b: 2 partners", "c: 2 partners"]


def test_without_a_model_the_page_shows_the_rest(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:2])
    page = write_html_view(collection, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "not reconstructed" in page
    assert "<h2>Match graph</h2>" in page
    assert "<h2>Reconstruction</h2>" not in page
    assert page.count("no pose") == 2


def test_a_model_of_other_features_is_refused(
    made: tuple[Collection, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many keypoints of each image as the model has, but not in its order."""
    read = Collection.features

    def turned(collection: Collection, name: str) -> Features:
        features = read(collection, name)
        return replace(features, keypoints=features.keypoints.flip(0))

    monkeypatch.setattr(Collection, "features", turned)
    with pytest.raises(InvalidInput, match="reconstruct again"):
        write_html_view(made[0])


def test_a_registered_image_that_has_gone_since_is_left_out(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES)
    reconstruct(collection)
    kept = replace(collection.state, images=collection.state.images[1:])
    page = write_html_view(replace(collection, state=kept)).read_text(encoding="utf-8")
    assert page.count("<td>640 × 480</td>") == len(PLAIN_NAMES) - 1


def test_one_image_and_no_pair_is_a_page_too(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, ["<b>&.jpg"])
    page = write_html_view(collection).read_text(encoding="utf-8")
    assert "<td>&lt;b&gt;&amp;.jpg</td>" in page
    assert "<b>&" not in page


def test_a_page_that_cant_be_written_is_refused(made: tuple[Collection, Scene], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="folder"):
        write_html_view(made[0], tmp_path)


def test_a_missing_library_is_named(made: tuple[Collection, Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(MissingDependency, match="pip install"):
        write_html_view(made[0])
