"""The command `tiepoint`: each command parses its options, calls one library function, and prints the result.

Heavy modules are imported when a command runs, so that `--help` is fast.
"""

from tiepoint.cli import clock  # first, so that the imports below are part of the time

# isort: split
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
    export,
    find,
    localize,
    match,
    pose,
    presets,
    register,
    stitch,
    track,
    train,
    warps,
    web_app,
    weights,
)
from tiepoint.cli.command_group import new_app
from tiepoint.cli.flags import print_problem
from tiepoint.cli.options import set_up_logging
from tiepoint.cli.streams import guarded_streams
from tiepoint.errors import TiepointError
from tiepoint.io.heap import keep_freed_memory

app = new_app(name="tiepoint", pretty_exceptions_enable=False)
app.command("match")(match.match)
app.command("register")(register.register)
app.command("stitch")(stitch.stitch)
app.command("pose")(pose.pose)
app.command("find")(find.find)
app.command("track")(track.track)
app.command("train")(train.train)
app.command("warps")(warps.warps)
app.command("demo")(demo.demo)
app.command("presets")(presets.presets)
app.command("bench")(bench.bench)
app.command("app")(web_app.serve)
app.command("doctor")(doctor.doctor)
app.add_typer(collection.app, name="collection")
app.command("localize")(localize.localize)
app.add_typer(evaluate.app, name="eval")
app.command("export")(export.export)
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
    verbose: Annotated[
        int,
        typer.Option(
            "-v", "--verbose", count=True, help="Print what is done; -vv: also details.", show_default=False
        ),
    ] = 0,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Print errors only.")] = False,
) -> None:
    """Two images in, tie points out: corresponding pixel coordinates, each with a score.

    Example: tiepoint match a.jpg b.jpg -o matches.png
    """
    if verbose and quiet:
        raise typer.BadParameter("-v and -q exclude each other")
    set_up_logging(quiet=quiet, verbose=verbose)


def main() -> None:
    """Run the command; a TiepointError is printed as one line on stderr, with exit status 1."""
    keep_freed_memory()
    with clock.running(), guarded_streams():
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
