"""The file of the selected pairs: round trip, provenance, damage."""

from dataclasses import replace
from pathlib import Path

import pycolmap
import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.colmap_database import export_colmap
from tiepoint.collection.pairs.pairs_file import (
    pairs_are_current,
    pairs_provenance,
    read_pairs_provenance,
    read_selected_pairs,
    write_plain_pairs,
    write_selected_pairs,
)
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.geometry.colmap import quiet_pycolmap


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return make_collection(tmp_path, PLAIN_NAMES[:3])[0]


def test_round_trip(tmp_path: Path) -> None:
    pairs = [("a b.jpg", 'say "hi".jpg'), ("#1.jpg", "sub/ä.jpg")]
    write_selected_pairs(tmp_path, pairs, "list of a test")
    assert list(read_selected_pairs(tmp_path)) == pairs
    assert read_pairs_provenance(tmp_path) == "list of a test"


def test_without_a_file(tmp_path: Path) -> None:
    assert list(read_selected_pairs(tmp_path)) == []
    assert read_pairs_provenance(tmp_path) == ""


def test_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text("a.jpg b.jpg\n" + "x" * 200_000 + " y\n")
    with pytest.raises(StoreError, match=r"pairs\.txt"):
        list(read_selected_pairs(tmp_path))


@pytest.mark.parametrize("line", ["a.jpg\tb.jpg", "a.jpg b.jpg c.jpg", "a.jpg"])
def test_lines_with_another_number_of_names(tmp_path: Path, line: str) -> None:
    (tmp_path / "pairs.txt").write_text(f"{line}\n")
    with pytest.raises(StoreError, match="expected two names per line"):
        list(read_selected_pairs(tmp_path))


def test_names_separated_by_a_space_and_nothing_else(tmp_path: Path) -> None:
    write_selected_pairs(tmp_path, [("a.jpg", "sub/ä.jpg"), ("a.jpg", "c.jpg")], "of a test")
    assert (tmp_path / "pairs.txt").read_text(encoding="utf-8") == "a.jpg sub/ä.jpg\na.jpg c.jpg\n"


def test_edited_pairs_have_no_provenance(tmp_path: Path) -> None:
    write_selected_pairs(tmp_path, [("a.jpg", "b.jpg")], "of a test")
    (tmp_path / "pairs.txt").write_text("a.jpg c.jpg\n")
    assert read_pairs_provenance(tmp_path) == ""


def test_colmap_reads_the_pairs(collection: Collection, tmp_path: Path) -> None:
    """With a tab or a comment, COLMAP verified nothing, without a message."""
    database = tmp_path / "d.db"
    export_colmap(collection, database)
    with pycolmap.Database.open(str(database)) as file:
        file.clear_two_view_geometries()
    with quiet_pycolmap():
        pycolmap.verify_matches(str(database), str(collection.folder / "pairs.txt"))
    with pycolmap.Database.open(str(database)) as file:
        assert len(file.read_two_view_geometry_num_inliers()[0]) == 3


@pytest.mark.parametrize("name", ["a b.jpg", "a\tb.jpg", "a\u00a0b.jpg", " a.jpg", "#1.jpg"])
def test_names_that_plain_text_cannot_hold(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="rename the images"):
        write_plain_pairs(tmp_path / "p.txt", [("x.jpg", name)])
    write_plain_pairs(tmp_path / "p.txt", [("x.jpg", "sub/a#1.jpg")])
    assert (tmp_path / "p.txt").read_text() == "x.jpg sub/a#1.jpg\n"


def test_provenance_depends_on_selection_images_features_and_list(collection: Collection) -> None:
    images, features = collection.images, {"of": "a test"}
    lines = {
        pairs_provenance("exhaustive", images, features, ""),
        pairs_provenance("sequential:1", images, features, ""),
        pairs_provenance("exhaustive", images[1:], features, ""),
        pairs_provenance("exhaustive", images, {"of": "another"}, ""),
        pairs_provenance("exhaustive", images, features, "0123456789abcdef"),
    }
    assert len(lines) == 5


def test_pairs_are_current_for_the_images_of_the_selection(collection: Collection) -> None:
    state, images = collection.state, collection.images
    assert pairs_are_current(collection.folder, state, images)
    assert not pairs_are_current(collection.folder, state, images[1:])
    other = replace(state, options={**state.options, "pairs": "sequential:1"})
    assert not pairs_are_current(collection.folder, other, images)
