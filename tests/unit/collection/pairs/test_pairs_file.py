"""The file of the selected pairs: round trip, provenance, damage."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.helpers.synthetic_collections import PLAIN_NAMES, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.pairs.pairs_file import (
    pairs_are_current,
    pairs_provenance,
    read_pairs_provenance,
    read_selected_pairs,
    write_selected_pairs,
)
from tiepoint.errors import StoreError


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
    (tmp_path / "pairs.txt").write_text("a.jpg\tb.jpg\n" + "x" * 200_000 + "\ty\n")
    with pytest.raises(StoreError, match=r"pairs\.txt"):
        list(read_selected_pairs(tmp_path))


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
