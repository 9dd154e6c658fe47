"""Networks are loaded once per preset, shared by all options, and never downloaded for a user."""

from typing import Any

import pytest
from tests.helpers.colored_dots import make_matcher

from tiepoint.app import models
from tiepoint.app.models import MAX_LOADED, Models
from tiepoint.app.options import MatchSettings
from tiepoint.app.settings import AppSettings
from tiepoint.errors import WeightsError
from tiepoint.matcher import Matcher


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(models, "_is_on_disk", lambda weights: weights != "disk")
    return []


def create(loaded: list[str]) -> Models:
    def load(preset: str, **_: Any) -> Matcher:
        loaded.append(preset)
        return make_matcher(None)

    return Models(AppSettings(preset="fast"), load)


def test_options_share_the_networks(loaded: list[str]) -> None:
    found = create(loaded)
    small = found.matcher(MatchSettings(preset="xfeat+lighterglue", max_keypoints=7, resize=320))
    other = found.matcher(MatchSettings(preset="xfeat+lighterglue", views="rotation"))
    assert loaded == ["xfeat+lighterglue"]
    assert small.extractor.network is other.extractor.network
    assert small.extractor.inference_network is other.extractor.inference_network
    assert (small.extractor.settings.max_keypoints, small.extractor.settings.resize) == (7, 320)
    assert (small.views, other.views) == (None, "rotation")


def test_few_presets_stay_in_memory(loaded: list[str]) -> None:
    found = create(loaded)
    names = ["xfeat+lighterglue", "aliked+lightglue", "xfeat+nearest", "aliked+nearest"]
    for name in names:
        found.load(name)
    for name in names[-MAX_LOADED:]:
        found.load(name)
    assert loaded == names
    found.load(names[0])
    assert loaded == [*names, names[0]]


def test_missing_weights_are_not_downloaded(loaded: list[str]) -> None:
    found = create(loaded)
    assert not found.is_present("disk+lightglue")
    with pytest.raises(WeightsError, match="run there: tiepoint weights download disk disk_lightglue"):
        found.load("disk+lightglue")
    assert loaded == []


def test_the_preset_of_the_server_may_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_is_on_disk", lambda weights: False)
    loaded: list[str] = []
    create(loaded).load("xfeat+lighterglue")
    assert loaded == ["xfeat+lighterglue"]


def test_a_folder_is_loaded_under_another_name() -> None:
    loaded: list[str] = []

    def load(preset: str, **_: Any) -> Matcher:
        loaded.append(preset)
        return make_matcher(None)

    found = Models(AppSettings(preset="/models/mine"), load)
    assert found.is_present("own model")
    found.load("own model")
    assert loaded == ["/models/mine"]
