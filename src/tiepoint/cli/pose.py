"""`tiepoint pose A B`."""

import json
from typing import TYPE_CHECKING

import typer

from tiepoint.cli.options import (
    NO_MATCH,
    DeviceOption,
    FailOption,
    ImageArgument,
    IntrinsicsOption,
    JsonOption,
    LicenseOption,
    MaxErrorOption,
    MaxKeypointsOption,
    PresetOption,
    QuietOption,
    ResizeOption,
    Rotations,
    RotationsOption,
    ThreadsOption,
    ThresholdOption,
    set_up_logging,
    use_threads,
)
from tiepoint.errors import InvalidInput
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.result import MatchResult
    from tiepoint.types import TwoViewEstimate


def pose(
    image0: ImageArgument,
    image1: ImageArgument,
    intrinsics: IntrinsicsOption = None,
    json_file: JsonOption = None,
    max_error_px: MaxErrorOption = 3.0,
    preset: PresetOption = DEFAULT_PRESET,
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    rotations: RotationsOption = Rotations.NONE,
    threshold: ThresholdOption = 0.1,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    fail_on_no_match: FailOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find how the camera turned, and in which direction it moved, between two photographs of a rigid scene.

    The second camera's axes are x to the right, y down, z forward: X1 = R X0 + t.

    Example: tiepoint pose a.jpg b.jpg --intrinsics 1500,959.5,539.5 --json pose.json
    """
    from tiepoint.api import match_to_files
    from tiepoint.geometry.verification import make_verifier

    set_up_logging(quiet=quiet)
    use_threads(threads)
    to_stdout = json_file == "-"
    result, estimate = match_to_files(
        image0,
        image1,
        json=None if to_stdout else json_file,
        verify=make_verifier("pose", max_error_px=max_error_px, intrinsics=intrinsics),
        preset=preset,
        max_keypoints=max_keypoints,
        resize=resize or None,
        rotations=rotations.option,
        filter_threshold=threshold,
        device=device,
        accept_license=accept_license,
        progress=not quiet,
    )
    assert estimate is not None, "a verifier was given"
    if to_stdout:
        typer.echo(json.dumps(result.to_dict(estimate, result.verify())))
    if not quiet:
        _print_summary(result, estimate, to_stderr=to_stdout)
    if fail_on_no_match and not result.verify().same_scene:
        raise typer.Exit(NO_MATCH)
    if not estimate.success:
        raise InvalidInput(f"there is no pose: {estimate.reason}")


def _print_summary(result: "MatchResult", estimate: "TwoViewEstimate", *, to_stderr: bool) -> None:
    from tiepoint.cli.summaries import (
        print_images,
        summarize_estimate,
        summarize_matches,
        summarize_verification,
    )

    print_images(result, to_stderr=to_stderr)
    lines = [summarize_matches(result), summarize_verification(result), *summarize_estimate(result, estimate)]
    typer.echo("\n" + "\n".join(lines), err=to_stderr)
