"""The HTML view of a collection: content, self-containment, escaping."""

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.synthetic_collections import NAMES, PLAIN_NAMES, Scene, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.report.html_view import write_html_view
from tiepoint.collection.sfm.reconstruction import reconstruct
from tiepoint.errors import InvalidInput, MissingDependency
from tiepoint.types import Features


@pytest.mark.slow
def test_page_is_complete_and_self_contained(made: tuple[Collection, Scene]) -> None:
    page = write_html_view(made[0].folder).read_text(encoding="utf-8")
    for heading in ("Reconstruction", "Match graph", "Images"):
        assert f"<h2>{heading}</h2>" in page
    for name in NAMES:
        assert f"<td>{name}</td>" in page
    assert "6 images registered" in page
    assert page.count("Plotly.newPlot(") >= 2
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)=(?!"data:)', page)


def test_page_without_a_model(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:2])
    page = write_html_view(collection, tmp_path / "page.html").read_text(encoding="utf-8")
    assert "not reconstructed" in page
    assert "<h2>Match graph</h2>" in page
    assert "<h2>Reconstruction</h2>" not in page
    assert page.count("no pose") == 2


def test_model_of_other_features_is_refused(
    made: tuple[Collection, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same number of keypoints per image, in another order."""
    read = Collection.features

    def turned(collection: Collection, name: str) -> Features:
        features = read(collection, name)
        return replace(features, keypoints=features.keypoints.flip(0))

    monkeypatch.setattr(Collection, "features", turned)
    with pytest.raises(InvalidInput, match="reconstruct again"):
        write_html_view(made[0])


@pytest.mark.slow
def test_removed_registered_image_is_left_out(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES)
    reconstruct(collection)
    kept = replace(collection.state, images=collection.state.images[1:])
    page = write_html_view(replace(collection, state=kept)).read_text(encoding="utf-8")
    assert page.count("<td>640 × 480</td>") == len(PLAIN_NAMES) - 1


def test_page_with_one_image_and_escaped_name(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, ["<b>&.jpg"])
    page = write_html_view(collection).read_text(encoding="utf-8")
    assert "<td>&lt;b&gt;&amp;.jpg</td>" in page
    assert "<b>&" not in page


def test_invalid_output_file_is_refused(made: tuple[Collection, Scene], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="folder"):
        write_html_view(made[0], tmp_path)


def test_missing_library_is_an_error(made: tuple[Collection, Scene], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.graph_objects", None)
    with pytest.raises(MissingDependency, match="pip install"):
        write_html_view(made[0])
