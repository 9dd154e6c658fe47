"""State of an output folder: missing, damaged, of another format version."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.synthetic_collections import make_collection

from tiepoint.collection.collection import Collection, open_collection
from tiepoint.collection.state import (
    Stores,
    clear_leftovers,
    estimate_from_record,
    estimate_to_record,
    prepare_folder,
    resume_hint,
)
from tiepoint.errors import InvalidInput, StoreError
from tiepoint.types import TwoViewEstimate


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return make_collection(tmp_path)[0]


def test_a_folder_without_a_collection(tmp_path: Path):
    with pytest.raises(InvalidInput, match="collection run"):
        open_collection(tmp_path)
    with pytest.raises(InvalidInput, match="collection run"):
        open_collection(tmp_path / "nowhere")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1, "tiepoint": "0.1.0"}'])
def test_damaged_state_is_an_error(collection: Collection, text: str):
    (collection.folder / "collection.json").write_text(text)
    with pytest.raises(StoreError, match=r"collection\.json is damaged"):
        open_collection(collection.folder)


def test_another_format_version_is_refused(collection: Collection):
    path = collection.folder / "collection.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 7, "tiepoint": "9.9"}))
    with pytest.raises(StoreError, match=r"9\.9 .*version 7"):
        open_collection(collection.folder)


def test_estimates_round_trip():
    inliers = np.array([True, False, True])
    estimate = TwoViewEstimate(
        kind="fundamental", matrix=np.eye(3), inliers=inliers, method="poselib", max_error_px=2.0, reason=""
    )
    failed = replace(estimate, matrix=None, inliers=np.zeros(3, bool), reason="no consensus")
    for each in (estimate, failed):
        again = estimate_from_record(estimate_to_record(each))
        np.testing.assert_array_equal(again.inliers, each.inliers)
        assert (again.success, again.reason) == (each.success, each.reason)
    assert estimate_from_record(estimate_to_record(failed)).matrix is None


def test_old_temporary_files_are_removed_and_recent_ones_stay(tmp_path: Path):
    old, recent = tmp_path / ".tiepoint-old", tmp_path / ".tiepoint-recent"
    for path in (old, recent):
        path.touch()
    os.utime(old, (0, 0))
    clear_leftovers(tmp_path, str(tmp_path / "stores"))
    assert (old.exists(), recent.exists()) == (False, True)


def test_unexpected_files_are_refused(tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InvalidInput, match=r"thesis\.tex"):
        prepare_folder(tmp_path)


def test_stores_without_settings_of_a_kind_are_refused(tmp_path: Path):
    with pytest.raises(StoreError, match="verified"):
        Stores.open(str(tmp_path), {"features": {}, "matches": {}})


def test_hint_names_the_last_stage(collection: Collection):
    assert f"collection verify {collection.folder}" in resume_hint(collection.folder, collection.state)
    collection.state.options["verify"] = False
    assert f"collection match {collection.folder}" in resume_hint(collection.folder, collection.state)


def test_one_line_representations(collection: Collection):
    for value in (collection, collection.state):
        assert "6 images" in repr(value)
        assert len(repr(value)) < 250
