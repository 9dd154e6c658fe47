from pathlib import Path

import h5py
import numpy as np
import pytest

from tiepoint.compat.hloc import pairs_from_retrieval
from tiepoint.compat.hloc.pairs_from_retrieval import top_pairs
from tiepoint.errors import InvalidInput

ANGLES = {"db/1.jpg": 0, "db/2.jpg": 20, "db/3.jpg": 100, "query/q.jpg": 15}
"""Directions of global descriptors in degrees."""


@pytest.fixture
def descriptors(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "global.h5", "w") as file:
        for name, angle in ANGLES.items():
            vector = [np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))]
            file.create_group(name)["global_descriptor"] = np.array(vector, np.float16)
    return tmp_path / "global.h5"


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_global_descriptors(descriptors: Path, tmp_path: Path) -> None:
    output = tmp_path / "pairs.txt"
    pairs_from_retrieval.main(descriptors, output, 2, query_prefix="query", db_prefix="db")
    assert lines(output) == ["query/q.jpg db/2.jpg", "query/q.jpg db/1.jpg"]
    pairs_from_retrieval.main(
        descriptors, output, 5, query_list=["db/1.jpg"], db_list=["db/1.jpg", "db/3.jpg"]
    )
    assert lines(output) == []  # db/3.jpg is more than 90 degrees away, as in hloc
    pairs_from_retrieval.main(descriptors, output, 1)
    assert lines(output)[0] == "db/1.jpg query/q.jpg"
    assert len(lines(output)) == 4


def test_descriptors_of_two_files(descriptors: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_group("other.jpg")["global_descriptor"] = np.array([1, 0], np.float32)
    output = tmp_path / "pairs.txt"
    pairs_from_retrieval.main(
        descriptors, output, 3, query_prefix=["query"], db_descriptors=tmp_path / "other.h5"
    )
    assert lines(output) == ["query/q.jpg other.jpg"]


def test_local_features(files, tmp_path: Path) -> None:
    output = tmp_path / "pairs.txt"
    pairs_from_retrieval.main(files.features, output, 2)
    names = {image.name for image in files.collection.images}
    found = [tuple(line.split()) for line in lines(output)]
    assert len(found) == 2 * len(names)
    assert all(name0 != name1 and {name0, name1} <= names for name0, name1 in found)
    pairs_from_retrieval.main(files.features, output, 9, query_list=["a.jpg"], db_prefix="sub")
    assert {line.split()[1] for line in lines(output)} == {"sub/c.jpg", "sub/d.jpg"}


def test_missing_images(descriptors: Path, files, tmp_path: Path) -> None:
    output = tmp_path / "pairs.txt"
    with pytest.raises(InvalidInput, match="no query images"):
        pairs_from_retrieval.main(descriptors, output, 1, query_prefix="missing")
    with pytest.raises(InvalidInput, match=r"missing\.jpg"):
        pairs_from_retrieval.main(descriptors, output, 1, db_list=["missing.jpg"])
    with pytest.raises(InvalidInput, match=r"missing\.jpg"):
        pairs_from_retrieval.main(files.features, output, 1, db_list=["missing.jpg"])
    assert not output.exists()


def test_top_pairs() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.2, 0.2, 0.1]], np.float32)
    excluded = np.array([[False, True, False], [False, False, False]])
    assert top_pairs(scores, excluded, 2) == [(0, 2), (0, 0), (1, 0), (1, 1)]
