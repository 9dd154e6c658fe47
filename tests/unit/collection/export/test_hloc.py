"""hloc's HDF5 files, read the way hloc reads them."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from tests.helpers.synthetic_collections import NAMES, PLAIN_NAMES, make_collection

from tiepoint.collection.collection import Collection
from tiepoint.collection.export.hloc import export_hloc, pair_group
from tiepoint.errors import InvalidInput


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Without names that hloc's formats cannot hold."""
    return make_collection(tmp_path_factory.mktemp("few"), ["a.jpg", "sub/ä-ö.jpg", "sub/d.jpg", "z.jpg"])[0]


def test_hloc_reads_pairs(collection: Collection) -> None:
    """Like hloc's parser: two words per line, no comments."""
    lines = (export_hloc(collection) / "pairs.txt").read_text(encoding="utf-8").splitlines()
    assert [tuple(line.split()) for line in lines] == list(collection.pairs())


def test_names_that_the_pairs_cannot_hold_are_refused(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, ["a b.jpg", "c.jpg"])
    with pytest.raises(InvalidInput, match=r"'a b\.jpg'"):
        export_hloc(collection)
    assert not (collection.folder / "exports").exists()


def test_a_failed_export_keeps_the_former_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:3])
    folder = export_hloc(collection)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("tiepoint.collection.export.hloc.write_plain_pairs", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_hloc(collection)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.slow
def test_hloc_reads_features(collection: Collection) -> None:
    with h5py.File(export_hloc(collection) / "features.h5") as file:
        for image in collection.images:
            features, group = collection.features(image.name), file[image.name]
            np.testing.assert_array_equal(group["keypoints"], features.keypoints)
            np.testing.assert_array_equal(group["descriptors"], features.descriptors.T)
            np.testing.assert_array_equal(group["scores"], features.scores)
            assert tuple(group["image_size"]) == features.image_size


def hloc_matches(file: h5py.File, name0: str, name1: str) -> tuple[np.ndarray, np.ndarray]:
    """Like hloc's `get_matches`: find the pair in either order, drop unmatched keypoints (-1)."""
    names = [name.replace("/", "-") for name in (name0, name1)]
    pair = "/".join(names)
    reverse = pair not in file
    group = file["/".join(names[::-1])] if reverse else file[pair]
    matches0 = group["matches0"][()]
    found = np.flatnonzero(matches0 != -1)
    matches = np.stack([found, matches0[found]], axis=1)
    return (matches[:, ::-1] if reverse else matches), group["matching_scores0"][()][found]


@pytest.mark.parametrize("reverse", [False, True])
def test_hloc_reads_matches(collection: Collection, reverse: bool) -> None:
    with h5py.File(export_hloc(collection) / "matches.h5") as file:
        for pair in collection.pairs():
            matches, scores = hloc_matches(file, *(pair[::-1] if reverse else pair))
            ours, our_scores = collection.matches(*pair)
            by_first = np.argsort(ours[:, 0])
            np.testing.assert_array_equal(matches[:, ::-1] if reverse else matches, ours[by_first])
            np.testing.assert_array_equal(scores, our_scores[by_first])


@pytest.mark.slow
def test_names_that_hloc_cannot_distinguish_are_refused(tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, [name for name in NAMES if " " not in name])
    with pytest.raises(InvalidInput, match=r"'sub-d.jpg' from 'sub/d.jpg'|'sub/d.jpg' from 'sub-d.jpg'"):
        export_hloc(collection)
    assert not (collection.folder / "exports").exists()


def test_pair_group() -> None:
    assert pair_group("a/b.jpg", "c d.jpg") == "a-b.jpg/c d.jpg"
