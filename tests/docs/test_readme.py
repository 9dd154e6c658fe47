"""The README's table of presets is the table of the package, and what `make` can do is what it says."""

import re

import pytest
from tests.helpers.paths import REPOSITORY

from tiepoint.presets import PRESETS
from tiepoint.weights import WEIGHTS

TEXT = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def table_rows() -> dict[str, str]:
    """Preset -> license, as the README's table says."""
    rows = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("| `")]
    return {name: cells[-1] for cells in rows for name in re.findall(r"`(.+?)`", cells[0])}


def test_every_preset_is_in_the_table() -> None:
    assert set(table_rows()) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_its_license_is_that_of_its_weights(name: str) -> None:
    licenses = dict.fromkeys(WEIGHTS[weights].license for weights in PRESETS[name].weights)
    assert table_rows()[name] == " + ".join(licenses)


def test_every_target_of_make_that_it_names_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    named = set(re.findall(r"^make (\w+)", TEXT, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_only_two_commands_are_needed_to_see_it_work() -> None:
    (set_up,) = re.findall(r"^## Set up\n\n```bash\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert [line.split("#")[0].split() for line in set_up.splitlines()] == [
        ["make", "demo"],
        ["make", "test"],
    ]
