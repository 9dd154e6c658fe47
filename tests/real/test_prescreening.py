"""Prescreening of a folder with two scenes: pairs of different scenes are dropped, the others are matched in full."""

from itertools import combinations
from pathlib import Path

import pytest

import tiepoint

pytestmark = [pytest.mark.real, pytest.mark.weights]

OPTIONS = {"resize": 640, "max_keypoints": 1024, "device": "cpu"}


def test_pairs_of_different_scenes_are_not_matched_in_full(shared_data: Path, tmp_path: Path) -> None:
    scenes = {
        "castle": sorted((shared_data / "sceaux_castle" / "images").glob("*.JPG"))[:2],
        "graf": [shared_data / "oxford_affine" / "graf" / f"img{number}.jpg" for number in (1, 2)],
    }
    photos = tmp_path / "photos"
    photos.mkdir()
    for scene, paths in scenes.items():
        for path in paths:
            (photos / f"{scene}_{path.name}").symlink_to(path.resolve())
    report = tiepoint.match_collection(photos, tmp_path / "out", **OPTIONS)  # type: ignore[arg-type]
    assert (report.pairs, report.prescreened) == (6, 4)
    collection = tiepoint.open_collection(tmp_path / "out")
    for name0, name1 in combinations(sorted(path.name for path in photos.iterdir()), 2):
        matches, _ = collection.matches(name0, name1)
        is_same = name0.partition("_")[0] == name1.partition("_")[0]
        assert len(matches) > 50 if is_same else len(matches) == 0
    again = tiepoint.match_collection(photos, tmp_path / "out", prescreen=None, **OPTIONS)  # type: ignore[arg-type]
    assert (again.pairs, again.prescreened) == (6, 0)
    assert again.new == {"matches": 6, "verified": 6}
