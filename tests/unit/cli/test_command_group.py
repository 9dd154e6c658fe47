"""Help can be read at 80 columns, with everything in it: panels, defaults, an example that parses."""

import re
import shlex
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tiepoint.cli import app
from tiepoint.cli.command_group import split_example
from tiepoint.cli.help_panels import COMMON, OTHER, option_name

COMMAND = typer.main.get_command(app)


def commands(command: Any = COMMAND, words: tuple[str, ...] = ()) -> dict[str, Any]:
    """Words -> command, for all commands and groups."""
    found = {" ".join(words): command}
    for name, child in getattr(command, "commands", {}).items():
        found |= commands(child, (*words, name))
    return found


def help_of(words: str, columns: int) -> str:
    done = CliRunner().invoke(app, [*words.split(), "--help"], env={"COLUMNS": str(columns)})
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("words", commands())
def test_help_is_complete_and_narrow(words: str, columns: int) -> None:
    text = help_of(words, columns)
    assert max(map(len, text.splitlines())) <= min(columns, 80)
    assert "…\n" not in text.replace("NAME…\n", "")
    assert "...\n" not in text.partition("\n")[2]
    flat = "".join(text.split())
    for parameter in commands()[words].params:
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            assert re.search(rf"{option}(?![\w-])", text), option
        for word in (parameter.help or "").split():
            assert word in flat


@pytest.mark.parametrize(
    ("words", "choices"),
    [
        (
            "match",
            [
                "<similarity|affine|homography|alignment|fundamental|pose>",
                "<none|rotation|scale|viewpoint|auto>",
            ],
        ),
        ("stitch", ["<blend|checkerboard>", "<auto|plane|cylinder|sphere>"]),
        ("collection export", ["nerfstudio", "geojson", "<shared|each>"]),
    ],
)
def test_choices_are_complete(words: str, choices: list[str]) -> None:
    text = help_of(words, 80).replace("[", "<").replace("]", ">")
    assert all(choice in text for choice in choices)


def test_arguments_are_written_like_in_the_help_texts() -> None:
    assert "OUT" in help_of("collection status", 80).partition("\n")[0]


def test_groups_list_their_commands_with_the_whole_first_sentence() -> None:
    assert "Extract each image once, match pairs, verify them." in " ".join(help_of("collection", 80).split())


def panels_of(words: str) -> dict[str, str]:
    """Option -> the section of the help in which it is."""
    found, section = {}, ""
    for line in help_of(words, 80).splitlines():
        if line.endswith(":") and not line.startswith(" "):
            section = line[:-1]
        for option in re.findall(r"^  (?:-\w, )?(--[\w-]+)", line):
            found[option] = section
    return found


@pytest.mark.parametrize("words", commands())
def test_every_option_has_a_panel_and_a_help_text(words: str) -> None:
    panels = panels_of(words)
    for parameter in commands()[words].params:
        assert parameter.help, parameter.name
        if parameter.param_type_name == "option":
            assert panels[option_name(parameter)] not in ("", OTHER), parameter.name
    assert next(iter(panels.values())) in (COMMON, "Options"), "common options come first"


@pytest.mark.parametrize("words", commands())
def test_defaults_are_shown(words: str) -> None:
    text = " ".join(help_of(words, 80).split())
    for parameter in commands()[words].params:
        value = parameter.default
        is_shown = parameter.param_type_name == "option" and parameter.show_default is True
        if is_shown and isinstance(value, int | float | str) and not isinstance(value, bool):
            assert f"default: {getattr(value, 'value', value)}" in text.replace("-\n", "-"), parameter.name


@pytest.mark.parametrize("words", commands())
def test_every_command_ends_with_an_example_that_parses(words: str) -> None:
    help_text = help_of(words, 80)
    shown = help_text.partition("\nExample:\n")[2].replace("\\\n", " ")
    _, example = split_example(commands()[words].help)
    assert shlex.split(shown) == shlex.split(example)
    program, *arguments = shlex.split(example.partition(" > ")[0])
    assert program == "tiepoint"
    parse(arguments)


def parse(arguments: list[str]) -> None:
    """Parse a command line without running it; the last command must not be a group."""
    command = COMMAND
    while children := getattr(command, "commands", None):
        command = children[arguments.pop(0) if arguments[0] in children else "run"]
    command.make_context(command.name, arguments)


def test_commands_are_grouped_by_task() -> None:
    text = help_of("", 80)
    heads = [line[:-1] for line in text.splitlines() if re.fullmatch(r"\w.*:", line)]
    assert heads == [
        *("Two images", "Many images", "Train and measure", "Deploy", "Set up and check"),
        *("Options", "Example"),
    ]
    assert text.index("  match ") < text.index("  collection ") < text.index("  train ")
