"""Calibrated thresholds: which one a precision chooses, and what has no calibration."""

from typing import Any

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.loading.config import LoadConfig
from tiepoint.matching.precision import CALIBRATIONS, SCORES, find_threshold, threshold_for
from tiepoint.presets import PRESETS, SHORT_NAMES

ROW = (0.5, 0.6, 0.6, 0.9)


def options(**given: Any) -> dict[str, Any]:
    config = LoadConfig(**given)
    return {name: getattr(config, name) for name in LoadConfig.__dataclass_fields__}


@pytest.mark.parametrize(
    ("min_precision", "index"), [(0, 0), (0.5, 0), (0.51, 1), (0.6, 1), (0.61, 3), (0.9, 3)]
)
def test_the_smallest_threshold_that_is_precise_enough(min_precision: float, index: int) -> None:
    assert find_threshold("any", ROW, min_precision) == SCORES[index]


def test_an_unreachable_precision_names_the_largest() -> None:
    with pytest.raises(InvalidInput, match=r"any reaches at most 0\.9, got 0\.95"):
        find_threshold("any", ROW, 0.95)


@pytest.mark.parametrize("preset", CALIBRATIONS)
def test_every_row_is_that_of_a_preset_and_never_decreases(preset: str) -> None:
    row = CALIBRATIONS[preset]
    assert preset in PRESETS
    assert 1 <= len(row) <= len(SCORES)
    assert list(row) == sorted(row)
    assert 0 < row[0] < row[-1] <= 1
    assert threshold_for(preset, row[-1], options()) in SCORES


def test_short_names_have_the_calibration_of_their_preset() -> None:
    full = SHORT_NAMES["fast"]
    assert threshold_for("fast", 0.8, options()) == threshold_for(full, 0.8, options())


@pytest.mark.parametrize("preset", ["superpoint+lightglue", "out/", "superpoint-open+nearest"])
def test_presets_without_a_calibration(preset: str) -> None:
    with pytest.raises(InvalidInput, match=r"no calibration for .*use filter_threshold, or one of .*xfeat"):
        threshold_for(preset, 0.5, options())


@pytest.mark.parametrize(
    "option",
    [
        {"matcher_weights": "mine.safetensors"},
        {"extractor_weights": "mine.safetensors"},
        {"max_layers": 3},
        {"latency_budget_ms": 100, "views": None},
        {"max_ratio": 0.8},
        {"adaptive": False},
        {"adaptive": "depth"},
        {"dtype": "float16"},
        {"stretch": "auto"},
        {"upscale": False},
        {"max_keypoints": 100},
        {"max_keypoints": 4096},
        {"max_keypoints": None},
        {"resize": 320},
        {"resize": None},
    ],
    ids=str,
)
def test_options_without_a_calibration_are_named(option: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=rf"min_precision.*{next(iter(option))}.*use filter_threshold"):
        threshold_for("xfeat+lighterglue", 0.8, options(**option))


def test_options_that_leave_scores_alone_are_allowed() -> None:
    given = options(device="cpu", border=10, tile=512, batch_size=2, memory_budget=1 << 30, max_keypoints=512)
    assert threshold_for("xfeat+lighterglue", 0.8, given) == threshold_for(
        "xfeat+lighterglue", 0.8, options()
    )
