"""`tiepoint demo`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tiepoint.presets import DEFAULT_PRESET


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="Output file of the drawn matches, or of an interactive page (.html)."
        ),
    ] = Path("tiepoint-demo.png"),
    preset: Annotated[
        str, typer.Option(help="Extractor and matcher; see `tiepoint presets`.")
    ] = DEFAULT_PRESET,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Match a real stereo pair and compare the matches with its ground-truth disparity.

    The pair is the motorcycle of the Middlebury data set (2014), from scikit-image (extra demo).
    """
    from tiepoint.demo import match_motorcycle

    report = match_motorcycle(output, preset=preset, progress=not as_json)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
        return
    typer.echo(f"{report.matches} matches, {report.checked} with known disparity;")
    typer.echo(f"{report.right} of these ({report.share:.1%}) are correct within {report.max_error_px:g} px")
    typer.echo(f"picture: {report.picture}")
