"""Options of tiepoint.load: what is refused, and how it is named."""

from collections.abc import Iterator

import numpy as np
import pytest
from tests.helpers.errors import one_line
from tests.helpers.shape_checks import without_shape_checks

from tiepoint.api import load
from tiepoint.errors import InvalidInput
from tiepoint.loading.config import LoadConfig
from tiepoint.types.options import LoadOptions


@pytest.fixture(autouse=True)
def without_type_checker() -> Iterator[None]:
    """As users run it: the checker that wraps the package in tests would refuse wrong types before we do."""
    with without_shape_checks():
        yield


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_keypoints": 0},
        {"max_keypoints": -5},
        {"max_keypoints": 2.5},
        {"max_keypoints": "2048"},
        {"max_keypoints": True},
        {"resize": 0},
        {"resize": 1e9},
        {"resize": "1024"},
        {"adaptive": "both"},
        {"adaptive": None},
        {"filter_threshold": 1.5},
        {"filter_threshold": -1.5},
        {"filter_threshold": float("nan")},
        {"filter_threshold": "0.1"},
        {"filter_threshold": None},
        {"min_precision": 1.5},
        {"min_precision": -0.1},
        {"min_precision": "high"},
        {"max_layers": 0},
        {"max_layers": 1.5},
        {"latency_budget_ms": 0},
        {"latency_budget_ms": -20},
        {"latency_budget_ms": "100"},
        {"latency_budget_ms": float("inf")},
        {"device": "gpu"},
        {"device": "cuda:99"},
        {"device": ""},
        {"device": None},
    ],
    ids=str,
)
def test_invalid_values_are_named(wrong: dict) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(InvalidInput, match=name) as error:
        load(**wrong)
    assert repr(value) in one_line(error)


@pytest.mark.parametrize(
    "option",
    [
        {"adaptive": False},
        {"pruning_min_keypoints": 7},
        {"max_layers": 3},
        {"dtype": "float16"},
        {"batch_size": 3},
        {"memory_budget": 1 << 30},
        {"matcher_weights": "mine.pth"},
    ],
    ids=str,
)
def test_an_option_that_a_preset_does_not_support_is_named(option: dict) -> None:
    with pytest.raises(InvalidInput, match=rf"aliked\+nearest.*{next(iter(option))}") as error:
        load("aliked+nearest", **option)
    one_line(error)


def test_a_latency_budget_excludes_a_rotation_search() -> None:
    with pytest.raises(InvalidInput, match=r"latency_budget_ms.*views='rotation'") as error:
        load(latency_budget_ms=100, views="rotation")
    one_line(error)


def test_min_precision_excludes_a_threshold() -> None:
    with pytest.raises(InvalidInput, match=r"min_precision and filter_threshold \(0\.9 and 0\.5\)") as error:
        load(min_precision=0.9, filter_threshold=0.5)
    one_line(error)


def test_a_latency_budget_disables_the_search_over_views() -> None:
    assert LoadConfig.from_options({"latency_budget_ms": 100}).views is None
    assert LoadConfig.from_options({}).views == "rotation"
    assert LoadConfig.from_options({"views": None}).views is None


def test_min_precision_needs_a_calibration() -> None:
    with pytest.raises(InvalidInput, match=r"min_precision.*adaptive='False'") as error:
        load("fast", min_precision=0.8, adaptive=False)
    one_line(error)


def test_numpy_integers_are_converted() -> None:
    config = LoadConfig.from_options({"max_keypoints": np.int64(7), "border": np.uint8(3)})
    assert (type(config.max_keypoints), type(config.border)) == (int, int)


def test_the_options_and_the_config_have_the_same_names() -> None:
    assert set(LoadConfig.__dataclass_fields__) == set(LoadOptions.__annotations__)


@pytest.mark.parametrize("name", ["zzz", "", None, 3])
def test_an_unknown_preset_is_one_line(name: object) -> None:
    with pytest.raises(InvalidInput, match=r"aliked\+lightglue") as error:
        load(name)  # type: ignore[arg-type]
    one_line(error)
