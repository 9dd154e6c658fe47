from pathlib import Path

import h5py
import numpy as np
import pytest

from tiepoint.compat.hloc import files as module
from tiepoint.compat.hloc.files import (
    group_names,
    is_matched,
    opened,
    read_features,
    read_matches,
    read_names,
    read_pairs,
    updated_file,
    write_pairs,
)
from tiepoint.errors import InvalidInput


def test_features_of_an_export(files) -> None:
    names = [image.name for image in files.collection.images]
    assert group_names(files.features) == names
    with opened(files.features) as file:
        for name in names:
            features, expected = read_features(file, name), files.collection.features(name)
            np.testing.assert_array_equal(features.descriptors, expected.descriptors)
            np.testing.assert_array_equal(features.scores, expected.scores)
            np.testing.assert_allclose(features.keypoints, expected.keypoints, atol=1.0)
            assert features.image_size == expected.image_size
        with pytest.raises(InvalidInput, match=r"missing\.jpg"):
            read_features(file, "missing.jpg")


def test_features_in_half_precision_under_other_names(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "half.h5", "w") as file:
        group = file.create_group("db/1.jpg")
        group["keypoints"] = np.array(
            [[4093.7, 10.2], [4096.9, 20.0]], np.float16
        )  # the second beyond the border
        group["descriptors"] = np.eye(2, dtype=np.float16)
        group["keypoint_scores"] = np.array([0.5, 0.25], np.float16)
        group["image_size"] = np.array([4096, 100])
    with opened(tmp_path / "half.h5") as file:
        features = read_features(file, "db/1.jpg")
    assert features.keypoints[1].tolist() == [4095, 20]
    assert features.scores.tolist() == [0.5, 0.25]


def test_matches_in_both_orders(files) -> None:
    name0, name1 = next(files.collection.pairs())
    matches, scores = files.collection.matches(name0, name1)
    with opened(files.matches) as file:
        found, found_scores = read_matches(file, name0, name1)
        np.testing.assert_array_equal(found, matches[np.argsort(matches[:, 0])])
        np.testing.assert_array_equal(found_scores, scores[np.argsort(matches[:, 0])])
        np.testing.assert_array_equal(read_matches(file, name1, name0)[0], found[:, ::-1])
        assert is_matched(file, name1, name0)
        assert not is_matched(file, name0, "missing.jpg")
        with pytest.raises(InvalidInput, match=r"missing\.jpg"):
            read_matches(file, name0, "missing.jpg")


def test_old_match_files(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "old.h5", "w") as file:
        group = file.create_group("db-1.jpg_q.jpg")
        group["matches0"], group["matching_scores0"] = (
            np.array([-1, 0], np.int16),
            np.array([0, 1], np.float16),
        )
        assert read_matches(file, "q.jpg", "db/1.jpg")[0].tolist() == [[0, 1]]


def write_and_fail(path: Path, name: str, error: BaseException) -> None:
    with updated_file(path) as file:
        file.create_group(name)["x"] = np.ones(3)
        raise error


def test_an_interrupted_update_keeps_complete_groups(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.h5"
    with pytest.raises(KeyboardInterrupt):
        write_and_fail(path, "a", KeyboardInterrupt())
    assert group_names(path) == ["a"]
    with pytest.raises(ZeroDivisionError):
        write_and_fail(path, "b", ZeroDivisionError())
    assert group_names(path) == ["a"]
    with updated_file(path) as file:
        file.create_group("sub/c")["x"] = np.ones(1)
    assert group_names(path) == ["a", "sub/c"]
    with updated_file(path, overwrite=True) as file:
        file.create_group("d")["x"] = np.ones(1)
    assert group_names(path) == ["d"]
    assert [each.name for each in path.parent.iterdir()] == ["file.h5"]


def test_a_file_that_is_not_hdf5(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(InvalidInput, match=r"text\.h5"), opened(tmp_path / "text.h5"):
        pass
    with pytest.raises(InvalidInput, match=r"none\.h5"):
        group_names(tmp_path / "none.h5")


def test_names(tmp_path: Path) -> None:
    (tmp_path / "list1.txt").write_text("# comment\nb.jpg PINHOLE 640 480\n\nsub/a.jpg\n")
    (tmp_path / "list2.txt").write_text("c.jpg\n")
    assert read_names(tmp_path / "list1.txt") == ["b.jpg", "sub/a.jpg"]
    assert read_names(tmp_path / "list*.txt") == ["b.jpg", "sub/a.jpg", "c.jpg"]
    assert read_names(["x.jpg", Path("sub") / "y.jpg"]) == ["x.jpg", "sub/y.jpg"]
    with pytest.raises(InvalidInput, match="missing"):
        read_names(tmp_path / "missing.txt")


def test_pairs(tmp_path: Path) -> None:
    path = tmp_path / "pairs.txt"
    write_pairs(path, [("a", "b"), ("b", "a"), ("a", "c")])
    assert path.read_text() == "a b\nb a\na c\n"
    assert read_pairs(path) == [("a", "b"), ("a", "c")]
    path.write_text("a b c\n")
    with pytest.raises(InvalidInput, match="'a b c'"):
        read_pairs(path)
    with pytest.raises(InvalidInput, match=r"'a b\.jpg'"):
        write_pairs(path, [("a b.jpg", "c")])


def test_h5py_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError, match=r"tiepoint\[collection\]"):
        module.h5py()
