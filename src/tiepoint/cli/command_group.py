"""Command groups whose help is plain text that wraps at 80 columns; nothing is cut off."""

from typing import Any

import typer
from typer.core import TyperGroup


class CommandGroup(TyperGroup):
    """A group that lists its commands with the whole first paragraph of their help."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; its arguments are written like OUT, as in the help texts."""
        command = super().get_command(ctx, cmd_name)
        for parameter in command.params if command else []:
            if parameter.param_type_name == "argument" and parameter.metavar is None:
                parameter.metavar = parameter.name.upper()
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands; click's own cuts each line at the terminal width."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, _summary(command)) for name, command in commands if command and not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def new_app(**options: Any) -> typer.Typer:
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
    return typer.Typer(**(defaults | options))  # type: ignore[arg-type]


def _summary(command: Any) -> str:
    """Return the first paragraph of a command's help in one line."""
    text = command.short_help or command.help or ""
    return " ".join(text.partition("\n\n")[0].split())
