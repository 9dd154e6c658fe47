"""Collection: read access to an output folder."""

from pathlib import Path

import numpy as np
import pytest
from tests.helpers.synthetic_collections import make_collection

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.errors import InvalidInput, StoreError


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return make_collection(tmp_path)[0]


def test_reads_the_output_of_a_run(collection: Collection):
    assert [image.name for image in collection.images] == [
        "a.jpg",
        "b.jpg",
        "e.jpg",
        "f.jpg",
        "sub/c.jpg",
        "sub/d.jpg",
    ]
    features = collection.features("sub/c.jpg")
    assert features.source == str(collection.state.image_folder / "sub" / "c.jpg")
    pairs = list(collection.pairs())
    assert len(pairs) == 15
    matches, scores = collection.matches(*pairs[0])
    assert matches.dtype == np.int32
    assert scores.dtype == np.float32
    estimate = collection.geometry(*pairs[0])
    assert estimate is not None
    assert len(estimate.inliers) == len(matches)
    assert collection.settings["preset"] == "aliked+nearest"
    assert collection.settings["verified"] == {"by": "a test", "seed": 0}


def test_unverified_pairs(tmp_path: Path):
    collection, _ = make_collection(tmp_path, verify=False)
    assert collection.geometry("a.jpg", "b.jpg") is None


def test_images_without_features_are_left_out(collection: Collection):
    (path,) = collection.folder.glob("stores/features-*/features/*.h5")
    path.unlink()
    again = open_collection(collection.folder)
    assert again.images == ()
    with pytest.raises(StoreError, match="no features"):
        again.features("a.jpg")


def test_unknown_names(collection: Collection):
    for ask in (
        lambda: collection.features("z.jpg"),
        lambda: collection.matches("a.jpg", "z.jpg"),
        lambda: collection.geometry("z.jpg", "a.jpg"),
    ):
        with pytest.raises(InvalidInput, match=r"z\.jpg"):
            ask()


def test_a_pair_that_is_not_matched(collection: Collection):
    with pytest.raises(StoreError, match="no matches"):
        collection.matches("b.jpg", "a.jpg")


def test_pairs_of_removed_images_are_left_out(collection: Collection):
    with (collection.folder / "pairs.txt").open("a") as file:
        file.write("a.jpg gone.jpg\n")
    assert len(list(open_collection(collection.folder).pairs())) == 15


def test_notebooks_show_numbers(collection: Collection):
    shown = collection._repr_html_()
    for text in ("6 of 6 with features", "15 matched", "aliked+nearest"):
        assert text in shown
