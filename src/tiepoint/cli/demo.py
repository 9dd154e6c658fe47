"""`tiepoint demo`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tiepoint.presets import DEFAULT_PRESET


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write the picture.")] = Path(
        "tiepoint-demo.png"
    ),
    preset: Annotated[
        str, typer.Option(help="Extractor and matcher; see `tiepoint presets`.")
    ] = DEFAULT_PRESET,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Match a real stereo pair, and check the matches against its measured disparity.

    The pair is the motorcycle of the Middlebury data set (2014), which scikit-image carries.
    """
    from tiepoint.demo import match_motorcycle

    report = match_motorcycle(output, preset=preset, progress=not as_json)
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
        return
    typer.echo(f"{report.matches} matches; {report.checked} lie where the disparity is known,")
    typer.echo(f"{report.right} of those ({report.share:.1%}) within {report.max_error_px:g} px of it")
    typer.echo(f"picture: {report.picture}")
