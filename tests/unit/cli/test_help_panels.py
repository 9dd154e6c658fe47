"""Panels: their order, their names, and what is in none of them."""

from types import SimpleNamespace
from typing import Any

from tiepoint.cli.help_panels import COMMAND_PANELS, COMMON, OTHER, group_commands, group_options


def option(*names: str) -> Any:
    return SimpleNamespace(opts=list(names), name=names[-1].removeprefix("--"))


def names_of(panels: dict[str, list[Any]]) -> dict[str, list[str]]:
    return {panel: [each.opts[-1] for each in options] for panel, options in panels.items()}


def test_options_are_in_the_order_of_the_panels() -> None:
    options = [
        option(name) for name in ("--device", "--border", "--json", "--unknown", "--help", "--threshold")
    ]
    assert names_of(group_options([option("-o", "--output"), *options])) == {
        COMMON: ["--output", "--json", "--help"],
        "Images": ["--border"],
        "Matching": ["--threshold"],
        "Machine and weights": ["--device"],
        OTHER: ["--unknown"],
    }


def test_one_panel_alone_has_no_name_of_its_own() -> None:
    assert names_of(group_options([option("-h", "--help"), option("--json")])) == {
        "Options": ["--json", "--help"]
    }
    assert names_of(group_options([option("-h", "--help")])) == {"Options": ["--help"]}


def test_commands_without_a_panel_are_shown_too() -> None:
    names = [name for known in COMMAND_PANELS.values() for name in known]
    assert group_commands([*names, "new"]) == {
        **{panel: list(known) for panel, known in COMMAND_PANELS.items()},
        "Other commands": ["new"],
    }
    assert group_commands(["list", "download"]) == {"Commands": ["list", "download"]}
