"""Messages of the library in the terms of the command line: `--max-keypoints` instead of `max_keypoints`."""

import logging
import re
import sys
from functools import cache
from typing import Any

# Python arguments whose option has another name
OTHER_NAMES = {"filter_threshold": "--threshold", "per_image": "--warps", "max_angle_deg": "--max-angle"}

# Python arguments that no command has
PYTHON_ONLY = {
    name: f"{name} (only in Python)"
    for name in (
        "max_megapixels",
        "max_download_mb",
        "max_ratio",
        "memory_budget",
        "min_shared_points",
        "require_kind",
    )
}

_ASSIGNMENT = re.compile(r"""(?<![\w.-])([a-z]+\w*)=('[^']*'|"[^"]*"|[\w.+-]*\w)""")
_NAME = re.compile(r"""(?<![\w./\\'"-])([a-z]+(?:_[a-z0-9]+)+)(?![\w=(/\\'"]|\.\w)""")


def name_flags(text: str) -> str:
    """Replace Python arguments in a message by the options of the commands.

    Args:
        text: Message; `views='rotation'` becomes `--views rotation`, `max_keypoints` becomes `--max-keypoints`.
    """
    flags = _flags()

    def assignment(match: re.Match[str]) -> str:
        name, value = match[1], match[2].strip("'\"")
        if name not in flags:
            return match[0]
        return flags[name] if value == "True" else f"{flags[name]} {value}"

    names = flags | PYTHON_ONLY
    return _NAME.sub(lambda match: names.get(match[1], match[0]), _ASSIGNMENT.sub(assignment, text))


def print_problem(text: str) -> None:
    """Print one line on stderr: an error, or a problem such as a skipped image."""
    print(f"tiepoint: {name_flags(text)}", file=sys.stderr)


class FlagFormatter(logging.Formatter):
    """Log lines like those of `print_problem`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return f"tiepoint: {name_flags(super().format(record))}"


@cache
def _flags() -> dict[str, str]:
    """Return Python argument -> option, over all commands."""
    import typer

    from tiepoint.cli import app

    return dict(_options_of(typer.main.get_command(app))) | OTHER_NAMES


def _options_of(command: Any) -> dict[str, str]:
    """Return Python argument -> option of a command or of all commands of a group."""
    found = {}
    for parameter in command.params:
        longest = max(parameter.opts, key=len)
        if longest.startswith("--"):
            found[longest[2:].replace("-", "_")] = longest
    for child in getattr(command, "commands", {}).values():
        found |= _options_of(child)
    return found
