"""`tiepoint stitch A B`."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tiepoint.cli.options import (
    NO_MATCH,
    FailOption,
    ImageArgument,
    JsonOption,
    MatcherOptions,
    MaxErrorOption,
    matcher_options,
)
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX

if TYPE_CHECKING:
    from tiepoint.result import MatchResult
    from tiepoint.types import TwoViewEstimate


class Mode(StrEnum):
    """Overlay modes."""

    BLEND = "blend"
    CHECKERBOARD = "checkerboard"


@matcher_options()
def stitch(
    image0: ImageArgument,
    image1: ImageArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="Output file of the panorama.")] = Path(
        "panorama.jpg"
    ),
    overlay: Annotated[Path | None, typer.Option(help="Also write image 0 warped onto image 1.")] = None,
    mode: Annotated[Mode, typer.Option(help="Overlay mode.")] = Mode.BLEND,
    json_file: JsonOption = None,
    max_error_px: MaxErrorOption = TWO_VIEW_MAX_ERROR_PX,
    fail_on_no_match: FailOption = False,
    *,
    matcher: MatcherOptions,
) -> None:
    """Stitch two images of a plane, or from the same viewpoint, into a panorama; image 1 is not warped.

    Example: tiepoint stitch a.jpg b.jpg -o panorama.jpg --overlay overlay.png --mode checkerboard
    """
    from tiepoint.cli.summaries import print_summary
    from tiepoint.stitching.panorama import stitch_to_files

    to_stdout = json_file == "-"

    def report(result: "MatchResult", estimate: "TwoViewEstimate") -> None:
        if not matcher.quiet:
            print_summary(result, estimate, to_stderr=to_stdout)
        if to_stdout:
            typer.echo(json.dumps(result.to_dict(estimate, result.verify())))

    result, _ = stitch_to_files(
        image0,
        image1,
        output,
        overlay=overlay,
        mode=mode.value,
        max_error_px=max_error_px,
        only_same_scene=fail_on_no_match,
        on_match=report,
        json=None if to_stdout else json_file,
        preset=matcher.preset,
        **matcher.load,
    )
    if fail_on_no_match and not result.verify().same_scene:
        raise typer.Exit(NO_MATCH)
    for name, path in (("panorama", output), ("overlay", overlay)):
        if path is not None and not matcher.quiet:
            typer.echo(f"{name}: {path}", err=to_stdout)
