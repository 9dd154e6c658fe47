"""Help can be read at 80 columns: nothing is cut off or wider than the terminal."""

import re
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tiepoint.cli import app

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
        ("match", ["<homography|fundamental|pose>", "<none|auto>"]),
        ("stitch", ["<blend|checkerboard>"]),
        ("collection export", ["<colmap|colmap-text|hloc|npz|parquet>", "<shared|each>"]),
    ],
)
def test_choices_are_complete(words: str, choices: list[str]) -> None:
    text = help_of(words, 80).replace("[", "<").replace("]", ">")
    assert all(choice in text for choice in choices)


def test_arguments_are_written_like_in_the_help_texts() -> None:
    assert "OUT" in help_of("collection status", 80).partition("\n")[0]


def test_groups_list_their_commands_with_the_whole_first_sentence() -> None:
    assert "Extract each image once, match pairs, verify them." in " ".join(help_of("collection", 80).split())
