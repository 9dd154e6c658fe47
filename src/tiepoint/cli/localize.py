"""`tiepoint localize QUERY OUT`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import (
    ImageArgument,
    JsonOption,
    QuietOption,
    ThreadsOption,
    set_up_logging,
    use_threads,
)
from tiepoint.errors import InvalidInput

if TYPE_CHECKING:
    from tiepoint.collection.sfm.localization import Localization

PhotographsOption = Annotated[
    int,
    typer.Option(min=1, help="Registered photographs to match with, the most alike where there are more."),
]
FocalOption = Annotated[
    float | None,
    typer.Option(
        min=1,
        help="Focal length in px. Without: a camera of the model, EXIF data, or a guess.",
        show_default=False,
    ),
]


def localize(
    query: ImageArgument,
    out: Annotated[
        Path, typer.Argument(help="Output folder of a reconstructed collection.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Picture of the points that fit.", show_default=False),
    ] = None,
    json_file: JsonOption = None,
    photographs: PhotographsOption = 50,
    focal: FocalOption = None,
    max_error_px: Annotated[
        float, typer.Option(min=0.01, help="Largest error of a point that fits, in px of the photograph.")
    ] = 12.0,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Find where a photograph was taken, in the model of a collection that has been reconstructed.

    Example: tiepoint localize new.jpg out/ -o where.png --json pose.json
    """
    from tiepoint.collection.sfm.localization import localize_to_files

    set_up_logging(quiet=quiet)
    use_threads(threads)
    to_stdout = json_file == "-"
    found = localize_to_files(
        query,
        out,
        picture=output,
        json=None if to_stdout else json_file,
        photographs=photographs,
        focal_px=focal,
        max_error_px=max_error_px,
    )
    if to_stdout:
        typer.echo(json.dumps(found.to_dict()))
    if not found.success:
        raise InvalidInput(f"there is no pose: {found.reason}")
    if not quiet:
        _print_summary(found, to_stderr=to_stdout)


def _print_summary(found: "Localization", *, to_stderr: bool) -> None:
    assert found.position is not None, "it succeeded"
    x, y, z = found.position
    typer.echo(f"position: ({x:.3f}, {y:.3f}, {z:.3f}) in the model's frame and scale", err=to_stderr)
    typer.echo(
        f"{found.num_inliers} of {len(found.points)} points fit; most are shared with {found.neighbor}; "
        f"focal length: {found.camera_params[0]:.0f} px ({found.focal_source})",
        err=to_stderr,
    )
