"""Every command that the docs, help texts, docstrings and messages name exists, with its options."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.helpers.paths import DOCS, REPOSITORY

from tiepoint.cli import app

COMMAND: Any = typer.main.get_command(app)
PAGES = [REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md"))]
SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))

CODE = re.compile(r"`(?:\$ )?tiepoint ([a-z][^`\n]*)`")
BLOCK = re.compile(r"```(?:bash|console)\n(.*?)```", re.DOTALL)
LINE = re.compile(r"^(?:\$ )?tiepoint ([a-z].*)$", re.MULTILINE)
ADVICE = re.compile(r"(?:run|Example|instead|with): tiepoint ([a-z][^\n\"`;]*)")


def named(path: Path) -> list[str]:
    """Return the command lines that a file names, without `tiepoint`."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return CODE.findall(text) + ADVICE.findall(text)
    return CODE.findall(text) + LINE.findall("\n".join(BLOCK.findall(text)))


def unknown_words(line: str) -> list[str]:
    """Return the words of a command line that are neither a command nor an option of it."""
    words = re.split(r"\s+", re.split(r"#|\{", line)[0].strip())
    command = COMMAND
    while any(words) and (children := getattr(command, "commands", None)):
        alternatives = [words[0]] if words[0] in children else words[0].split("|")
        if any(word not in children for word in alternatives):
            is_default = command.name == "eval"  # `eval DATASET PATH` is `eval run DATASET PATH`
            return [] if is_default else words[:1]
        command = children[alternatives[0]]
        words.pop(0)
        if words[:1] == ["|"]:  # `match | pose`
            return []
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    options = [word for word in words if re.fullmatch(r"--[a-z][\w-]*|-[a-z]", word)]
    return [option for option in options if option not in known | {"--help", "-h"}]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_commands_of_the_docs_exist(path: Path) -> None:
    assert {line: words for line in named(path) if (words := unknown_words(line))} == {}


def test_commands_of_help_texts_docstrings_and_messages_exist() -> None:
    lines = {line for path in SOURCES for line in named(path)}
    assert {line: words for line in lines if (words := unknown_words(line))} == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("collection rebuild out/", ["rebuild"]),
        ("match a.jpg b.jpg --max-error 3", ["--max-error"]),
        ("nonsense", ["nonsense"]),
        ("match a.jpg b.jpg --max-error-px 3 -o out.png", []),
        ("eval hpatches data/", []),
        ("weights download NAME", []),
    ],
)
def test_unknown_commands_and_options_are_found(line: str, words: list[str]) -> None:
    assert unknown_words(line) == words


def test_commands_are_found_in_docs_and_sources() -> None:
    assert sum(len(named(path)) for path in PAGES) > 40
    assert sum(len(named(path)) for path in SOURCES) > 15
