from pathlib import Path

import pytest

from tiepoint.compat.hloc import pairs_from_exhaustive
from tiepoint.compat.hloc.files import read_pairs
from tiepoint.errors import InvalidInput


def test_all_pairs(files, tmp_path: Path) -> None:
    output = tmp_path / "pairs.txt"
    pairs_from_exhaustive.main(output, features=files.features)
    assert sorted(read_pairs(output)) == sorted(files.collection.pairs())
    pairs_from_exhaustive.main(output, image_list=["a", "b", "c"])
    assert read_pairs(output) == [("a", "b"), ("a", "c"), ("b", "c")]
    pairs_from_exhaustive.main(output, image_list=["q1", "q2"], ref_list=["r1", "r2"])
    assert read_pairs(output) == [("q1", "r1"), ("q1", "r2"), ("q2", "r1"), ("q2", "r2")]
    with pytest.raises(InvalidInput, match="image_list"):
        pairs_from_exhaustive.main(output)
