"""The table of presets: all rows are valid, and unknown names get a suggestion."""

from pathlib import Path

import pytest

from tiepoint.errors import InvalidInput
from tiepoint.extraction.networks import NETWORKS
from tiepoint.presets import (
    DEFAULT_PRESET,
    EXTRACTOR_WEIGHTS,
    PATCH_NETWORKS,
    PRESETS,
    SHORT_NAMES,
    WITHOUT_WEIGHTS,
    find_preset,
    full_name,
    preset_for_extractor,
)
from tiepoint.types.options import LoadOptions
from tiepoint.weights import WEIGHTS

PROMISED = {
    "aliked+lightglue",
    "aliked+lightglue-small",
    "aliked-n16rot+lightglue",
    "aliked-n32+lightglue",
    "aliked-t16+nearest",
    "disk+lightglue",
    "aliked+nearest",
    "xfeat+lighterglue",
    "xfeat+nearest",
}


def test_the_promised_presets_are_there() -> None:
    assert set(PRESETS) >= PROMISED
    assert DEFAULT_PRESET == "aliked+lightglue"


@pytest.mark.parametrize("name", PRESETS)
def test_every_row_is_valid(name: str) -> None:
    preset = PRESETS[name]
    assert (preset.extractor in NETWORKS) != (preset.extractor in (*WITHOUT_WEIGHTS, *PATCH_NETWORKS))
    assert set(preset.weights) <= set(WEIGHTS)
    assert bool(preset.extractor_weights) == (preset.extractor not in WITHOUT_WEIGHTS)
    assert (preset.extractor in preset.weights) == (
        preset.extractor not in (*WITHOUT_WEIGHTS, *EXTRACTOR_WEIGHTS)
    )
    assert (preset.matcher == "lightglue") == (preset.matcher_weights is not None)
    assert (preset.matcher == "lightglue") == ("+light" in name or name.startswith("loma-"))
    assert preset.about


def test_matchers_were_trained_for_their_extractors() -> None:
    for preset in PRESETS.values():
        if preset.matcher_weights:
            family = preset.extractor.removeprefix("colmap-").split("-")[0]
            assert preset.matcher_weights.startswith(family)


def test_rows_of_extractors_with_other_weights() -> None:
    assert set(EXTRACTOR_WEIGHTS) <= {*NETWORKS, *PATCH_NETWORKS}
    assert PRESETS["raco-aliked+lightglue"].weights == ["raco", "aliked-n16", "raco_aliked_lightglue"]
    assert PRESETS["loma-b128"].weights == ["loma_b128"]
    assert [name for name, preset in PRESETS.items() if preset.has_one_file] == ["loma-b128", "loma-b"]


@pytest.mark.parametrize("name", sorted(PROMISED))
def test_the_promised_presets_are_free_for_commercial_use(name: str) -> None:
    assert all(WEIGHTS[weights].commercial for weights in PRESETS[name].weights)


@pytest.mark.parametrize(("short", "name"), SHORT_NAMES.items())
def test_a_preset_is_found_by_its_short_name(short: str, name: str) -> None:
    assert find_preset(short) is PRESETS[name]
    assert full_name(short) == full_name(name) == name
    assert short not in PRESETS


def test_other_names_and_paths_are_their_own_full_names() -> None:
    assert full_name("trained/fast") == "trained/fast"
    assert full_name(Path("fast/x")) == Path("fast/x")


def test_the_preset_of_an_extractor_has_lightglue_if_possible() -> None:
    assert preset_for_extractor("xfeat") == "xfeat+lighterglue"
    assert preset_for_extractor("aliked-t16") == "aliked-t16+nearest"
    assert preset_for_extractor("sift") == "sift+lightglue"
    assert preset_for_extractor("raft") is None


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_found_by_its_name(name: str) -> None:
    assert find_preset(name) is PRESETS[name]


def test_a_typo_gets_a_suggestion() -> None:
    with pytest.raises(
        InvalidInput, match=r"unknown preset 'disk\+lightgleu'.*did you mean 'disk\+lightglue'\?"
    ):
        find_preset("disk+lightgleu")


@pytest.mark.parametrize("name", ["zzz", "", "ALIKED", "aliked+lightgleu"])
def test_an_unknown_preset_is_one_line_that_lists_all(name: str) -> None:
    with pytest.raises(InvalidInput) as error:
        find_preset(name)
    message = str(error.value)
    assert repr(name) in message
    assert all(known in message for known in PRESETS)
    assert "\n" not in message


def test_no_preset_is_suggested_for_a_name_unlike_all() -> None:
    with pytest.raises(InvalidInput, match="unknown preset 'zzz'") as error:
        find_preset("zzz")
    assert "did you mean" not in str(error.value)


@pytest.mark.parametrize("name", PRESETS)
def test_unsupported_options_are_options_of_load(name: str) -> None:
    preset = PRESETS[name]
    assert set(preset.unsupported_options) <= set(LoadOptions.__annotations__)
    assert ("max_ratio" in preset.unsupported_options) == (preset.matcher == "lightglue")
    assert ("batch_size" in preset.unsupported_options) == (preset.matcher == "nearest")
