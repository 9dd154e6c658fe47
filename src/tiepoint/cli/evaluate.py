"""`tiepoint eval DATASET PATH` and `tiepoint eval compare A.json B.json`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tiepoint.cli.command_group import CommandGroup, new_app
from tiepoint.cli.completion import DATASETS, PROTOCOLS, complete_from
from tiepoint.cli.flags import print_problem
from tiepoint.cli.options import (
    DeviceOption,
    JsonOption,
    LicenseOption,
    PresetOption,
    StretchOption,
    ThreadsOption,
    is_quiet,
    parse_stretch,
    use_threads,
)
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.evaluation.compare import Comparison
    from tiepoint.evaluation.report import Report

DEFAULT_COMMAND = "run"


class Group(CommandGroup):
    """`eval hpatches PATH` means `eval run hpatches PATH`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the name of the default command."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete commands, and the data sets of the default command."""
        dataset = self.commands[DEFAULT_COMMAND].params[0]
        return [*super().shell_complete(ctx, incomplete), *dataset.shell_complete(ctx, incomplete)]


app = new_app(
    cls=Group,
    help="Reproducible metrics on public data sets: evaluate a preset, compare two reports. Needs the extra eval.\n\nExample: tiepoint eval hpatches data/hpatches",
)

ReportArgument = Annotated[Path, typer.Argument(help="Report of `tiepoint eval --json`.", show_default=False)]


@app.command(DEFAULT_COMMAND)
def run(
    dataset: Annotated[
        str,
        typer.Argument(
            help="Data set: hpatches, megadepth1500, scannet1500, oxford-affine, homography-folder, superglue-pairs, "
            "strecha, colmap or pairs-jsonl.",
            show_default=False,
            autocompletion=complete_from(*DATASETS),
        ),
    ],
    path: Annotated[
        str, typer.Argument(help="Data set root; append #SUBSET to select a subset.", show_default=False)
    ],
    preset: PresetOption = DEFAULT_PRESET,
    protocol: Annotated[
        str,
        typer.Option(
            help="Protocol: tiepoint, glue-factory-opencv or glue-factory-poselib.",
            autocompletion=complete_from(*PROTOCOLS),
        ),
    ] = "tiepoint",
    store: Annotated[
        Path | None,
        typer.Option(help="Folder for features and matches, from which interrupted runs resume."),
    ] = None,
    json_file: JsonOption = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Evaluate N pairs, sampled uniformly.")] = None,
    stretch: StretchOption = "none",
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Show no progress.", callback=is_quiet)
    ] = False,
) -> None:
    """Evaluate a preset on a data set with ground truth, under a named protocol.

    Exits with status 1 if some pairs cannot be read; the others are evaluated.

    Example: tiepoint eval oxford-affine data/oxford_affine --store work/ --json report.json
    """
    from tiepoint.evaluation.evaluate import evaluate_preset
    from tiepoint.io.progress import no_progress, progress_bar

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
        stretch=parse_stretch(stretch),
        device=device,
        accept_license=accept_license,
        progress=no_progress if quiet else progress_bar,
    )
    if to_stdout:
        typer.echo(json.dumps(report.to_dict()))
    else:
        _print_report(report)
    for problem in report.problems:
        print_problem(problem)
    if report.problems:
        raise typer.Exit(1)


@app.command()
def compare(
    report0: ReportArgument,
    report1: ReportArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Output page: metrics, and the pairs that differ most (.html)."),
    ] = None,
    json_file: JsonOption = None,
) -> None:
    """Test the differences between two reports for significance, by paired bootstrap over the pairs.

    Example: tiepoint eval compare lightglue.json nearest.json -o comparison.html
    """
    from tiepoint.evaluation.compare import compare_files

    to_stdout = json_file == "-"
    comparison = compare_files(report0, report1, json=None if to_stdout else json_file, page=output)
    if to_stdout:
        typer.echo(json.dumps(comparison.to_dict()))
        return
    _print_comparison(comparison)
    if output is not None:
        typer.echo(f"\npage: {output}")


def _print_report(report: "Report") -> None:
    from tiepoint.cli.tables import print_table
    from tiepoint.evaluation.report import METRICS

    typer.echo(
        f"{report.predictor} on {report.dataset}, {len(report.rows)} pairs, protocol {report.protocol['name']}\n"
    )
    metrics = report.metrics()
    print_table(
        ("metric", "value", "95 % interval"),
        [
            (metric.label, f"{interval.value:.3f}", f"{interval.low:.3f} to {interval.high:.3f}")
            for metric in METRICS
            if (interval := metrics.get(metric.key))
        ],
    )


def _print_comparison(comparison: "Comparison") -> None:
    from tiepoint.cli.tables import print_table

    first, second = comparison.names
    typer.echo(
        f"first: {first}; second: {second}; {comparison.dataset}, protocol {comparison.protocol}, "
        f"{comparison.pairs} pairs ({comparison.excluded} in only one of them, excluded)\n"
    )
    print_table(
        ("metric", "first", "second", "95 % interval of the difference", "conclusion"),
        [
            (
                row.metric.label,
                f"{row.value0:.3f}",
                f"{row.value1:.3f}",
                f"{row.interval.low:+.3f} to {row.interval.high:+.3f}",
                row.conclusion,
            )
            for row in comparison.differences
        ],
    )
