"""Shells complete commands, options, and the values of a fixed set, by the protocol of bash."""

import pytest
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.cli.completion import DATASETS, EXECUTORS, EXTRACTORS, PAIRS, PROTOCOLS, RECIPES, complete_from
from tiepoint.collection.pairs.selection import METHODS
from tiepoint.collection.run.executors.registry import EXECUTORS as ALL_EXECUTORS
from tiepoint.evaluation.datasets import READERS
from tiepoint.evaluation.protocols import PROTOCOLS as ALL_PROTOCOLS
from tiepoint.extraction.networks import NETWORKS
from tiepoint.presets import PRESETS, SHORT_NAMES
from tiepoint.training.recipes import RECIPES as ALL_RECIPES
from tiepoint.weights.table import WEIGHTS


def complete(line: str) -> list[str]:
    """Complete the last word of a command line as bash asks for it."""
    environment = {
        "_TIEPOINT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    return CliRunner().invoke(app, [], env=environment, prog_name="tiepoint").stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tiepoint mat", ["match"]),
        ("tiepoint match --pres", ["--preset"]),
        ("tiepoint match --preset ", [*SHORT_NAMES, *PRESETS]),
        ("tiepoint demo --preset xfeat+", [name for name in PRESETS if name.startswith("xfeat+")]),
        (
            "tiepoint match --verify ",
            ["similarity", "affine", "homography", "alignment", "fundamental", "pose"],
        ),
        ("tiepoint match --device c", ["cpu", "cuda"]),
        ("tiepoint match --stretch n", ["none"]),
        ("tiepoint match --tile a", ["auto"]),
        ("tiepoint eval ", ["run", "compare", *READERS]),
        ("tiepoint eval run o", ["oxford-affine"]),
        ("tiepoint eval hpatches data/ --protocol t", ["tiepoint"]),
        ("tiepoint train photos/ out/ --recipe f", ["finetune"]),
        ("tiepoint train photos/ out/ --init s", ["scratch"]),
        ("tiepoint train photos/ out/ --extractor di", ["disk"]),
        ("tiepoint collection run --pairs r", ["retrieval:"]),
        ("tiepoint collection match out/ --executor r", ["ray", "ray:"]),
        ("tiepoint collection export out/ --to col", ["colmap", "colmap-text"]),
        ("tiepoint weights download aliked-n16 disk", ["disk", "disk_lightglue"]),
        ("tiepoint weights path ", list(WEIGHTS)),
    ],
)
def test_words_are_completed(line: str, expected: list[str]) -> None:
    assert complete(line) == expected


def test_other_words_are_left_to_the_shell() -> None:
    assert complete("tiepoint match a") == []
    assert complete_from("auto")("b") == []


@pytest.mark.parametrize(
    ("completed", "table"),
    [
        (DATASETS, READERS),
        (PROTOCOLS, ALL_PROTOCOLS),
        (RECIPES, ALL_RECIPES),
        (EXTRACTORS, NETWORKS),
        (sorted({name.partition(":")[0] for name in PAIRS}), sorted(METHODS)),
        (sorted({name.partition(":")[0] for name in EXECUTORS}), sorted(ALL_EXECUTORS)),
    ],
)
def test_repeated_names_are_those_of_the_tables(completed: tuple[str, ...], table: dict[str, object]) -> None:
    assert list(completed) == list(table)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_printed_for_every_shell(shell: str) -> None:
    done = CliRunner().invoke(app, [], env={"_TIEPOINT_COMPLETE": f"source_{shell}"}, prog_name="tiepoint")
    assert "tiepoint" in done.stdout
    assert f"complete_{shell}" in done.stdout
