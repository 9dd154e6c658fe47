"""Options that commands share: their values, defaults and limits."""

import logging
from collections.abc import Callable
from importlib import import_module

import pytest
import torch
import typer
from typer.testing import CliRunner

from tiepoint.cli import app as main_app
from tiepoint.cli.options import ImageArgument, MatcherOptions, matcher_options, parse_prescreen

options = import_module("tiepoint.cli.options")  # tiepoint.cli has a function of that name

Parse = Callable[..., MatcherOptions]


def app(received: list[MatcherOptions], **defaults: int | bool) -> typer.Typer:
    """One command with an argument of its own and the shared options."""
    app = typer.Typer()

    @app.command()
    @matcher_options(**defaults)
    def command(image: ImageArgument, matcher: MatcherOptions) -> None:
        """Do something with IMAGE."""
        received.append(matcher)

    return app


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Parse:
    """Parse arguments; keyword arguments are those of `matcher_options`."""
    monkeypatch.setattr(options, "set_up_logging", lambda quiet: None)

    def parse(*arguments: str, **defaults: int | bool) -> MatcherOptions:
        received: list[MatcherOptions] = []
        CliRunner().invoke(app(received, **defaults), ["a.jpg", *arguments], catch_exceptions=False)
        (matcher,) = received
        return matcher

    return parse


def test_defaults(parse: Parse):
    parsed = parse()
    assert parsed == MatcherOptions(
        preset="aliked+lightglue",
        load={
            "max_keypoints": 2048,
            "resize": 1024,
            "stretch": None,
            "device": "auto",
            "accept_license": False,
            "progress": True,
        },
        quiet=False,
        stages=parsed.stages,
    )
    assert list(parsed.stages.seconds) == ["start"]


def test_defaults_of_a_command(parse: Parse):
    load = parse(max_keypoints=512, resize=640).load
    assert (load["max_keypoints"], load["resize"]) == (512, 640)


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["--max-keypoints", "7"], "max_keypoints", 7),
        (["--resize", "0"], "resize", None),
        (["--upscale"], "upscale", True),
        (["--no-upscale"], "upscale", False),
        (["--stretch", "auto"], "stretch", "auto"),
        (["--stretch", "2"], "stretch", 2.0),
        (["--stretch", "none"], "stretch", None),
        (["--threshold", "0.5"], "filter_threshold", 0.5),
        (["--min-precision", "0.9"], "min_precision", 0.9),
        (["--device", "cpu"], "device", "cpu"),
        (["--views", "rotation"], "views", "rotation"),
        (["--accept-license"], "accept_license", True),
        (["--quiet"], "progress", False),
    ],
)
def test_options_of_load(parse: Parse, arguments: list[str], name: str, value: object):
    assert parse(*arguments).load[name] == value


def test_no_search_over_views_can_be_chosen(parse: Parse):
    assert parse("--views", "none").load["views"] is None


def test_views_and_upscaling_are_left_out_unless_chosen(parse: Parse):
    load = parse().load
    assert "views" not in load
    assert "upscale" not in load


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-keypoints", "0"],
        ["--resize", "-1"],
        ["--threshold", "2"],
        ["--min-precision", "1.1"],
        ["--threads", "0"],
        ["--views", "x"],
        ["--stretch", "full"],
    ],
)
def test_values_out_of_range_are_usage_errors(arguments: list[str]):
    assert CliRunner().invoke(app([]), ["a.jpg", *arguments]).exit_code == 2


def test_commands_without_views():
    assert CliRunner().invoke(app([], views=False), ["a.jpg", "--views", "rotation"]).exit_code == 2


def test_the_help_is_that_of_the_command():
    text = CliRunner().invoke(app([]), ["--help"], env={"COLUMNS": "200"}).stdout
    assert "Do something with IMAGE." in text
    assert "--max-keypoints" in text


def test_threads(monkeypatch: pytest.MonkeyPatch):
    counts: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", counts.append)
    options.use_threads(None)
    options.use_threads(3)
    assert counts == [3]


@pytest.mark.parametrize(
    ("settings", "ours", "others"),
    [
        ({}, logging.WARNING, logging.WARNING),
        ({"quiet": True}, logging.ERROR, logging.ERROR),
        ({"verbose": 1}, logging.INFO, logging.WARNING),
        ({"verbose": 2}, logging.DEBUG, logging.WARNING),
        ({"verbose": 3}, logging.DEBUG, logging.WARNING),
    ],
)
def test_verbosity_is_that_of_the_library_alone(settings: dict, ours: int, others: int):
    options.set_up_logging(**settings)
    assert logging.getLogger("tiepoint.weights").getEffectiveLevel() == ours
    assert logging.getLogger("another").getEffectiveLevel() == others


def test_a_command_keeps_the_verbosity_given_before_it():
    options.set_up_logging(verbose=1)
    options.set_up_logging(quiet=False)
    assert logging.getLogger("tiepoint").level == logging.INFO


@pytest.mark.parametrize(
    "command",
    [
        "match",
        "pose",
        "stitch",
        "find",
        "track",
        "train",
        "bench",
        "collection run",
        "collection extract",
        "eval run",
    ],
)
def test_every_command_that_reads_images_can_stretch_them(command: str):
    group = typer.main.get_command(main_app)
    for name in command.split():
        group = group.commands[name]  # type: ignore[attr-defined]
    assert "--stretch" in {option for parameter in group.params for option in parameter.opts}


@pytest.mark.parametrize(("text", "value"), [("auto", "auto"), ("off", None), ("0.25", 0.25)])
def test_values_of_prescreen(text: str, value: object):
    assert parse_prescreen(text) == value


def test_other_values_of_prescreen_are_usage_errors():
    with pytest.raises(typer.BadParameter, match="expected auto, off, or a probability, got 'on'"):
        parse_prescreen("on")
