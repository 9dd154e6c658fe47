"""Features are extracted once per file content."""

from pathlib import Path

import pytest
from tests.helpers.scene_images import COUNT, SceneExtractor, names, write

from tiepoint.errors import StoreError
from tiepoint.retrieval import find


def test_cached_features_are_extracted_once(
    query: Path, photos: Path, tmp_path: Path, extractor: SceneExtractor
):
    first = find(query, photos, cache=tmp_path / "cache")
    (photos / "b.png").rename(photos / "renamed.png")
    write(photos / "new.png", scene=1, shift=5)
    extractor.extracted.clear()
    second = find(query, photos, cache=tmp_path / "cache")
    assert sorted(extractor.extracted) == ["new.png", "query.png"]
    assert set(names(second)[:3]) == {"renamed.png", "e.png", "new.png"}
    assert [len(result) for result in first.results][:2] == [COUNT, COUNT]


def test_a_broken_file_is_not_cached(query: Path, photos: Path, tmp_path: Path, extractor: SceneExtractor):
    (photos / "b2.jpg").write_bytes(b"broken")
    for _ in range(2):
        assert len(find(query, photos, cache=tmp_path / "cache").problems) == 1


def test_a_cache_of_other_settings_is_refused_with_the_difference(
    query: Path, photos: Path, tmp_path: Path, extractor: SceneExtractor
):
    find(query, photos, cache=tmp_path / "cache")
    with pytest.raises(StoreError, match="max_keypoints"):
        find(query, photos, cache=tmp_path / "cache", max_keypoints=40)


def test_the_stretch_is_one_of_the_settings(
    query: Path, photos: Path, tmp_path: Path, extractor: SceneExtractor
):
    find(query, photos, cache=tmp_path / "cache")
    with pytest.raises(StoreError, match="stretch"):
        find(query, photos, cache=tmp_path / "cache", stretch="auto")
