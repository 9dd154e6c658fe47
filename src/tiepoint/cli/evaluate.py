"""`tiepoint eval DATASET PATH` and `tiepoint eval compare A.json B.json`."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from tiepoint.cli.options import (
    DeviceOption,
    JsonOption,
    LicenseOption,
    PresetOption,
    ThreadsOption,
    use_threads,
)
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.evaluation.compare import Comparison
    from tiepoint.evaluation.report import Report

DEFAULT_COMMAND = "run"


class Group(TyperGroup):
    """`eval hpatches PATH` means `eval run hpatches PATH`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Add the command's name where none stands."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    help="Figures that anyone can check: evaluate a preset on a data set with ground truth; compare two reports.",
)

ReportArgument = Annotated[
    Path, typer.Argument(help="What `tiepoint eval --json` wrote.", show_default=False)
]


@app.command(DEFAULT_COMMAND)
def run(
    dataset: Annotated[
        str,
        typer.Argument(
            help="hpatches, megadepth1500, scannet1500, oxford-affine, homography-folder, superglue-pairs, "
            "strecha, colmap or pairs-jsonl.",
            show_default=False,
        ),
    ],
    path: Annotated[str, typer.Argument(help="Where it lies; #PART behind it: a part.", show_default=False)],
    preset: PresetOption = DEFAULT_PRESET,
    protocol: Annotated[
        str, typer.Option(help="tiepoint, glue-factory-opencv or glue-factory-poselib.")
    ] = "tiepoint",
    store: Annotated[
        Path | None,
        typer.Option(help="Folder for features and matches: a run that was killed goes on from there."),
    ] = None,
    json_file: JsonOption = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Evaluate so many pairs, spread over the data set.")
    ] = None,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress.")] = False,
) -> None:
    """Evaluate a preset on a data set with ground truth, under a named protocol.

    Exits with 1 when a part of the data set can't be read; the rest is evaluated.

    Example: tiepoint eval oxford-affine data/oxford_affine --store work/ --json report.json
    """
    from tiepoint.evaluation.evaluate import evaluate_preset
    from tiepoint.io.progress import untracked

    use_threads(threads)
    to_stdout = json_file == "-"
    report = evaluate_preset(
        dataset,
        path,
        preset=preset,
        protocol=protocol,
        store=store,
        json=None if to_stdout else json_file,
        limit=limit,
        device=device,
        accept_license=accept_license,
        progress=not quiet,
        track=untracked if quiet else _track,
    )
    if to_stdout:
        typer.echo(json.dumps(report.to_dict()))
    else:
        _print_report(report)
    for problem in report.problems:
        print(f"tiepoint: {problem}", file=sys.stderr)
    if report.problems:
        raise typer.Exit(1)


@app.command()
def compare(report0: ReportArgument, report1: ReportArgument, json_file: JsonOption = None) -> None:
    """Say whether the differences between two reports are real, by a paired bootstrap over the pairs.

    Example: tiepoint eval compare lightglue.json nearest.json
    """
    from tiepoint.evaluation.compare import compare_files

    to_stdout = json_file == "-"
    comparison = compare_files(report0, report1, json=None if to_stdout else json_file)
    if to_stdout:
        typer.echo(json.dumps(comparison.to_dict()))
        return
    _print_comparison(comparison)


def _print_report(report: "Report") -> None:
    from tiepoint.cli.tables import print_table
    from tiepoint.evaluation.report import METRICS

    typer.echo(
        f"{report.predictor} on {report.dataset}, {len(report.rows)} pairs, protocol {report.protocol['name']}\n"
    )
    figures = report.figures()
    print_table(
        ("figure", "value", "95 % interval"),
        [
            (figure.label, f"{found.value:.3f}", f"{found.low:.3f} to {found.high:.3f}")
            for figure in METRICS
            if (found := figures.get(figure.key))
        ],
    )


def _print_comparison(comparison: "Comparison") -> None:
    from tiepoint.cli.tables import print_table

    first, second = comparison.names
    typer.echo(
        f"first: {first}; second: {second}; {comparison.dataset}, protocol {comparison.protocol}, "
        f"{comparison.pairs} pairs ({comparison.left_out} left out that only one of them has)\n"
    )
    print_table(
        ("figure", "first", "second", "95 % of the difference", "verdict"),
        [
            (
                row.figure.label,
                f"{row.value0:.3f}",
                f"{row.value1:.3f}",
                f"{row.interval.low:+.3f} to {row.interval.high:+.3f}",
                row.verdict,
            )
            for row in comparison.differences
        ],
    )


def _track(items: Sequence[Any], text: str) -> Iterable[Any]:
    """A progress bar on stderr, with the time that is left."""
    from rich.console import Console
    from rich.progress import track

    return track(items, text, console=Console(stderr=True), disable=not items)
