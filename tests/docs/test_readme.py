"""The README agrees with the package: presets, licenses, make targets, results."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from tests.helpers.paths import DOCS, REPOSITORY

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
    assert table_rows()[name] == (" + ".join(licenses) or "no weights")


def test_every_target_of_make_that_it_names_exists() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"^make ([\w-]+)", TEXT, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_two_commands_set_up_a_checkout() -> None:
    (set_up,) = re.findall(r"^## Set up\n.*?```bash\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert [line.split("#")[0].split() for line in set_up.splitlines()] == [
        ["make", "demo"],
        ["make", "test"],
    ]


def test_results_are_those_of_the_results_page() -> None:
    """Times are rounded to 0.01 s; the numbers of the page are rendered from records."""
    results = (DOCS / "results.md").read_text(encoding="utf-8")
    numbers = set(re.findall(r"\d+(?:\.\d+)?", results))
    numbers |= {f"{float(number):.2f}" for number in numbers}
    table = TEXT.split("## Results")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if re.search(r"\| \d", line)]
    assert len(rows) >= 3
    stated = [number for row in rows for cell in row[1:] for number in re.findall(r"^[\d.]+", cell)]
    assert [number for number in stated if number not in numbers] == []


def test_every_extra_is_in_the_table() -> None:
    """Extras for development are not."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (everything,) = project["optional-dependencies"]["all"]
    table = TEXT.split("| extra | needed for |")[1].split("\n\n")[0]
    named = {name for line in table.splitlines()[2:] for name in re.findall(r"\w+", line.split("|")[1])}
    assert named == Requirement(everything).extras
