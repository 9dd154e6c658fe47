"""NumPy files and Parquet tables, read back by NumPy and pyarrow; the table of all formats."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from tests.helpers.synthetic_collections import NAMES, PLAIN_NAMES, make_collection

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.export.formats import EXPORTS, MATCH_EXPORTS, export_as
from tiepoint.collection.report.html_view import write_html_view
from tiepoint.collection.sfm.reconstruction import reconstruct
from tiepoint.errors import InvalidInput, MissingDependency


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Without the name that hloc cannot distinguish from another."""
    return make_collection(tmp_path_factory.mktemp("few"), [name for name in NAMES if name != "sub-d.jpg"])[0]


@pytest.fixture(scope="module")
def unverified(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return make_collection(tmp_path_factory.mktemp("unverified"), PLAIN_NAMES[:3], verify=False)[0]


def points_of(collection: Collection, pair: tuple[str, str], side: int) -> np.ndarray:
    return collection.features(pair[side]).keypoints.numpy()[collection.matches(*pair)[0][:, side]]


@pytest.mark.slow
def test_npz_content(collection: Collection) -> None:
    folder = export_as(collection, "npz")
    lines = [json.loads(line) for line in (folder / "pairs.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["image0"], line["image1"]) for line in lines] == list(collection.pairs())
    for line in lines:
        pair = line["image0"], line["image1"]
        with np.load(folder / line["file"]) as found:
            assert (str(found["image0"]), str(found["image1"])) == pair
            np.testing.assert_array_equal(found["matches"], collection.matches(*pair)[0])
            np.testing.assert_array_equal(found["points1"], points_of(collection, pair, 1))
            estimate = collection.geometry(*pair)
            np.testing.assert_array_equal(found["inliers"], estimate.inliers)
            np.testing.assert_array_equal(found["fundamental"], estimate.matrix)
            assert found["scores"].dtype == np.float32
            assert len(found["matches"]) == line["matches"]


def test_npz_of_unverified_pairs_has_no_inliers(unverified: Collection) -> None:
    with np.load(export_as(unverified, "npz") / "1" / "2.npz") as found:
        assert not {"inliers", "fundamental"} & set(found)


@pytest.mark.slow
def test_parquet_has_one_row_per_match(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiepoint.collection.export.formats.PAIRS_PER_ROW_GROUP", 4)
    table = pyarrow.parquet.read_table(export_as(collection, "parquet")).to_pydict()
    expected: dict[str, list] = {name: [] for name in table}
    for pair in collection.pairs():
        (matches, scores), inliers = collection.matches(*pair), collection.geometry(*pair).inliers
        for side in (0, 1):
            expected[f"image{side}"] += [pair[side]] * len(matches)
            expected[f"index{side}"] += matches[:, side].tolist()
            expected[f"x{side}"] += points_of(collection, pair, side)[:, 0].tolist()
            expected[f"y{side}"] += points_of(collection, pair, side)[:, 1].tolist()
        expected["score"] += scores.tolist()
        expected["inlier"] += inliers.tolist()
    assert table == expected
    assert len(table["score"]) > 1000


def test_parquet_of_unverified_pairs_has_null_inliers(unverified: Collection, tmp_path: Path) -> None:
    table = pyarrow.parquet.read_table(export_as(unverified, "parquet", tmp_path / "m.parquet"))
    assert table.column("inlier").null_count == table.num_rows > 0


@pytest.mark.slow
def test_folder_name_that_is_not_utf8(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.symlink_to(collection.folder, target_is_directory=True)
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    opened = open_collection(folder)
    assert all(
        export_as(opened, form).exists() for form in MATCH_EXPORTS if form not in ("colmap-text", "hloc")
    )  # spaces in names
    assert reconstruct(opened).success
    assert json.loads((folder / "colmap" / "reconstruction.json").read_text())["folder"].startswith(
        str(folder)
    )
    assert write_html_view(opened).is_file()


@pytest.mark.parametrize("form", ["colmap", "colmap-text", "hloc", "npz", "parquet"])
def test_collection_without_matches(form: str, tmp_path: Path) -> None:
    collection, _ = make_collection(tmp_path, PLAIN_NAMES[:1])
    assert export_as(collection, form).exists()
    assert form in EXPORTS


def test_unknown_formats_and_options_are_refused(collection: Collection) -> None:
    with pytest.raises(InvalidInput, match="unknown export format 'csv'"):
        export_as(collection, "csv")
    with pytest.raises(InvalidInput, match="cameras"):
        export_as(collection, "npz", cameras="each")


def test_invalid_output_path_is_refused(collection: Collection, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidInput, match="cannot create"):
        export_as(collection, "npz", tmp_path / "file" / "folder")
    with pytest.raises(InvalidInput, match="folder"):
        export_as(collection, "parquet", tmp_path)


@pytest.mark.parametrize(
    ("form", "library"), [("parquet", "pyarrow"), ("hloc", "h5py"), ("colmap", "pycolmap")]
)
def test_missing_library_is_an_error(
    form: str, library: str, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.images  # noqa: B018 (the store needs h5py itself)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependency, match="pip install"):
        export_as(collection, form)
