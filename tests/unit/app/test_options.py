"""Options of requests: bounds, and no path where a name is expected."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tiepoint.app.messages import RequestError
from tiepoint.app.options import MatchSettings, available_presets, parse_geometry, parse_match, preset_source
from tiepoint.app.settings import AppSettings

SETTINGS = AppSettings()


def test_defaults() -> None:
    assert parse_match({}, SETTINGS) == MatchSettings(preset="aliked+lightglue")
    assert parse_geometry({}) is None


def test_values_are_text_or_json() -> None:
    expected = MatchSettings(preset="xfeat+lighterglue", max_keypoints=512, resize=640, views="rotation")
    for values in (
        {"preset": "fast", "max_keypoints": "512", "resize": "640", "views": "rotation"},
        {"preset": "fast", "max_keypoints": 512, "resize": 640, "views": "rotation"},
    ):
        assert parse_match(values, SETTINGS) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_keypoints": 0}, "max_keypoints: expected an integer from 1 to 8192, got '0'"),
        ({"max_keypoints": "1e9"}, "got '1e9'"),
        ({"max_keypoints": True}, "got 'True'"),
        ({"resize": 100_000}, "resize: expected an integer from 64 to 4096"),
        ({"views": "all"}, "views: expected one of none, rotation, scale, viewpoint, auto, got 'all'"),
        ({"preset": "nothing"}, "unknown preset 'nothing'; available: aliked"),
        ({"preset": "superpoint+lightglue"}, "unknown preset"),
        ({"preset": ["fast"]}, "unknown preset"),
    ],
)
def test_invalid_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message) as error:
        parse_match(values, SETTINGS)
    assert error.value.status == 422


def test_a_preset_is_never_a_path(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="unknown preset"):
        parse_match({"preset": str(tmp_path)}, SETTINGS)


def test_the_preset_of_the_server_comes_first(tmp_path: Path) -> None:
    assert next(iter(available_presets(AppSettings(preset="fast")))) == "xfeat+lighterglue"
    trained = AppSettings(preset=str(tmp_path))
    assert parse_match({}, trained).preset == "own model"
    assert str(tmp_path) not in str(available_presets(trained))
    assert preset_source("own model", trained) == str(tmp_path)
    assert preset_source("aliked+lightglue", trained) == "aliked+lightglue"
    assert "superpoint+lightglue" in available_presets(AppSettings(accept_license=True))


@pytest.mark.parametrize("value", ["nan", "inf", -1, "x", [1]])
def test_thresholds_are_numbers_in_a_range(value: Any) -> None:
    with pytest.raises(RequestError, match=r"max_error_px: expected a number from 0\.1 to 100"):
        parse_geometry({"verify": "pose", "max_error_px": value})


@given(
    st.dictionaries(
        st.sampled_from(["preset", "max_keypoints", "resize", "views"]),
        st.none() | st.text() | st.integers() | st.floats() | st.lists(st.integers()),
    )
)
def test_any_values_are_within_the_bounds_or_an_error(values: dict[str, Any]) -> None:
    try:
        parsed = parse_match(values, SETTINGS)
    except RequestError:
        return
    assert 1 <= parsed.max_keypoints <= 8192
    assert 64 <= parsed.resize <= 4096
