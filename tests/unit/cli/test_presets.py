"""`tiepoint presets`: every preset, its license, and what it is for."""

import json

import pytest
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.presets import PRESETS, SHORT_NAMES
from tiepoint.weights import WEIGHTS


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["presets", *arguments], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_line_with_its_license_and_use(name: str) -> None:
    (line,) = [line for line in run().splitlines() if line.split()[:1] == [name]]
    assert PRESETS[name].about in line
    assert all(WEIGHTS[weights].license in line for weights in PRESETS[name].weights)


def test_json_has_the_same() -> None:
    rows = {row["name"]: row for row in json.loads(run("--json"))}
    assert set(rows) == set(PRESETS)
    assert rows["aliked+lightglue"]["license"] == "BSD-3-Clause + Apache-2.0"
    assert (rows["disk+lightglue"]["extractor"], rows["disk+lightglue"]["matcher"]) == ("disk", "lightglue")
    assert rows["aliked+nearest"]["matcher_weights"] is None
    assert rows["xfeat+lighterglue"]["short_names"] == ["fast"]
    assert rows["disk+lightglue"]["short_names"] == []


@pytest.mark.parametrize("short", SHORT_NAMES)
def test_short_names_are_shown_next_to_their_presets(short: str) -> None:
    (line,) = [line for line in run().splitlines() if line.split()[:1] == [SHORT_NAMES[short]]]
    assert line.split()[1] == short
