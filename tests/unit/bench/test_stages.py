"""Time of each stage."""

from pathlib import Path
from typing import Any

import pytest

from tiepoint.bench import bench


def test_every_stage_is_measured(loaded: dict[str, Any], photos: tuple[Path, Path]) -> None:
    pair = bench(*photos, preset="some", runs=3, max_keypoints=7).pair
    assert (loaded["preset"], loaded["max_keypoints"]) == ("some", 7)
    assert (pair.images, pair.keypoints, pair.matches) == (("dark.png", "bright.png"), (5, 6), 5)
    assert list(pair.stages) == ["read", "extract", "match"]
    assert all(len(seconds.runs) == 3 and min(seconds.runs) > 0 for seconds in pair.stages.values())
    for total, *parts in zip(
        pair.pair.runs, *(seconds.runs for seconds in pair.stages.values()), strict=True
    ):
        assert total == pytest.approx(sum(parts))
    assert pair.pairs_per_second == pytest.approx(1 / pair.pair.median)
    assert pair.matched_pairs_per_second > pair.pairs_per_second
    assert pair.peak_memory_bytes > 2**20
