"""Console messages name options, never Python arguments."""

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.helpers.paths import REPOSITORY

from tiepoint.cli.flags import PYTHON_ONLY, FlagFormatter, name_flags, print_problem


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("few inliers; try views='rotation'", "few inliers; try --views rotation"),
        ("use fewer processes, or lower resize or max_keypoints", "use fewer processes, or lower resize or --max-keypoints"),
        ("max_error_px: expected a positive number, got -1", "--max-error-px: expected a positive number, got -1"),
        ("cannot tune pruning_min_keypoints: the matcher", "cannot tune --pruning-min-keypoints: the matcher"),
        ("got pairs=3 and minutes=2.5", "got --pairs 3 and --minutes 2.5"),
        ("you may pass accept_license=True.", "you may pass --accept-license."),
        ("filter_threshold: expected a number", "--threshold: expected a number"),
        ("resize it, or increase max_megapixels if", "resize it, or increase max_megapixels (only in Python) if"),
        ("min_tracked must be in [0, 1]", "--min-tracked must be in [0, 1]"),
    ],
)  # fmt: skip
def test_python_arguments_become_options(message: str, expected: str) -> None:
    assert name_flags(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        "cannot read 'max_keypoints.png'",
        "cannot open /data/max_keypoints/a.png",
        "cannot open 'max_keypoints'",
        "unknown field of TrainConfig: some_thing=3",
        "log_assignment.* or match_assignment_layers.*",
        "no such option: --max-keypoints",
    ],
)
def test_other_names_stay(message: str) -> None:
    assert name_flags(message) == message


def test_warnings_of_the_library_too() -> None:
    record = logging.LogRecord("tiepoint", logging.WARNING, "", 0, "lower %s", ("max_keypoints",), None)
    assert FlagFormatter("%(message)s").format(record) == "tiepoint: lower --max-keypoints"


def test_problems_are_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_problem("try views='rotation'")
    assert capsys.readouterr() == ("", "tiepoint: try --views rotation\n")


ERRORS = {"InvalidInput", "WeightsError", "StoreError", "TrainingError", "ExecutorError", "MissingDependency"}
LOGGED = {"warning", "error"}
# Arguments of functions that no command calls with the user's values
NOT_FROM_COMMANDS = {
    "image_size",
    "read_features",
    "checkpoint_seconds",
    "match_features",
    "nan_to_num",
    "stop_after",
}


def messages(path: Path) -> Iterator[str]:
    """Yield the constant parts of messages of errors and warnings in a module."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] in ERRORS | LOGGED:
            for node in ast.walk(call):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                    yield node.value


def test_every_argument_that_a_message_names_has_an_option() -> None:
    """Or is marked as an argument of Python only."""
    package = REPOSITORY / "src" / "tiepoint"
    unknown = {}
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] in ("cli", "compat", "huggingface", "models"):
            continue
        for message in messages(path):
            for name in re.findall(r"(?<![\w./\[])[a-z]+(?:_[a-z]+)+(?![\w(./\]])", name_flags(message)):
                if name not in NOT_FROM_COMMANDS | PYTHON_ONLY.keys():
                    unknown[name] = f"{path.name}: {message}"
    assert unknown == {}
