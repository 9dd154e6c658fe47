"""The command `tiepoint`. A command parses, calls one library function, prints; the work is done elsewhere.

Nothing heavy is imported before a command runs, so that `--help` answers at once.
"""

import sys
from typing import Annotated

import typer

from tiepoint import __version__
from tiepoint.cli import (
    bench,
    collection,
    demo,
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
from tiepoint.errors import TiepointError

app = typer.Typer(
    name="tiepoint",
    help="Two photographs in, tie points out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("match")(match.match)
app.command("stitch")(stitch.stitch)
app.command("pose")(pose.pose)
app.command("find")(find.find)
app.command("track")(track.track)
app.command("train")(train.train)
app.command("demo")(demo.demo)
app.command("presets")(presets.presets)
app.command("bench")(bench.bench)
app.add_typer(collection.app, name="collection")
app.command("localize")(localize.localize)
app.add_typer(evaluate.app, name="eval")
app.add_typer(weights.app, name="weights")


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"tiepoint {__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Two photographs in, tie points out: matching pixel positions, each with a score."""


def main() -> None:
    """Run the command; an error that tiepoint raises on purpose is one line on stderr and exit code 1."""
    try:
        app()
    except TiepointError as error:
        print(f"tiepoint: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("tiepoint: interrupted", file=sys.stderr)
        sys.exit(130)
