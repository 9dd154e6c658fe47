"""`tiepoint match A B`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tiepoint.cli.options import (
    NO_MATCH,
    DeviceOption,
    FailOption,
    ImageArgument,
    IntrinsicsOption,
    JsonOption,
    LicenseOption,
    MaskOption,
    MaxErrorOption,
    MaxKeypointsOption,
    MaxLinesOption,
    PresetOption,
    QuietOption,
    ResizeOption,
    Rotations,
    RotationsOption,
    ThreadsOption,
    ThresholdOption,
    VerifyKind,
    set_up_logging,
    use_threads,
)
from tiepoint.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from tiepoint.result import MatchResult
    from tiepoint.types import TwoViewEstimate


def match(
    image0: ImageArgument,
    image1: ImageArgument,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write a picture of the matches (.png, .jpg, .webp)."),
    ] = None,
    json_file: JsonOption = None,
    npz: Annotated[Path | None, typer.Option("--npz", help="Write everything as NumPy arrays.")] = None,
    preset: PresetOption = DEFAULT_PRESET,
    max_keypoints: MaxKeypointsOption = 2048,
    resize: ResizeOption = 1024,
    mask0: MaskOption = None,
    mask1: MaskOption = None,
    border: Annotated[
        int, typer.Option(min=0, help="Px of the original images along each side without keypoints.")
    ] = 0,
    tile: Annotated[
        str,
        typer.Option(metavar="auto|PX", help="Do larger images in tiles of at most this side; 0: never."),
    ] = "auto",
    rotations: RotationsOption = Rotations.NONE,
    threshold: ThresholdOption = 0.1,
    adaptive: Annotated[
        bool,
        typer.Option("--adaptive/--no-adaptive", help="Stop early on easy pairs, drop hopeless keypoints."),
    ] = True,
    pruning_min_keypoints: Annotated[
        int | None,
        typer.Option(min=0, help="Drop keypoints only in images with more; see `tiepoint bench --tune`."),
    ] = None,
    verify: Annotated[
        VerifyKind | None,
        typer.Option(help="Estimate a geometric model; the picture shows which matches fit."),
    ] = None,
    intrinsics: IntrinsicsOption = None,
    max_error_px: MaxErrorOption = 3.0,
    max_lines: MaxLinesOption = 500,
    keypoints: Annotated[
        bool, typer.Option("--keypoints", help="Show unmatched keypoints in the picture.")
    ] = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    accept_license: LicenseOption = False,
    fail_on_no_match: FailOption = False,
    quiet: QuietOption = False,
) -> None:
    """Find the tie points of two photographs.

    Example: tiepoint match a.jpg b.jpg -o matches.png --json matches.json --verify homography
    """
    if intrinsics is not None and verify is not VerifyKind.POSE:
        raise typer.BadParameter("--intrinsics needs --verify pose")
    from tiepoint.api import match_to_files
    from tiepoint.geometry.verification import make_verifier

    set_up_logging(quiet=quiet)
    use_threads(threads)
    to_stdout = json_file == "-"
    result, estimate = match_to_files(
        image0,
        image1,
        picture=output,
        json=None if to_stdout else json_file,
        npz=npz,
        draw={"max_lines": max_lines, "keypoints": keypoints},
        verify=make_verifier(verify, max_error_px=max_error_px, intrinsics=intrinsics) if verify else None,
        preset=preset,
        max_keypoints=max_keypoints,
        resize=resize or None,
        mask0=mask0,
        mask1=mask1,
        border=border,
        tile=_tile(tile),
        rotations=rotations.option,
        filter_threshold=threshold,
        adaptive=adaptive,
        pruning_min_keypoints=pruning_min_keypoints,
        device=device,
        accept_license=accept_license,
        progress=not quiet,
    )
    if not quiet:
        _print_summary(result, estimate, output, to_stderr=to_stdout)
    if to_stdout:
        typer.echo(json.dumps(result.to_dict(estimate, result.verify())))
    if fail_on_no_match and not result.verify().same_scene:
        raise typer.Exit(NO_MATCH)


def _tile(text: str) -> int | Literal["auto"] | None:
    if text == "auto":
        return "auto"
    if not text.isdecimal():
        raise typer.BadParameter(f"{text!r} is neither auto nor a whole number of px", param_hint="--tile")
    return int(text) or None


def _print_summary(
    result: "MatchResult", estimate: "TwoViewEstimate | None", picture: Path | None, *, to_stderr: bool
) -> None:
    from tiepoint.cli.summaries import (
        print_images,
        summarize_estimate,
        summarize_matches,
        summarize_verification,
    )

    print_images(result, to_stderr=to_stderr)
    lines = [summarize_matches(result), summarize_verification(result)]
    lines += [] if estimate is None else summarize_estimate(result, estimate)
    lines += [f"picture: {picture}"] if picture else ["for a picture add: -o matches.png"]
    typer.echo("\n" + "\n".join(lines), err=to_stderr)
