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
from tiepoint.geometry.thresholds import ABSOLUTE_POSE_MAX_ERROR_PX

if TYPE_CHECKING:
    from tiepoint.collection.sfm.localization import Localization

NumImagesOption = Annotated[
    int, typer.Option(min=1, help="Number of most similar registered images to match with.")
]
FocalOption = Annotated[
    float | None,
    typer.Option(
        min=1,
        help="Focal length in px.",
        show_default="from the model, EXIF data, or a default prior",
    ),
]


def localize(
    query: ImageArgument,
    out: Annotated[
        Path, typer.Argument(help="Output folder of a reconstructed collection.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Output image with the inliers.", show_default=False),
    ] = None,
    json_file: JsonOption = None,
    num_images: NumImagesOption = 50,
    focal: FocalOption = None,
    max_error_px: Annotated[
        float,
        typer.Option(min=0.01, help="Inlier threshold (reprojection error) in px of the original image."),
    ] = ABSOLUTE_POSE_MAX_ERROR_PX,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Estimate the camera pose of an image in the model of a reconstructed collection.

    Example: tiepoint localize new.jpg out/ -o inliers.png --json pose.json
    """
    from tiepoint.collection.sfm.localization import localize_to_files

    set_up_logging(quiet=quiet)
    use_threads(threads)
    to_stdout = json_file == "-"
    localization = localize_to_files(
        query,
        out,
        image_path=output,
        json_path=None if to_stdout else json_file,
        num_images=num_images,
        focal_px=focal,
        max_error_px=max_error_px,
        progress=not quiet,
    )
    if to_stdout:
        typer.echo(json.dumps(localization.to_dict()))
    if not localization.success:
        raise InvalidInput(f"cannot localize {query!r}: {localization.reason}")
    if not quiet:
        _print_summary(localization, to_stderr=to_stdout)


def _print_summary(localization: "Localization", *, to_stderr: bool) -> None:
    assert localization.position is not None, "it succeeded"
    x, y, z = localization.position
    typer.echo(f"position: ({x:.3f}, {y:.3f}, {z:.3f}) in the model's frame and scale", err=to_stderr)
    typer.echo(
        f"inliers: {localization.num_inliers} of {len(localization.points)}; most are shared with "
        f"{localization.neighbor}; focal length: {localization.camera_params[0]:.0f} px ({localization.focal_source})",
        err=to_stderr,
    )
