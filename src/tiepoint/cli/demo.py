"""`tiepoint demo`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tiepoint.cli.options import PresetOption, import_torch, start_stages
from tiepoint.presets import DEFAULT_PRESET


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Output file of the drawn matches, or of an interactive page (.html)."
        ),
    ] = Path("tiepoint-demo.png"),
    preset: PresetOption = DEFAULT_PRESET,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Match a real stereo pair and compare the matches with its ground-truth disparity.

    The pair is the motorcycle of the Middlebury data set (2014), from scikit-image (extra demo).

    Example: tiepoint demo -o motorcycle.html
    """
    stages = start_stages(quiet=as_json)
    import_torch(stages)
    from tiepoint.cli.summaries import summarize_seconds
    from tiepoint.demo import match_motorcycle

    report = match_motorcycle(output, preset=preset, progress=not as_json, stages=stages)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
        return
    typer.echo(f"{report.matches} matches, {report.checked} with known disparity;")
    typer.echo(f"{report.right} of these ({report.share:.1%}) are correct within {report.max_error_px:g} px")
    typer.echo(summarize_seconds(report.seconds))
    typer.echo(f"picture: {report.picture}")
