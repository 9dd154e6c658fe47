"""The command `tiepoint`: each command parses its options, calls one library function, and prints the result.

Heavy modules are imported when a command runs, so that `--help` is fast.
"""

import sys
from typing import Annotated

import typer

from tiepoint import __version__
from tiepoint.cli import (
    bench,
    collection,
    demo,
    doctor,
    evaluate,
    find,
    localize,
    match,
    pose,
    presets,
    stitch,
    track,
    train,
    weights,
)
from tiepoint.cli.command_group import new_app
from tiepoint.cli.flags import print_problem
from tiepoint.cli.streams import guarded_streams
from tiepoint.errors import TiepointError

app = new_app(name="tiepoint", help="Two images in, tie points out.", pretty_exceptions_enable=False)
app.command("match")(match.match)
app.command("stitch")(stitch.stitch)
app.command("pose")(pose.pose)
app.command("find")(find.find)
app.command("track")(track.track)
app.command("train")(train.train)
app.command("demo")(demo.demo)
app.command("presets")(presets.presets)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)
app.add_typer(collection.app, name="collection")
app.command("localize")(localize.localize)
app.add_typer(evaluate.app, name="eval")
app.add_typer(weights.app, name="weights")


def _print_version(is_given: bool) -> bool:
    if is_given:
        typer.echo(f"tiepoint {__version__}")
        raise typer.Exit
    return is_given


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "-V", "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Two images in, tie points out: corresponding pixel coordinates, each with a score."""


def main() -> None:
    """Run the command; a TiepointError is printed as one line on stderr, with exit status 1."""
    with guarded_streams():
        _run()


def _run() -> None:
    try:
        app(prog_name="tiepoint")
    except TiepointError as error:
        print_problem(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        print_problem("interrupted")
        sys.exit(130)
