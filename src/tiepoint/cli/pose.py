"""`tiepoint pose A B`."""

import json

import typer

from tiepoint.cli.options import (
    NO_MATCH,
    FailOption,
    ImageArgument,
    IntrinsicsOption,
    JsonOption,
    MatcherOptions,
    MaxErrorOption,
    matcher_options,
)
from tiepoint.errors import InvalidInput
from tiepoint.geometry.thresholds import TWO_VIEW_MAX_ERROR_PX


@matcher_options()
def pose(
    image0: ImageArgument,
    image1: ImageArgument,
    intrinsics: IntrinsicsOption = None,
    json_file: JsonOption = None,
    max_error_px: MaxErrorOption = TWO_VIEW_MAX_ERROR_PX,
    fail_on_no_match: FailOption = False,
    *,
    matcher: MatcherOptions,
) -> None:
    """Estimate the relative pose of two images of a rigid scene: rotation, and direction of translation.

    Points in the camera frames (x right, y down, z forward) are related by X1 = R X0 + t.

    Example: tiepoint pose a.jpg b.jpg --intrinsics 1500,959.5,539.5 --json pose.json
    """
    matcher.import_torch()
    from tiepoint.api import match_to_files
    from tiepoint.cli.summaries import print_summary
    from tiepoint.geometry.verification import make_verifier

    to_stdout = json_file == "-"
    result, estimate = match_to_files(
        image0,
        image1,
        json=None if to_stdout else json_file,
        verify=make_verifier("pose", max_error_px=max_error_px, intrinsics=intrinsics),
        stages=matcher.stages,
        preset=matcher.preset,
        **matcher.load,
    )
    assert estimate is not None, "a verifier was given"
    result = result.with_seconds(matcher.stages.with_total())
    if to_stdout:
        typer.echo(json.dumps(result.to_dict(estimate, result.verify())))
    if not matcher.quiet:
        print_summary(result, estimate, to_stderr=to_stdout)
    if fail_on_no_match and not result.verify().same_scene:
        raise typer.Exit(NO_MATCH)
    if not estimate.success:
        raise InvalidInput(f"pose estimation failed: {estimate.reason}")
