"""Commands and groups whose help is plain text that wraps at 80 columns; nothing is cut off.

Options and commands are grouped by topic, and the example of the docstring comes last.
"""

import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from tiepoint.cli.help_panels import group_commands, group_options

EXAMPLE = "\n\nExample: "
WIDTH = 78  # columns of an example line without its indentation
_PARTS = re.compile(r"-\S+(?: [^-\s]\S*)?|\S+")  # words of an example; options with their value


class _GroupedHelp:
    """Help of a command: text, arguments, panels of options, example."""

    help: str | None

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the help text without its example."""
        text, _ = split_example(self.help)
        if text:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(text)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, one section per panel."""
        self.format_arguments(ctx, formatter)
        self.format_panels(ctx, formatter)

    def format_arguments(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments."""
        arguments = [each for each in self.get_params(ctx) if each.param_type_name == "argument"]  # type: ignore[attr-defined]
        _write_section(ctx, formatter, "Arguments", arguments)

    def format_panels(self, ctx: Any, formatter: Any) -> None:
        """Write the options, one section per panel."""
        options = [each for each in self.get_params(ctx) if each.param_type_name == "option"]  # type: ignore[attr-defined]
        for panel, parameters in group_options(options).items():
            _write_section(ctx, formatter, panel, parameters)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example; continued lines end in a backslash, so that it can be copied."""
        _, example = split_example(self.help)
        if example:
            with formatter.section("Example"):
                formatter.write(f"  {_wrap(example)}\n")


class Command(_GroupedHelp, TyperCommand):
    """A command with grouped options."""


class CommandGroup(_GroupedHelp, TyperGroup):
    """A group that lists its commands by task, with the whole first paragraph of their help."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; its arguments are written like OUT, as in the help texts."""
        command = super().get_command(ctx, cmd_name)
        for parameter in command.params if command else []:
            if parameter.param_type_name == "argument" and parameter.metavar is None:
                parameter.metavar = parameter.name.upper()
        return command

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write commands before options."""
        self.format_commands(ctx, formatter)
        self.format_panels(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands; click's own cuts each line at the terminal width."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        shown = [name for name, command in commands.items() if not command.hidden]
        for panel, names in group_commands(shown).items():
            with formatter.section(panel):
                formatter.write_dl([(name, _summary(commands[name])) for name in names])


class App(typer.Typer):
    """A command group whose commands have grouped options."""

    def command(self, name: str | None = None, **options: Any) -> Any:
        """Register a command, as `typer.Typer.command` does."""
        options.setdefault("cls", Command)
        return super().command(name, **options)


def new_app(**options: Any) -> App:
    """Create a command group.

    Args:
        **options: Options of `typer.Typer`.
    """
    defaults = {
        "cls": CommandGroup,
        "no_args_is_help": True,
        "rich_markup_mode": None,
        "context_settings": {"help_option_names": ["-h", "--help"]},
    }
    return App(**(defaults | options))  # type: ignore[arg-type]


def split_example(help_text: str | None) -> tuple[str, str]:
    """Return a help text without its example, and the example in one line; "" if there is none."""
    text, _, example = (help_text or "").partition(EXAMPLE)
    return text, " ".join(example.split())


def _wrap(example: str) -> str:
    """Return an example in lines of at most `WIDTH` columns; an option stays with its value."""
    lines = [""]
    for part in _PARTS.findall(example):
        if len(lines[-1]) + len(part) + 3 > WIDTH:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] += f" {part}" if lines[-1] else part
    return "\n  ".join(lines)


def _write_section(ctx: Any, formatter: Any, title: str, parameters: list[Any]) -> None:
    records = [record for each in parameters if (record := each.get_help_record(ctx))]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


def _summary(command: Any) -> str:
    """Return the first paragraph of a command's help in one line."""
    text = command.short_help or command.help or ""
    return " ".join(text.partition("\n\n")[0].split())
