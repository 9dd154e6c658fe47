"""Pairs of image series, and the choice of the fraction of trained weights."""

from pathlib import Path
from typing import Any

from benchmarks.training.interpolation import select_fraction, series_pairs


def row(fraction: float, warps: float, images: float) -> dict[str, Any]:
    return {
        "share": fraction,
        "views": {"precision": warps, "recall": warps},
        "precision": images,
        "recall": images,
        "matches": 80.0,
    }


def test_fraction_is_the_best_on_warps_with_little_loss_on_images() -> None:
    rows = [row(0, 0.83, 0.300), row(0.25, 0.86, 0.296), row(0.5, 0.88, 0.294)]
    assert select_fraction(rows) == 0.25
    assert select_fraction([row(0, 0.83, 0.3), row(1, 0.9, 0.1)]) == 0


def test_images_are_paired_with_later_ones_of_their_series() -> None:
    frames = [Path(f"camvid_{number}.jpg") for number in range(6)]
    pairs = list(series_pairs([*frames, Path("coco128_1.jpg")]))
    expected = [(0, 1), (2, 3), (4, 5), (0, 3), (2, 5)]
    assert pairs == [(frames[first], frames[second]) for first, second in expected]
