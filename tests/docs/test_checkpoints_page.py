"""The tables of the page "Which checkpoints load" are those of families and extractors.

With TIEPOINT_WRITE_DOCS=1 the test writes them.
"""

import os
import re
from typing import TypeVar

import pytest
from tests.helpers.paths import REPOSITORY

from tiepoint.extraction.networks import NETWORKS
from tiepoint.models.lightglue.families import FAMILIES, Family
from tiepoint.presets import EXTRACTOR_WEIGHTS, PRESETS
from tiepoint.weights import WEIGHTS

Value = TypeVar("Value")

PAGE = REPOSITORY / "docs" / "reference" / "checkpoints.md"
BEGIN, END = "<!-- families: begin -->", "<!-- families: end -->"

PARITY = {
    "official": "test_lightglue_reference.py::test_aliked",
    "huggingface": "test_lightglue_peers.py::test_tiny_networks_in_transformers",
    "glue-factory": "test_lightglue_peers.py::test_tiny_networks",
    "lighterglue": "test_xfeat.py::test_matches_and_scores",
    "gim": "test_lightglue_family.py::test_gim_is_lightglue_with_exchanged_image_sides",
    "loma": "test_lightglue_family.py::test_full_size_loma",
    "keynet": "test_lightglue_family.py::test_full_size_networks_in_every_configuration_of_kornia",
    "minima": "test_lightglue_family.py::test_full_size_networks_in_every_configuration_of_kornia",
    "raco-aliked": "test_lightglue_family.py::test_full_size_networks_in_every_configuration_of_kornia",
    "dedode": "test_lightglue_family.py::test_full_size_networks_in_every_configuration_of_kornia",
    "rdd": "test_lightglue_peers.py::test_tiny_networks",
}
"""Family -> test in tests/parity that compares the network with the code of its project."""


def marks(row: Family) -> str:
    """What a file of the family is recognized by."""
    if row.shape is not None:
        return f"`--kind {row.name}`"
    prefixes = [f"`{name}`" for name in row.prefixes if name]
    return ", ".join(prefixes) or "names, shapes"


def table() -> str:
    lines = [
        "| family | files | features | recognized by | ignored | license | source | parity |",
        "| --- " * 8 + "|",
    ]
    for row in FAMILIES.values():
        others = ", ".join(f"`{other}`" for other in row.others) or "-"
        file, _, test = PARITY[row.name].partition("::")
        parity = f"`{file}`, `{test.removeprefix('test_')}`"
        cells = [row.name, row.files, row.features, marks(row), others, row.license, row.source, parity]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


SOURCES = {
    "aliked": "Shiaoming/ALIKED",
    "disk": "cvlab-epfl/disk",
    "superpoint": "cvg/LightGlue",
    "superpoint-open": "rpautrat/SuperPoint",
    "xfeat": "verlab/accelerated_features",
    "raco-aliked": "cvg/RaCo, Shiaoming/ALIKED",
    "dad-dedode-b": "Parskatt/dad, Parskatt/DeDoDe",
    "loma": "davnords/LoMa",
}
"""Beginning of the name of extractors -> projects; the longest that fits holds."""

EXTRACTOR_PARITY = {
    "aliked": ("test_aliked.py",),
    "disk": ("test_disk.py",),
    "superpoint": ("test_superpoint.py",),
    "xfeat": ("test_xfeat.py",),
    "raco-aliked": ("test_raco.py", "test_aliked.py"),
    "dad-dedode-b": ("test_dedode.py",),
    "loma": ("test_dedode.py",),
}
"""Beginning of the name of extractors -> files in tests/parity."""


def longest(table: dict[str, Value], name: str) -> Value:
    return table[max((start for start in table if name.startswith(start)), key=len)]


def extractor_table() -> str:
    lines = ["| extractor | presets | files | license | source | parity |", "| --- " * 6 + "|"]
    for name in NETWORKS:
        presets = [f"`{preset}`" for preset, row in PRESETS.items() if row.extractor == name]
        rows = [WEIGHTS[weights] for weights in EXTRACTOR_WEIGHTS.get(name, (name,))]
        parity = ", ".join(f"`{file}`" for file in longest(EXTRACTOR_PARITY, name))
        licenses = " + ".join(dict.fromkeys(row.license for row in rows))
        files = ", ".join(row.filename for row in rows)
        cells = [name, ", ".join(presets), files, licenses, longest(SOURCES, name), parity]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def check_or_write(begin: str, end: str, expected: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(begin)
    found, after = rest.split(end)
    if os.environ.get("TIEPOINT_WRITE_DOCS"):
        PAGE.write_text(f"{before}{begin}\n{expected}\n{end}{after}", encoding="utf-8")
        return
    assert found.strip() == expected, "run this test with TIEPOINT_WRITE_DOCS=1"


def test_the_page_has_the_table_of_families():
    check_or_write(BEGIN, END, table())


def test_the_page_has_the_table_of_extractors():
    check_or_write("<!-- extractors: begin -->", "<!-- extractors: end -->", extractor_table())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_extractor_has_parity_tests(name: str):
    files = longest(EXTRACTOR_PARITY, name)
    assert all((REPOSITORY / "tests" / "parity" / file).is_file() for file in files)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_parity_test(family: str):
    file, _, name = PARITY[family].partition("::")
    source = (REPOSITORY / "tests" / "parity" / file).read_text(encoding="utf-8")
    assert re.search(rf"^ *def {name}\(", source, flags=re.MULTILINE), name
