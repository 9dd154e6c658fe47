"""Thresholds have one name and one default, in functions, commands and collections."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import typer

import tiepoint
from tiepoint.cli import app
from tiepoint.collection.run.options import CollectionOptions
from tiepoint.collection.sfm.localization import localize
from tiepoint.geometry.thresholds import ABSOLUTE_POSE_MAX_ERROR_PX, TWO_VIEW_MAX_ERROR_PX
from tiepoint.geometry.verification import make_verifier

COMMANDS: Any = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "function",
    [
        tiepoint.estimate_homography,
        tiepoint.estimate_fundamental,
        tiepoint.estimate_essential,
        tiepoint.estimate_relative_pose,
        tiepoint.match_collection,
        CollectionOptions,
        make_verifier,
    ],
)
def test_two_view_functions(function: Callable) -> None:
    assert inspect.signature(function).parameters["max_error_px"].default == TWO_VIEW_MAX_ERROR_PX


def option(*words: str) -> Any:
    """Return the threshold of a command."""
    command: Any = COMMANDS[words[0]]
    for word in words[1:]:
        command = command.commands[word]
    (found,) = (parameter for parameter in command.params if "--max-error-px" in parameter.opts)
    return found


@pytest.mark.parametrize("words", [("match",), ("pose",), ("collection", "run")], ids=" ".join)
def test_two_view_commands(words: tuple[str, ...]) -> None:
    assert option(*words).default == TWO_VIEW_MAX_ERROR_PX


def test_localization() -> None:
    assert inspect.signature(localize).parameters["max_error_px"].default == ABSOLUTE_POSE_MAX_ERROR_PX
    assert option("localize").default == ABSOLUTE_POSE_MAX_ERROR_PX


def test_later_steps_of_a_collection_keep_the_threshold_of_the_run() -> None:
    assert option("collection", "verify").default is None


def test_no_command_has_another_name_for_it() -> None:
    def names(command: Any) -> set[str]:
        children = getattr(command, "commands", {}).values()
        own = {name for parameter in command.params for name in parameter.opts if "error" in name}
        return own.union(*map(names, children))

    assert set().union(*map(names, COMMANDS.values())) == {"--max-error-px"}
