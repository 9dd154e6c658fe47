"""`tiepoint collection plan OUT`."""

from pathlib import Path
from typing import Annotated

import typer

from tiepoint.cli.completion import PAIRS, complete_from
from tiepoint.io.durations import format_duration

UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def plan(
    out: Annotated[
        Path,
        typer.Argument(help="Output folder of an earlier run, whose rates are taken.", show_default=False),
    ],
    images: Annotated[
        int | None, typer.Option(min=1, help="Number of images.", show_default="that of the run")
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="Pair selection, as for `run`.",
            show_default="that of the run",
            autocompletion=complete_from(*PAIRS),
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of workers, over all machines.")] = 1,
) -> None:
    """Forecast time, bytes, tasks and object-store requests of a run, from the rates of an earlier one.

    Numbers of retrieval and spatial pairs, reads and requests are upper bounds.

    Example: tiepoint collection plan out/ --images 100000 --pairs retrieval:20 --workers 64
    """
    from tiepoint.cli.tables import print_table
    from tiepoint.collection.run.forecast import forecast, measure_rates
    from tiepoint.collection.state import read_state

    state = read_state(out)
    found = forecast(
        len(state.images) if images is None else images,
        state.options["pairs"] if pairs is None else pairs,
        measure_rates(out),
        workers=workers,
    )
    print_table(
        ("stage", "records", "tasks", "time", "size", "requests"),
        [
            *(
                (
                    each.name,
                    f"{each.records:,}",
                    f"{each.tasks:,}",
                    format_duration(each.seconds),
                    format_bytes(each.size_bytes),
                    f"{each.requests:,}",
                )
                for each in found.stages
            ),
            (
                "all",
                "",
                f"{sum(each.tasks for each in found.stages):,}",
                format_duration(found.seconds),
                format_bytes(found.size_bytes),
                f"{sum(each.requests for each in found.stages):,}",
            ),
        ],
    )


def format_bytes(count: float) -> str:
    """Return a size in decimal units."""
    return next((f"{count / size:.1f} {unit}" for unit, size in UNITS if count >= size), f"{count:.0f} B")
